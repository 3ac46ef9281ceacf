"""Deliveries as people look at them: pages of a client's, one with its attempts, and replays."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from server.domain.clock import to_text
from server.domain.delivery import DeliveryState
from server.domain.ids import ClientId, DeliveryId, LeadId
from server.store.contract import Row, Statement, Store

MAX_OF_LEAD = 50
MAX_ATTEMPTS = 100

_LISTED = """
  d.delivery_id, d.destination, d.lead_id, d.state, d.attempts, d.created_at, d.due_at,
  d.finished_at, d.last_status, d.last_error, d.event_name, d.leased_until,
  p.reason AS paused_reason,
  (SELECT COALESCE(l.Name, l.Email, l.Phone) FROM Leads AS l
    WHERE l.PublicId = d.lead_id AND l.ClientId = d.client_id) AS lead_name"""

_FROM = """
FROM deliveries AS d LEFT JOIN paused_destinations AS p
  ON p.client_id = d.client_id AND p.destination = d.destination AND d.state = 'pending'"""

_PAUSE = """
SELECT 1 FROM paused_destinations AS s
WHERE s.client_id = k.client_id AND s.destination = k.destination"""

_STATES: dict[str, str] = {
    "paused": f"state = 'pending' AND EXISTS ({_PAUSE})",
    "pending": f"state = 'pending' AND NOT EXISTS ({_PAUSE})",
    "delivered": "state = 'delivered'",
    "failed": "state = 'failed'",
    "not_configured": "state = 'not_configured'",
}
"""What people call a state; those that wait for a paused destination are paused."""

STATES = tuple(_STATES)

# The index alone finds the page, so that no payload is read of what the filters leave out
# (100,000 deliveries: 10 ms instead of 250).
_PAGE = f"""
SELECT {_LISTED}
FROM (SELECT k.delivery_id FROM deliveries AS k WHERE {{conditions}}
  ORDER BY k.created_at DESC, k.delivery_id DESC LIMIT ?) AS chosen
CROSS JOIN deliveries AS d ON d.delivery_id = chosen.delivery_id
LEFT JOIN paused_destinations AS p
  ON p.client_id = d.client_id AND p.destination = d.destination AND d.state = 'pending'
ORDER BY d.created_at DESC, d.delivery_id DESC"""

_ONE = f"""
SELECT {_LISTED}, d.payload, d.email {_FROM} WHERE d.client_id = ? AND d.delivery_id = ?"""

# "+" keeps the planner from walking all of the client's deliveries in their order.
_OF_LEAD = f"""
SELECT {_LISTED} {_FROM} WHERE d.lead_id = ? AND +d.client_id = ?
ORDER BY d.created_at DESC LIMIT ?"""

_ATTEMPTS = """
SELECT a.started_at, a.duration_ms, a.verdict, a.status, a.error, a.response
FROM delivery_attempts AS a JOIN deliveries AS d ON d.delivery_id = a.delivery_id
WHERE d.client_id = ? AND a.delivery_id = ? ORDER BY a.id DESC LIMIT ?"""

_EVENT_LOG = """
SELECT event_id, event_name, request_body, response_status, response_body, fbtrace_id, created_at
FROM facebook_capi_event_log WHERE client_id = ? AND delivery_id = ? ORDER BY id DESC LIMIT ?"""

_EVENTS_OF_LEAD = """
SELECT g.delivery_id, g.event_id, g.event_name, g.response_status, g.fbtrace_id, g.created_at
FROM deliveries AS d JOIN facebook_capi_event_log AS g
  ON g.delivery_id = d.delivery_id AND g.client_id = d.client_id
WHERE d.lead_id = ? AND +d.client_id = ? ORDER BY g.id DESC LIMIT ?"""

_PAUSED = """
SELECT p.destination, p.paused_at, p.reason,
  (SELECT COUNT(*) FROM deliveries AS d WHERE d.client_id = p.client_id
    AND d.destination = p.destination AND d.state = 'pending') AS waiting
FROM paused_destinations AS p WHERE p.client_id = ? ORDER BY p.destination"""

_COUNT = """
SELECT COUNT(*) AS found FROM deliveries
WHERE client_id = ? AND state = ? AND (? = '' OR destination = ?)"""

_ANEW = """
UPDATE deliveries SET state = 'pending', attempts = 0, due_at = ?, lease_owner = NULL,
  leased_until = NULL, finished_at = NULL
WHERE client_id = ?"""

_REPLAY_ONE = (
    _ANEW
    + """ AND delivery_id = ? AND (state <> 'pending' OR leased_until IS NULL OR leased_until <= ?)
RETURNING delivery_id"""
)

_REPLAY_ALL = _ANEW + " AND state = ? AND (? = '' OR destination = ?)"


class DeliveryPlace(NamedTuple):
    """Where a page ended."""

    created_at: str
    delivery_id: str


@dataclass(frozen=True, slots=True)
class DeliveryFilters:
    """What deliveries are chosen by; "" lets all pass. Moments are texts of the clock."""

    destination: str = ""
    state: str = ""
    event_name: str = ""
    created_since: str = ""
    created_before: str = ""


async def list_page(
    store: Store,
    client_id: ClientId,
    filters: DeliveryFilters,
    after: DeliveryPlace | None,
    limit: int,
) -> list[Row]:
    """Up to `limit` deliveries of a client, newest first, from behind `after` on."""
    pairs = (
        ("k.destination = ?", filters.destination),
        ("k.event_name = ?", filters.event_name),
        ("k.created_at >= ?", filters.created_since),
        ("k.created_at < ?", filters.created_before),
    )
    chosen = [(condition, value) for condition, value in pairs if value]
    conditions = ["k.client_id = ?", *(condition for condition, _value in chosen)]
    args: list[object] = [client_id, *(value for _condition, value in chosen)]
    if filters.state:
        conditions.append(_STATES[filters.state])
    if after is not None:
        conditions.append("(k.created_at, k.delivery_id) < (?, ?)")
        args += after
    return await store.query(_PAGE.format(conditions=" AND ".join(conditions)), (*args, limit))


async def find(store: Store, client_id: ClientId, delivery_id: DeliveryId) -> Row | None:
    """A delivery of the client with its payload; None without one."""
    rows = await store.query(_ONE, (client_id, delivery_id))
    return rows[0] if rows else None


async def attempts(store: Store, client_id: ClientId, delivery_id: DeliveryId) -> list[Row]:
    """The attempts at a delivery, the last one first."""
    return await store.query(_ATTEMPTS, (client_id, delivery_id, MAX_ATTEMPTS))


async def event_log(store: Store, client_id: ClientId, delivery_id: DeliveryId) -> list[Row]:
    """The requests that a conversion event made, exactly as sent, the last one first."""
    return await store.query(_EVENT_LOG, (client_id, delivery_id, MAX_ATTEMPTS))


async def of_lead(store: Store, client_id: ClientId, lead_id: LeadId) -> list[Row]:
    """The deliveries of a lead, newest first."""
    return await store.query(_OF_LEAD, (lead_id, client_id, MAX_OF_LEAD))


async def events_of_lead(store: Store, client_id: ClientId, lead_id: LeadId) -> list[Row]:
    """The event log of a lead's conversion events, newest first."""
    return await store.query(_EVENTS_OF_LEAD, (lead_id, client_id, MAX_OF_LEAD))


async def paused(store: Store, client_id: ClientId) -> list[Row]:
    """The client's destinations that stand paused, and how much waits for each."""
    return await store.query(_PAUSED, (client_id,))


async def count(store: Store, client_id: ClientId, state: DeliveryState, destination: str) -> int:
    """How many deliveries of a state there are, to one destination or ("") to all."""
    rows = await store.query(_COUNT, (client_id, state, destination, destination))
    found: int = rows[0]["found"]
    return found


async def replay_one(
    store: Store, client_id: ClientId, delivery_id: DeliveryId, now: datetime
) -> bool:
    """Send a delivery of the client again under the same id; False while it is being sent."""
    moment = to_text(now)
    statement = Statement(_REPLAY_ONE, (moment, client_id, delivery_id, moment))
    (result,) = await store.write([statement])
    return bool(result.rows)


async def replay_all(
    store: Store, client_id: ClientId, state: DeliveryState, destination: str, now: datetime
) -> int:
    """Send all of a state again, to one destination or ("") to all; how many."""
    args = (to_text(now), client_id, state, destination, destination)
    (result,) = await store.write([Statement(_REPLAY_ALL, args)])
    return result.changes
