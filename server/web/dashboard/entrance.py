"""Signing in and out, and one's own account."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from server.domain.errors import AppError, ErrorCode
from server.usecases.sign_in import SignIn
from server.web import problems
from server.web.access import Access, Declared
from server.web.dashboard.call import Call
from server.web.dashboard.forms import read_form
from server.web.dashboard.gate import SIGN_IN_PATH, Gate
from server.web.dashboard.parts import Parts
from server.web.dashboard.rendering import flash

SIGN_OUT_PATH = "/sign-out"
ACCOUNT_PATH = "/account"


class Entrance:
    """The sign-in page, the way out, and the page to change one's password."""

    def __init__(self, parts: Parts) -> None:
        self._gate: Gate = parts.gate
        self._sign_in: SignIn = parts.sign_in
        self._render = parts.renderer
        self._peers = parts.peers

    def routes(self) -> list[BaseRoute]:
        """Sign-in for anyone, the rest for who is signed in."""
        return [
            Declared(SIGN_IN_PATH, self.show, Access.PUBLIC),
            Declared(SIGN_IN_PATH, self.enter, Access.PERSON, ["POST"]),
            self._gate.route(SIGN_OUT_PATH, self.leave, methods=["POST"]),
            self._gate.route(ACCOUNT_PATH, self.account),
            self._gate.route(ACCOUNT_PATH, self.change_password, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """The form."""
        to = _local(request.query_params.get("next", ""))
        return self._render.outside(request, "sign_in.html", email="", next=to, problem="")

    async def enter(self, request: Request) -> Response:
        """Open a session, end the browser's old one, go where one wanted to; or tell why not."""
        try:
            self._gate.refuse_strangers(request)
            form = await read_form(request)
        except AppError as error:
            return self._render.error(request, None, error)
        email, password, to = ((form.get(name) or [""])[-1] for name in _SIGN_IN_FIELDS)
        address = self._peers.read(request.scope["client"], request.headers.raw).ip
        try:
            token = await self._sign_in.sign_in(email.strip(), password, address)
        except AppError as error:
            response = self._render.outside(
                request,
                "sign_in.html",
                int(problems.STATUS[error.code]),
                email=email,
                next=_local(to),
                problem=error.message,
            )
            if error.code is ErrorCode.RATE_LIMITED:
                response.headers["retry-after"] = getattr(error, "headers", {})["retry-after"]
            return response
        await self._sign_in.sign_out(request.cookies.get(self._gate.cookie, ""))
        response = self._gate.redirect(_local(to) or "/")
        self._gate.open_session(response, token)
        return response

    async def leave(self, call: Call) -> Response:
        """End the session, here and on the server."""
        await self._sign_in.sign_out(call.token)
        response = self._gate.redirect(SIGN_IN_PATH)
        self._gate.close_session(response)
        return response

    async def account(self, call: Call) -> Response:
        """Who one is, and the form for another password."""
        return self._render.page(call, "account.html", errors={})

    async def change_password(self, call: Call) -> Response:
        """Change one's own password; all other sessions end."""
        fields = call.form
        old, new = ((fields.get(name) or [""])[-1] for name in ("old_password", "password"))
        try:
            await self._sign_in.change_own_password(call.user, old, new, call.token)
        except AppError as error:
            errors = {field.field: field.message for field in error.fields}
            return self._render.page(call, "account.html", 422, errors=errors)
        return flash(
            self._gate.redirect(ACCOUNT_PATH), "Password changed; you are signed out elsewhere."
        )


_SIGN_IN_FIELDS = ("email", "password", "next")


def _local(path: str) -> str:
    """A path of this server, "" for anything that would lead elsewhere."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if is_ours and path.isprintable() and "\\" not in path else ""
