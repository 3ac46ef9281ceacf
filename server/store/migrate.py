"""Migrations: the `.sql` files of a folder, applied once each, in wrangler's own table.

The table is wrangler's (facts/d1-and-wrangler.md), so a database moves between
`wrangler d1 migrations apply` and this server either way.
"""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

from server.store.contract import (
    BusyError,
    ConstraintError,
    Statement,
    Store,
    StoreError,
    UnavailableError,
)

_CREATE_TABLE = """
CREATE TABLE IF NOT EXISTS d1_migrations (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT UNIQUE,
  applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
)"""
_APPLIED = "SELECT name FROM d1_migrations ORDER BY id"
_RECORD = "INSERT INTO d1_migrations (name) VALUES (?)"

PATIENCE_SECONDS = 600.0
"""For one file: an index over millions of rows takes minutes."""

_NAME = re.compile(r"^(\d+)_\w+\.sql$")

_NOTHING_TO_RUN = re.compile(r"(?>\s+|;|--[^\n]*|/\*.*?\*/)*", re.DOTALL)
"""White space, comments and lone semicolons."""


class SchemaError(StoreError):
    """The database's schema and this program's migrations do not fit."""


async def migrate(store: Store, folder: Path) -> list[str]:
    """Apply what is missing, each file as one atomic batch; returns the names applied.

    Servers that start together may race: the loser finds the name taken and goes on.
    Raises SchemaError for a database from a newer program and for a migration that fails,
    which then leaves nothing behind.
    """
    await store.write([Statement(_CREATE_TABLE)])
    files = migration_files(folder)
    newly = []
    for path in files:
        if path.name in await _applied(store, files):
            continue
        if await _apply(store, path, files):
            newly.append(path.name)
    return newly


async def _apply(store: Store, path: Path, files: list[Path]) -> bool:
    """Apply one file; False when another server did meanwhile."""
    try:
        await store.write(_batch(path), patience_seconds=PATIENCE_SECONDS)
    except (BusyError, UnavailableError):
        raise
    except StoreError as error:
        if isinstance(error, ConstraintError) and path.name in await _applied(store, files):
            return False
        raise SchemaError(f"{path.name}: {error}") from error
    return True


def _batch(path: Path) -> list[Statement]:
    """The name goes first: it is what servers race for."""
    return [Statement(_RECORD, (path.name,)), *map(Statement, split(path.read_text("utf-8")))]


async def _applied(store: Store, files: list[Path]) -> set[str]:
    applied = {row["name"] for row in await store.query(_APPLIED)}
    unknown = sorted(applied - {path.name for path in files})
    if unknown:
        raise SchemaError(
            f"the database has the migration {unknown[-1]}, which this version does not know:"
            " start the newer propgauge that wrote it"
        )
    return applied


def migration_files(folder: Path) -> list[Path]:
    """The migrations in order of their leading number; raises SchemaError for a bad name."""
    paths = [path for path in folder.iterdir() if path.suffix == ".sql"]
    for path in paths:
        if not _NAME.match(path.name):
            raise SchemaError(f"{path.name}: a migration is named 001_what_it_does.sql")
    return sorted(paths, key=lambda path: (int(path.name.split("_")[0]), path.name))


def split(script: str) -> list[str]:
    """Cut a script into statements; raises SchemaError when one does not end in `;`."""
    statements, rest = [], ""
    *pieces, end = script.split(";")
    for piece in pieces:
        rest += piece + ";"
        if sqlite3.complete_statement(rest):
            if not _NOTHING_TO_RUN.fullmatch(rest):
                statements.append(rest.strip())
            rest = ""
    if not _NOTHING_TO_RUN.fullmatch(rest + end):
        raise SchemaError(f"a statement does not end in ';': {' '.join((rest + end).split())[:60]}")
    return statements
