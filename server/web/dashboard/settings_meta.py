"""Settings → Meta: pixel and token, the event by hand, test mode, and what Meta answered."""

from __future__ import annotations

import contextlib
import json
from datetime import timedelta
from typing import Any, get_args

from starlette.responses import Response
from starlette.routing import BaseRoute

from server.destinations import meta_capi
from server.domain.clock import to_text
from server.domain.errors import invalid_field
from server.domain.ids import new_id
from server.domain.qualification import LeadScoringConfig
from server.store import settings_pages
from server.usecases.change_settings import Settings
from server.usecases.try_destination import Tried, try_meta
from server.web.dashboard.call import Call
from server.web.dashboard.parts import Parts
from server.web.dashboard.settings_frame import Fault, SettingsFrame, secret_fields

TAB = "/meta"
PLAIN = ("pixel_id", "event_name", "event_source_url", "action_source")
HOURS = {1: "1 hour", 24: "24 hours", 72: "3 days", 168: "7 days"}
DEFAULT_HOURS = 24
RECENT_EVENTS = 10
ACTION_SOURCES: tuple[str, ...] = get_args(
    LeadScoringConfig.model_fields["action_source"].annotation
)


class MetaTab:
    """The page, and what its forms do."""

    def __init__(self, parts: Parts, frame: SettingsFrame) -> None:
        self._parts = parts
        self._frame = frame

    def routes(self) -> list[BaseRoute]:
        """The page, its settings, test mode, a test event, and resuming."""
        return [
            self._frame.get(TAB, self.show),
            self._frame.post(TAB, self.save, self._page),
            self._frame.post(f"{TAB}/test-mode", self.set_test_mode, self._page),
            self._frame.post(f"{TAB}/test", self.test, self._page),
            self._frame.post(f"{TAB}/resume", self.resume, self._page),
        ]

    async def show(self, call: Call) -> Response:
        """The settings as they are."""
        return await self._page(call)

    async def save(self, call: Call) -> Response:
        """Store pixel, token and event."""
        fields: dict[str, Any] = {name: call.text(name) for name in PLAIN}
        fields |= secret_fields(call, "capi_token", "app_secret")
        fields["limited_data_use"] = bool(call.text("limited_data_use"))
        return await self._save(call, fields, "Meta settings saved.")

    async def set_test_mode(self, call: Call) -> Response:
        """Begin test mode for some hours, or end it."""
        if call.text("end"):
            fields = {"test_event_code": "", "test_event_until": ""}
            return await self._save(call, fields, "Test mode has ended.")
        code, hours = call.text("test_event_code"), call.text("hours")
        if not code:
            raise invalid_field("test_event_code", "is missing: Meta's Events Manager shows it")
        chosen = int(hours) if hours in map(str, HOURS) else DEFAULT_HOURS
        until = to_text(call.now + timedelta(hours=chosen))
        fields = {"test_event_code": code, "test_event_until": until}
        return await self._save(call, fields, f"Test mode is on for {HOURS[chosen]}.")

    async def test(self, call: Call) -> Response:
        """Send a sample event and show Meta's answer; in test mode only, else it would count."""
        client = self._parts.directory.client(call.client.client_id)
        if not client.scoring.test_code(call.now):
            raise invalid_field("test", "Begin test mode first: the event would count.")
        destination = self._parts.destinations[meta_capi.NAME]
        sample_id = new_id("test", call.now)
        return await self._page(
            call, tried=await try_meta(destination, client, sample_id, self._parts.now)
        )

    async def resume(self, call: Call) -> Response:
        """Send what waits."""
        text = "Events are being sent again."
        return await self._frame.resume(call, TAB, meta_capi.NAME, text)

    async def _save(self, call: Call, fields: dict[str, Any], text: str) -> Response:
        did = await self._frame.change_scoring(call, fields)
        return self._frame.saved(call, TAB, text, did=did)

    async def _page(
        self, call: Call, fault: Fault | None = None, tried: Tried | None = None
    ) -> Response:
        store, client_id = self._parts.store, call.client.client_id
        settings = await self._frame.settings(call)
        return self._frame.page(
            call,
            TAB,
            settings,
            fault,
            values=_values(call, settings, fault or Fault()),
            action_sources=ACTION_SOURCES,
            hours=HOURS,
            default_hours=DEFAULT_HOURS,
            test_code=settings.scoring.test_code(call.now),
            tried=tried,
            answer=_answer(tried),
            graph_url=self._parts.config.meta_graph_url,
            pause=await settings_pages.pause_of(store, client_id, meta_capi.NAME),
            waiting=await settings_pages.waiting_for(store, client_id, meta_capi.NAME),
            events=await settings_pages.recent_events(store, client_id, RECENT_EVENTS),
        )


def _values(call: Call, settings: Settings, fault: Fault) -> dict[str, Any]:
    """What the fields show: what was typed where the form came back; secrets never.

    What was left as it stood, and was changed by somebody else meanwhile, is shown as changed.
    """
    names = (*PLAIN, "test_event_code", "limited_data_use")
    values = {name: getattr(settings.scoring, name) for name in names}
    fields = (*PLAIN, "test_event_code")
    typed: dict[str, Any] = {name: call.text(name) for name in fields if name in call.form}
    if "pixel_id" in call.form:
        typed["limited_data_use"] = bool(call.text("limited_data_use"))
    left = {name for name in typed if fault.opened.get(name, Fault) == typed[name]}
    return values | {name: value for name, value in typed.items() if name not in left}


def _answer(tried: Tried | None) -> dict[str, str]:
    """What Meta's answer says of itself: its trace, and its error in its words."""
    if tried is None or not tried.outcome.log:
        return {}
    error: Any = {}
    with contextlib.suppress(ValueError, AttributeError):
        error = json.loads(tried.outcome.response).get("error") or {}
    said = error if isinstance(error, dict) else {}
    message = said.get("error_user_msg") or said.get("message") or ""
    return {"fbtrace_id": tried.outcome.log[-1].trace_id, "message": str(message)}
