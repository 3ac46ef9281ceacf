"""Fire an event by hand: checked against the settings, sent at once, and told what came of it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from server.destinations import Destination
from server.domain import delivery as rules
from server.domain.delivery import Delivery, Outcome, Verdict
from server.domain.directory import Client
from server.domain.form_response import ResponseDraft
from server.domain.lead import Channel
from server.store import form_responses, outbox, scoring_results, visitors
from server.store.contract import Store
from server.store.outbox import Attempt
from server.usecases.report_conversion import conversion_of

LEASE = timedelta(seconds=60)

Parse = Callable[[Client, Channel, str], ResponseDraft]
"""Reads a stored response again, by its client's roles."""


class FireVerdict(StrEnum):
    """What came of firing by hand."""

    FIRED = "fired"
    BELOW_THRESHOLD = "below_threshold"
    NO_RESULT = "no_result"
    NOT_SCORED = "not_scored"
    NOT_CONFIGURED = "not_configured"
    NO_CONSENT = "no_consent"
    REFUSED = "refused"
    TO_BE_RETRIED = "to_be_retried"


@dataclass(frozen=True, slots=True)
class Fired:
    """The verdict, a sentence for people, and what they may want to know beside it."""

    verdict: FireVerdict
    detail: str
    event_id: str = ""
    event_name: str = ""
    p_fin: float | None = None
    p_show: float | None = None
    fb_capi_fin: float | None = None
    fb_capi_show: float | None = None


class EventFiring:
    """Sends a client's event for an address through the outbox, without waiting for its worker."""

    def __init__(
        self, store: Store, destination: Destination, parse: Parse, clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._destination = destination
        self._parse = parse
        self._clock = clock

    async def fire(self, client: Client, email: str, now: datetime) -> Fired:
        """Fire for the last response of an address; the event's id is always the same.

        What Meta takes is noted with the result when this returns. What time may mend stays in
        the outbox and is sent again. Raises StoreError.
        """
        config = client.scoring
        row = await scoring_results.result_of(self._store, client.client_id, email)
        if row is None:
            return Fired(FireVerdict.NO_RESULT, "There is no result of this address")
        p_fin, p_show = row["p_fin_model"], row["p_show_model"]
        if p_fin is None or p_show is None:
            return Fired(FireVerdict.NOT_SCORED, "The response has not been scored yet")
        if not config.fires(p_fin, p_show):
            return Fired(
                FireVerdict.BELOW_THRESHOLD,
                f"p_fin {p_fin:g} and p_show {p_show:g} do not reach"
                f" {config.fb_capi_fin:g} and {config.fb_capi_show:g}",
                p_fin=p_fin,
                p_show=p_show,
                fb_capi_fin=config.fb_capi_fin,
                fb_capi_show=config.fb_capi_show,
            )
        if not config.reports_to_meta:
            detail = "The client's pixel_id or capi_token is not set"
            return Fired(FireVerdict.NOT_CONFIGURED, detail)
        return await self._send(client, email, now)

    async def _send(self, client: Client, email: str, now: datetime) -> Fired:
        draft, lead_id = await self._draft(client, email)
        traces = None
        if draft.visitor_id is not None:
            traces = await visitors.traces_of_visitor(
                self._store, client.client_id, draft.visitor_id
            )
        name = client.scoring.event_name
        conversion = conversion_of(client, draft, name, traces, now, lead_id)
        if conversion is None:
            return Fired(FireVerdict.NO_CONSENT, "The visitor has withdrawn consent")
        owner = secrets.token_hex(8)
        delivery = await outbox.take_now(self._store, conversion.delivery, owner, now, now + LEASE)
        if delivery is None:
            return Fired(FireVerdict.TO_BE_RETRIED, "The event is being sent already")
        outcome = await self._destination.send(delivery, now)
        await self._record(delivery, owner, now, outcome)
        return _told(outcome, name, conversion.event_id)

    async def _draft(self, client: Client, email: str) -> tuple[ResponseDraft, str]:
        """The last response of an address; a bare one where only its result is left."""
        stored = await form_responses.latest_of_email(self._store, client.client_id, email)
        if stored is None:
            bare = ResponseDraft(Channel.TYPEFORM, "", form_responses.FULL, email=email)
            return bare, ""
        return self._parse(client, stored.channel, stored.raw), stored.lead_id

    async def _record(
        self, delivery: Delivery, owner: str, started: datetime, outcome: Outcome
    ) -> None:
        finished = self._clock()
        attempt = Attempt(
            owner=owner,
            started_at=started,
            finished_at=finished,
            outcome=outcome,
            next_due_at=rules.next_due(finished, delivery.attempts + 1, outcome, 0.0),
        )
        await outbox.record_attempt(self._store, delivery, attempt)


def _told(outcome: Outcome, event_name: str, event_id: str) -> Fired:
    verdict, detail = FireVerdict.REFUSED, outcome.error
    if outcome.verdict is Verdict.DELIVERED:
        verdict, detail = FireVerdict.FIRED, f"Meta took the event {event_name}"
    elif outcome.verdict is Verdict.RETRY:
        verdict, detail = FireVerdict.TO_BE_RETRIED, f"{outcome.error}; it is sent again"
    return Fired(verdict, detail, event_id, event_name)
