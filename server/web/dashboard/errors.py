"""What people see where the server has no page for them; programs get problem documents."""

from __future__ import annotations

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from server.domain.errors import AppError, ErrorCode
from server.store.contract import StoreError
from server.web import problems
from server.web.access import Access
from server.web.dashboard.call import Call
from server.web.dashboard.gate import SAFE_METHODS, Gate
from server.web.dashboard.rendering import Renderer

API_PREFIX = "/api/"


class ErrorPages:
    """Starlette's handlers of what no page could answer."""

    def __init__(self, gate: Gate, renderer: Renderer) -> None:
        self._gate = gate
        self._render = renderer

    async def on_http_error(self, request: Request, error: Exception) -> Response:
        """An unknown path or method: a page for browsers, within the frame for who is signed in."""
        if not isinstance(error, HTTPException) or not _is_for_people(request):
            return await problems.on_http_error(request, error)
        lost = AppError(ErrorCode.NOT_FOUND, "There is no such page here")
        response = await self._page(request, lost, HTTPStatus(error.status_code))
        response.headers.update(error.headers or {})
        return response

    async def on_crash(self, request: Request, error: Exception) -> Response:
        """A bug, logged with its trace."""
        answer = await problems.on_crash(request, error)
        if not _is_for_people(request):
            return answer
        broken = AppError(ErrorCode.UNAVAILABLE, "Something went wrong here, and was written down")
        return self._told(request, None, broken, HTTPStatus.INTERNAL_SERVER_ERROR)

    async def _page(self, request: Request, error: AppError, status: HTTPStatus) -> Response:
        try:
            call = await self._gate.call(request, Access.SIGNED_IN)
        except (AppError, StoreError):
            call = None
        return self._told(request, call, error, status)

    def _told(
        self, request: Request, call: Call | None, error: AppError, status: HTTPStatus
    ) -> Response:
        context = {"error": error, "phrase": status.phrase}
        if call is None:
            return self._render.outside(request, "error.html", status, **context)
        return self._render.page(call, "error.html", status, **context)


def _is_for_people(request: Request) -> bool:
    """Whether a browser navigates to a path that is not the API's."""
    wants_page = "text/html" in request.headers.get("accept", "")
    is_api = request.url.path.startswith(API_PREFIX)
    return wants_page and not is_api and request.method in SAFE_METHODS
