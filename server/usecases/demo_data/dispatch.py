"""Deliveries as they would have gone: attempts, answers and waits by the outbox's own rules.

Nothing made here is ever sent: what is pending is leased to nobody for ever.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from server.domain import delivery as rules
from server.domain.clock import to_text
from server.domain.delivery import Delivery, DeliveryState, Outcome, Verdict
from server.store.seeding import (
    SEED_LEASE_UNTIL,
    SEED_OWNER,
    AttemptRow,
    DeliveryRow,
    EventLogRow,
    PausedDestinationRow,
    SeedRow,
    moment_text,
)

_RECENT = timedelta(hours=24)
_STUCK_SHARE, _STUCK_RECENTLY_SHARE = 0.006, 0.35
_BUMPY_SHARE, _REFUSED_SHARE = 0.06, 0.02
_PAUSED_FOR = timedelta(hours=2)
_NEVER = 1_000
"""More failures than any delivery has attempts."""

_FAILURES = (500, 502, 503, 503, 429, None)
_ERRORS = {None: "the target did not answer in time"}
_REFUSALS = {400: "invalid payload", 422: "a field is missing"}


class Dispatch:
    """Settles deliveries as of `now`; before `configured_from` there was nowhere to send them to.

    With `paused` that destination has stood paused for two hours.
    """

    def __init__(
        self, rng: Random, now: datetime, configured_from: datetime, paused: str = ""
    ) -> None:
        self._rng = rng
        self._now = now
        self._configured_from = configured_from
        self._paused = paused
        self._paused_at = now - _PAUSED_FOR
        self._paused_already = False

    def settle(self, delivery: Delivery, created: datetime, due: datetime) -> Iterator[SeedRow]:
        """The rows of a delivery and of its attempts so far."""
        if created < self._configured_from:
            yield _delivery(delivery, DeliveryState.NOT_CONFIGURED, [], created, created, "")
            return
        state, attempts, finished = DeliveryState.PENDING, list[AttemptRow](), ""
        failures, status = self._fate(created)
        moment = due + timedelta(seconds=self._rng.uniform(0.05, 0.9))
        while state is DeliveryState.PENDING and not self._waits(delivery, moment):
            outcome = self._outcome(delivery, moment, status if len(attempts) < failures else 200)
            took_ms = self._rng.randint(90, 900)
            ended = moment + timedelta(milliseconds=took_ms)
            attempts.append(_attempt(delivery, moment, took_ms, outcome))
            finished = to_text(ended)
            yield from _log(delivery, outcome, finished)
            if outcome.verdict is Verdict.PAUSE:
                yield PausedDestinationRow(
                    delivery.client_id, delivery.destination, finished, outcome.error
                )
                break
            following = rules.next_due(ended, len(attempts), outcome, self._rng.random())
            if outcome.verdict is Verdict.DELIVERED:
                state = DeliveryState.DELIVERED
            elif outcome.verdict is Verdict.FAIL or following is None:
                state = DeliveryState.FAILED
            else:
                moment, status = following, self._rng.choice(_FAILURES)
        yield _delivery(delivery, state, attempts, created, moment, finished)
        yield from attempts

    def _fate(self, created: datetime) -> tuple[int, int | None]:
        """How many attempts fail, and the status of the first."""
        rng = self._rng
        recent = self._now - created < _RECENT
        if rng.random() < (_STUCK_RECENTLY_SHARE if recent else _STUCK_SHARE):
            return _NEVER, rng.choice(_FAILURES)
        chance = rng.random()
        if chance < _REFUSED_SHARE:
            return 1, rng.choice(list(_REFUSALS))
        return (rng.randint(1, 3) if chance < _BUMPY_SHARE else 0), rng.choice(_FAILURES)

    def _waits(self, delivery: Delivery, moment: datetime) -> bool:
        if moment + timedelta(seconds=1) > self._now:
            return True
        held = delivery.destination == self._paused and moment >= self._paused_at
        return held and self._paused_already

    def _outcome(self, delivery: Delivery, moment: datetime, status: int | None) -> Outcome:
        if delivery.destination == self._paused and moment >= self._paused_at:
            self._paused_already = True
            status = 410
        if status is None:
            return Outcome(Verdict.RETRY, error=_ERRORS[None])
        verdict = rules.verdict_of_status(status)
        who = "Meta" if delivery.event_name else "the webhook"
        error = "" if verdict is Verdict.DELIVERED else f"{who} answered {status}"
        return Outcome(verdict, status, error, self._answer(delivery, status))

    def _answer(self, delivery: Delivery, status: int) -> str:
        if not delivery.event_name:
            return "Accepted" if status < 300 else _REFUSALS.get(status, "")
        trace = f"A{self._rng.getrandbits(88):022x}"
        if status < 300:
            return json.dumps({"events_received": 1, "messages": [], "fbtrace_id": trace})
        return json.dumps({"error": {"message": "Try again", "code": 2, "fbtrace_id": trace}})


def _attempt(delivery: Delivery, moment: datetime, took_ms: int, outcome: Outcome) -> AttemptRow:
    return AttemptRow(
        delivery.delivery_id,
        to_text(moment),
        took_ms,
        outcome.verdict,
        outcome.status,
        outcome.error or None,
        outcome.response or None,
    )


def _log(delivery: Delivery, outcome: Outcome, moment: str) -> Iterator[EventLogRow]:
    if not delivery.event_name:
        return
    yield EventLogRow(
        delivery.client_id,
        delivery.delivery_id,
        json.loads(delivery.payload)["event_id"],
        delivery.event_name,
        delivery.email or None,
        json.dumps({"data": [json.loads(delivery.payload)]}),
        outcome.status,
        outcome.response or None,
        _trace_of(outcome.response),
        moment,
    )


def _trace_of(response: str) -> str | None:
    told = json.loads(response) if response else {}
    trace: str | None = told.get("error", told).get("fbtrace_id")
    return trace


def _delivery(
    delivery: Delivery,
    state: DeliveryState,
    attempts: list[AttemptRow],
    created: datetime,
    due: datetime,
    finished: str,
) -> DeliveryRow:
    pending = state is DeliveryState.PENDING
    last = attempts[-1] if attempts else None
    return DeliveryRow(
        delivery.delivery_id,
        delivery.client_id,
        delivery.destination,
        delivery.lead_id or None,
        delivery.payload,
        state,
        len(attempts),
        to_text(created),
        moment_text(due) or "",
        SEED_OWNER if pending else None,
        SEED_LEASE_UNTIL if pending else None,
        finished or None if not pending else None,
        last.status if last else None,
        last.error if last else None,
        delivery.event_name or None,
        delivery.email or None,
    )
