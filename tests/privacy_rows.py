"""Rows of one person in every table that can hold a person's data, filled column by column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from server.domain.person import Identity, IdentityKind, Person
from server.store.contract import Row, Statement
from server.store.file import FileStore
from server.store.privacy import HOLDINGS

TABLES = [holding.table for holding in HOLDINGS]

WITHOUT_PEOPLE = {
    "api_keys": "partners, by the name an admin gave",
    "clients": "customers",
    "d1_migrations": "the schema",
    "dashboard_sessions": "hashes of users' tokens",
    "dropped_beacons": "counts",
    "frozen_scripts": "our scripts",
    "lead_days": "counts",
    "lead_histograms": "counts",
    "paused_destinations": "why a webhook stands still",
    "rollup_clients": "what was counted",
    "rollup_days": "what was counted",
    "rollup_hours": "what was counted",
    "settings_drafts": "settings",
    "sign_in_failures": "hashes",
    "sites": "web sites",
    "upkeep": "what was done when",
    "user_clients": "users",
    "users": "users of the dashboard",
    "visit_days": "counts",
}
"""Tables that hold nothing of visitors and leads, and what they hold instead."""

FOLLOWING = ("lead_search", "audit_trail", "sqlite_")
"""Beginnings of the names of tables that triggers or SQLite keep, and of the one that is scrubbed
rather than deleted from."""


_USER = """
INSERT INTO users (id, email, password_hash, role, created_at)
VALUES (1, 'admin@localhost', '', 'admin', '') ON CONFLICT DO NOTHING"""

_ACT = """
INSERT INTO audit_trail (created_at, client_id, actor, action, subject, details)
VALUES ('2026-11-22T10:00:00.000Z', ?, 'admin@localhost', 'leads_exported', ?, ?)"""


def person_of(word: str) -> Person:
    """The person whose rows `plant` writes for a word."""
    return Person(
        (
            Identity(IdentityKind.EMAIL, f"{word}@example.com"),
            Identity(IdentityKind.VISITOR, f"{word}-visitor"),
        )
    )


async def plant(store: FileStore, word: str, number: int, client_id: int = 1) -> None:
    """Write one row of each table, `word` in every text column of it; `number` makes ids."""
    batch = [Statement(_USER)]
    for table in reversed(TABLES):
        columns = await store.query(f"SELECT name, type FROM pragma_table_info('{table}')")
        batch.append(_insert(table, _row(columns, _known(word, number, client_id), word)))
    details = f'{{"query": "q={word}%40example.com"}}'
    batch.append(Statement(_ACT, (client_id, f"{word}@example.com", details)))
    await store.write(batch)


async def tables_with(store: FileStore, word: str) -> dict[str, int]:
    """How many rows hold the word anywhere, by table; tables without such a row are left out."""
    counted = {}
    for table in [*TABLES, "audit_trail"]:
        rows = await store.query(f"SELECT * FROM {table}")
        if number := sum(word in str(row) for row in rows):
            counted[table] = number
    return counted


def _row(columns: Iterable[Row], known: Mapping[str, Any], word: str) -> dict[str, Any]:
    return {
        column["name"]: known[column["name"].lower()]
        if column["name"].lower() in known
        else _value(column["name"], column["type"], word)
        for column in columns
    }


def _value(name: str, kind: str, word: str) -> Any:
    if name.lower().endswith(("_at", "createdat", "updatedat", "statusat", "contactat", "until")):
        return "2026-11-22T10:00:00.000Z"
    if kind == "TEXT":
        return f"{word} {word}@example.com in {name}"
    return 0


def _known(word: str, number: int, client_id: int) -> Mapping[str, Any]:
    """What ties the rows together."""
    return {
        "id": number,
        "client_id": client_id,
        "clientid": client_id,
        "email": f"{word}@example.com",
        "visitor_id": f"{word}-visitor",
        "visitorid": f"{word}-visitor",
        "session_id": f"{word}-session",
        "sessionid": f"{word}-session",
        "lead_id": f"lead_{word}",
        "publicid": f"lead_{word}",
        "delivery_id": f"msg_{word}",
        "event_id": f"event-{word}",
        "subject": f"{client_id}:event-{word}",
        "response_id": number,
        "ownerid": None,
        "user_id": 1,
    }


def _insert(table: str, row: Mapping[str, Any]) -> Statement:
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    return Statement(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))


def bytes_of(database: Path) -> bytes:
    """All there is of a database on disk: the file, its log, its index of the log.

    Never of one that this process has open: closing a file of it ends SQLite's locks.
    """
    files = (database.with_name(database.name + end) for end in ("", "-wal", "-shm"))
    return b"".join(path.read_bytes() for path in files if path.exists())
