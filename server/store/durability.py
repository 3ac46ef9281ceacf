"""What a commit survives, as the database itself tells."""

from __future__ import annotations

from server.store.contract import Statement, Store

_SYNCHRONOUS = Statement("PRAGMA synchronous")
_NAMES = ("OFF", "NORMAL", "FULL", "EXTRA")


async def synchronous(store: Store) -> str:
    """`PRAGMA synchronous` where writes are made: from FULL on a commit survives a power cut.

    Raises StoreError.
    """
    (result,) = await store.write([_SYNCHRONOUS])
    (row,) = result.rows
    return _NAMES[row["synchronous"]]


def survives_power_cuts(mode: str) -> bool:
    """Whether an acknowledged write is on disk in that mode."""
    return _NAMES.index(mode) >= _NAMES.index("FULL")
