"""The outbox: deliveries, their leases and attempts, and destinations that stand paused."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from server.domain.clock import to_text
from server.domain.delivery import Delivery, DeliveryState, Outcome, Verdict
from server.domain.ids import ClientId, DeliveryId
from server.store import scoring_results
from server.store.audit import COMMAND_LINE
from server.store.contract import Row, Statement, Store

_INSERT = """
INSERT INTO deliveries
  (delivery_id, client_id, destination, lead_id, payload, state, created_at, due_at, event_name,
   email)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""

_INSERT_ONCE = _INSERT + " ON CONFLICT (delivery_id) DO NOTHING"

_INSERT_OR_HOLD = (
    _INSERT
    + """
ON CONFLICT (delivery_id) DO UPDATE SET payload = excluded.payload, due_at = excluded.due_at
WHERE state IN ('pending', 'not_configured') AND attempts = 0 AND leased_until IS NULL"""
)

_TAKE_NOW = (
    _INSERT
    + """
ON CONFLICT (delivery_id) DO UPDATE SET state = 'pending', attempts = 0, finished_at = NULL,
  payload = excluded.payload, email = excluded.email, due_at = excluded.due_at
WHERE leased_until IS NULL OR leased_until <= excluded.created_at"""
)

_LEASE_ONE = """
UPDATE deliveries SET lease_owner = ?, leased_until = ?
WHERE delivery_id = ? AND state = 'pending' AND (leased_until IS NULL OR leased_until <= ?)
RETURNING delivery_id, client_id, destination, lead_id, payload, attempts, event_name, email"""

# True before the batch of an attempt has ended its lease, and for an attempt that lost it; not for
# one that stands already, whose batch is repeated.
_UNDER_LEASE = (
    "EXISTS (SELECT 1 FROM deliveries WHERE delivery_id = {id} AND lease_owner = {owner})"
)

_LOG_EVENT = f"""
INSERT INTO facebook_capi_event_log
  (client_id, delivery_id, event_id, event_name, email, request_body, response_status,
   response_body, fbtrace_id, created_at)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
WHERE {_UNDER_LEASE.format(id="?2", owner="?11")} OR NOT EXISTS (
  SELECT 1 FROM facebook_capi_event_log
  WHERE delivery_id = ?2 AND event_id = ?3 AND created_at = ?10)"""

_AMEND = """
UPDATE deliveries SET payload = json_patch(payload, ?), due_at = ?
WHERE delivery_id = ? AND state IN ('pending', 'not_configured') AND attempts = 0
  AND leased_until IS NULL"""

# Steps through the index from destination to destination, and takes of each so many due rows that
# with those under way they are at most `per_destination`: a dead one can neither fill the worker
# nor make it read all that waits. Names it does not know are another version's to send.
_LEASE = """
WITH RECURSIVE waiting (delivery_id, client_id, destination) AS (
  SELECT delivery_id, client_id, destination FROM (
    SELECT delivery_id, client_id, destination FROM deliveries
    WHERE state = 'pending' AND client_id >= 0 ORDER BY client_id, destination LIMIT 1)
  UNION ALL
  SELECT n.delivery_id, n.client_id, n.destination
  FROM waiting AS w CROSS JOIN deliveries AS n ON n.delivery_id = COALESCE(
    (SELECT delivery_id FROM deliveries
      WHERE state = 'pending' AND client_id = w.client_id AND destination > w.destination
      ORDER BY destination LIMIT 1),
    (SELECT delivery_id FROM deliveries
      WHERE state = 'pending' AND client_id > w.client_id
      ORDER BY client_id, destination LIMIT 1))),
due (delivery_id, client_id, destination, due_at, place) AS (
  SELECT n.delivery_id, n.client_id, n.destination, n.due_at,
    ROW_NUMBER() OVER (PARTITION BY n.client_id, n.destination ORDER BY n.due_at)
  FROM waiting AS w CROSS JOIN deliveries AS n ON n.delivery_id IN (
    SELECT d.delivery_id FROM deliveries AS d
    WHERE d.state = 'pending' AND d.client_id = w.client_id AND d.destination = w.destination
      AND d.due_at <= ?1 AND (d.leased_until IS NULL OR d.leased_until <= ?1)
    ORDER BY d.due_at LIMIT ?2)
  WHERE w.destination IN (SELECT value FROM json_each(?3))
    AND NOT EXISTS (SELECT 1 FROM paused_destinations AS p
      WHERE p.client_id = w.client_id AND p.destination = w.destination))
UPDATE deliveries SET lease_owner = ?4, leased_until = ?5
WHERE delivery_id IN (
  SELECT delivery_id FROM due WHERE place <= ?2 - COALESCE((SELECT b.value FROM json_each(?6) AS b
    WHERE b.key = client_id || ':' || destination), 0)
  ORDER BY due_at LIMIT ?7)
RETURNING delivery_id, client_id, destination, lead_id, payload, attempts, event_name, email"""

_INSERT_ATTEMPT = f"""
INSERT INTO delivery_attempts
  (delivery_id, started_at, duration_ms, verdict, status, error, response)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
WHERE {_UNDER_LEASE.format(id="?1", owner="?8")} OR NOT EXISTS (
  SELECT 1 FROM delivery_attempts WHERE delivery_id = ?1 AND started_at = ?2)"""

_FINISH = """
UPDATE deliveries SET state = ?, attempts = attempts + 1, due_at = ?, lease_owner = NULL,
  leased_until = NULL, finished_at = ?, last_status = ?, last_error = ?
WHERE delivery_id = ? AND lease_owner = ?"""

_PAUSE = """
INSERT INTO paused_destinations (client_id, destination, paused_at, reason) VALUES (?, ?, ?, ?)
ON CONFLICT (client_id, destination) DO NOTHING"""

_RESUME = """
DELETE FROM paused_destinations WHERE client_id = ? AND destination = ? RETURNING reason"""

_DUE_NOW = """
UPDATE deliveries SET due_at = ?1, attempts = 0
WHERE client_id = ?2 AND destination = ?3 AND state = 'pending'
  AND EXISTS (SELECT 1 FROM paused_destinations WHERE client_id = ?2 AND destination = ?3)"""

_REPLAYED = """
(?2 = '' OR delivery_id = ?2) AND (?3 = '' OR state = ?3)
  AND (state <> 'pending' OR leased_until IS NULL)"""

_REPLAY = f"""
UPDATE deliveries SET state = 'pending', attempts = 0, due_at = ?1, lease_owner = NULL,
  leased_until = NULL, finished_at = NULL
WHERE {_REPLAYED}
RETURNING delivery_id"""

_KEEP_REPLAY = f"""
INSERT INTO audit_trail (created_at, client_id, actor, action, subject, details)
SELECT ?1, client_id, ?4, CASE ?2 WHEN '' THEN 'deliveries_replayed' ELSE 'delivery_replayed' END,
  ?2, CASE ?2 WHEN '' THEN json_object('state', ?3, 'count', COUNT(*)) ELSE '{{}}' END
FROM deliveries WHERE {_REPLAYED} GROUP BY client_id"""

_LIST = """
SELECT d.delivery_id, d.client_id, d.destination, d.lead_id, d.state, d.attempts, d.created_at,
  d.due_at, d.last_status, d.last_error, p.reason AS paused_reason
FROM deliveries AS d LEFT JOIN paused_destinations AS p
  ON p.client_id = d.client_id AND p.destination = d.destination
WHERE (? = '' OR d.state = ?) ORDER BY d.created_at DESC LIMIT ?"""

_BACKLOG = """
SELECT COUNT(*) AS pending, MIN(created_at) AS oldest FROM deliveries WHERE state = 'pending'"""

_PAUSED = "SELECT client_id, destination, paused_at, reason FROM paused_destinations"


def delivery_statement(
    delivery: Delivery, now: datetime, *, state: DeliveryState = DeliveryState.PENDING
) -> Statement:
    """Store a delivery, due at once; part of the batch of what caused it."""
    return Statement(_INSERT, _values(delivery, now, now, state))


def delivery_once_statement(
    delivery: Delivery, now: datetime, *, state: DeliveryState = DeliveryState.PENDING
) -> Statement:
    """As `delivery_statement`, and nothing where a delivery of that id stands."""
    return Statement(_INSERT_ONCE, _values(delivery, now, now, state))


def held_delivery_statement(
    delivery: Delivery,
    now: datetime,
    due_at: datetime,
    *,
    state: DeliveryState = DeliveryState.PENDING,
) -> Statement:
    """Store a delivery that waits until `due_at` for more to be known.

    One that still waits is replaced, one that left stays as it is.
    """
    return Statement(_INSERT_OR_HOLD, _values(delivery, now, due_at, state))


async def take_now(
    store: Store, delivery: Delivery, owner: str, now: datetime, until: datetime
) -> Delivery | None:
    """Store a delivery, or begin the one of its id anew, and lease it; None while another sends.

    Its worker sends it again should this server end before it is recorded.
    """
    args = (owner, to_text(until), delivery.delivery_id, to_text(now))
    _stored, leased = await store.write(
        [
            Statement(_TAKE_NOW, _values(delivery, now, now, DeliveryState.PENDING)),
            Statement(_LEASE_ONE, args),
        ]
    )
    return _delivery(leased.rows[0]) if leased.rows else None


def amend_statement(delivery_id: DeliveryId, more: str, now: datetime) -> Statement:
    """Add the members of a JSON object to a delivery that has not left yet, and let it leave."""
    return Statement(_AMEND, (more, to_text(now), delivery_id))


def _values(
    delivery: Delivery, now: datetime, due_at: datetime, state: DeliveryState
) -> tuple[Any, ...]:
    return (
        delivery.delivery_id,
        delivery.client_id,
        delivery.destination,
        delivery.lead_id or None,
        delivery.payload,
        state,
        to_text(now),
        to_text(due_at),
        delivery.event_name or None,
        delivery.email or None,
    )


@dataclass(frozen=True, slots=True)
class LeaseRequest:
    """How much to lease, of which destinations; `busy` counts what `client:destination` sends."""

    owner: str
    now: datetime
    until: datetime
    destinations: Iterable[str]
    busy: Mapping[str, int]
    per_destination: int
    limit: int


async def lease_due(store: Store, request: LeaseRequest) -> list[Delivery]:
    """Take due deliveries for this server; another may take them once the lease is over."""
    args = (
        to_text(request.now),
        request.per_destination,
        json.dumps(sorted(request.destinations)),
        request.owner,
        to_text(request.until),
        json.dumps(request.busy),
        request.limit,
    )
    (result,) = await store.write([Statement(_LEASE, args)])
    return [_delivery(row) for row in result.rows]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a delivery, by the server that held its lease."""

    owner: str
    started_at: datetime
    finished_at: datetime
    outcome: Outcome
    next_due_at: datetime | None


async def record_attempt(store: Store, delivery: Delivery, attempt: Attempt) -> None:
    """Keep the attempt and move the delivery on, in one batch; pauses its destination if told.

    May be repeated: an attempt is known by its delivery and its beginning.
    """
    outcome = attempt.outcome
    finished = to_text(attempt.finished_at)
    duration_ms = round((attempt.finished_at - attempt.started_at).total_seconds() * 1000)
    state = _state_after(attempt)
    due = attempt.next_due_at or attempt.finished_at
    batch = [
        Statement(
            _INSERT_ATTEMPT,
            (
                delivery.delivery_id,
                to_text(attempt.started_at),
                duration_ms,
                outcome.verdict,
                outcome.status,
                outcome.error or None,
                outcome.response or None,
                attempt.owner,
            ),
        ),
        *_event_log(delivery, attempt),
        Statement(
            _FINISH,
            (
                state,
                to_text(due),
                None if state is DeliveryState.PENDING else finished,
                outcome.status,
                outcome.error or None,
                delivery.delivery_id,
                attempt.owner,
            ),
        ),
    ]
    if outcome.verdict is Verdict.DELIVERED and delivery.event_name and delivery.email:
        batch.append(
            scoring_results.accepted_statement(
                delivery.client_id, delivery.email, delivery.event_name, attempt.finished_at
            )
        )
    if outcome.verdict is Verdict.PAUSE:
        args = (delivery.client_id, delivery.destination, finished, outcome.error)
        batch.append(Statement(_PAUSE, args))
    await store.write(batch)


def _event_log(delivery: Delivery, attempt: Attempt) -> list[Statement]:
    moment = to_text(attempt.finished_at)
    return [
        Statement(
            _LOG_EVENT,
            (
                delivery.client_id,
                delivery.delivery_id,
                entry.event_id,
                entry.event_name,
                delivery.email or None,
                entry.request_body,
                entry.response_status,
                entry.response_body or None,
                entry.trace_id or None,
                moment,
                attempt.owner,
            ),
        )
        for entry in attempt.outcome.log
    ]


def _state_after(attempt: Attempt) -> DeliveryState:
    verdict = attempt.outcome.verdict
    if verdict is Verdict.DELIVERED:
        return DeliveryState.DELIVERED
    if verdict is Verdict.FAIL or attempt.next_due_at is None:
        return DeliveryState.FAILED
    return DeliveryState.PENDING


async def resume(store: Store, client_id: ClientId, destination: str, now: datetime) -> str | None:
    """Take a destination up again, all its schedules begun anew; why it was paused, or None."""
    moment = to_text(now)
    _due, resumed = await store.write(
        [
            Statement(_DUE_NOW, (moment, client_id, destination)),
            Statement(_RESUME, (client_id, destination)),
        ]
    )
    return resumed.rows[0]["reason"] if resumed.rows else None


async def replay(
    store: Store, now: datetime, *, delivery_id: str = "", state: str = ""
) -> list[DeliveryId]:
    """Send one delivery, or all of a state, again under the same id; the ids affected.

    Whatever clients they are of: it is a command's. The audit trail of each client tells of it.
    """
    args = (to_text(now), delivery_id, state)
    _kept, result = await store.write(
        [Statement(_KEEP_REPLAY, (*args, COMMAND_LINE)), Statement(_REPLAY, args)]
    )
    return [DeliveryId(row["delivery_id"]) for row in result.rows]


async def list_deliveries(store: Store, *, state: str, limit: int) -> list[Row]:
    """The newest deliveries, of one state or ("") of all."""
    return await store.query(_LIST, (state, state, limit))


@dataclass(frozen=True, slots=True)
class Backlog:
    """Deliveries waiting, the creation time of the oldest ("" when none), paused destinations."""

    pending: int
    oldest_created_at: str
    paused: tuple[Row, ...]


async def backlog(store: Store) -> Backlog:
    """What waits, for metrics and `doctor`."""
    waiting = (await store.query(_BACKLOG))[0]
    paused = await store.query(_PAUSED)
    return Backlog(waiting["pending"], waiting["oldest"] or "", tuple(paused))


def _delivery(row: Row) -> Delivery:
    return Delivery(
        DeliveryId(row["delivery_id"]),
        ClientId(row["client_id"]),
        row["destination"],
        row["lead_id"] or "",
        row["payload"],
        row["attempts"],
        row["event_name"] or "",
        row["email"] or "",
    )
