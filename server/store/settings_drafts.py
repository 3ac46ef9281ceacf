"""Drafts of settings, one a client, and the revision that tells stale changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from server.domain.clock import to_text
from server.domain.ids import ClientId
from server.store.contract import Statement, Store

_REVISION = "SELECT settings_revision FROM clients WHERE id = ?"

# NULL breaks the NOT NULL rule, and with it the whole batch: the one condition that a batch can
# have without a transaction.
_ADVANCE = """
UPDATE clients
SET settings_revision = CASE WHEN settings_revision = ? THEN settings_revision + 1 END
WHERE id = ?"""

_DRAFT = "SELECT config, actor, saved_at FROM settings_drafts WHERE client_id = ?"

_SAVE = """
INSERT INTO settings_drafts (client_id, config, actor, saved_at) VALUES (?, ?, ?, ?)
ON CONFLICT (client_id) DO UPDATE SET
  config = excluded.config, actor = excluded.actor, saved_at = excluded.saved_at"""

_DISCARD = "DELETE FROM settings_drafts WHERE client_id = ?"


@dataclass(frozen=True, slots=True)
class Draft:
    """Settings that are not in force: `fields` hold no secret."""

    fields: Mapping[str, Any]
    actor: str
    saved_at: str


async def revision_of(store: Store, client_id: ClientId) -> int:
    """How often a client's settings or draft were changed; 0 for a client that is not there."""
    rows = await store.query(_REVISION, (client_id,))
    return int(rows[0]["settings_revision"]) if rows else 0


def advance_statement(client_id: ClientId, revision: int) -> Statement:
    """Count a change; breaks its batch (ConstraintError) unless `revision` is the present one."""
    return Statement(_ADVANCE, (revision, client_id))


async def draft_of(store: Store, client_id: ClientId) -> Draft | None:
    """The client's draft."""
    rows = await store.query(_DRAFT, (client_id,))
    if not rows:
        return None
    return Draft(json.loads(rows[0]["config"]), rows[0]["actor"], rows[0]["saved_at"])


def save_statement(
    client_id: ClientId, fields: Mapping[str, Any], actor: str, now: datetime
) -> Statement:
    """Keep a draft in the place of the one before."""
    return Statement(_SAVE, (client_id, json.dumps(dict(fields)), actor, to_text(now)))


def discard_statement(client_id: ClientId) -> Statement:
    """Forget the draft."""
    return Statement(_DISCARD, (client_id,))
