"""The remote store: a libSQL server (sqld, Turso Cloud) behind one of two transports.

It knows nothing of the tables. Measurements behind the numbers: facts/stores.md.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Protocol

from server.store import hrana_messages as messages
from server.store.contract import (
    AuthError,
    BusyError,
    Reader,
    Result,
    Row,
    StalledError,
    Statement,
    StoreError,
    UnavailableError,
)
from server.store.group_commit import GroupCommit, Outcome
from server.store.hrana import HttpTransport
from server.store.hrana_messages import Batch, BatchResult, Step
from server.store.snapshot import Snapshot

PATIENCE_SECONDS = 10.0
"""How long one query or write may take in all."""

IMPATIENT_SECONDS = 2.0
"""After a query that was not answered, until something is: a lead makes several, one by one."""

READERS = 8
"""Reads under way at once; sqld takes 128 requests of all its clients together."""

HEALTH_SECONDS = 5.0
CLOSE_SECONDS = 2.0

PROBE = Statement("PRAGMA user_version = 0")
"""Commits a page of a value that nobody uses. `/health` answers 200 while writes hang."""


class Transport(Protocol):
    """A way to a libSQL server."""

    async def run(
        self, batches: Sequence[Batch], *, writing: bool
    ) -> list[BatchResult | StoreError]:
        """Run batches one after the other, in one round trip.

        Raises UnavailableError when no answer came. May be cancelled at any time.
        """
        ...

    async def close(self) -> None:
        """End all connections."""
        ...


class RemoteStore:
    """A database behind a transport; it belongs to the running event loop."""

    def __init__(self, transport: Transport, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._transport = transport
        self._writes = GroupCommit(self._commit)
        self._readers = asyncio.Semaphore(READERS)
        self._patience_seconds = patience_seconds
        self._impatient = False
        self._replication_index: int | None = None
        self._closing = False

    async def query(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        """See `Store.query`."""
        self._refuse_when_closing()
        step = messages.encode(Statement(sql, args))
        patience = self._patience()
        try:
            async with asyncio.timeout(patience), self._readers:
                result = await self._read(step)
        except TimeoutError:
            self._impatient = True
            # A primary that was set back never reaches the index again, and its replicas wait.
            self._replication_index = None
            raise UnavailableError(f"no answer to a query within {patience:g} s") from None
        self._impatient = False
        return result.rows

    async def write(
        self, statements: Sequence[Statement], *, patience_seconds: float | None = None
    ) -> list[Result]:
        """See `Store.write`."""
        self._refuse_when_closing()
        steps = [messages.encode(statement) for statement in statements]
        seconds = self._patience() if patience_seconds is None else patience_seconds
        return await self._writes.write(steps, seconds) if steps else []

    async def health(self) -> None:
        """See `Store.health`; within 10 s, and tells a store that only reads from a dead one."""
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                await self.write([PROBE])
        except (TimeoutError, StalledError):
            raise await self._stalled() from None
        except BusyError:
            if not self._impatient:
                raise
            raise await self._stalled() from None

    async def close(self) -> None:
        """See `Store.close`."""
        if self._closing:
            return
        self._closing = True
        await self._writes.close(CLOSE_SECONDS)
        await self._transport.close()

    def _patience(self) -> float:
        longest = self._patience_seconds
        return min(longest, IMPATIENT_SECONDS) if self._impatient else longest

    def _refuse_when_closing(self) -> None:
        if self._closing:
            raise UnavailableError("the store is closing")

    async def _stalled(self) -> StalledError:
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                await self.query("SELECT 1")
        except (TimeoutError, StoreError):
            return StalledError("the database server takes connections and does not answer")
        return StalledError(f"reads work, and no write is committed within {HEALTH_SECONDS:g} s")

    async def _read(self, step: Step) -> Result:
        """Once more on a new connection where one broke: it may have stood since a restart."""
        try:
            return await self._read_once(step)
        except AuthError:
            raise
        except UnavailableError:
            return await self._read_once(step)

    async def _read_once(self, step: Step) -> Result:
        batch = messages.read(step, self._replication_index)
        (answer,) = await self._transport.run([batch], writing=False)
        if isinstance(answer, StoreError):
            raise answer
        return messages.read_result(answer)

    async def _commit(self, transactions: Sequence[Sequence[Step]]) -> list[Outcome]:
        batches = [messages.transaction(steps) for steps in transactions]
        return [
            self._outcome(answer) for answer in await self._transport.run(batches, writing=True)
        ]

    def _outcome(self, answer: BatchResult | StoreError) -> Outcome:
        if isinstance(answer, StoreError):
            return answer
        # Of a refused write too: who then reads the row it met must not ask a replica behind it.
        reached = messages.replication_index_of(answer)
        self._replication_index = max(self._replication_index or 0, reached)
        try:
            return messages.transaction_results(answer)
        except StoreError as error:
            return error


class ServedStore(RemoteStore):
    """A remote store whose server takes HTTP too, whatever else it is reached by."""

    def __init__(self, transport: Transport, snapshots: Callable[[], Snapshot]) -> None:
        super().__init__(transport)
        self._snapshots = snapshots

    def snapshot(self) -> AbstractAsyncContextManager[Reader]:
        """See `Snapshotting.snapshot`."""
        return self._snapshots()


def connect(url: str, token: str) -> ServedStore:
    """The store at an address of `http(s)://` or `ws(s)://`; connects when it is first asked."""
    snapshots = partial(Snapshot, re.sub("^ws", "http", url), token)
    if url.startswith("ws"):
        from server.store.ws import SocketTransport  # noqa: PLC0415  a quarter second of imports

        return ServedStore(SocketTransport(url, token), snapshots)
    return ServedStore(HttpTransport(url, token), snapshots)
