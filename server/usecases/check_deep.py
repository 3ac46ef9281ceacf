"""Check a whole database: every page, every row, what rows refer to, the search index."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from server.store import integrity
from server.store.contract import Reader, Snapshotting, Store, StoreError


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `mark` is ok, off (not configured) or FAIL."""

    mark: str
    subject: str
    text: str

    @property
    def failed(self) -> bool:
        """Whether it does not work."""
        return self.mark == "FAIL"


async def check_deep(store: Store) -> list[Finding]:
    """Read all there is; a fault is a finding, and what cannot be read is one too.

    On a server all of it is of one moment; servers may go on meanwhile.
    """
    try:
        async with _reader(store) as reader:
            found = [await _look(*check, reader) for check in _CHECKS]
    except StoreError as error:
        found = [Finding("FAIL", "database", error.advice)]
    return [*found, await _look("search index", lambda _: _search(store), store)]


def _reader(store: Store) -> AbstractAsyncContextManager[Reader]:
    return store.snapshot() if isinstance(store, Snapshotting) else _itself(store)


@asynccontextmanager
async def _itself(store: Store) -> AsyncIterator[Reader]:
    yield store


async def _look(
    subject: str, check: Callable[[Reader], Awaitable[tuple[list[str], str]]], reader: Reader
) -> Finding:
    """One finding: the faults, else what is told of a sound database."""
    try:
        faults, sound = await check(reader)
    except StoreError as error:
        return Finding("FAIL", subject, error.advice)
    return Finding("FAIL", subject, "; ".join(faults)) if faults else Finding("ok", subject, sound)


async def _pages(reader: Reader) -> tuple[list[str], str]:
    return await integrity.page_faults(reader), "whole"


async def _references(reader: Reader) -> tuple[list[str], str]:
    return await integrity.broken_references(reader), "none is broken"


async def _orphans(reader: Reader) -> tuple[list[str], str]:
    return await integrity.orphans(reader), "none"


async def _tables(reader: Reader) -> tuple[list[str], str]:
    counts = await integrity.count_rows(reader)
    return [], f"{sum(counts.values()):,} rows in {len(counts)} tables"


async def _restore(reader: Reader) -> tuple[list[str], str]:
    since = await integrity.unfinished_restore(reader)
    faults = [f"one of {since} has not ended: repeat propgauge restore"] if since else []
    return faults, "none is unfinished"


async def _search(store: Store) -> tuple[list[str], str]:
    await integrity.check_search(store)
    return [], "holds what the leads say"


_CHECKS: tuple[tuple[str, Callable[[Reader], Awaitable[tuple[list[str], str]]]], ...] = (
    ("pages and indexes", _pages),
    ("references", _references),
    ("orphans", _orphans),
    ("tables", _tables),
    ("restore", _restore),
)
