"""Migrations on a real file: applied once each, whole or not at all, and fit for D1."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest

from server.app import MIGRATIONS, prepare_store
from server.store.contract import BusyError, Statement, Store
from server.store.file import FileStore
from server.store.migrate import SchemaError, migrate, migration_files, split

ALL = [path.name for path in migration_files(MIGRATIONS)]

THE_SPECS_EIGHT = """\
ALTER TABLE Leads ADD COLUMN VisitorId TEXT;
ALTER TABLE Leads ADD COLUMN SessionId TEXT;
ALTER TABLE Leads ADD COLUMN EngagementScore REAL DEFAULT 0;
ALTER TABLE Leads ADD COLUMN EngagementLabel TEXT DEFAULT 'Cold';
ALTER TABLE Leads ADD COLUMN PagesVisited INTEGER DEFAULT 0;
ALTER TABLE Leads ADD COLUMN SessionDuration INTEGER DEFAULT 0;
ALTER TABLE Leads ADD COLUMN ReturnVisits INTEGER DEFAULT 0;
ALTER TABLE Leads ADD COLUMN VpnSuspected INTEGER DEFAULT 0;
"""


@pytest.fixture
async def empty(tmp_path: Path) -> AsyncIterator[FileStore]:
    """A store without any table."""
    opened = FileStore.open(tmp_path / "store.db", busy_timeout_ms=300)
    yield opened
    await opened.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder for migrations."""
    made = tmp_path / "migrations"
    made.mkdir()
    return made


def put(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(script, "utf-8")


async def applied(store: Store) -> list[str]:
    return [row["name"] for row in await store.query("SELECT name FROM d1_migrations ORDER BY id")]


async def tables(store: Store) -> set[str]:
    rows = await store.query("SELECT name FROM sqlite_master WHERE type = 'table'")
    return {row["name"] for row in rows} - {"d1_migrations", "sqlite_sequence"}


# ---- applying


async def test_migrate_of_an_empty_database_applies_all_in_order(empty: FileStore) -> None:
    assert await migrate(empty, MIGRATIONS) == ALL
    assert await applied(empty) == ALL
    assert {"Leads", "sessions", "page_views", "fingerprints", "clients"} <= await tables(empty)
    (check,) = await empty.query("PRAGMA integrity_check")
    assert list(check.values()) == ["ok"]


async def test_migrate_a_second_time_applies_nothing(empty: FileStore) -> None:
    await migrate(empty, MIGRATIONS)
    before = await empty.query("SELECT * FROM sqlite_master")
    assert await migrate(empty, MIGRATIONS) == []
    assert await applied(empty) == ALL
    assert await empty.query("SELECT * FROM sqlite_master") == before


async def test_migrate_when_a_file_was_added_applies_only_that(
    empty: FileStore, folder: Path
) -> None:
    put(folder, "001_a.sql", "CREATE TABLE a (x);")
    await migrate(empty, folder)
    await empty.write([Statement("INSERT INTO a VALUES (1)")])
    put(folder, "010_c.sql", "ALTER TABLE a ADD COLUMN z DEFAULT 3;")
    put(folder, "002_b.sql", "ALTER TABLE a ADD COLUMN y DEFAULT 2;\nCREATE TABLE b (x);")
    assert await migrate(empty, folder) == ["002_b.sql", "010_c.sql"]
    assert await empty.query("SELECT * FROM a") == [{"x": 1, "y": 2, "z": 3}]


async def test_prepare_store_a_second_time_changes_nothing(empty: FileStore) -> None:
    await prepare_store(empty)
    seeded = [await empty.query(f"SELECT * FROM {name}") for name in ("clients", "sites")]
    assert [len(rows) for rows in seeded] == [1, 1]
    assert await prepare_store(empty) == []
    assert [await empty.query(f"SELECT * FROM {name}") for name in ("clients", "sites")] == seeded


async def test_migrate_by_two_stores_at_once_applies_each_file_once(
    empty: FileStore, tmp_path: Path
) -> None:
    others = [FileStore.open(tmp_path / "store.db") for _ in range(3)]
    results = await asyncio.gather(*(migrate(each, MIGRATIONS) for each in (empty, *others)))
    assert sorted(name for names in results for name in names) == ALL
    assert await applied(empty) == ALL
    for each in others:
        await each.close()


def test_migrate_by_threads_of_their_own_applies_each_file_once(tmp_path: Path) -> None:
    """Servers that start together on a new file."""
    results: list[list[str]] = []
    together = threading.Barrier(4)

    async def start() -> None:
        together.wait()
        store = FileStore.open(tmp_path / "store.db")
        results.append(await prepare_store(store))
        await store.close()

    threads = [threading.Thread(target=lambda: asyncio.run(start())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert sorted(name for names in results for name in names) == ALL


# ---- failing


@pytest.mark.parametrize(
    "fault",
    [
        "INSERT INTO nowhere VALUES (1);",
        "CREATE TABLE a (x);",
        "SELECT 'never closed",
        "CREATE TABLE c (x)",
        "CREATE UNIQUE INDEX once ON a (x);",
        "INSERT INTO a (x, y) VALUES (3, NULL);",
    ],
)
async def test_migration_that_fails_is_named_and_leaves_nothing_behind(
    empty: FileStore, folder: Path, fault: str
) -> None:
    put(folder, "001_a.sql", "CREATE TABLE a (x, y NOT NULL DEFAULT 0);")
    put(folder, "002_b.sql", "CREATE TABLE b (x);\nALTER TABLE a ADD COLUMN z;\n" + fault)
    put(folder, "003_d.sql", "CREATE TABLE d (x);")
    await empty.write([Statement("CREATE TABLE kept (x)")])
    one = folder.parent / "one"
    one.mkdir()
    put(one, "001_a.sql", "CREATE TABLE a (x, y NOT NULL DEFAULT 0);")
    await migrate(empty, one)
    await empty.write([Statement("INSERT INTO a (x) VALUES (1), (1)")])

    with pytest.raises(SchemaError, match=r"^002_b\.sql: ") as failed:
        await migrate(empty, folder)

    assert "\n" not in str(failed.value)
    assert await tables(empty) == {"kept", "a"}
    assert await applied(empty) == ["001_a.sql"]
    assert await empty.query("SELECT * FROM a") == [{"x": 1, "y": 0}] * 2


async def test_migration_that_failed_is_applied_once_it_is_mended(
    empty: FileStore, folder: Path
) -> None:
    put(folder, "001_a.sql", "CREATE TABLE a (x); INSERT INTO nowhere VALUES (1);")
    with pytest.raises(SchemaError):
        await migrate(empty, folder)
    put(folder, "001_a.sql", "CREATE TABLE a (x);")
    assert await migrate(empty, folder) == ["001_a.sql"]


async def test_migrate_when_another_keeps_the_lock_is_busy_not_a_schema_error(
    empty: FileStore, folder: Path, tmp_path: Path
) -> None:
    put(folder, "001_a.sql", "CREATE TABLE a (x);")
    other = apsw.Connection(str(tmp_path / "store.db"))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(BusyError):
        await migrate(empty, folder)
    other.close()
    assert await migrate(empty, folder) == ["001_a.sql"]


async def test_migrate_of_a_database_from_a_newer_program_is_refused_in_one_line(
    empty: FileStore,
) -> None:
    await migrate(empty, MIGRATIONS)
    newer = Statement("INSERT INTO d1_migrations (name) VALUES ('999_later.sql')")
    await empty.write([newer])
    with pytest.raises(SchemaError, match=r"999_later\.sql.*newer propgauge") as refused:
        await migrate(empty, MIGRATIONS)
    assert "\n" not in str(refused.value)
    assert await applied(empty) == [*ALL, "999_later.sql"]


async def test_migrate_with_a_bad_file_name_applies_nothing(empty: FileStore, folder: Path) -> None:
    put(folder, "001_a.sql", "CREATE TABLE a (x);")
    put(folder, "next.sql", "CREATE TABLE b (x);")
    with pytest.raises(SchemaError, match=r"^next\.sql: "):
        await migrate(empty, folder)
    assert await tables(empty) == set()


# ---- what D1 asks of the files (facts/d1-and-wrangler.md)


def script_of(name: str) -> str:
    return (MIGRATIONS / name).read_bytes().decode("utf-8")


def bare(name: str) -> str:
    """Without comments and texts, which may say what they like.

    And without the triggers of the search index, which wrangler takes (test_wrangler.py).
    """
    said = re.sub(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'", "", script_of(name), flags=re.DOTALL)
    return re.sub(r"^CREATE TRIGGER lead_search_.*?^END;", "", said, flags=re.DOTALL | re.MULTILINE)


def test_migration_005_is_exactly_the_specs_eight_statements() -> None:
    assert split(script_of("005_add_lead_engagement.sql")) == THE_SPECS_EIGHT.splitlines()


@pytest.mark.parametrize("name", ALL)
def test_migration_has_unix_line_ends_and_ends_in_a_semicolon(name: str) -> None:
    script = script_of(name)
    assert "\r" not in script
    assert "\t" not in script
    assert script.endswith(";\n")


FORBIDDEN = {
    "a trigger": r"\bTRIGGER\b",
    "a transaction": r"\b(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE)\b",
    "a name that reads as one": r"\bEND\b",
    "another file": r"\b(ATTACH|DETACH|VACUUM)\b",
    "a temporary table": r"\bTEMP(ORARY)?\b",
    "a pragma": r"\bPRAGMA\b",
    "a case inside a call": r"\w\s*\([^)]*\bCASE\b",
    "a function newer than SQLite 3.40": (
        r"\b(string_agg|concat|concat_ws|jsonb\w*|octet_length|timediff|unistr|if|median"
        r"|percentile\w*|json_pretty)\s*\("
    ),
    "sub-seconds": r"\bsubsec(ond)?\b",
}


@pytest.mark.parametrize("pattern", FORBIDDEN.values(), ids=FORBIDDEN.keys())
@pytest.mark.parametrize("name", ALL)
def test_migration_has_nothing_that_d1_refuses(name: str, pattern: str) -> None:
    assert re.search(pattern, bare(name), re.IGNORECASE) is None


@pytest.mark.parametrize("name", ALL)
def test_migration_has_statements_of_at_most_100_kilobytes(name: str) -> None:
    assert max(len(statement.encode()) for statement in split(script_of(name))) <= 100_000


async def test_migrations_give_every_column_a_type_and_no_table_over_100_columns(
    empty: FileStore,
) -> None:
    """D1 binds numbers as REAL: a column without INTEGER or TEXT affinity would keep 1.0."""
    await migrate(empty, MIGRATIONS)
    for table in await tables(empty):
        if table.startswith("lead_search"):  # FTS5 makes these, and binds their values itself
            continue
        columns = await empty.query(f"PRAGMA table_info('{table}')")
        assert len(columns) <= 100
        assert {column["type"] for column in columns} <= {"INTEGER", "TEXT", "REAL"}


async def test_migrations_are_numbered_without_gap_or_repetition() -> None:
    assert [int(name.split("_")[0]) for name in ALL] == list(range(1, len(ALL) + 1))
