"""What people did with a lead: its status, owner and first contact, and each change for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from server.domain.clock import to_text
from server.domain.ids import ClientId, LeadId
from server.domain.lead_status import LeadStatus
from server.domain.user import UserId
from server.store.contract import Row, Statement, Store

MAX_CHANGES = 200


class ChangeKind(StrEnum):
    """What was changed."""

    STATUS = "status"
    OWNER = "owner"
    NOTE = "note"
    FIRST_CONTACT = "first_contact"


_STATE = """
SELECT l.PublicId, l.Status, l.StatusAt, l.FirstContactAt, l.OwnerId, l.Revision,
  u.email AS owner
FROM Leads AS l LEFT JOIN users AS u ON u.id = l.OwnerId
WHERE l.ClientId = ? AND l.PublicId = ?"""

# Before the update, so that all of the batch look at the same revision.
_KEEP = """
INSERT INTO lead_changes
  (client_id, lead_id, user_id, actor, kind, old_value, new_value, created_at)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
WHERE EXISTS (SELECT 1 FROM Leads WHERE ClientId = ?1 AND PublicId = ?2 AND Revision = ?9)"""

_SAVE = """
UPDATE Leads SET Status = ?, StatusAt = ?, FirstContactAt = ?, OwnerId = ?,
  Revision = Revision + 1, UpdatedAt = ?
WHERE ClientId = ? AND PublicId = ? AND Revision = ? RETURNING Revision"""

_HISTORY = """
SELECT id, actor, kind, old_value, new_value, created_at FROM lead_changes
WHERE client_id = ? AND lead_id = ? AND id > ? ORDER BY id DESC LIMIT ?"""


@dataclass(frozen=True, slots=True)
class LeadState:
    """How far people have come with a lead; times are texts of the clock, "" where unknown."""

    lead_id: LeadId
    status: LeadStatus
    status_at: str
    first_contact_at: str
    owner_id: UserId | None
    owner: str
    revision: int


@dataclass(frozen=True, slots=True)
class Change:
    """One change; values are texts, None where there was or is nothing."""

    kind: ChangeKind
    old_value: str | None
    new_value: str | None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes: a user, or a program under its name."""

    user_id: UserId | None
    name: str


async def state_of(store: Store, client_id: ClientId, lead_id: LeadId) -> LeadState | None:
    """The state of a lead of the client; None without one."""
    rows = await store.query(_STATE, (client_id, lead_id))
    if not rows:
        return None
    row = rows[0]
    return LeadState(
        LeadId(row["PublicId"]),
        LeadStatus(row["Status"]),
        row["StatusAt"] or "",
        row["FirstContactAt"] or "",
        None if row["OwnerId"] is None else UserId(row["OwnerId"]),
        row["owner"] or "",
        row["Revision"],
    )


async def save(
    store: Store,
    client_id: ClientId,
    state: LeadState,
    changes: Sequence[Change],
    actor: Actor,
    now: datetime,
) -> bool:
    """Store a new state with its changes, if the lead is still at `state.revision`.

    False where somebody was quicker; then nothing stands.
    """
    moment = to_text(now)
    where = (client_id, state.lead_id)
    kept = [
        Statement(
            _KEEP,
            (
                *where,
                actor.user_id,
                actor.name,
                change.kind,
                change.old_value,
                change.new_value,
                moment,
                state.revision,
            ),
        )
        for change in changes
    ]
    values = (state.status, state.status_at or None, state.first_contact_at or None)
    update = Statement(_SAVE, (*values, state.owner_id, moment, *where, state.revision))
    *_changes, saved = await store.write([*kept, update])
    return bool(saved.rows)


async def history(
    store: Store, client_id: ClientId, lead_id: LeadId, *, after: int = 0
) -> list[Row]:
    """The changes of a lead, newest first; with `after` only those behind that id."""
    return await store.query(_HISTORY, (client_id, lead_id, after, MAX_CHANGES))
