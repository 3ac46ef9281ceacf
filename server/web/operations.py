"""Health, readiness and metrics, for those who run the server."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from server.domain.clock import from_text
from server.store import outbox
from server.store.contract import Store, StoreError
from server.store.outbox import Backlog
from server.usecases.watch_store import StoreWatch
from server.web.metrics import Metrics
from server.web.problems import RETRY_AFTER_SECONDS


class Operations:
    """What a load balancer and a monitoring system ask.

    `watch` answers for a store that must not be probed by everyone who asks; without one each
    question about readiness commits a write.
    """

    def __init__(
        self,
        store: Store,
        metrics: Metrics,
        now: Callable[[], datetime],
        watch: StoreWatch | None = None,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._now = now
        self._watch = watch

    async def healthz(self, _request: Request) -> Response:
        """The process answers."""
        return PlainTextResponse("ok\n")

    async def readyz(self, _request: Request) -> Response:
        """The store commits a write; 503 when it does not."""
        fault = await self._fault()
        if fault is not None:
            body = {"ready": False, "store": fault.advice}
            return JSONResponse(body, 503, {"retry-after": str(RETRY_AFTER_SECONDS)})
        return JSONResponse({"ready": True})

    async def _fault(self) -> StoreError | None:
        if self._watch is not None:
            return self._watch.fault
        try:
            await self._store.health()
        except StoreError as error:
            return error
        return None

    async def metrics(self, _request: Request) -> Response:
        """Prometheus' text form; the outbox is counted at each scrape, if the store can be read."""
        await self._count_backlog()
        body = generate_latest(self._metrics.registry)
        return Response(body, media_type=CONTENT_TYPE_LATEST)

    async def _count_backlog(self) -> None:
        backlog = await self._backlog()
        if backlog is None:
            self._metrics.forget_backlog()
            return
        oldest = backlog.oldest_created_at
        age = (self._now() - from_text(oldest)).total_seconds() if oldest else 0
        self._metrics.outbox_pending.set(backlog.pending)
        self._metrics.outbox_oldest_seconds.set(age)
        self._metrics.destinations_paused.set(len(backlog.paused))

    async def _backlog(self) -> Backlog | None:
        """What waits; None where the store cannot be read, which must not hide the rest."""
        if self._watch is not None and self._watch.fault is not None:
            return None
        try:
            return await outbox.backlog(self._store)
        except StoreError:
            return None
