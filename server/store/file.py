"""The file driver: SQLite through apsw, one writer thread with group commit, a reader pool.

It knows nothing of the tables. Measurements behind the numbers: facts/stores.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from server.store import file_copy
from server.store.contract import (
    BusyError,
    ConstraintError,
    Result,
    Row,
    Statement,
    StoreError,
    Told,
    TooBigError,
    UnavailableError,
)

BUSY_TIMEOUT_MS = 5_000
"""How long a write waits for another process's lock before it is refused."""

LOCK_TRY_MS = 100
"""One try at that lock; between two, what waited too long is refused, however much waits."""

STATEMENTS_PER_GROUP = 400
QUEUE_LIMIT = 4_000
"""Batches waiting for the writer before new ones are refused."""

READERS = 2
CHECKPOINT_PAGES = 16_000
HEALTH_SECONDS = 6.0
CLOSE_SECONDS = 0.5
"""How long writes that another process's lock holds up may still wait at the end."""

PROBE = Statement("PRAGMA user_version = 0")
"""Writes a page of a value that nobody uses: a full disk is noticed, the content stays."""

FILE_MODE = 0o600


class _Job(NamedTuple):
    statements: Sequence[Statement]
    future: asyncio.Future[list[Result]]
    deadline: float


class _Answer(NamedTuple):
    future: asyncio.Future[list[Result]]
    results: list[Result] | None
    error: StoreError | None


class FileStore:
    """A SQLite file. Open it with `FileStore.open`; it belongs to the running event loop."""

    def __init__(self, path: Path, busy_timeout_ms: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._path = path
        self._busy_seconds = busy_timeout_ms / 1000
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._waiting = 0
        self._closing = False
        self._close_by = float("inf")
        self._no_more_jobs = False
        self._compacting: apsw.Connection | None = None
        self._writer_db = _open_writer(path, busy_timeout_ms)
        self._reader_dbs = [_open_reader(path, busy_timeout_ms) for _ in range(READERS)]
        self._idle_dbs: queue.SimpleQueue[apsw.Connection] = queue.SimpleQueue()
        for connection in self._reader_dbs:
            self._idle_dbs.put(connection)
        self._readers = ThreadPoolExecutor(READERS, "store-reader")
        self._writer = threading.Thread(
            target=self._write_forever, name="store-writer", daemon=True
        )
        self._writer.start()

    @classmethod
    def open(cls, path: Path, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> FileStore:
        """Open or create the file (mode 0600) in WAL mode; raises UnavailableError."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, FILE_MODE))
            return cls(path, busy_timeout_ms)
        except (OSError, apsw.Error) as error:
            raise UnavailableError(f"cannot open {path}: {error}") from error

    async def query(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        """See `Store.query`."""
        self._refuse_when_closing()
        return await self._loop.run_in_executor(self._readers, self._read, sql, args)

    async def write(
        self, statements: Sequence[Statement], *, patience_seconds: float | None = None
    ) -> list[Result]:
        """See `Store.write`; waits for the disk however long it takes."""
        del patience_seconds
        self._refuse_when_closing()
        if self._waiting >= QUEUE_LIMIT:
            raise BusyError("too many writes are waiting")
        future: asyncio.Future[list[Result]] = self._loop.create_future()
        self._waiting += 1
        self._jobs.put(_Job(statements, future, time.monotonic() + self._busy_seconds))
        return await future

    async def health(self) -> None:
        """See `Store.health`: commits a page within 6 s."""
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                await self.write([PROBE])
        except TimeoutError as error:
            raise UnavailableError("no write was committed in time") from error

    async def compact(self) -> None:
        """See `Compacting.compact`."""
        self._refuse_when_closing()
        await self._loop.run_in_executor(None, self._compact)

    async def copy_to(self, path: Path, told: Told) -> None:
        """See `Copying.copy_to`."""
        self._refuse_when_closing()
        try:
            await file_copy.copy(self._path, path, told)
        except apsw.Error as error:
            raise _store_error(error) from error

    async def close(self) -> None:
        """See `Store.close`."""
        if self._closing:
            return
        self._closing = True
        self._break_off_compacting()
        self._close_by = time.monotonic() + CLOSE_SECONDS
        self._jobs.put(None)
        await self._loop.run_in_executor(None, self._writer.join)
        await self._loop.run_in_executor(None, self._readers.shutdown)
        for connection in (*self._reader_dbs, self._writer_db):
            connection.close()

    def _refuse_when_closing(self) -> None:
        if self._closing:
            raise UnavailableError("the store is closing")

    def _read(self, sql: str, args: Sequence[Any]) -> list[Row]:
        connection = self._idle_dbs.get()
        try:
            return _rows(connection, Statement(sql, args))
        except Exception as error:
            raise _store_error(error) from error
        finally:
            self._idle_dbs.put(connection)

    def _compact(self) -> None:
        """On a connection of its own: a VACUUM is no transaction, and needs the lock for itself."""
        try:
            with contextlib.closing(apsw.Connection(str(self._path))) as connection:
                connection.set_busy_timeout(round(self._busy_seconds * 1000))
                self._compacting = connection
                connection.execute("VACUUM").fetchall()
                checkpoint = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except apsw.Error as error:
            raise _store_error(error) from error
        finally:
            self._compacting = None
        if checkpoint[0][0]:
            raise BusyError("the log could not be emptied while others read")

    def _break_off_compacting(self) -> None:
        connection = self._compacting
        if connection is not None:
            with contextlib.suppress(apsw.ConnectionClosedError):
                connection.interrupt()

    def _write_forever(self) -> None:
        group: list[_Job] = []
        while self._gather(group):
            answers = _commit_group(self._writer_db, group) or _refuse_overdue(
                group, self._close_by
            )
            del group[: len(answers)]
            self._loop.call_soon_threadsafe(self._settle, answers)

    def _gather(self, group: list[_Job]) -> bool:
        """Add what waits, up to the limit of a group: it shares one commit. False at the end."""
        statements = sum(len(job.statements) for job in group)
        while statements < STATEMENTS_PER_GROUP and not self._no_more_jobs:
            try:
                job = self._jobs.get(block=not group)
            except queue.Empty:
                break
            if job is None:
                self._no_more_jobs = True
                break
            group.append(job)
            statements += len(job.statements)
        return bool(group)

    def _settle(self, answers: list[_Answer]) -> None:
        self._waiting -= len(answers)
        for future, results, error in answers:
            if future.done():
                continue
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(results or [])


def _open_writer(path: Path, busy_timeout_ms: int) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(busy_timeout_ms)
    _set_wal(connection, busy_timeout_ms)
    for pragma in (
        "synchronous=FULL",
        "foreign_keys=ON",
        f"wal_autocheckpoint={CHECKPOINT_PAGES}",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    connection.set_busy_timeout(min(busy_timeout_ms, LOCK_TRY_MS))
    return connection


def _set_wal(connection: apsw.Connection, busy_timeout_ms: int) -> None:
    """SQLite refuses this at once, without waiting, while another opens the same new file."""
    deadline = time.monotonic() + busy_timeout_ms / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").fetchall()
        except apsw.BusyError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _open_reader(path: Path, busy_timeout_ms: int) -> apsw.Connection:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    connection.set_busy_timeout(busy_timeout_ms)
    connection.execute("SELECT 1 FROM sqlite_master").fetchall()
    return connection


def _commit_group(db: apsw.Connection, group: Sequence[_Job]) -> list[_Answer]:
    """Commit the group as one; when one batch is at fault, each alone, so that only it fails.

    Answers the first jobs of the group, and none of those that another process's lock holds up.
    """
    try:
        results = _commit(db, [job.statements for job in group])
    except apsw.BusyError:
        return []
    except Exception as error:  # noqa: BLE001  a value SQLite cannot bind must not end the thread
        ours = _store_error(error)
        if len(group) > 1 and not isinstance(ours, UnavailableError):
            return _commit_singly(db, group)
        return [_Answer(job.future, None, ours) for job in group]
    return [_Answer(job.future, result, None) for job, result in zip(group, results, strict=True)]


def _commit_singly(db: apsw.Connection, group: Sequence[_Job]) -> list[_Answer]:
    answers: list[_Answer] = []
    for job in group:
        answer = _commit_group(db, [job])
        if not answer:
            break
        answers += answer
    return answers


def _refuse_overdue(group: Sequence[_Job], close_by: float) -> list[_Answer]:
    """Answers for the jobs that waited too long: the first ones, for they stand in order."""
    now = time.monotonic()
    error = BusyError("another process keeps the database locked")
    return [_Answer(job.future, None, error) for job in group if min(job.deadline, close_by) <= now]


def _commit(db: apsw.Connection, batches: Sequence[Sequence[Statement]]) -> list[list[Result]]:
    db.execute("BEGIN IMMEDIATE")
    try:
        results = [[_run(db, statement) for statement in batch] for batch in batches]
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return results


def _run(db: apsw.Connection, statement: Statement) -> Result:
    before = db.total_changes()
    rows = _rows(db, statement)
    return Result(rows, db.total_changes() - before)


def _rows(db: apsw.Connection, statement: Statement) -> list[Row]:
    if not all(map(_can_be_kept, statement.args)):
        raise StoreError("a number that is not finite cannot be kept")
    names: list[str] = []
    rows: list[Row] = []
    cursor = db.execute(statement.sql, tuple(statement.args))
    for values in cursor:
        if not names:
            names = [column[0] for column in cursor.get_description()]
        rows.append(dict(zip(names, values, strict=True)))
    return rows


def _can_be_kept(value: Any) -> bool:
    """SQLite would make NULL of what is not a number, and a server takes no infinity."""
    return not isinstance(value, float) or math.isfinite(value)


_ERRORS: tuple[tuple[type[apsw.Error], type[StoreError]], ...] = (
    (apsw.ConstraintError, ConstraintError),
    (apsw.BusyError, BusyError),
    (apsw.LockedError, BusyError),
    (apsw.TooBigError, TooBigError),
    (apsw.FullError, UnavailableError),
    (apsw.IOError, UnavailableError),
    (apsw.ReadOnlyError, UnavailableError),
    (apsw.CantOpenError, UnavailableError),
    (apsw.CorruptError, UnavailableError),
    (apsw.NotADBError, UnavailableError),
)


def _store_error(error: Exception) -> StoreError:
    if isinstance(error, StoreError):
        return error
    for kind, ours in _ERRORS:
        if isinstance(error, kind):
            return ours(_words(error))
    return StoreError(f"{type(error).__name__}: {error}")


def _words(error: Exception) -> str:
    """A copy's error has the words of a connection on which nothing failed."""
    return "database or disk is full" if isinstance(error, apsw.FullError) else str(error)
