"""Run jobs: lease what is due, do it, put off what failed, give up after a day."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from server.store import jobs
from server.store.contract import Store, StoreError
from server.store.jobs import Job
from server.usecases.background import BackgroundWorker

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=120)
"""Above the longest job: every model of a chain may take its whole time."""

AT_ONCE = 8
BACKOFF_SECONDS = (30, 120, 600, 1_800, 7_200, 21_600, 43_200)
"""Waits after the first to the seventh failure: a day in all."""


class JobError(Exception):
    """A job that cannot be done now; the message is safe to log and to show."""


Handler = Callable[[Job], Awaitable[None]]
"""Does a job and ends it (`jobs.finish_statement`) in the batch of its own result."""


class JobWorker(BackgroundWorker):
    """Does jobs in the background; several servers may share one store."""

    source = "jobs"

    def __init__(
        self, store: Store, handlers: Mapping[str, Handler], now: Callable[[], datetime]
    ) -> None:
        super().__init__()
        self._store = store
        self._handlers = handlers
        self._now = now
        self._owner = secrets.token_hex(8)

    async def stop(self, grace_seconds: float) -> None:
        """Break off what is under way and give it back, so that another server may begin it.

        What a store that is stuck does not take back in time comes free when its lease ends.
        """
        self._take_no_more()
        for task in self._tasks:
            task.cancel()
        try:
            async with asyncio.timeout(grace_seconds):
                await asyncio.gather(*self._tasks, return_exceptions=True)
                if self._loop_task is not None:
                    await self._loop_task
                await jobs.release(self._store, self._owner)
        except (TimeoutError, StoreError):
            logger.warning("jobs not given back, their leases will end")

    async def _take_due(self) -> int:
        room = AT_ONCE - len(self._tasks)
        if room <= 0:
            return 0
        now = self._now()
        leased = await jobs.lease(self._store, self._owner, now, now + LEASE, room)
        for job in leased:
            self._begin(self._do(job))
        return len(leased)

    async def _do(self, job: Job) -> None:
        try:
            await self._handlers[job.kind](job)
        except StoreError as error:
            logger.warning("%s %s: %s", job.kind, job.subject, error)
        except JobError as error:
            await self._put_off(job, str(error))
        except Exception as error:
            logger.exception("%s %s failed", job.kind, job.subject)
            await self._put_off(job, f"unexpected: {type(error).__name__}")
        finally:
            self._wake.set()

    async def _put_off(self, job: Job, error: str) -> None:
        now = self._now()
        try:
            if job.attempts > len(BACKOFF_SECONDS):
                logger.error("%s %s given up: %s", job.kind, job.subject, error)
                await jobs.give_up(self._store, job, now, error)
            else:
                wait = timedelta(seconds=BACKOFF_SECONDS[job.attempts - 1])
                logger.warning("%s %s put off: %s", job.kind, job.subject, error)
                await jobs.put_off(self._store, job, now + wait, error)
        except StoreError as failure:
            logger.warning("%s %s not put off: %s", job.kind, job.subject, failure)
