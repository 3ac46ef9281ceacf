"""What a day's slots come to: statements that store leads and responses, and rows of the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

from server.destinations import make_webhook
from server.domain.delivery import Delivery, DeliveryState
from server.domain.directory import Client
from server.domain.form_response import ResponseDraft
from server.domain.ids import DeliveryId
from server.domain.lead import WEBSITE, Channel, Lead
from server.domain.qualification import LEAD, SUBMIT_APPLICATION
from server.domain.visitor import MatchKind, Peer
from server.store import form_responses, leads, scoring_results, seeding
from server.store.contract import Statement
from server.store.form_responses import ResponseScores
from server.store.scoring_results import ScoringResult
from server.store.seeding import DeliveryRow, SeedRow
from server.store.visitors import Traces
from server.usecases.demo_data import property as market
from server.usecases.demo_data.dispatch import Dispatch
from server.usecases.demo_data.enquiries import Enquiries, Enquiry, Sender
from server.usecases.demo_data.follow_up import FollowUp
from server.usecases.demo_data.plan import Slot
from server.usecases.demo_data.responses import Response, Responses
from server.usecases.demo_data.visits import Appearance, Visits
from server.usecases.receive_response import FORWARD_AFTER, draft_of_lead, forward_id_of, lead_id_of
from server.usecases.report_conversion import conversion_of
from server.usecases.score_response import capi_data

_FINISHED_SHARE, _UNSCORED_SHARE = 0.72, 0.08
_UNSCORED = "no model answered: the last one did not answer in time"


@dataclass(slots=True)
class Told:
    """What is to be written: statements first, rows after them; `leads` counts the leads."""

    statements: list[Statement] = field(default_factory=list)
    rows: list[SeedRow] = field(default_factory=list)
    leads: int = 0


@dataclass(frozen=True, slots=True)
class Makers:
    """All that makes a part of the data; they share one source of chance."""

    visits: Visits
    enquiries: Enquiries
    responses: Responses
    dispatch: Dispatch
    follow_up: FollowUp


class Storyteller:
    """Tells slots one after the other, as of `now`."""

    def __init__(self, rng: Random, client: Client, makers: Makers, now: datetime) -> None:
        self._rng = rng
        self._client = client
        self._makers = makers
        self._now = now

    def tell(self, slot: Slot, told: Told) -> None:
        """Add what a slot comes to."""
        appearance = self._appearance(slot)
        if appearance is not None:
            told.rows += appearance.rows
        if slot.enquiry is None:
            return
        told.leads += 1
        if slot.enquiry.channel is Channel.TYPEFORM:
            lead = self._typeform_lead(slot.enquiry, appearance, told)
        else:
            lead = self._plain_lead(slot.enquiry, appearance, told)
        told.rows += self._makers.follow_up.of(lead)

    def _appearance(self, slot: Slot) -> Appearance | None:
        visits, visitor = self._makers.visits, slot.visitor
        if visitor is None:
            return None
        if slot.enquiry is None:
            return visits.session(visitor, slot.moment, self._now)
        form = market.FINDER if slot.enquiry.channel is Channel.TYPEFORM else market.CONTACT
        return visits.converting_session(visitor, slot.moment, self._now, form)

    def _plain_lead(self, enquiry: Enquiry, appearance: Appearance | None, told: Told) -> Lead:
        lead = self._makers.enquiries.lead(enquiry, appearance)
        told.statements += leads.lead_batch(lead)
        delivery = Delivery(
            delivery_id=DeliveryId(f"msg_{lead.lead_id.removeprefix('lead_')}"),
            client_id=lead.client_id,
            destination=make_webhook.NAME,
            lead_id=lead.lead_id,
            payload=make_webhook.body_of(lead),
        )
        told.rows += self._makers.dispatch.settle(delivery, lead.created_at, lead.created_at)
        return lead

    def _typeform_lead(self, enquiry: Enquiry, appearance: Appearance | None, told: Told) -> Lead:
        rng, visitor = self._rng, enquiry.visitor
        keenness = rng.betavariate(3, 2)
        visited = (visitor.visitor_id, appearance) if visitor and appearance else None
        person = self._makers.enquiries.person(enquiry)
        partial, whole = self._makers.responses.pair(person, enquiry.moment, visited, keenness)
        finished = rng.random() < _FINISHED_SHARE
        events = [partial, whole] if finished else [partial]
        lead = self._lead_of_response(enquiry, events, appearance)
        told.statements += leads.lead_batch(lead)
        for event in events:
            told.statements.append(
                form_responses.response_statement(
                    lead.client_id, event.draft, event.raw, lead.lead_id, event.received_at
                )
            )
        traces = _traces(enquiry, appearance)
        told.statements.append(
            scoring_results.touch_statement(
                lead.client_id, partial.draft.email, partial.received_at
            )
        )
        self._report(partial, LEAD, traces, lead, told)
        self._score(events, keenness, traces, lead, told)
        return lead

    def _lead_of_response(
        self, enquiry: Enquiry, events: Sequence[Response], appearance: Appearance | None
    ) -> Lead:
        first, last = events[0], events[-1]
        matched = enquiry.match is not MatchKind.NONE
        source = WEBSITE if matched else "Typeform"
        draft = replace(draft_of_lead(last.draft), lead_source=source)
        country = enquiry.visitor.nation.country if enquiry.visitor else ""
        return self._makers.enquiries.judged(
            lead_id_of(self._client.client_id, first.draft),
            replace(enquiry, moment=first.received_at),
            draft,
            Sender(Peer("", country, ""), relayed=True, appearance=appearance),
        )

    def _score(
        self,
        events: Sequence[Response],
        keenness: float,
        traces: Traces | None,
        lead: Lead,
        told: Told,
    ) -> None:
        """The scores of a whole response, what follows from them, and the lead on its way."""
        whole, held_until = events[-1], events[0].received_at + FORWARD_AFTER
        scored_at = whole.received_at + timedelta(seconds=self._rng.uniform(3, 20))
        if len(events) == 1 or scored_at > self._now:
            self._forward(lead, whole.draft, None, held_until, told)
        elif self._rng.random() < _UNSCORED_SHARE:
            told.statements.append(
                seeding.error_statement(lead.client_id, whole.draft.event_id, _UNSCORED)
            )
            self._forward(lead, whole.draft, None, held_until, told)
        else:
            scored = self._makers.responses.scores(whole.draft, keenness)
            self._follow_scores(whole, scored, traces, (lead, scored_at), told)
            self._forward(lead, whole.draft, scored, scored_at, told)

    def _follow_scores(
        self,
        whole: Response,
        scored: ResponseScores,
        traces: Traces | None,
        at: tuple[Lead, datetime],
        told: Told,
    ) -> None:
        (lead, scored_at), scores, config = at, scored.scores, self._client.scoring
        fires = config.fires(scores.ai_fin, scores.ai_show)
        conversion = conversion_of(
            self._client, whole.draft, SUBMIT_APPLICATION, traces, scored_at, lead.lead_id
        )
        event_id = conversion.event_id if fires and conversion else ""
        result = ScoringResult(
            lead.client_id,
            whole.draft.email,
            scores,
            config.rotator(scores.ai_fin, scores.ai_show),
            capi_data(self._client, scores, event_id),
            scored.model,
        )
        told.statements += [
            form_responses.scores_statement(
                lead.client_id, whole.draft.event_id, scored, scored_at
            ),
            scoring_results.save_statement(result, scored_at),
        ]
        if fires:
            scored_response = replace(whole, received_at=scored_at)
            self._report(scored_response, SUBMIT_APPLICATION, traces, lead, told)

    def _report(
        self, event: Response, name: str, traces: Traces | None, lead: Lead, told: Told
    ) -> None:
        """The conversion event of a response, and in its result that Meta took it."""
        moment = event.received_at
        conversion = conversion_of(self._client, event.draft, name, traces, moment, lead.lead_id)
        if conversion is None:
            return
        rows = list(self._makers.dispatch.settle(conversion.delivery, moment, moment))
        told.rows += rows
        settled = next(row for row in rows if isinstance(row, DeliveryRow))
        if settled.state == DeliveryState.DELIVERED:
            told.statements.append(
                scoring_results.accepted_statement(lead.client_id, event.draft.email, name, moment)
            )

    def _forward(
        self,
        lead: Lead,
        draft: ResponseDraft,
        scored: ResponseScores | None,
        due: datetime,
        told: Told,
    ) -> None:
        form_id, token = draft.response_key
        more: dict[str, object] = {"form_id": form_id, "form_token": token, "rotator": None}
        if scored is not None:
            more |= self._grade(scored)
        delivery = Delivery(
            delivery_id=forward_id_of(lead.client_id, draft),
            client_id=lead.client_id,
            destination=make_webhook.NAME,
            lead_id=lead.lead_id,
            payload=make_webhook.body_of(lead, more),
        )
        told.rows += self._makers.dispatch.settle(delivery, lead.created_at, due)

    def _grade(self, scored: ResponseScores) -> dict[str, object]:
        scores = scored.scores
        return {
            "rotator": self._client.scoring.rotator(scores.ai_fin, scores.ai_show).value,
            "p_fin_model": scores.ai_fin,
            "p_show_model": scores.ai_show,
            "p_sql_model": scores.ai_sql,
            "form_ai_model": scored.model,
            **scores.signals,
        }


def _traces(enquiry: Enquiry, appearance: Appearance | None) -> Traces | None:
    visitor = enquiry.visitor
    if visitor is None or appearance is None:
        return None
    return Traces(
        ip=visitor.peer.ip,
        country=visitor.peer.country,
        user_agent=visitor.peer.user_agent,
        fbp=visitor.fbp or "",
        fbc="",
        consent=None if visitor.consent is None else bool(visitor.consent),
        landing_url=appearance.landing_url,
        fbclid=appearance.attribution.click_ids.get("fbclid", ""),
        started_at=appearance.started_at,
    )
