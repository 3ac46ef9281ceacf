"""Beacons that left no trace, counted by hour and reason: their only record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from server.domain.clock import to_text
from server.domain.days import HOUR_CHARS, Span
from server.domain.ids import ClientId
from server.store.contract import Statement, Store

_ADD = """
INSERT INTO dropped_beacons (client_id, hour, reason, beacons)
SELECT value ->> 0, ?, value ->> 1, value ->> 2 FROM json_each(?) WHERE true
ON CONFLICT (client_id, hour, reason) DO UPDATE SET beacons = beacons + excluded.beacons"""

_BY_REASON = """
SELECT reason, SUM(beacons) AS beacons FROM dropped_beacons
WHERE client_id = ? AND hour BETWEEN ? AND ? GROUP BY reason ORDER BY 2 DESC"""


async def add(store: Store, counts: Mapping[tuple[ClientId, str], int], now: datetime) -> None:
    """Add what was dropped of late, by client and reason."""
    rows = [[client_id, reason, times] for (client_id, reason), times in counts.items()]
    await store.write([Statement(_ADD, (to_text(now)[:HOUR_CHARS], json.dumps(rows)))])


async def by_reason(store: Store, client_id: ClientId, span: Span) -> dict[str, int]:
    """How many a client's were dropped in that time, most first; whole hours of UTC."""
    rows = await store.query(_BY_REASON, (client_id, *span.hours))
    return {row["reason"]: row["beacons"] for row in rows}
