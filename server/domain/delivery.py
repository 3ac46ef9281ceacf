"""Deliveries: how an event leaves, how an answer is judged and when to try again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from server.domain.ids import ClientId, DeliveryId


class DeliveryState(StrEnum):
    """`not_configured` waits for a target to be set and a replay; nothing is ever deleted."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    NOT_CONFIGURED = "not_configured"


class Verdict(StrEnum):
    """What an attempt means for its delivery."""

    DELIVERED = "delivered"
    RETRY = "retry"
    FAIL = "fail"
    PAUSE = "pause"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one destination; `delivery_id` never changes over retries.

    `event_name` and `email` tell whose result a conversion event belongs to.
    """

    delivery_id: DeliveryId
    client_id: ClientId
    destination: str
    lead_id: str
    payload: str
    attempts: int = 0
    event_name: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class EventLogEntry:
    """One request to a destination that keeps an event log: the exact body, and what came back.

    `response_status` is None when no answer came. Secrets are taken out of `response_body`.
    """

    event_id: str
    event_name: str
    request_body: str
    response_status: int | None = None
    response_body: str = ""
    trace_id: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt ended: `response` is an excerpt, `retry_after_seconds` the target's wish.

    `error` of a delivered one names what it went without. `log` is to be kept in the batch that
    keeps the attempt.
    """

    verdict: Verdict
    status: int | None = None
    error: str = ""
    response: str = ""
    retry_after_seconds: float | None = None
    log: tuple[EventLogEntry, ...] = ()


BACKOFF_SECONDS = (5, 30, 120, 600, 1_800, 7_200, 21_600, 43_200, 86_400)
"""Waits after the first to the ninth failure (design section 6)."""

MAX_RETRY_AFTER_SECONDS = 86_400.0
JITTER_SHARE = 0.1
RETRIED_STATUSES = frozenset({408, 425, 429})
PAUSING_STATUSES = frozenset({401, 403, 404, 410})


def verdict_of_status(status: int) -> Verdict:
    """Judge an HTTP status. A redirect is a failure that someone may mend, so it is retried."""
    if 200 <= status < 300:
        return Verdict.DELIVERED
    if status in PAUSING_STATUSES:
        return Verdict.PAUSE
    if status in RETRIED_STATUSES or status >= 500 or status < 400:
        return Verdict.RETRY
    return Verdict.FAIL


def next_due(now: datetime, failures: int, outcome: Outcome, random: float) -> datetime | None:
    """When to try again after `failures` attempts, or None when it is time to give up.

    `random` in 0..1 spreads retries over a tenth of the wait. Retry-After, up to 24 h,
    can only lengthen it.
    """
    if failures > len(BACKOFF_SECONDS):
        return None
    wait = BACKOFF_SECONDS[failures - 1] * (1 + JITTER_SHARE * random)
    asked = min(outcome.retry_after_seconds or 0.0, MAX_RETRY_AFTER_SECONDS)
    return now + timedelta(seconds=max(wait, asked))
