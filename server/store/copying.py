"""All tables of a database, row by row into another of the same schema.

It knows no table but the two that tell what stands: the migrations, and the mark of a restore
that has not ended.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import apsw

from server.store import file_copy
from server.store.contract import Reader, Row, Statement, Store, StoreError, Told, TooBigError

ROWS_PER_READ = 500
VALUES_PER_WRITE = 20_000
"""Bound values of one INSERT; SQLite takes 32,766."""

BYTES_PER_WRITE = 1_000_000
PATIENCE_SECONDS = 120.0
"""For one write of so much."""

LAST = ("d1_migrations", "upkeep")
"""Written at the very end, in one batch: before it, the target tells that it is not whole."""

_TABLES = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
_COLUMNS = "SELECT name, pk FROM pragma_table_xinfo(?) WHERE hidden = 0 ORDER BY cid"
_PARENTS = 'SELECT DISTINCT "table" FROM pragma_foreign_key_list(?)'

_MARK = "INSERT OR REPLACE INTO upkeep (task, asked_at) VALUES ('restore', ?)"
_MARKED = "SELECT asked_at FROM upkeep WHERE task = 'restore'"
_FILLED = """
SELECT EXISTS (SELECT 1 FROM Leads) OR EXISTS (SELECT 1 FROM sessions)
  OR EXISTS (SELECT 1 FROM form_responses) AS filled"""


@dataclass(frozen=True, slots=True)
class Table:
    """A table's stored columns and its primary key."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]

    def page(self, after: Sequence[Any] | None, limit: int) -> tuple[str, Sequence[Any]]:
        """The query of the rows after a key, by key, and its values."""
        key = ", ".join(map(_quoted, self.key))
        where = f"WHERE ({key}) > ({_marks(len(self.key))})" if after else ""
        columns = ", ".join(map(_quoted, self.columns))
        sql = f"SELECT {columns} FROM {_quoted(self.name)} {where} ORDER BY {key} LIMIT {limit}"
        return sql, after or ()

    def insert(self, rows: Sequence[Row]) -> Statement:
        """One statement for all of these rows."""
        columns = ", ".join(map(_quoted, self.columns))
        marks = ", ".join([f"({_marks(len(self.columns))})"] * len(rows))
        values = [row[name] for row in rows for name in self.columns]
        return Statement(
            f"INSERT INTO {_quoted(self.name)} ({columns}) VALUES {marks}",
            values,
        )


def tables(path: Path) -> list[Table]:
    """The tables of a database file, those that others refer to first.

    A search index is none: triggers fill it. Raises StoreError for what is no database.
    """
    try:
        with contextlib.closing(_read_only(path)) as connection:
            names = [name for (name,) in connection.execute(_TABLES) if _is_ours(name)]
            parents = {name: _parents(connection, name) for name in names}
            order = TopologicalSorter(parents).static_order()
            return [_table(connection, name) for name in order]
    except apsw.Error as error:
        raise StoreError(f"{path}: {error}") from error


async def check_file(path: Path) -> None:
    """Read a whole database file; raises StoreError with the first thing that is wrong."""

    def look() -> str:
        with contextlib.closing(_read_only(path)) as connection:
            return str(connection.execute("PRAGMA quick_check(1)").fetchall()[0][0])

    try:
        found = await asyncio.to_thread(look)
    except apsw.Error as error:
        raise StoreError(f"{path} is no whole SQLite database: {error}") from error
    if found != "ok":
        raise StoreError(f"{path} is damaged: {' '.join(found.split())}")


def settle_file(path: Path) -> None:
    """See `file_copy.settle`."""
    with contextlib.closing(apsw.Connection(str(path))) as connection:
        file_copy.settle(connection)


async def is_filled(store: Store) -> bool:
    """Whether there is anything of visitors; what an unfinished restore left counts as nothing."""
    if await store.query(_MARKED):
        return False
    return bool((await store.query(_FILLED))[0]["filled"])


async def replace_all(
    source: Reader, target: Store, of: Sequence[Table], moment: str, told: Told
) -> int:
    """Empty the target's tables and fill them; how many rows.

    Until it returns the target is marked as unfinished, and it may be done again.
    """
    counts = [await _count(source, table) for table in of]
    bulk = [table for table in of if table.name not in LAST]
    clear = [Statement(f"DELETE FROM {_quoted(table.name)}") for table in reversed(bulk)]
    await target.write([Statement(_MARK, (moment,)), *clear], patience_seconds=PATIENCE_SECONDS * 5)
    done, total = 0, sum(counts)
    for table in bulk:
        async for rows in _pages(source, table):
            for chunk in _chunks(table, rows):
                await target.write([table.insert(chunk)], patience_seconds=PATIENCE_SECONDS)
            done += len(rows)
            told(done, total)
    batch: list[Statement] = []
    for table in of:
        if table.name in LAST:
            batch.append(Statement(f"DELETE FROM {_quoted(table.name)}"))
            batch += [table.insert(rows) async for rows in _pages(source, table)]
    await target.write(batch, patience_seconds=PATIENCE_SECONDS)
    told(total, total)
    return total


async def _count(source: Reader, table: Table) -> int:
    rows = await source.query(f"SELECT COUNT(*) AS rows_there FROM {_quoted(table.name)}")
    return int(rows[0]["rows_there"])


async def _pages(source: Reader, table: Table) -> AsyncIterator[Sequence[Row]]:
    """All rows in lists, by key; fewer at once where the server does not send so much."""
    after: Sequence[Any] | None = None
    limit = ROWS_PER_READ
    while True:
        try:
            rows = await source.query(*table.page(after, limit))
        except TooBigError:
            if limit == 1:
                raise
            limit //= 2
            continue
        if not rows:
            return
        yield rows
        after = [rows[-1][name] for name in table.key]


def _chunks(table: Table, rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Rows that go into one statement."""
    chunk: list[Row] = []
    size = 0
    for row in rows:
        weight = sum(len(value) for value in row.values() if isinstance(value, str | bytes))
        values = (len(chunk) + 1) * len(table.columns)
        if chunk and (size + weight > BYTES_PER_WRITE or values > VALUES_PER_WRITE):
            yield chunk
            chunk, size = [], 0
        chunk.append(row)
        size += weight
    yield chunk


def _read_only(path: Path) -> apsw.Connection:
    return apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)


def _is_ours(name: str) -> bool:
    return not name.startswith(("sqlite_", "_cf_"))


def _parents(connection: apsw.Connection, name: str) -> set[str]:
    return {parent for (parent,) in connection.execute(_PARENTS, (name,))} - {name}


def _table(connection: apsw.Connection, name: str) -> Table:
    columns = list(connection.execute(_COLUMNS, (name,)))
    key = sorted((place, column) for column, place in columns if place)
    return Table(name, tuple(column for column, _ in columns), tuple(column for _, column in key))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _marks(count: int) -> str:
    return ", ".join("?" * count)
