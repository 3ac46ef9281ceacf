"""The audit trail: who changed settings, exported or erased, and when; never the data itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from server.domain.clock import to_text
from server.domain.ids import ClientId
from server.domain.user import UserId
from server.store.contract import Row, Statement, Store

_INSERT = """
INSERT INTO audit_trail (created_at, client_id, user_id, actor, action, subject, details)
VALUES (?, ?, ?, ?, ?, ?, ?)"""

_OF_CLIENT = """
SELECT id, created_at, actor, action, subject, details FROM audit_trail
WHERE client_id = ? AND action IN (SELECT value FROM json_each(?)) ORDER BY id DESC LIMIT ?"""


_TRAIL = """
SELECT id, created_at, actor, action, subject, details FROM audit_trail
WHERE client_id = ?1 AND (?2 IS NULL OR id < ?2) ORDER BY id DESC LIMIT ?3"""

_OF_SUBJECT = """
SELECT id, created_at, actor, action, subject, details FROM audit_trail
WHERE client_id = ? AND subject = ? ORDER BY id DESC LIMIT 20"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One act. `actor` is an address or the name of a command; `details` hold no secret."""

    client_id: ClientId | None
    user_id: UserId | None
    actor: str
    action: str
    subject: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


def entry_statement(entry: Entry, now: datetime) -> Statement:
    """Keep an entry; part of the batch of what it tells of."""
    details = json.dumps(dict(entry.details), ensure_ascii=False)
    args = (entry.client_id, entry.user_id, entry.actor, entry.action, entry.subject, details)
    return Statement(_INSERT, (to_text(now), *args))


async def history(
    store: Store, client_id: ClientId, actions: tuple[str, ...], limit: int
) -> list[Row]:
    """The newest entries of a client of those kinds; `details` is JSON."""
    return await store.query(_OF_CLIENT, (client_id, json.dumps(actions), limit))


async def trail(store: Store, client_id: ClientId, *, before: int | None, limit: int) -> list[Row]:
    """The newest entries of a client of every kind; with `before` those older than that id."""
    return await store.query(_TRAIL, (client_id, before, limit))


async def of_subject(store: Store, client_id: ClientId, subject: str) -> list[Row]:
    """The newest entries about one subject."""
    return await store.query(_OF_SUBJECT, (client_id, subject))
