"""Export a person: every row of theirs as one JSON document, noted in the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from server.domain.clock import to_text
from server.domain.ids import ClientId
from server.domain.person import Identity, Person
from server.domain.user import UserId
from server.store import audit, privacy
from server.store.audit import Entry
from server.store.contract import Store
from server.store.privacy import Holding
from server.store.vault import Vault

EXPORTED = "person_exported"


@dataclass(frozen=True, slots=True)
class PersonActor:
    """Who exports or erases: a user, or a command under its name."""

    user_id: UserId | None
    name: str


def subject_of(vault: Vault, client_id: ClientId, identity: Identity) -> str:
    """What the audit trail keeps of a person: equal for the same one, telling nothing."""
    return f"{identity.kind} {vault.pseudonym(f'{client_id} {str(identity).lower()}')}"


def counts_of(counted: Mapping[Holding, int]) -> dict[str, int]:
    """Rows by the name of their table."""
    return {holding.table: rows for holding, rows in counted.items()}


async def export_person(
    store: Store,
    vault: Vault,
    client_id: ClientId,
    person: Person,
    actor: PersonActor,
    now: datetime,
) -> dict[str, Any]:
    """All that is stored of a person, table by table; the audit trail is written first."""
    found = await privacy.find(store, client_id, person)
    tables = {}
    for holding in await privacy.count(store, found.reach):
        tables[holding.table] = await privacy.read(store, holding, found.reach)
    rows = {table: len(content) for table, content in tables.items()}
    subject = subject_of(vault, client_id, person.identities[0])
    entry = Entry(client_id, actor.user_id, actor.name, EXPORTED, subject, {"rows": rows})
    await store.write([audit.entry_statement(entry, now)])
    return {
        "exported_at": to_text(now),
        "client_id": client_id,
        "identities": [one._asdict() for one in person.identities],
        "tables": tables,
    }
