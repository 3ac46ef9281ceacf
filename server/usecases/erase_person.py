"""Erase a person: every row of theirs in one batch, with an entry in the audit trail."""

from __future__ import annotations

from datetime import datetime

from server.domain.ids import ClientId
from server.domain.person import Person
from server.store import audit, privacy, retention, rollups
from server.store.audit import Entry
from server.store.contract import Statement, Store
from server.store.privacy import Reach
from server.store.retention import Task
from server.store.vault import Vault
from server.usecases.export_person import PersonActor, counts_of, subject_of
from server.usecases.keep_rollups import catch_up

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

    What was on its way to Make.com or Meta is cancelled, the daily counts are made anew, and the
    file is compacted by the next purge. The audit trail keeps who did it, and of the person a
    keyed hash only.
    """
    found = await privacy.find(store, client_id, person)
    rows = counts_of(await privacy.count(store, found.reach))
    subject = subject_of(vault, client_id, person.identities[0])
    entry = Entry(client_id, actor.user_id, actor.name, ERASED, subject, {"rows": rows})
    await store.write(
        [
            *_counted_anew(found.reach),
            *privacy.erase_statements(found.reach),
            audit.entry_statement(entry, now),
            retention.ask_statement(Task.COMPACT, now),
        ]
    )
    await catch_up(store, now, client_id)
    return rows


def _counted_anew(reach: Reach) -> list[Statement]:
    """Let the daily counts forget the person too: what a page's address says may be theirs."""
    client_id = reach.client_id
    return [
        rollups.changed_sessions((client_id, session) for session in reach.sessions),
        rollups.changed_visitors((client_id, visitor) for visitor in reach.visitors),
        rollups.leads_that_go(client_id, reach.leads),
    ]
