"""Back up the database to one new SQLite file, while servers go on writing."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from server.domain.clock import to_text
from server.store import copying
from server.store.contract import Copying, Files, Snapshotting, Store, StoreError, Told


async def backup(store: Store, target: Path, files: Files, now: datetime, told: Told) -> None:
    """Write one moment of all tables to a file of mode 0600; raises StoreError, OSError.

    The file appears under its name when it is whole and on disk. Raises FileExistsError rather
    than overwrite one. Secrets in it stay encrypted.
    """
    with _part_of(target) as part:
        if isinstance(store, Copying):
            await store.copy_to(part, told)
        elif isinstance(store, Snapshotting):
            await _collect(store, part, files, now, told)
        else:
            raise StoreError("this store cannot be backed up")
        await files.check(part)
        _publish(part, target)


async def _collect(
    store: Snapshotting, part: Path, files: Files, now: datetime, told: Told
) -> None:
    """Make a file of our schema and fill it with the rows of one moment of a server."""
    target = await files.open(part)
    try:
        async with store.snapshot() as moment:
            of = await copying.tables(target)
            await copying.replace_all(moment, target, of, to_text(now), told)
    finally:
        await target.close()
    files.settle(part)


@contextmanager
def _part_of(target: Path) -> Iterator[Path]:
    """An empty file beside the target, gone at the end with all that SQLite put beside it."""
    if target.exists():
        raise FileExistsError(errno.EEXIST, f"{target} is there already: name a new file")
    number, name = tempfile.mkstemp(".part", f".{target.name}.", target.parent)
    os.close(number)
    part = Path(name)
    try:
        yield part
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(name + suffix).unlink(missing_ok=True)


def _publish(part: Path, target: Path) -> None:
    """Give the file its name once its content is on disk; a name that is taken stays as it is."""
    for path in (part, None):
        number = os.open(path or target.parent, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
        if path:
            os.link(part, target)
