"""What every driver offers: single queries and atomic batches, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement with its bound values."""

    sql: str
    args: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What a statement of a batch gave: rows (of SELECT or RETURNING) and rows changed."""

    rows: list[Row]
    changes: int


class StoreError(Exception):
    """A store refused or failed; the message is safe to log.

    `cure` tells operators what mends it, "" where nothing of theirs does.
    """

    cure: ClassVar[str] = ""

    @property
    def advice(self) -> str:
        """The message and what mends it, for people."""
        return f"{self}; {self.cure}" if self.cure else str(self)


class ConstraintError(StoreError):
    """A UNIQUE, NOT NULL, CHECK or foreign key rule was broken; nothing was written."""


class BusyError(StoreError):
    """The queue is full, or another process kept the lock; nothing was written."""


class UnavailableError(StoreError):
    """The store cannot write now (disk full, I/O error, closing), or its answer did not come.

    The write may stand or not: repeat it only with the same ids. Drivers repeat none by
    themselves, for only who made a batch knows what a second one does.
    """


class UnreachableError(UnavailableError):
    """Nothing answers at the address of the store."""

    cure = "start sqld, or mend DATABASE_URL"


class StalledError(UnavailableError):
    """The store is there and commits nothing; sqld does so for good once it has wedged."""

    cure = "restart sqld, on a replica its primary"


class AuthError(UnavailableError):
    """The store does not take our token; nothing was written."""

    cure = "set LIBSQL_AUTH_TOKEN to a token in force"


class CrowdedError(UnavailableError):
    """The server serves as many as it is set to; nothing was written."""

    cure = "put fewer servers on it, or start sqld with more --max-concurrent-connections"


class UnfinishedError(StoreError):
    """A restore into the database broke off: some of its rows are not there."""

    cure = "repeat propgauge restore, or begin with another database"


class TooBigError(StoreError):
    """A value or row is over the store's limit; nothing was written."""


class Store(Protocol):
    """A database that speaks D1's contract."""

    async def query(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        """Run one SELECT; it sees every write that has returned, and never waits for a writer.

        Raises UnavailableError, and TooBigError for more rows than a remote store sends at once
        (10 MB on sqld).
        """
        ...

    async def write(
        self, statements: Sequence[Statement], *, patience_seconds: float | None = None
    ) -> list[Result]:
        """Run the statements as one atomic batch; committed when it returns.

        `patience_seconds` is for what takes longer than visitors may wait, a migration; a file
        is waited for anyway.

        On disk as well, as far as the database is set to: a file always is, a server by
        `PRAGMA synchronous`. Values are None, int (64 bits), finite float, str and bytes.

        Raises ConstraintError, BusyError, UnavailableError or TooBigError; then none of the
        batch stands (but see UnavailableError).
        """
        ...

    async def health(self) -> None:
        """Prove that a write can be committed now; raises a StoreError otherwise."""
        ...

    async def close(self) -> None:
        """Finish what was accepted and release the database."""
        ...


class Reader(Protocol):
    """What can be asked and not changed: a store, or one moment of it."""

    async def query(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        """Run one SELECT; raises StoreError."""
        ...


Told = Callable[[int, int], None]
"""Told how much of a long work is done, and of how much."""


@runtime_checkable
class Copying(Protocol):
    """A store whose file can be copied while it is written."""

    async def copy_to(self, path: Path, told: Told) -> None:
        """Write all of one moment to a file that is there and empty; raises StoreError.

        Writers go on meanwhile; `told` counts pages.
        """
        ...


@runtime_checkable
class Snapshotting(Protocol):
    """A store that can be read for long as it stood at one moment."""

    def snapshot(self) -> AbstractAsyncContextManager[Reader]:
        """One moment, as long as the context is open; writers go on meanwhile.

        Raises StoreError, UnavailableError where the server ended it.
        """
        ...


class Files(Protocol):
    """SQLite files beside the store in use."""

    async def open(self, path: Path) -> Store:
        """Open or make one and bring it to our schema; raises StoreError, SchemaError."""
        ...

    async def check(self, path: Path) -> None:
        """Read all of one; raises StoreError with the first thing that is wrong."""
        ...

    async def is_ours(self, path: Path) -> bool:
        """Whether a whole database file is one of this program."""
        ...

    def settle(self, path: Path) -> None:
        """Leave one file that nobody has open without a log; it can be read from anywhere."""
        ...


@runtime_checkable
class Compacting(Protocol):
    """A store whose deleted bytes stay in a file until it is written anew."""

    async def compact(self) -> None:
        """Write the file anew without deleted content, and empty its log.

        Raises BusyError when another keeps the file for too long; then nothing is lost, and it
        may be asked for again. Writes that come meanwhile wait, and are refused as busy after
        their usual time. Closing the store breaks it off.
        """
        ...
