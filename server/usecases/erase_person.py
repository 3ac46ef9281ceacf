"""Erase a person: every row of theirs in one batch, with an entry in the audit trail."""

from __future__ import annotations

from datetime import datetime

from server.domain.ids import ClientId
from server.domain.person import Person
from server.store import audit, privacy, retention
from server.store.audit import Entry
from server.store.contract import Store
from server.store.retention import Task
from server.store.vault import Vault
from server.usecases.export_person import PersonActor, counts_of, subject_of

ERASED = "person_erased"


async def erase_person(
    store: Store,
    vault: Vault,
    client_id: ClientId,
    person: Person,
    actor: PersonActor,
    now: datetime,
) -> dict[str, int]:
    """Delete all that is stored of a person; committed when it returns. Rows by table.

    What was on its way to Make.com or Meta is cancelled; the file is compacted by the next
    purge. The audit trail keeps who did it, and of the person a keyed hash only.
    """
    found = await privacy.find(store, client_id, person)
    rows = counts_of(await privacy.count(store, found.reach))
    subject = subject_of(vault, client_id, person.identities[0])
    entry = Entry(client_id, actor.user_id, actor.name, ERASED, subject, {"rows": rows})
    await store.write(
        [
            *privacy.erase_statements(found.reach),
            audit.entry_statement(entry, now),
            retention.ask_statement(Task.COMPACT, now),
        ]
    )
    return rows
