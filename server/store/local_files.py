"""Database files beside the one in use: backups, and copies to work on."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import apsw

from server.store import file_copy
from server.store.contract import Store, StoreError
from server.store.file import FileStore
from server.store.migrate import migrate


class LocalFiles:
    """See `Files`; `migrations` is the folder of our schema."""

    def __init__(self, migrations: Path) -> None:
        self._migrations = migrations

    async def open(self, path: Path) -> Store:
        """See `Files.open`."""
        store = FileStore.open(path)
        try:
            await migrate(store, self._migrations)
        except BaseException:
            await store.close()
            raise
        return store

    async def check(self, path: Path) -> None:
        """See `Files.check`."""
        try:
            found = await asyncio.to_thread(_first_fault, path)
        except apsw.Error as error:
            raise StoreError(f"no whole SQLite database: {error}") from error
        if found != "ok":
            raise StoreError(f"damaged: {' '.join(found.split())}")

    async def is_ours(self, path: Path) -> bool:
        """See `Files.is_ours`."""
        return await asyncio.to_thread(_has_our_tables, path)

    def settle(self, path: Path) -> None:
        """See `Files.settle`."""
        with contextlib.closing(apsw.Connection(str(path))) as connection:
            file_copy.settle(connection)


def _first_fault(path: Path) -> str:
    with contextlib.closing(_read_only(path)) as connection:
        return str(connection.execute("PRAGMA quick_check(1)").fetchall()[0][0])


def _has_our_tables(path: Path) -> bool:
    with contextlib.closing(_read_only(path)) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    return {"Leads", "d1_migrations"} <= names


def _read_only(path: Path) -> apsw.Connection:
    return apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
