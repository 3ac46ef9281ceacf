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
from server.web.metrics import Metrics


class Operations:
    """What a load balancer and a monitoring system ask."""

    def __init__(self, store: Store, metrics: Metrics, now: Callable[[], datetime]) -> None:
        self._store = store
        self._metrics = metrics
        self._now = now

    async def healthz(self, _request: Request) -> Response:
        """The process answers."""
        return PlainTextResponse("ok\n")

    async def readyz(self, _request: Request) -> Response:
        """The store commits a write; 503 when it does not."""
        try:
            await self._store.health()
        except StoreError as error:
            return JSONResponse({"ready": False, "store": str(error)}, 503, {"retry-after": "5"})
        return JSONResponse({"ready": True})

    async def metrics(self, _request: Request) -> Response:
        """Prometheus' text form; the outbox is counted at each scrape."""
        backlog = await outbox.backlog(self._store)
        oldest = backlog.oldest_created_at
        age = (self._now() - from_text(oldest)).total_seconds() if oldest else 0
        self._metrics.outbox_pending.set(backlog.pending)
        self._metrics.outbox_oldest_seconds.set(age)
        self._metrics.destinations_paused.set(len(backlog.paused))
        body = generate_latest(self._metrics.registry)
        return Response(body, media_type=CONTENT_TYPE_LATEST)
