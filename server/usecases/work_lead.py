"""Work a lead: its status, owner, first contact and notes, changed together with their history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from server.domain.clock import to_text
from server.domain.errors import AppError, ErrorCode, invalid_field
from server.domain.ids import ClientId, LeadId
from server.domain.lead_status import LeadStatus
from server.domain.user import UserId
from server.store import lead_changes, users
from server.store.contract import Store
from server.store.lead_changes import Actor, Change, ChangeKind, LeadState
from server.store.users import StoredUser

MAX_NOTE_CHARS = 4_000
TRIES = 5
"""Of an edit that does not mind what others did meanwhile."""

UNCONTACTED = frozenset({LeadStatus.NEW, LeadStatus.SPAM})


class Keep(Enum):
    """Stands for "as it is" where None has a meaning."""

    AS_IS = "as_is"


@dataclass(frozen=True, slots=True)
class LeadEdit:
    """What is to become of a lead; what is left at its default stays as it is.

    An owner of None is nobody. `contacted` tells that the person was reached just now. With a
    `revision` the edit is refused where somebody else has changed the lead since.
    """

    status: LeadStatus | None = None
    owner_id: UserId | Keep | None = Keep.AS_IS
    note: str = ""
    contacted: bool = False
    revision: int | None = None


class StaleLeadError(AppError):
    """Somebody else changed the lead meanwhile; nothing was stored."""

    def __init__(self) -> None:
        super().__init__(ErrorCode.CONFLICT, "Somebody else has changed this lead meanwhile")


async def owners_of(store: Store, client_id: ClientId) -> list[StoredUser]:
    """The users who may own leads of a client: they see it, and may sign in."""
    return [
        one
        for one in await users.list_users(store)
        if not one.user.disabled_at and one.user.seen_of([client_id])
    ]


async def work_lead(
    store: Store,
    client_id: ClientId,
    lead_id: LeadId,
    edit: LeadEdit,
    actor: Actor,
    now: datetime,
) -> Sequence[Change]:
    """Apply an edit; the lead and its changes are committed together when this returns.

    The changes made, () where there was nothing to change. Raises AppError: not_found, invalid
    (owner, note), or conflict as StaleLeadError.
    """
    if len(edit.note) > MAX_NOTE_CHARS:
        raise invalid_field("note", f"has more than {MAX_NOTE_CHARS:,} characters")
    for _ in range(TRIES):
        state = await lead_changes.state_of(store, client_id, lead_id)
        if state is None:
            raise AppError(ErrorCode.NOT_FOUND, "There is no such lead")
        if edit.revision is not None and edit.revision != state.revision:
            raise StaleLeadError
        owner = await _owner(store, client_id, edit, state)
        after = _after(state, edit, owner, to_text(now))
        changes = _changes(state, after, edit)
        if not changes or await lead_changes.save(store, client_id, after, changes, actor, now):
            return changes
    raise StaleLeadError


async def _owner(
    store: Store, client_id: ClientId, edit: LeadEdit, state: LeadState
) -> tuple[UserId | None, str]:
    """The owner after the edit, with their address; one who has it already may keep it."""
    wanted = edit.owner_id
    if isinstance(wanted, Keep) or wanted == state.owner_id:
        return state.owner_id, state.owner
    if wanted is None:
        return None, ""
    found = await users.find(store, wanted)
    if found is None or found.user.disabled_at or not found.user.seen_of([client_id]):
        raise invalid_field("owner", "cannot see this client's leads")
    return wanted, found.user.email


def _after(
    state: LeadState, edit: LeadEdit, owner: tuple[UserId | None, str], moment: str
) -> LeadState:
    status = edit.status or state.status
    if edit.contacted and status is LeadStatus.NEW:
        status = LeadStatus.CONTACTED
    moved = status is not state.status
    reached = edit.contacted or (moved and status not in UNCONTACTED)
    return replace(
        state,
        status=status,
        status_at=moment if moved else state.status_at,
        first_contact_at=state.first_contact_at or (moment if reached else ""),
        owner_id=owner[0],
        owner=owner[1],
    )


def _changes(before: LeadState, after: LeadState, edit: LeadEdit) -> list[Change]:
    made = []
    if edit.contacted and not before.first_contact_at:
        made.append(Change(ChangeKind.FIRST_CONTACT, None, after.first_contact_at))
    if after.status is not before.status:
        made.append(Change(ChangeKind.STATUS, before.status, after.status))
    if after.owner_id != before.owner_id:
        made.append(Change(ChangeKind.OWNER, before.owner or None, after.owner or None))
    if note := edit.note.strip():
        made.append(Change(ChangeKind.NOTE, None, note))
    return made
