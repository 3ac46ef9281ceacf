"""A SQLite file copied by SQLite itself, while others write it."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import apsw

from server.store.contract import Told

PAGES = 2_000
"""8 MB a step: between two the copy can be broken off."""

BUSY_TIMEOUT_MS = 5_000


async def copy(source: Path, target: Path, told: Told) -> None:
    """Copy one moment of `source` over `target`, as one file without a log; raises apsw.Error."""
    loop = asyncio.get_running_loop()
    with (
        contextlib.closing(_reading(source)) as theirs,
        contextlib.closing(apsw.Connection(str(target))) as ours,
    ):
        with ours.backup("main", theirs, "main") as pages:
            while not pages.done:
                await loop.run_in_executor(None, pages.step, PAGES)
                told(pages.page_count - pages.remaining, pages.page_count)
        settle(ours)


def settle(connection: apsw.Connection) -> None:
    """Leave one file that can be read from anywhere, also where nothing can be written."""
    connection.execute("PRAGMA journal_mode = DELETE").fetchall()


def _reading(path: Path) -> apsw.Connection:
    """A reader kept at one moment: SQLite begins a copy anew whenever its source has changed."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    connection.execute("BEGIN").fetchall()
    connection.execute("SELECT 1 FROM sqlite_master").fetchall()
    return connection
