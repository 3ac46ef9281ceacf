"""Keep the daily counts up: count the days in which something changed, every few seconds."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import date, datetime

from server.domain.days import days_of_hour
from server.domain.ids import ClientId
from server.store import dropped_beacons, rollups
from server.store.contract import Store, StoreError
from server.store.rollups import CountedClient, Kind

logger = logging.getLogger(__name__)

EVERY_SECONDS = 2.0
SELDOM_SECONDS = 30.0
REST = 20
"""A pass is followed by so many times its own length of rest, between these two bounds: counting
takes a twentieth of the time, however much a day holds."""

Told = Callable[[int, int], None]
"""Told after each day: how many are done, of how many."""


async def catch_up(
    store: Store, now: datetime, client_id: ClientId | None = None, told: Told | None = None
) -> None:
    """Count what changed up to now, of one client or all; raises StoreError."""
    for client in await rollups.clients(store):
        if client_id in (None, client.client_id):
            await _catch_up(store, client, now, told)


async def rebuild(
    store: Store, now: datetime, client_id: ClientId, told: Told | None = None
) -> None:
    """Count all days of a client anew whose raw rows are all there; raises StoreError."""
    for client in await rollups.clients(store):
        if client.client_id == client_id:
            await rollups.reset(store, client)
            await catch_up(store, now, client_id, told)


async def _catch_up(store: Store, client: CountedClient, now: datetime, told: Told | None) -> None:
    await rollups.mark_changed_leads(store, client, now)
    marked = {kind: await rollups.uncounted_hours(store, client, kind) for kind in Kind}
    days = {kind: _days(client, list(hours)) for kind, hours in marked.items()}
    done, total = 0, sum(map(len, days.values()))
    for kind, hours in marked.items():
        for day in days[kind]:
            await rollups.recount(store, client, kind, day)
            done += 1
            if told is not None:
                told(done, total)
        if hours:
            await rollups.settle(store, client, kind, hours)


def _days(client: CountedClient, hours: list[str]) -> list[date]:
    """The days that the hours touch, latest first."""
    found = {day for hour in hours for day in days_of_hour(hour, client.zone)}
    return sorted(found, reverse=True)


class RollupKeeper:
    """Counts in the background; several servers may share one store.

    `dropped` are the beacons that left no trace, by client and reason, as they are counted; they
    are stored and taken out of it.
    """

    def __init__(
        self, store: Store, dropped: Counter[tuple[ClientId, str]], now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._dropped = dropped
        self._now = now
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Leave the rest to the next start; only what no row tells is still stored."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._try(self._keep_dropped)

    async def _run(self) -> None:
        while True:
            began = time.monotonic()
            await self._try(self._keep_dropped)
            await self._try(self._count)
            rest = REST * (time.monotonic() - began)
            await asyncio.sleep(min(SELDOM_SECONDS, max(EVERY_SECONDS, rest)))

    async def _count(self) -> None:
        await catch_up(self._store, self._now())

    async def _keep_dropped(self) -> None:
        taken = Counter(self._dropped)
        self._dropped.clear()
        try:
            if taken:
                await dropped_beacons.add(self._store, taken, self._now())
        except StoreError:
            self._dropped.update(taken)
            raise

    async def _try(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except StoreError as error:
            logger.warning("daily counts not kept up: %s", error)
