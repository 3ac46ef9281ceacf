"""Erasure: a canary in every text column of every table, and no byte of it afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.app import prepare_store
from server.domain import clock
from server.domain.delivery import Delivery, Outcome, Verdict
from server.domain.ids import ClientId, DeliveryId
from server.domain.person import Identity, IdentityKind, Person
from server.store import jobs, outbox, privacy, retention
from server.store.contract import ConstraintError, Statement
from server.store.file import FileStore
from server.store.outbox import Attempt, LeaseRequest
from server.store.retention import Task
from server.store.vault import Vault
from server.usecases.erase_person import erase_person
from server.usecases.export_person import PersonActor, export_person
from server.usecases.keep_rollups import rebuild
from server.usecases.purge_expired import compact
from tests.privacy_rows import (
    FOLLOWING,
    TABLES,
    WITHOUT_PEOPLE,
    bytes_of,
    person_of,
    plant,
    tables_with,
)

CANARY, BYSTANDER = "canaryxq", "bystanderzk"
VAULT = Vault("the secret key of the privacy tests")
ACTOR = PersonActor(None, "a test")
CLIENT, OTHER_CLIENT = ClientId(1), ClientId(2)


@pytest.fixture
async def planted(store: FileStore) -> FileStore:
    """A store with a canary and a bystander in every table."""
    await plant(store, CANARY, 1001)
    await plant(store, BYSTANDER, 1002)
    return store


async def erase(store: FileStore, person: Person, client_id: ClientId = CLIENT) -> dict[str, int]:
    return await erase_person(store, VAULT, client_id, person, ACTOR, clock.now())


async def test_every_table_is_known_to_hold_people_or_not(store: FileStore) -> None:
    rows = await store.query("SELECT name FROM sqlite_master WHERE type = 'table'")
    unknown = {row["name"] for row in rows} - set(TABLES) - WITHOUT_PEOPLE.keys()
    assert {name for name in unknown if not name.startswith(FOLLOWING)} == set()


async def test_erased_person_leaves_no_byte_in_the_files(tmp_path: Path) -> None:
    path = tmp_path / "own.db"
    store = FileStore.open(path)
    await prepare_store(store)
    await plant(store, CANARY, 1001)
    await store.write([Statement("UPDATE sessions SET consent = 1")])
    await rebuild(store, clock.now(), CLIENT)
    assert any(CANARY in row["value"] for row in await store.query("SELECT value FROM visit_days"))
    await store.close()
    assert CANARY.encode() in bytes_of(path)
    store = FileStore.open(path)
    rows = await erase(store, person_of(CANARY))
    assert rows.keys() == set(TABLES)
    await compact(store, clock.now())
    await store.close()
    assert CANARY.encode() not in bytes_of(path)


async def test_erasure_leaves_everybody_else_as_they_were(planted: FileStore) -> None:
    before = await tables_with(planted, BYSTANDER)
    await erase(planted, person_of(CANARY))
    assert await tables_with(planted, BYSTANDER) == before
    assert before.keys() == {*TABLES, "audit_trail"}


async def test_erasure_for_another_client_touches_nothing(planted: FileStore) -> None:
    before = await tables_with(planted, CANARY)
    assert await erase(planted, person_of(CANARY), OTHER_CLIENT) == {}
    assert await tables_with(planted, CANARY) == before


async def test_audit_trail_after_an_erasure_tells_who_and_how_much_but_not_whom(
    planted: FileStore,
) -> None:
    await erase(planted, person_of(CANARY))
    (entry,) = await planted.query("SELECT * FROM audit_trail WHERE action = 'person_erased'")
    assert (entry["actor"], entry["client_id"]) == ("a test", CLIENT)
    assert '"Leads": 1' in entry["details"]
    assert entry["subject"].startswith("email ")
    assert "audit_trail" not in await tables_with(planted, CANARY)


async def test_export_holds_a_row_of_every_table(planted: FileStore) -> None:
    told = await export_person(planted, VAULT, CLIENT, person_of(CANARY), ACTOR, clock.now())
    assert told["tables"].keys() == set(TABLES)
    assert told["tables"]["Leads"][0]["Message"].startswith(CANARY)
    assert BYSTANDER not in str(told)
    assert (await tables_with(planted, "person_exported"))["audit_trail"] == 1


async def test_linked_identities_are_told_and_not_taken_along(
    planted: FileStore,
) -> None:
    by_email = Person(person_of(CANARY).identities[:1])
    found = await privacy.find(planted, CLIENT, by_email)
    assert f"visitor:{CANARY}-visitor" in [str(one) for one in found.linked]
    rows = await erase(planted, by_email)
    assert "sessions" not in rows
    assert rows["Leads"] == 1
    assert (await tables_with(planted, CANARY))["sessions"] == 1


async def test_person_is_found_by_address_in_any_case_and_by_phone(
    planted: FileStore,
) -> None:
    change = "UPDATE Leads SET Email = 'CanaryXQ@Example.com', PhoneE164 = ? WHERE Id = 1001"
    await planted.write([Statement(change, ("+442079460123",))])
    by_email = Person(person_of(CANARY).identities[:1])
    assert (await privacy.find(planted, CLIENT, by_email)).reach.leads == (f"lead_{CANARY}",)
    by_phone = Person((Identity(IdentityKind.PHONE, "+442079460123"),))
    assert (await privacy.find(planted, CLIENT, by_phone)).reach.leads == (f"lead_{CANARY}",)


async def test_delivery_under_way_when_its_person_is_erased_leaves_nothing(
    store: FileStore,
) -> None:
    now = clock.now()
    delivery = Delivery(DeliveryId("msg_1"), CLIENT, "make_webhook", "", "{}", email="a@b.example")
    await store.write([outbox.delivery_statement(delivery, now)])
    request = LeaseRequest("me", now, now, ["make_webhook"], {}, 1, 1)
    (leased,) = await outbox.lease_due(store, request)
    await erase(store, Person((Identity(IdentityKind.EMAIL, "a@b.example"),)))
    attempt = Attempt("me", now, now, Outcome(Verdict.DELIVERED, 200, response="ok"), None)
    with pytest.raises(ConstraintError):
        await outbox.record_attempt(store, leased, attempt)
    assert await outbox.list_deliveries(store, state="", limit=5) == []


async def test_results_of_a_job_whose_person_was_erased_meanwhile_are_not_stored(
    store: FileStore,
) -> None:
    now = clock.now()
    await store.write([jobs.job_statement("score", "1:event", now)])
    (job,) = await jobs.lease(store, "me", now, now, 1)
    result = Statement(
        "INSERT INTO rejected (client_id, channel, reason, received_at) VALUES (1, '', '', '')"
    )
    await store.write([jobs.held_statement(job), result])
    await store.write([Statement("DELETE FROM jobs")])
    with pytest.raises(ConstraintError):
        await store.write([jobs.held_statement(job), result])
    assert len(await store.query("SELECT 1 FROM rejected")) == 1


async def test_erasure_asks_for_the_file_to_be_compacted_until_that_is_done(
    store: FileStore,
) -> None:
    assert not await retention.is_asked(store, Task.COMPACT)
    await erase(store, person_of(CANARY))
    assert await retention.is_asked(store, Task.COMPACT)
    await compact(store, clock.now())
    assert not await retention.is_asked(store, Task.COMPACT)
