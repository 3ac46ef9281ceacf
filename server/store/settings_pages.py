"""What the pages of settings show beside settings: pauses, what waits, the last of what came."""

from __future__ import annotations

from server.domain.ids import ClientId
from server.store.contract import Row, Store

_PAUSE = """
SELECT paused_at, reason FROM paused_destinations WHERE client_id = ? AND destination = ?"""

_WAITING = """
SELECT COUNT(*) AS waiting FROM deliveries
WHERE state = 'pending' AND client_id = ? AND destination = ?"""

_EVENTS = """
SELECT e.event_id, e.event_name, e.email, e.response_status, e.fbtrace_id, e.created_at,
  d.state, d.last_error
FROM facebook_capi_event_log AS e
LEFT JOIN deliveries AS d ON d.delivery_id = e.delivery_id AND d.client_id = e.client_id
WHERE e.client_id = ? ORDER BY e.id DESC LIMIT ?"""

_LAST_RESPONSE = """
SELECT form_id, event_type, received_at FROM form_responses
WHERE client_id = ? ORDER BY id DESC LIMIT 1"""


async def pause_of(store: Store, client_id: ClientId, destination: str) -> Row | None:
    """Since when and why a destination stands paused; None when it does not."""
    rows = await store.query(_PAUSE, (client_id, destination))
    return rows[0] if rows else None


async def waiting_for(store: Store, client_id: ClientId, destination: str) -> int:
    """How many deliveries of a client have not left yet."""
    rows = await store.query(_WAITING, (client_id, destination))
    return int(rows[0]["waiting"])


async def recent_events(store: Store, client_id: ClientId, limit: int) -> list[Row]:
    """The client's last requests to Meta, newest first, with the state of each event."""
    return await store.query(_EVENTS, (client_id, limit))


async def last_response(store: Store, client_id: ClientId) -> Row | None:
    """The form response that came last."""
    rows = await store.query(_LAST_RESPONSE, (client_id,))
    return rows[0] if rows else None
