"""What background workers share: wake, poll, run tasks beside each other."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine

from server.store.contract import AuthError, BusyError, StoreError, UnavailableError

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
INSIST_SECONDS = 30.0
"""How long a result is kept for a store that cannot take it. With the longest request (15 s) and
a write that is not answered (10 s) it stays below every lease."""

AGAIN_SECONDS = 1.0


async def insist(write: Callable[[], Awaitable[None]], seconds: float = INSIST_SECONDS) -> None:
    """Repeat a write that may be repeated until it stands: what it tells of cannot be undone.

    Raises the last StoreError when the time is over, and at once what no repeat can mend.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        try:
            return await write()
        except AuthError:
            raise
        except (BusyError, UnavailableError) as error:
            if loop.time() + AGAIN_SECONDS > deadline:
                raise
            logger.warning("a result waits for the store: %s", error)
        await asyncio.sleep(AGAIN_SECONDS)


class BackgroundWorker(ABC):
    """Takes what is due when it is woken, and once a second; each in a task of its own."""

    source = ""
    """What the log calls the place that it takes work from."""

    def __init__(self) -> None:
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop_task: asyncio.Task[None] | None = None
        self._stopping = False

    def start(self) -> None:
        """Begin to work."""
        self._loop_task = asyncio.get_running_loop().create_task(self._run())

    def wake(self) -> None:
        """Look for due work at once."""
        self._wake.set()

    @abstractmethod
    async def _take_due(self) -> int:
        """Begin what is due; how much that was. Raises StoreError."""

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _take_no_more(self) -> None:
        self._stopping = True
        self._wake.set()

    async def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                taken = await self._take_due()
            except StoreError as error:
                logger.warning("%s cannot be read: %s", self.source, error)
                taken = 0
            if taken == 0 and not self._stopping:
                await self._sleep()

    async def _sleep(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            return
