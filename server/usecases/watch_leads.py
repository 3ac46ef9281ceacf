"""Watch for new leads: whoever waits for a client's is told, also of those other servers stored."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from server.domain.ids import ClientId
from server.store import inbox
from server.store.contract import Row, Store, StoreError

POLL_SECONDS = 2.0
"""Between two looks at the store; one look a client, however many wait."""

MAX_NEWS = 100
"""Of leads told at once; the others come with the next call."""


@dataclass(slots=True)
class _Watched:
    """A client that somebody waits for. `change` is set, and replaced, when a lead came."""

    waiting: int = 0
    change: asyncio.Event = field(default_factory=asyncio.Event)
    poller: asyncio.Task[None] | None = None


class LeadWatch:
    """Looks for new leads of the clients that are waited for, and only while they are."""

    def __init__(
        self, store: Store, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._store = store
        self._sleep = sleep
        self._watched: dict[ClientId, _Watched] = {}
        self.closed = False

    async def news(self, client_id: ClientId, row_id: int, seconds: float) -> list[Row]:
        """The leads stored after a row, oldest first; waits so long for the first of them.

        None when none came, or when the server ends. Raises StoreError.
        """
        watched = self._watched.setdefault(client_id, _Watched())
        change = watched.change
        found = await inbox.stored_since(self._store, client_id, row_id, MAX_NEWS)
        if found or self.closed:
            return found
        watched.waiting += 1
        try:
            self._poll(client_id, watched)
            async with asyncio.timeout(seconds):
                await change.wait()
        except TimeoutError:
            return []
        finally:
            watched.waiting -= 1
        if self.closed:
            return []
        return await inbox.stored_since(self._store, client_id, row_id, MAX_NEWS)

    def close(self) -> None:
        """End every wait, now and from now on."""
        self.closed = True
        for watched in self._watched.values():
            watched.change.set()
            if watched.poller is not None:
                watched.poller.cancel()

    def _poll(self, client_id: ClientId, watched: _Watched) -> None:
        if watched.poller is None or watched.poller.done():
            watched.poller = asyncio.get_running_loop().create_task(
                self._poll_while_waited_for(client_id, watched)
            )

    async def _poll_while_waited_for(self, client_id: ClientId, watched: _Watched) -> None:
        """An error of the store ends this; those who wait then look themselves, and meet it."""
        with contextlib.suppress(StoreError):
            seen = await inbox.newest_row(self._store)
            self._tell(watched)
            while watched.waiting:
                await self._sleep(POLL_SECONDS)
                if await inbox.stored_since(self._store, client_id, seen, 1):
                    seen = await inbox.newest_row(self._store)
                    self._tell(watched)
        self._tell(watched)

    @staticmethod
    def _tell(watched: _Watched) -> None:
        watched.change.set()
        watched.change = asyncio.Event()
