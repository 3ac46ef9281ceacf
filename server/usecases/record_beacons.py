"""Record beacons: those that arrive while one batch commits share the next one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from server.domain.visitor import Arrival, DropReason
from server.store import tracking
from server.store.contract import BusyError, Store, StoreError, UnavailableError

GROUP_LIMIT = 400
"""Beacons per batch: beyond a few hundred a group gains nothing (facts/stores.md)."""

QUEUE_LIMIT = 5_000
"""Requests waiting for their batch before new ones are refused."""

Done = Callable[["list[DropReason] | StoreError"], None]
"""Told once, in the event loop, when the beacons are committed (with what was dropped) or not."""


class _Request(NamedTuple):
    arrivals: Sequence[Arrival]
    done: Done


class BeaconRecorder:
    """Groups the beacons of concurrent requests. One batch is in flight at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: deque[_Request] = deque()
        self._flushing: asyncio.Task[None] | None = None

    async def record(self, arrivals: Sequence[Arrival]) -> list[DropReason]:
        """Store the beacons; committed when it returns. Raises StoreError; then none is stored."""
        future: asyncio.Future[list[DropReason]] = asyncio.get_running_loop().create_future()

        def done(answer: list[DropReason] | StoreError) -> None:
            if future.done():
                return
            if isinstance(answer, StoreError):
                future.set_exception(answer)
            else:
                future.set_result(answer)

        self.submit(arrivals, done)
        return await future

    def submit(self, arrivals: Sequence[Arrival], done: Done) -> None:
        """As `record`, for callers that are no coroutine. Raises BusyError when too much waits."""
        if len(self._waiting) >= QUEUE_LIMIT:
            raise BusyError("too many beacons are waiting")
        self._waiting.append(_Request(arrivals, done))
        if self._flushing is None:
            self._flushing = asyncio.get_running_loop().create_task(self._flush())

    async def close(self) -> None:
        """Wait until everything submitted is answered."""
        while self._flushing is not None:
            await asyncio.wait([self._flushing])

    async def _flush(self) -> None:
        try:
            while self._waiting:
                await self._commit(self._next_group())
        finally:
            self._flushing = None

    def _next_group(self) -> list[_Request]:
        group, beacons = [], 0
        while self._waiting and beacons < GROUP_LIMIT:
            group.append(self._waiting.popleft())
            beacons += len(group[-1].arrivals)
        return group

    async def _commit(self, group: Sequence[_Request]) -> None:
        """Commit a group; when a beacon in it is at fault, halve it until that one is alone."""
        arrivals = [arrival for request in group for arrival in request.arrivals]
        try:
            results = await self._store.write(tracking.beacon_batch(arrivals))
        except Exception as error:  # noqa: BLE001  every request must be answered
            failure = error if isinstance(error, StoreError) else StoreError(repr(error))
            if isinstance(error, BusyError | UnavailableError):
                self._refuse([*group, *self._waiting], failure)
                self._waiting.clear()
                return
            if len(group) == 1:
                self._refuse(group, failure)
                return
            middle = len(group) // 2
            await self._commit(group[:middle])
            await self._commit(group[middle:])
            return
        self._answer(group, tracking.drop_reasons(arrivals, results))

    def _refuse(self, requests: Sequence[_Request], failure: StoreError) -> None:
        """What waited behind a store that is stuck has waited as long as it may."""
        for request in requests:
            request.done(failure)

    def _answer(self, group: Sequence[_Request], reasons: Sequence[DropReason | None]) -> None:
        position = 0
        for request in group:
            end = position + len(request.arrivals)
            request.done([reason for reason in reasons[position:end] if reason is not None])
            position = end
