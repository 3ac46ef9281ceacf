"""The demo: a property site, and a webhook receiver that shows what it was sent.

The receiver keeps its last leads in memory, and answers this machine only: they are personal.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from server.domain.clock import to_text
from server.domain.errors import AppError, ErrorCode
from server.web import bodies
from server.web.access import Access, Declared, DeclaredMount
from server.web.peers import is_from_this_machine

PATH = "/demo/"
WEBHOOK_PATH = "/demo/webhook"
DELIVERIES_PATH = "/demo/deliveries"
KEPT = 50
_SHOWN_HEADERS = (
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "content-type",
    "user-agent",
)
_HEADERS = (
    (
        b"content-security-policy",
        (
            b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
            b" connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-cache"),
)


class Demo:
    """The demo's routes. `external` tells that leads go to a webhook of the user's own."""

    def __init__(
        self, folder: Path, webhook_url: str, now: Callable[[], datetime], *, external: bool
    ) -> None:
        self._files = StaticFiles(directory=folder, html=True)
        self._webhook_url = webhook_url
        self._now = now
        self._external = external
        self._received: deque[dict[str, Any]] = deque(maxlen=KEPT)

    def routes(self) -> Sequence[BaseRoute]:
        """Everything below /demo/."""
        return (
            Declared(WEBHOOK_PATH, self.receive, Access.PUBLIC, ["POST"]),
            Declared("/demo/deliveries.json", self.deliveries, Access.PUBLIC),
            DeclaredMount("/demo", self._page, Access.PUBLIC),
        )

    async def receive(self, request: Request) -> Response:
        """Be the webhook: keep what comes."""
        _only_this_machine(request)
        length = request.headers.get("content-length", "")
        body = await bodies.read(request.receive, length, 1024 * 1024)
        headers = {
            name: request.headers[name] for name in _SHOWN_HEADERS if name in request.headers
        }
        received_at = to_text(self._now())
        self._received.appendleft(
            {"received_at": received_at, "headers": headers, "body": bodies.json_object(body)}
        )
        return JSONResponse({"accepted": True})

    async def deliveries(self, request: Request) -> Response:
        """What came, newest first."""
        _only_this_machine(request)
        return JSONResponse(
            {
                "webhook_url": "" if self._external else self._webhook_url,
                "mode": "external" if self._external else "demo",
                "deliveries": list(self._received),
            },
            headers={"cache-control": "no-store"},
        )

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        await self._files(scope, receive, send_with_headers)


def _only_this_machine(request: Request) -> None:
    scope = request.scope
    if not is_from_this_machine(scope["client"], request.headers.raw, scope["server"]):
        raise AppError(ErrorCode.FORBIDDEN, "The demo's leads are shown on this machine only")
