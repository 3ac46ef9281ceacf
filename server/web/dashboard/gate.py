"""The gate of the dashboard: who comes in, checked in one place before any page runs."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from urllib.parse import quote, unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from server.config import Config
from server.domain.directory import Client, origin_of
from server.domain.errors import AppError, ErrorCode
from server.domain.user import Role, User
from server.store.contract import StoreError
from server.usecases.sign_in import SESSION_DAYS, SignIn
from server.usecases.site_directory import SiteDirectory
from server.web import problems
from server.web.access import Access, Declared
from server.web.dashboard.call import Call, Form
from server.web.dashboard.csrf import FIELD, HEADER, CsrfTokens, is_from_elsewhere
from server.web.dashboard.forms import read_form
from server.web.dashboard.rendering import Renderer

Page = Callable[[Call], Awaitable[Response]]

SIGN_IN_PATH = "/sign-in"
SAFE_METHODS = frozenset({"GET", "HEAD"})
ZONE_COOKIE = "zone"
_MAX_ID = 2**63 - 1
"""As far as SQLite counts."""


class Gate:
    """Makes routes whose pages run only for those who may see them."""

    def __init__(
        self,
        config: Config,
        sign_in: SignIn,
        directory: SiteDirectory,
        renderer: Renderer,
        now: Callable[[], datetime],
    ) -> None:
        self._sign_in = sign_in
        self._directory = directory
        self._renderer = renderer
        self._now = now
        self._tokens = CsrfTokens(config.secret_key)
        self._own_origin = origin_of(config.public_url)
        self._prefix = urlsplit(config.public_url).path
        self._is_secure = config.public_url.startswith("https:")

    @property
    def cookie(self) -> str:
        """The session cookie's name; `__Host-` binds it to this host over https."""
        return "__Host-propgauge" if self._is_secure and not self._prefix else "propgauge"

    def route(
        self,
        path: str,
        page: Page,
        access: Access = Access.SIGNED_IN,
        methods: Sequence[str] = ("GET",),
    ) -> Declared:
        """A route of the dashboard. `{client_id}` in its path is a client the user may see."""
        return Declared(path, functools.partial(self._answer, access, page), access, methods)

    async def _answer(self, access: Access, page: Page, request: Request) -> Response:
        try:
            call = await self.call(request, access)
        except AppError as error:
            return self._refused(request, error)
        except StoreError as error:
            return self._renderer.error(request, None, problems.app_error(error))
        try:
            return await page(call)
        except (AppError, StoreError) as error:
            return self._renderer.error(request, call, problems.app_error(error))

    async def call(self, request: Request, access: Access) -> Call:
        """Who asks for what; raises AppError: unauthorized, forbidden, not_found."""
        token = request.cookies.get(self.cookie, "")
        user = await self._sign_in.user_of(token)
        if user is None:
            raise AppError(ErrorCode.UNAUTHORIZED, "Please sign in")
        form = await self._checked_form(request, token)
        _check_role(user, access)
        _check_ids(request)
        clients = self._clients_of(user)
        return Call(
            request,
            user,
            clients,
            token,
            self._tokens.make(token),
            self._now(),
            _zone(request),
            form,
            _client_of_path(request, clients),
        )

    async def api_user(self, request: Request, client_id: str, access: Access) -> User | None:
        """Who is signed in and asks the API about a client; None without a session.

        Unsafe requests carry the token of a page in X-CSRF-Token. Raises AppError (forbidden).
        """
        token = request.cookies.get(self.cookie, "")
        user = await self._sign_in.user_of(token)
        if user is None:
            return None
        if request.method not in SAFE_METHODS:
            self.refuse_strangers(request)
            if not self._tokens.fits(request.headers.get(HEADER, ""), token):
                raise AppError(ErrorCode.FORBIDDEN, "X-CSRF-Token is missing or of another session")
        _check_role(user, access)
        if client_id not in {str(client.client_id) for client in self._clients_of(user)}:
            raise AppError(ErrorCode.FORBIDDEN, "This client is not yours to see")
        return user

    def refuse_strangers(self, request: Request) -> None:
        """Raise AppError (forbidden) when another site's page sent this."""
        if is_from_elsewhere(request, self._own_origin):
            raise AppError(ErrorCode.FORBIDDEN, "This came from another site's page")

    def redirect(self, path: str) -> Response:
        """See other: a path of the dashboard."""
        return RedirectResponse(self._prefix + path, 303)

    def open_session(self, response: Response, token: str) -> None:
        """Give the browser its session."""
        response.set_cookie(
            self.cookie,
            token,
            max_age=SESSION_DAYS * 24 * 3600,
            path="/",
            secure=self._is_secure,
            httponly=True,
            samesite="lax",
        )

    def close_session(self, response: Response) -> None:
        """Take the session from the browser."""
        response.delete_cookie(
            self.cookie, path="/", secure=self._is_secure, httponly=True, samesite="lax"
        )

    async def _checked_form(self, request: Request, token: str) -> Form:
        if request.method in SAFE_METHODS:
            return {}
        self.refuse_strangers(request)
        form = await read_form(request)
        sent = request.headers.get(HEADER) or (form.get(FIELD) or [""])[-1]
        if not self._tokens.fits(sent, token):
            raise AppError(
                ErrorCode.FORBIDDEN, "This page is too old. Please load it again and repeat"
            )
        return form

    def _clients_of(self, user: User) -> tuple[Client, ...]:
        clients = self._directory.clients()
        seen = user.seen_of(client.client_id for client in clients)
        return tuple(client for client in clients if client.client_id in seen)

    def _refused(self, request: Request, error: AppError) -> Response:
        """To the sign-in page, or told in place where a redirect would not be followed."""
        if error.code is not ErrorCode.UNAUTHORIZED:
            return self._renderer.error(request, None, error)
        if request.headers.get("hx-request"):
            to = self._prefix + SIGN_IN_PATH
            return Response(status_code=401, headers={"hx-redirect": to})
        if request.method not in SAFE_METHODS:
            return self.redirect(SIGN_IN_PATH)
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return self.redirect(f"{SIGN_IN_PATH}?next={quote(asked, safe='')}")


def _check_role(user: User, access: Access) -> None:
    if access is Access.ADMIN and user.role is not Role.ADMIN:
        raise AppError(ErrorCode.FORBIDDEN, "Settings are for admins")
    if access is Access.ALL_CLIENTS and not user.sees_all:
        raise AppError(ErrorCode.FORBIDDEN, "This is for admins of all clients")


def _check_ids(request: Request) -> None:
    """A number that no row can have is as one that is not there."""
    numbers = [value for value in request.path_params.values() if isinstance(value, int)]
    if any(number > _MAX_ID for number in numbers):
        raise AppError(ErrorCode.NOT_FOUND, "There is nothing of that number")


def _client_of_path(request: Request, clients: Sequence[Client]) -> Client | None:
    """The client that a path names; one the user may not see is as one that is not there."""
    text = request.path_params.get("client_id")
    if text is None:
        return None
    found = [client for client in clients if str(client.client_id) == text]
    if not found:
        raise AppError(ErrorCode.NOT_FOUND, "There is no such client, or it is not yours to see")
    return found[0]


def _zone(request: Request) -> ZoneInfo:
    """The viewer's time zone, which `app.js` keeps in a cookie, encoded; UTC before it did."""
    name = unquote(request.cookies.get(ZONE_COOKIE, ""))
    try:
        return ZoneInfo(name) if name else ZoneInfo("UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
