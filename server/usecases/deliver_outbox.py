"""Deliver the outbox: lease what is due, send it, keep each attempt, try again or give up."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from server.destinations import Destination
from server.domain import delivery as rules
from server.domain.delivery import Delivery, Outcome, Verdict
from server.store import outbox
from server.store.contract import Store, StoreError
from server.store.outbox import Attempt, LeaseRequest
from server.usecases.background import INSIST_SECONDS, BackgroundWorker, insist

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
"""Four times the longest request (facts/reliability-and-security.md asks for twice)."""

PER_DESTINATION = 4
AT_ONCE = 32

Observer = Callable[[Delivery, Outcome], None]


@dataclass(frozen=True, slots=True)
class Clocks:
    """Time and chance, given so that tests need no patching."""

    now: Callable[[], datetime]
    chance: Callable[[], float] = random.random
    insist_seconds: float = INSIST_SECONDS
    """How long an attempt that was made is kept for a store that cannot take it."""


class OutboxWorker(BackgroundWorker):
    """Sends deliveries in the background; several servers may share one store."""

    source = "outbox"

    def __init__(
        self,
        store: Store,
        destinations: Mapping[str, Destination],
        clocks: Clocks,
        observe: Observer = lambda _delivery, _outcome: None,
    ) -> None:
        super().__init__()
        self._store = store
        self._destinations = destinations
        self._clocks = clocks
        self._observe = observe
        self._owner = secrets.token_hex(8)
        self._busy: Counter[str] = Counter()

    async def stop(self, grace_seconds: float) -> None:
        """Take nothing new and let what is being sent end; the rest is sent after its lease."""
        self._take_no_more()
        try:
            async with asyncio.timeout(grace_seconds):
                if self._loop_task is not None:
                    await self._loop_task
                if self._tasks:
                    await asyncio.wait(self._tasks)
        except TimeoutError:
            unfinished = list(self._tasks)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)

    async def deliver_due(self) -> int:
        """Send what is due now and wait for it; how many deliveries were taken."""
        taken = await self._take_due()
        if self._tasks:
            await asyncio.wait(self._tasks)
        return taken

    async def _take_due(self) -> int:
        room = AT_ONCE - len(self._tasks)
        if room <= 0:
            return 0
        now = self._clocks.now()
        due = await outbox.lease_due(
            self._store,
            LeaseRequest(
                owner=self._owner,
                now=now,
                until=now + LEASE,
                destinations=self._destinations,
                busy=self._busy,
                per_destination=PER_DESTINATION,
                limit=room,
            ),
        )
        for delivery in due:
            self._busy[_key(delivery)] += 1
            self._begin(self._deliver(delivery))
        return len(due)

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            started = self._clocks.now()
            outcome = await self._destinations[delivery.destination].send(delivery, started)
            await self._record(delivery, started, outcome)
        except StoreError as error:
            logger.warning("attempt of %s not recorded: %s", delivery.delivery_id, error)
        finally:
            self._busy[_key(delivery)] -= 1
            self._busy += Counter()
            self._wake.set()

    async def _record(self, delivery: Delivery, started: datetime, outcome: Outcome) -> None:
        finished = self._clocks.now()
        attempt = Attempt(
            owner=self._owner,
            started_at=started,
            finished_at=finished,
            outcome=outcome,
            next_due_at=self._next_due(delivery, finished, outcome),
        )
        await insist(
            lambda: outbox.record_attempt(self._store, delivery, attempt),
            self._clocks.insist_seconds,
        )
        self._observe(delivery, outcome)
        if outcome.verdict is not Verdict.DELIVERED:
            logger.warning(
                "delivery %s of client %s to %s: %s (%s)",
                delivery.delivery_id,
                delivery.client_id,
                delivery.destination,
                outcome.verdict,
                outcome.error,
            )

    def _next_due(
        self, delivery: Delivery, finished: datetime, outcome: Outcome
    ) -> datetime | None:
        if outcome.verdict is Verdict.PAUSE:
            return finished
        failures = delivery.attempts + 1
        return rules.next_due(finished, failures, outcome, self._clocks.chance())


def _key(delivery: Delivery) -> str:
    return f"{delivery.client_id}:{delivery.destination}"
