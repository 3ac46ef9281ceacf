"""Settings → Lead scoring: thresholds, previewed on past responses, drafted and published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from server.domain.errors import AppError
from server.domain.qualification import DRAFTED, LeadScoringConfig, Rotator
from server.usecases.change_settings import Settings, changed, differences
from server.usecases.preview_settings import preview
from server.web.dashboard.call import Call
from server.web.dashboard.parts import Parts
from server.web.dashboard.settings_frame import Fault, SettingsFrame, author, revision

TAB = ""


class ScoringTab:
    """The page, and what its buttons do."""

    def __init__(self, parts: Parts, frame: SettingsFrame) -> None:
        self._store = parts.store
        self._change = parts.settings
        self._frame = frame

    def routes(self) -> list[BaseRoute]:
        """The page, its draft, and publishing."""
        return [
            self._frame.get(TAB, self.show),
            self._frame.post("/draft", self.save_draft, self._refused),
            self._frame.post("/discard", self.discard, self._refused),
            self._frame.post("/publish", self.publish, self._refused),
        ]

    async def show(self, call: Call) -> Response:
        """The thresholds of the address, else of the draft, else in force, and their effect."""
        settings = await self._frame.settings(call)
        asked = {name: call.query[name].strip() for name in DRAFTED if name in call.query}
        try:
            shown = changed(settings.drafted, asked)
        except AppError as error:
            # A preview that cannot be made is no failed request: nothing was to be stored.
            fault = Fault(200, (await self._frame.fault(call, error)).errors)
            return await self._page(call, settings, asked, fault)
        return await self._page(call, settings, asked, shown=shown)

    async def save_draft(self, call: Call) -> Response:
        """Keep the thresholds for later."""
        client_id = call.client.client_id
        await self._change.save_draft(author(call), client_id, revision(call), _fields(call))
        return self._frame.done(call, TAB, "Draft saved. It is not in force yet.")

    async def publish(self, call: Call) -> Response:
        """Put the thresholds into force."""
        client_id = call.client.client_id
        await self._change.publish(author(call), client_id, revision(call), _fields(call))
        return self._frame.done(call, TAB, "Published. Responses are graded by these settings now.")

    async def discard(self, call: Call) -> Response:
        """Forget the draft."""
        await self._change.discard_draft(author(call), call.client.client_id, revision(call))
        return self._frame.done(call, TAB, "Draft discarded.")

    async def _refused(self, call: Call, fault: Fault) -> Response:
        fields = {name: call.text(name) for name in DRAFTED if name in call.form}
        settings = await self._frame.settings(call)
        shown = None if fault.errors else changed(settings.drafted, fields)
        return await self._page(call, settings, fields, fault, shown)

    async def _page(
        self,
        call: Call,
        settings: Settings,
        typed: Mapping[str, str],
        fault: Fault | None = None,
        shown: LeadScoringConfig | None = None,
    ) -> Response:
        """The page with what was typed; without `shown`, there is nothing to preview."""
        values: dict[str, Any] = {name: getattr(settings.drafted, name) for name in DRAFTED}
        found = None
        if shown is not None:
            found = await preview(self._store, call.client.client_id, settings.scoring, shown)
        drafted = settings.draft.fields if settings.draft else {}
        return self._frame.page(
            call,
            TAB,
            settings,
            fault,
            values=values | dict(typed),
            preview=found,
            grades=list(Rotator),
            drafted=differences(settings.scoring.model_dump(mode="json"), drafted),
        )


def _fields(call: Call) -> dict[str, str]:
    return {name: call.text(name) for name in DRAFTED}
