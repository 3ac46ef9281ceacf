"""All tables of a database, row by row into another of the same schema.

It knows no table but the two that tell what stands: the migrations, and the mark of a restore
that has not ended.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

from server.store.contract import Reader, Row, Statement, Store, Told, TooBigError

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
_PARENTS = 'SELECT DISTINCT "table" AS parent FROM pragma_foreign_key_list(?)'

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


async def tables(of: Reader) -> list[Table]:
    """The tables of a database, those that others refer to first; raises StoreError.

    A search index is none: triggers fill it.
    """
    names = [row["name"] for row in await of.query(_TABLES) if _is_ours(row["name"])]
    parents = {name: await _parents(of, name) for name in names}
    return [await _table(of, name) for name in TopologicalSorter(parents).static_order()]


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


def _is_ours(name: str) -> bool:
    return not name.startswith(("sqlite_", "_cf_"))


async def _parents(of: Reader, name: str) -> set[str]:
    return {row["parent"] for row in await of.query(_PARENTS, (name,))} - {name}


async def _table(of: Reader, name: str) -> Table:
    rows = await of.query(_COLUMNS, (name,))
    key = sorted((row["pk"], row["name"]) for row in rows if row["pk"])
    return Table(name, tuple(row["name"] for row in rows), tuple(column for _, column in key))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _marks(count: int) -> str:
    return ", ".join("?" * count)
