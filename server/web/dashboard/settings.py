"""A client's settings for lead scoring: one tab a subject, and the history of all."""

from __future__ import annotations

import json

from starlette.responses import Response
from starlette.routing import BaseRoute

from server.store import audit
from server.usecases.change_settings import ACTIONS
from server.web.dashboard.call import Call
from server.web.dashboard.parts import Parts
from server.web.dashboard.settings_frame import SettingsFrame
from server.web.dashboard.settings_make import MakeTab
from server.web.dashboard.settings_meta import MetaTab
from server.web.dashboard.settings_models import ModelsTab
from server.web.dashboard.settings_scoring import ScoringTab
from server.web.dashboard.settings_typeform import TypeformTab

HISTORY = "/history"
HISTORY_ENTRIES = 100


class SettingsPages:
    """Everything below /clients/N/settings, for admins of the client."""

    def __init__(self, parts: Parts) -> None:
        self._store = parts.store
        self._frame = frame = SettingsFrame(parts)
        self._tabs = (
            ScoringTab(parts, frame),
            MetaTab(parts, frame),
            MakeTab(parts, frame),
            TypeformTab(parts, frame),
            ModelsTab(parts, frame),
        )

    def routes(self) -> list[BaseRoute]:
        """The routes of every tab."""
        routes = [route for tab in self._tabs for route in tab.routes()]
        return [*routes, self._frame.get(HISTORY, self.history)]

    async def history(self, call: Call) -> Response:
        """Who changed what, and when."""
        settings = await self._frame.settings(call)
        client_id = call.client.client_id
        rows = await audit.history(self._store, client_id, ACTIONS, HISTORY_ENTRIES)
        entries = [(row, json.loads(row["details"]).get("changes", [])) for row in rows]
        return self._frame.page(
            call, HISTORY, settings, entries=entries, is_cut=len(rows) == HISTORY_ENTRIES
        )
