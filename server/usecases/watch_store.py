"""Watch a remote store: prove every few seconds that it commits, and say what to do if not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from server.store.contract import Store, StoreError, UnavailableError

logger = logging.getLogger(__name__)

PROBE_SECONDS = 5.0
"""From one probe to the next. With the probe's own time-out (10 s at most) a store that hangs
for good is noticed within 20 s."""

Observer = Callable[[StoreError | None], None]
"""Told of each change: what is wrong, or None once the store commits."""


class StoreWatch:
    """Knows whether the store takes writes, without asking it anew for everyone who asks."""

    def __init__(
        self, store: Store, observe: Observer, *, probe_seconds: float = PROBE_SECONDS
    ) -> None:
        self._store = store
        self._observe = observe
        self._probe_seconds = probe_seconds
        self._fault: StoreError | None = UnavailableError("not probed yet")
        self._task: asyncio.Task[None] | None = None

    @property
    def fault(self) -> StoreError | None:
        """What the last probe found, None while writes are committed."""
        return self._fault

    def start(self) -> None:
        """Begin to probe."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End, whatever a probe waits for."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def probe(self) -> None:
        """Ask once, and tell what changed."""
        fault: StoreError | None = None
        try:
            await self._store.health()
        except StoreError as error:
            fault = error
        before, self._fault = self._fault, fault
        if str(fault) != str(before):
            self._tell(fault)

    async def _run(self) -> None:
        while True:
            await self.probe()
            await asyncio.sleep(self._probe_seconds)

    def _tell(self, fault: StoreError | None) -> None:
        if fault is None:
            logger.info("the store takes writes")
        else:
            logger.error("the store takes no writes: %s", fault.advice)
        self._observe(fault)
