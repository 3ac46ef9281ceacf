"""Take over the leads, visits and visitors of an earlier Worker's D1 database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from server.domain.directory import Client
from server.store import moving_in
from server.store.contract import Store, Told
from server.usecases import d1_leads, d1_values, d1_visits, keep_rollups

ROWS_PER_WRITE = 500

ORDER = ("sessions", "page_views", "fingerprints", "Leads")
"""A lead keeps something of its session, and a page view needs one."""

_TABLES = {
    "leads": "Leads",
    "sessions": "sessions",
    "pageviews": "page_views",
    "fingerprints": "fingerprints",
}


class Dump(Protocol):
    """The tables of a loaded dump."""

    def tables(self) -> list[str]:
        """Their names."""
        ...

    def columns(self, table: str) -> list[str]:
        """The names of a table's columns."""
        ...

    def count(self, table: str) -> int:
        """The rows of a table."""
        ...

    def rows(self, table: str) -> Iterator[dict[str, Any]]:
        """Each row by its column names."""
        ...


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one table: rows new, rows there before, rows that could not be used."""

    table: str
    new: int
    there: int
    unusable: int


class NothingKnownError(Exception):
    """The dump has no table of an earlier Worker; the message says what it has."""


async def import_d1(
    store: Store, dump: Dump, client: Client, now: datetime, told: Told
) -> list[Imported]:
    """Store every row that is not there, and count the client's days anew; raises StoreError.

    May be repeated. Nothing is forwarded or scored. Raises NothingKnownError.
    """
    tables = {ours: name for name in dump.tables() if (ours := _table_of(name))}
    if not tables:
        there = ", ".join(dump.tables()) or "no table"
        raise NothingKnownError(f"there is no table of leads or visits in it, but {there}")
    total = sum(map(dump.count, tables.values()))
    done = 0

    def more(rows: int) -> None:
        nonlocal done
        done += rows
        told(done, total)

    imported = [
        await _import(store, ours, dump.rows(tables[ours]), _reading(ours, client, now), more)
        for ours in ORDER
        if ours in tables
    ]
    await keep_rollups.rebuild(store, now, client.client_id)
    return imported


def left_out(dump: Dump) -> list[str]:
    """The tables and columns of a dump that have no place here, in words."""
    words = [f"table {name}" for name in dump.tables() if _table_of(name) is None]
    for name in dump.tables():
        ours = _table_of(name)
        if ours not in (None, "Leads"):
            words += [
                f"column {name}.{column}"
                for column in d1_visits.unknown_columns(str(ours), dump.columns(name))
            ]
    return words


def _table_of(name: str) -> str | None:
    """Our name of a Worker's table, None for one we do not know."""
    return _TABLES.get(d1_values.squeezed(name))


_Read = Callable[[Mapping[str, Any]], dict[str, Any] | None]


def _reading(table: str, client: Client, now: datetime) -> _Read:
    readers: dict[str, _Read] = {
        "Leads": partial(
            d1_leads.lead, client_id=client.client_id, region=client.default_region, now=now
        ),
        "sessions": partial(d1_visits.session, client_id=client.client_id, now=now),
        "fingerprints": partial(d1_visits.fingerprint, client_id=client.client_id, now=now),
        "page_views": partial(d1_visits.page_view, client_id=client.client_id, now=now),
    }
    return readers[table]


async def _import(
    store: Store,
    table: str,
    rows: Iterable[Mapping[str, Any]],
    read: _Read,
    more: Callable[[int], None],
) -> Imported:
    seen = new = usable = 0
    for chunk in _chunks(rows):
        ours = [one for row in chunk if (one := read(row)) is not None]
        new += await moving_in.add(store, table, ours)
        seen += len(chunk)
        usable += len(ours)
        more(len(chunk))
    return Imported(table, new, usable - new, seen - usable)


def _chunks(rows: Iterable[Mapping[str, Any]]) -> Iterator[Sequence[Mapping[str, Any]]]:
    chunk: list[Mapping[str, Any]] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == ROWS_PER_WRITE:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
