"""What propgauge is measured against: the least that uvicorn, and Starlette on it, can do."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send


async def bare(scope: Scope, _receive: Receive, send: Send) -> None:
    """204 without reading the body."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def _no_content(_request: Request) -> Response:
    return Response(status_code=204)


starlette = Starlette(routes=[Route("/api/track", _no_content, methods=["POST"])])
