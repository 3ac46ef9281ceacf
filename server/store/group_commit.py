"""Group commit over a network: writes that wait together share one transaction and round trip."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from server.store.contract import (
    BusyError,
    Result,
    StalledError,
    StoreError,
    UnavailableError,
)
from server.store.hrana_messages import Step

STATEMENTS_PER_GROUP = 400
CHARS_PER_GROUP = 4_000_000
QUEUE_LIMIT = 4_000
"""Writes waiting before new ones are refused."""

Outcome = list[Result] | StoreError
Commit = Callable[[Sequence[Sequence[Step]]], Awaitable[list[Outcome]]]
"""Runs transactions one after the other in one round trip; raises StoreError where it breaks."""


@dataclass(slots=True, eq=False)
class _Job:
    steps: Sequence[Step]
    future: asyncio.Future[list[Result]]
    seconds: float
    begun: bool = False

    @property
    def chars(self) -> int:
        return sum(
            len(value.get("value") or value.get("base64") or "")
            for step in self.steps
            for value in step["args"]
            if value["type"] in ("text", "blob")
        )


class GroupCommit:
    """Keeps one write in flight: several wedge sqld for good (facts/stores.md)."""

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._waiting: deque[_Job] = deque()
        self._flushing: asyncio.Task[None] | None = None

    async def write(self, steps: Sequence[Step], seconds: float) -> list[Result]:
        """Commit the steps as one; raises StoreError, at the latest after `seconds` in all."""
        if len(self._waiting) >= QUEUE_LIMIT:
            raise BusyError("too many writes are waiting")
        loop = asyncio.get_running_loop()
        job = _Job(steps, loop.create_future(), seconds)
        self._waiting.append(job)
        if self._flushing is None:
            self._flushing = loop.create_task(self._flush())
        try:
            async with asyncio.timeout(seconds):
                return await job.future
        except TimeoutError:
            raise _overdue(job) from None

    async def close(self, seconds: float) -> None:
        """Finish what was accepted, as far as that goes in the time."""
        if self._flushing is None:
            return
        await asyncio.wait([self._flushing], timeout=seconds)
        if self._flushing is not None:
            self._flushing.cancel()
            await asyncio.wait([self._flushing])
        self._settle(self._waiting, [UnavailableError("the store is closing")] * len(self._waiting))

    async def _flush(self) -> None:
        group: list[_Job] = []
        try:
            while group := self._next_group():
                self._settle(group, await self._outcomes(group))
        finally:
            self._flushing = None
            self._settle(group, [UnavailableError("the store is closing")] * len(group))

    def _next_group(self) -> list[_Job]:
        """What waits, up to the limits of a group; who gave up meanwhile is left out."""
        group: list[_Job] = []
        statements = chars = 0
        while self._waiting and statements < STATEMENTS_PER_GROUP and chars < CHARS_PER_GROUP:
            job = self._waiting.popleft()
            if not job.future.done():
                job.begun = True
                group.append(job)
                statements += len(job.steps)
                chars += job.chars
        return group

    async def _outcomes(self, group: Sequence[_Job]) -> list[Outcome]:
        """Of one shared transaction; where one batch is at fault, of each alone."""
        seconds = max(job.seconds for job in group)
        (shared,) = await self._tried([[step for job in group for step in job.steps]], seconds)
        if not isinstance(shared, StoreError):
            results = iter(shared)
            return [[next(results) for _step in job.steps] for job in group]
        if len(group) == 1 or isinstance(shared, BusyError | UnavailableError):
            return [shared] * len(group)
        return await self._tried([job.steps for job in group], seconds)

    async def _tried(self, transactions: Sequence[Sequence[Step]], seconds: float) -> list[Outcome]:
        failure: StoreError
        try:
            async with asyncio.timeout(seconds):
                return await self._commit(transactions)
        except TimeoutError:
            failure = StalledError(f"no answer to a write within {seconds:g} s")
        except StoreError as error:
            failure = error
        except Exception as error:  # noqa: BLE001  who waits must be answered, whatever came
            failure = StoreError(f"{type(error).__name__}: {error}")
        return [failure] * len(transactions)

    def _settle(self, jobs: Sequence[_Job], outcomes: Sequence[Outcome]) -> None:
        for job, outcome in zip(jobs, outcomes, strict=True):
            if job.future.done():
                continue
            if isinstance(outcome, StoreError):
                job.future.set_exception(outcome)
            else:
                job.future.set_result(outcome)


def _overdue(job: _Job) -> StoreError:
    if job.begun:
        return StalledError(f"no answer to a write within {job.seconds:g} s")
    return BusyError(f"a write waited {job.seconds:g} s for those before it")
