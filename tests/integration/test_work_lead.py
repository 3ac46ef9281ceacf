"""Working a lead: status, owner, first contact and notes, against a real store."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.domain.clock import to_text
from server.domain.directory import FIRST_CLIENT
from server.domain.errors import AppError, ErrorCode
from server.domain.ids import ClientId, LeadId
from server.domain.lead_status import LeadStatus
from server.domain.user import Role, UserId
from server.store import lead_changes, users
from server.store.contract import Statement
from server.store.file import FileStore
from server.store.lead_changes import Actor
from server.usecases.work_lead import LeadEdit, StaleLeadError, owners_of, work_lead

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
LATER = NOW + timedelta(hours=3)
ANA = Actor(None, "ana@example.com")
LEAD = LeadId("lead_1")


@pytest.fixture(autouse=True)
async def lead(store: FileStore) -> None:
    """One new lead of client 1."""
    insert = "INSERT INTO Leads (PublicId, ClientId, Channel, CreatedAt) VALUES (?, 1, 'form', ?)"
    await store.write([Statement(insert, (LEAD, to_text(NOW)))])


async def edit(store: FileStore, now: datetime = NOW, **fields: Any) -> list[str]:
    """Edit the lead; the kinds of the changes made."""
    changes = await work_lead(store, FIRST_CLIENT, LEAD, LeadEdit(**fields), ANA, now)
    return [change.kind for change in changes]


async def row(store: FileStore) -> dict[str, Any]:
    (found,) = await store.query("SELECT * FROM Leads WHERE PublicId = ?", (LEAD,))
    return dict(found)


async def salesperson(store: FileStore, email: str, client_id: int = 1) -> UserId:
    return await users.add_user(store, email, "x", Role.SALES, {ClientId(client_id)}, NOW)


async def second(store: FileStore) -> None:
    """A second client."""
    insert = "INSERT INTO clients (id, name, created_at) VALUES (2, 'Other', '')"
    await store.write([Statement(insert)])


async def test_status_when_changed_is_kept_with_its_time_and_history(store: FileStore) -> None:
    assert await edit(store, LATER, status=LeadStatus.WON) == ["status"]
    lead = await row(store)
    assert (lead["Status"], lead["StatusAt"]) == ("won", to_text(LATER))
    assert (lead["Revision"], lead["UpdatedAt"]) == (1, to_text(LATER))
    (change,) = await lead_changes.history(store, FIRST_CLIENT, LEAD)
    assert (change["actor"], change["old_value"], change["new_value"]) == (ANA.name, "new", "won")


async def test_first_contact_is_when_the_status_first_leaves_new(store: FileStore) -> None:
    await edit(store, NOW, status=LeadStatus.VIEWING)
    await edit(store, LATER, status=LeadStatus.NEW)
    await edit(store, LATER, status=LeadStatus.CONTACTED)
    assert (await row(store))["FirstContactAt"] == to_text(NOW)


async def test_spam_is_no_first_contact(store: FileStore) -> None:
    await edit(store, NOW, status=LeadStatus.SPAM)
    assert (await row(store))["FirstContactAt"] is None
    await edit(store, LATER, status=LeadStatus.CONTACTED)
    assert (await row(store))["FirstContactAt"] == to_text(LATER)


async def test_contacted_notes_the_call_and_leaves_new(store: FileStore) -> None:
    assert await edit(store, contacted=True) == ["first_contact", "status"]
    assert await edit(store, LATER, contacted=True) == []
    lead = await row(store)
    assert (lead["Status"], lead["FirstContactAt"]) == ("contacted", to_text(NOW))


async def test_owner_is_set_and_taken_with_the_address_in_the_history(store: FileStore) -> None:
    owner = await salesperson(store, "ben@example.com")
    assert await edit(store, owner_id=owner) == ["owner"]
    assert await edit(store, status=LeadStatus.LOST) == ["status"]
    assert (await row(store))["OwnerId"] == owner
    assert await edit(store, owner_id=None) == ["owner"]
    taken, *_ = await lead_changes.history(store, FIRST_CLIENT, LEAD)
    assert (taken["old_value"], taken["new_value"]) == ("ben@example.com", None)


async def test_owner_who_cannot_see_the_client_is_refused(store: FileStore) -> None:
    await second(store)
    stranger = await salesperson(store, "stranger@example.com", 2)
    with pytest.raises(AppError, match="cannot see"):
        await edit(store, owner_id=stranger)
    with pytest.raises(AppError, match="cannot see"):
        await edit(store, owner_id=UserId(99))
    assert (await row(store))["Revision"] == 0


async def test_owners_are_those_who_see_the_client_and_may_sign_in(store: FileStore) -> None:
    await second(store)
    ben = await salesperson(store, "ben@example.com")
    gone = await users.find(store, await salesperson(store, "gone@example.com"))
    await salesperson(store, "stranger@example.com", 2)
    assert gone is not None
    await users.change_user(store, replace(gone.user, disabled_at=to_text(NOW)))
    assert [one.user.user_id for one in await owners_of(store, FIRST_CLIENT)] == [ben]


async def test_note_is_kept_and_a_blank_one_is_none(store: FileStore) -> None:
    assert await edit(store, note=" Called back, wants the terrace. ") == ["note"]
    assert await edit(store, note="  \n ") == []
    (change,) = await lead_changes.history(store, FIRST_CLIENT, LEAD)
    assert change["new_value"] == "Called back, wants the terrace."


async def test_note_of_64_kib_is_refused(store: FileStore) -> None:
    with pytest.raises(AppError, match="4,000") as refused:
        await edit(store, note="x" * 65_536)
    assert [fault.field for fault in refused.value.fields] == ["note"]


async def test_stale_edit_changes_nothing(store: FileStore) -> None:
    await edit(store, status=LeadStatus.CONTACTED, revision=0)
    with pytest.raises(StaleLeadError):
        await edit(store, status=LeadStatus.LOST, note="mine", revision=0)
    assert (await row(store))["Status"] == "contacted"
    assert len(await lead_changes.history(store, FIRST_CLIENT, LEAD)) == 1


async def test_edits_at_once_of_one_revision_leave_one_and_tell_the_others(
    store: FileStore,
) -> None:
    edits = [edit(store, note=f"note {number}", revision=0) for number in range(8)]
    done = await asyncio.gather(*edits, return_exceptions=True)
    assert sum(isinstance(one, StaleLeadError) for one in done) == 7
    assert len(await lead_changes.history(store, FIRST_CLIENT, LEAD)) == 1
    assert (await row(store))["Revision"] == 1


async def test_edits_without_a_revision_go_on_over_each_other(store: FileStore) -> None:
    await asyncio.gather(*(edit(store, note=f"note {number}") for number in range(3)))
    assert len(await lead_changes.history(store, FIRST_CLIENT, LEAD)) == 3
    assert (await row(store))["Revision"] == 3


async def test_lead_of_another_client_is_not_found(store: FileStore) -> None:
    with pytest.raises(AppError) as refused:
        await work_lead(store, ClientId(2), LEAD, LeadEdit(note="mine"), ANA, NOW)
    assert refused.value.code is ErrorCode.NOT_FOUND
    assert (await row(store))["Revision"] == 0
