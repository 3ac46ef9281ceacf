"""Restore a backup into an empty database, be it a file or a server."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from datetime import datetime
from pathlib import Path

from server.domain.clock import to_text
from server.store import copying
from server.store.contract import Files, Store, StoreError, Told


class RestoreRefusedError(Exception):
    """The backup or the database is not fit for it; the message says why."""


async def restore(store: Store, backup: Path, files: Files, now: datetime, told: Told) -> int:
    """Put every row of a backup into a migrated database without visitors' data; how many.

    A restore that broke off is marked in the database and may be repeated. The backup stays as it
    is; one of an older version is migrated in a copy. Raises RestoreRefusedError, SchemaError for
    one of a newer version, StoreError.
    """
    if await copying.is_filled(store):
        raise RestoreRefusedError("the database has leads or visits: restore into an empty one")
    with tempfile.TemporaryDirectory(prefix="propgauge-restore-") as folder:
        copy = Path(folder) / "backup.db"
        await _copy(backup, copy, files)
        source = await files.open(copy)
        try:
            of = await copying.tables(source)
            return await copying.replace_all(source, store, of, to_text(now), told)
        finally:
            await source.close()


async def _copy(backup: Path, copy: Path, files: Files) -> None:
    """A copy to work on; raises RestoreRefusedError unless it is a whole database of ours."""
    try:
        await asyncio.to_thread(shutil.copyfile, backup, copy)
        await files.check(copy)
    except (StoreError, OSError) as error:
        raise RestoreRefusedError(f"{backup} cannot be read as a backup: {error}") from error
    if not await files.is_ours(copy):
        raise RestoreRefusedError(f"{backup} is no database of propgauge")
