"""Receive a form's response: kept as it came, with the lead and all that follows, in one batch."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from server.destinations import make_webhook
from server.domain.contact import parse_phone
from server.domain.delivery import Delivery, DeliveryState
from server.domain.directory import Client
from server.domain.form_response import ResponseDraft
from server.domain.ids import ClientId, DeliveryId, LeadId
from server.domain.lead import WEBSITE, Channel, Lead, LeadDraft
from server.domain.qualification import LEAD
from server.domain.visitor import MatchKind, Peer
from server.store import form_responses, jobs, leads, outbox, scoring_results, visitors
from server.store.contract import ConstraintError, Statement, Store
from server.store.visitors import Traces
from server.usecases.assess_lead import LeadContext, assess
from server.usecases.report_conversion import conversion_of, once_statement

logger = logging.getLogger(__name__)

SCORE_JOB = "score_response"
FORWARD_AFTER = timedelta(minutes=5)
"""How long a lead waits for its scores before it is forwarded without (design section 6)."""

_SOURCES = {Channel.TYPEFORM: "Typeform", Channel.BLUSH: "Blush"}
_UNSCORED: dict[str, object] = {
    "rotator": None,
    "p_fin_model": None,
    "p_show_model": None,
    "p_sql_model": None,
}


@dataclass(frozen=True, slots=True)
class _Known:
    """What the store knows of a response's person and form before it is stored."""

    traces: Traces | None
    late: bool

    @property
    def refused(self) -> bool:
        """Whether the visitor has withdrawn consent."""
        return self.traces is not None and self.traces.consent is False


class ResponseIntake:
    """Stores responses; `on_stored` is told after each commit."""

    def __init__(self, store: Store, on_stored: Callable[[], None]) -> None:
        self._store = store
        self._on_stored = on_stored

    async def receive(self, client: Client, draft: ResponseDraft, raw: str, now: datetime) -> bool:
        """Store a response once per event; False for one that was stored before.

        Committed when this returns: the response, its lead where it has an e-mail address or a
        phone number, the held delivery to Make.com, the event "Lead" of a partial, and the job
        that scores a whole response. Raises StoreError.
        """
        known = await self._look_up(client.client_id, draft)
        lead = await self._lead(client, draft, known, now) if draft.email or draft.phone else None
        batch = self._batch(client, draft, raw, known, lead, now)
        try:
            await self._store.write(batch)
        except ConstraintError:
            if await form_responses.response_of_event(
                self._store, client.client_id, draft.event_id
            ):
                return False
            raise
        if draft.is_full and client.scoring.scoring_method != "AI":
            logger.warning(
                "client %s: scoring method %s is not supported, the response is not scored",
                client.client_id,
                client.scoring.scoring_method,
            )
        self._on_stored()
        return True

    async def _look_up(self, client_id: ClientId, draft: ResponseDraft) -> _Known:
        traces = None
        if draft.visitor_id is not None:
            traces = await visitors.traces_of_visitor(self._store, client_id, draft.visitor_id)
        late = not draft.is_full and await form_responses.has_full(
            self._store, client_id, *draft.response_key
        )
        return _Known(traces, late)

    async def _lead(
        self, client: Client, draft: ResponseDraft, known: _Known, now: datetime
    ) -> Lead:
        lead_draft, phone = draft_of_lead(draft), parse_phone(draft.phone, client.default_region)
        if known.refused:
            lead_draft = lead_draft.untracked()
        context = LeadContext(
            client_id=client.client_id,
            draft=lead_draft,
            phone=phone,
            peer=Peer("", "", ""),
            unlisted_origin=None,
            state=None,
            received_at=now,
            relayed=True,
            lead_id=lead_id_of(client.client_id, draft),
        )
        judged = await assess(self._store, context)
        if judged.engagement.match is not MatchKind.NONE:
            lead_draft = replace(lead_draft, lead_source=WEBSITE)
        traces = known.traces if not known.refused else None
        return Lead(
            lead_id=lead_id_of(client.client_id, draft),
            client_id=client.client_id,
            created_at=now,
            draft=lead_draft,
            phone=phone,
            peer=Peer("", traces.country if traces else "", ""),
            engagement=judged.engagement,
            suspicion=judged.suspicion,
            vpn_suspected=judged.vpn_suspected,
            attribution=lead_draft.attribution.or_else(judged.attribution),
            page_url=lead_draft.page_url,
            idempotency_key=None,
            idempotency_hash=None,
        )

    def _batch(
        self,
        client: Client,
        draft: ResponseDraft,
        raw: str,
        known: _Known,
        lead: Lead | None,
        now: datetime,
    ) -> list[Statement]:
        client_id, lead_id = client.client_id, lead.lead_id if lead else ""
        batch = [form_responses.response_statement(client_id, draft, raw, lead_id, now)]
        if lead is not None and not known.late:
            batch += [leads.completing_statement(lead), _held_delivery(client, draft, lead, now)]
        if draft.is_full:
            if client.scoring.scoring_method == "AI":
                subject = job_subject(client_id, draft.event_id)
                batch.append(jobs.job_statement(SCORE_JOB, subject, now))
            return batch
        if draft.email:
            batch.append(scoring_results.touch_statement(client_id, draft.email, now))
        event = conversion_of(client, draft, LEAD, known.traces, now, lead_id)
        return [*batch, once_statement(event, now)] if event else batch


def job_subject(client_id: ClientId, event_id: str) -> str:
    """What names a response among the jobs."""
    return f"{client_id}:{event_id}"


def lead_id_of(client_id: ClientId, draft: ResponseDraft) -> LeadId:
    """The lead of a response: partial and whole ones of one token share it."""
    return LeadId(f"lead_{_digest(client_id, draft)}")


def forward_id_of(client_id: ClientId, draft: ResponseDraft) -> DeliveryId:
    """The one delivery to Make.com of a response."""
    return DeliveryId(f"msg_{_digest(client_id, draft)}")


def _digest(client_id: ClientId, draft: ResponseDraft) -> str:
    text = "\n".join((str(client_id), draft.channel, *draft.response_key))
    return hashlib.sha256(text.encode()).hexdigest()[:29]


def draft_of_lead(draft: ResponseDraft) -> LeadDraft:
    """The lead that a response tells of."""
    answers = {qa.question: qa.answer for qa in draft.answers}
    return LeadDraft(
        channel=draft.channel,
        lead_source=_SOURCES[draft.channel],
        first_name=draft.first_name,
        last_name=draft.last_name,
        email=draft.email,
        phone=draft.phone,
        page_url=draft.page_url,
        attribution=draft.attribution,
        visitor_id=draft.visitor_id,
        extra=answers,
    )


def _held_delivery(client: Client, draft: ResponseDraft, lead: Lead, now: datetime) -> Statement:
    form_id, token = draft.response_key
    more = {"form_id": form_id, "form_token": token, **_UNSCORED}
    delivery = Delivery(
        delivery_id=forward_id_of(client.client_id, draft),
        client_id=client.client_id,
        destination=make_webhook.NAME,
        lead_id=lead.lead_id,
        payload=make_webhook.body_of(lead, more),
    )
    state = DeliveryState.PENDING if client.make_webhook_url else DeliveryState.NOT_CONFIGURED
    return outbox.held_delivery_statement(delivery, now, now + FORWARD_AFTER, state=state)
