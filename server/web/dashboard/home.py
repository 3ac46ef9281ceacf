"""The way in: `/` leads to the inbox of the first client that the user may see."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import BaseRoute

from server.web.dashboard.call import Call
from server.web.dashboard.parts import Parts


class Home:
    """`/`, where browsers begin."""

    def __init__(self, parts: Parts) -> None:
        self._gate = parts.gate
        self._render = parts.renderer

    def routes(self) -> list[BaseRoute]:
        """One route."""
        return [self._gate.route("/", self.enter)]

    async def enter(self, call: Call) -> Response:
        """To the inbox; a user without clients is told whom to ask."""
        if not call.clients:
            return self._render.page(call, "no_clients.html")
        return self._gate.redirect(f"/clients/{call.clients[0].client_id}/leads")
