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

_INSERT_IF_CHANGED = """
INSERT INTO audit_trail (created_at, client_id, user_id, actor, action, subject, details)
SELECT ?, ?, ?, ?, ?, ?, ? WHERE changes() > 0"""

_INSERT_OF_NEW_CLIENT = """
INSERT INTO audit_trail (client_id, created_at, user_id, actor, action, subject, details)
VALUES (last_insert_rowid(), ?, ?, ?, ?, ?, ?)"""

_OF_CLIENT = """
SELECT id, created_at, actor, action, subject, details FROM audit_trail
WHERE client_id IS ? AND action IN (SELECT value FROM json_each(?)) ORDER BY id DESC LIMIT ?"""

_TRAIL = """
SELECT id, created_at, actor, action, subject, details FROM audit_trail
WHERE client_id = ?1 AND (?2 IS NULL OR id < ?2) ORDER BY id DESC LIMIT ?3"""

_OF_SUBJECT = """
SELECT id, created_at, actor, action, subject, details FROM audit_trail
WHERE client_id = ? AND subject = ? ORDER BY id DESC LIMIT 20"""

COMMAND_LINE = "command line"
"""Who acts where nobody signed in: whoever may run `propgauge` on the machine."""


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
    return Statement(_INSERT, (to_text(now), entry.client_id, *_act(entry)))


def entry_if_changed(entry: Entry, now: datetime) -> Statement:
    """As `entry_statement`, only where the statement before it in the batch changed a row."""
    return Statement(_INSERT_IF_CHANGED, (to_text(now), entry.client_id, *_act(entry)))


def entry_of_new_client(entry: Entry, now: datetime) -> Statement:
    """As `entry_statement`, of the client that the statement before it in the batch added."""
    return Statement(_INSERT_OF_NEW_CLIENT, (to_text(now), *_act(entry)))


async def history(
    store: Store, client_id: ClientId | None, actions: tuple[str, ...], limit: int
) -> list[Row]:
    """The newest entries of a client, or of none, of those kinds; `details` is JSON."""
    return await store.query(_OF_CLIENT, (client_id, json.dumps(actions), limit))


async def trail(store: Store, client_id: ClientId, *, before: int | None, limit: int) -> list[Row]:
    """The newest entries of a client of every kind; with `before` those older than that id."""
    return await store.query(_TRAIL, (client_id, before, limit))


async def of_subject(store: Store, client_id: ClientId, subject: str) -> list[Row]:
    """The newest entries about one subject."""
    return await store.query(_OF_SUBJECT, (client_id, subject))


def _act(entry: Entry) -> tuple[UserId | None, str, str, str, str]:
    details = json.dumps(dict(entry.details), ensure_ascii=False)
    return entry.user_id, entry.actor, entry.action, entry.subject, details
