"""Purge what is past its retention: nightly in the background, or when a command asks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from server.domain.directory import Client
from server.domain.ids import ClientId
from server.domain.retention import Kept, Retention, last_purge_due
from server.domain.user import FORGET_SECONDS
from server.store import retention, rollups
from server.store.contract import Compacting, Store, StoreError
from server.store.retention import Task
from server.usecases.background import BackgroundWorker
from server.usecases.keep_rollups import catch_up
from server.usecases.sign_in import IDLE_HOURS, SESSION_DAYS

logger = logging.getLogger(__name__)

BATCH = 200
"""Rows of one kind a batch; with all that hangs on them a few ms of the writer."""

LEASE = timedelta(hours=2)
LOOK_SECONDS = 300
FIRST_LOOK_SECONDS = 60
"""A server that has just started has other things to do."""

REJECTED_DAYS = 30
"""How long refused requests are kept where nothing else is said: long enough to look at them."""

_COUNTED = {Kept.VISITS: rollups.Kind.VISITS, Kept.LEADS: rollups.Kind.LEADS}
"""What the overview's daily counts outlive."""

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class PurgePlan:
    """What each client keeps, the server's default counted in."""

    retention: Mapping[ClientId, Retention]
    now: datetime


def plan(clients: Sequence[Client], default_days: int | None, now: datetime) -> PurgePlan:
    """The plan of all clients."""
    return PurgePlan(
        {client.client_id: client.retention.or_else(default_days) for client in clients}, now
    )


async def count_expired(store: Store, due: PurgePlan) -> dict[tuple[ClientId, Kept], int]:
    """How many rows would go, by client and kind; none are left out."""
    counted = {}
    for client_id, kept in due.retention.items():
        for kind in Kept:
            cutoff = kept.cutoff(kind, due.now)
            if cutoff and (rows := await retention.count_old(store, client_id, kind, cutoff)):
                counted[client_id, kind] = rows
    return counted


async def purge(store: Store, due: PurgePlan, progress: Progress = lambda _rows: None) -> int:
    """Delete what is past its time, in small batches; how many rows of the three kinds went.

    Harmless when two servers do it at once.
    """
    total = 0
    for client_id, kept in due.retention.items():
        for kind in Kept:
            cutoff = kept.cutoff(kind, due.now)
            if cutoff is not None:
                await _keep_counts(store, client_id, kind, cutoff, due.now)
                total += await _purge_kind(store, client_id, kind, cutoff, progress)
        await _purge_rejected(store, client_id, kept, due.now)
    await _purge_rejected(store, None, Retention(), due.now)
    await retention.drop_sign_ins(
        store,
        begun_before=due.now - timedelta(days=SESSION_DAYS),
        seen_before=due.now - timedelta(hours=IDLE_HOURS),
        failed_before=due.now - timedelta(seconds=FORGET_SECONDS),
    )
    return total


async def _keep_counts(
    store: Store, client_id: ClientId, kind: Kept, cutoff: datetime, now: datetime
) -> None:
    """Count the days that lose rows for the last time, where any do."""
    counted = _COUNTED.get(kind)
    if counted is None or not await retention.count_old(store, client_id, kind, cutoff):
        return
    await catch_up(store, now, client_id)
    await store.write([rollups.kept_from(client_id, counted, cutoff)])


async def _purge_kind(
    store: Store, client_id: ClientId, kind: Kept, cutoff: datetime, progress: Progress
) -> int:
    total, more = 0, True
    while more:
        old = await retention.find_old(store, client_id, kind, cutoff, BATCH)
        await retention.drop(store, old)
        progress(old.rows)
        total, more = total + old.rows, old.more
    return total


async def _purge_rejected(
    store: Store, client_id: ClientId | None, kept: Retention, now: datetime
) -> None:
    days = min(kept.responses or REJECTED_DAYS, kept.leads or REJECTED_DAYS, REJECTED_DAYS)
    await retention.drop_rejected(store, client_id, now - timedelta(days=days))


async def compact(store: Store, now: datetime) -> bool:
    """Take erased bytes out of the file, where the store is one; whether it was.

    Raises BusyError when others did not let go of the file; then it stays asked for.
    """
    if not isinstance(store, Compacting):
        return False
    await store.compact()
    await retention.done(store, Task.COMPACT, now)
    return True


class PurgeWorker(BackgroundWorker):
    """Purges once a night, or when the server is next up; several servers share the work."""

    source = "what is to be purged"

    def __init__(
        self,
        store: Store,
        clients: Callable[[], Sequence[Client]],
        default_days: int | None,
        now: Callable[[], datetime],
        first_look_seconds: float = FIRST_LOOK_SECONDS,
    ) -> None:
        super().__init__()
        self._store = store
        self._clients = clients
        self._default_days = default_days
        self._now = now
        self._look_at = now() + timedelta(seconds=first_look_seconds)

    async def stop(self) -> None:
        """Break off: each batch stands by itself, and the next purge goes on."""
        self._take_no_more()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._loop_task is not None:
            await self._loop_task

    async def purge_due(self) -> None:
        """Purge if that is due now, and wait for it."""
        await self._take_due()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _take_due(self) -> int:
        now = self._now()
        if now < self._look_at or self._tasks:
            return 0
        self._look_at = now + timedelta(seconds=LOOK_SECONDS)
        due_at = last_purge_due(now)
        if await retention.claim(self._store, Task.PURGE, due_at, now, now + LEASE):
            self._begin(self._purge(now))
        return 0

    async def _purge(self, now: datetime) -> None:
        try:
            rows = await purge(self._store, plan(self._clients(), self._default_days, now))
            await retention.done(self._store, Task.PURGE, now)
            logger.info("purged %s sessions, leads and responses", rows)
            if await retention.is_asked(self._store, Task.COMPACT):
                await compact(self._store, now)
        except StoreError as error:
            logger.warning("purge broken off: %s", error)
