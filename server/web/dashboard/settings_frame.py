"""What the tabs of a client's settings share: their frame, who saves, and what went wrong."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from server.domain.errors import AppError, ErrorCode
from server.domain.qualification import THRESHOLDS
from server.store import audit
from server.store.contract import Row
from server.usecases.change_settings import (
    ACTIONS,
    CHANGED,
    PUBLISHED,
    RESUMED,
    Author,
    Settings,
)
from server.web import problems
from server.web.access import Access
from server.web.dashboard.call import Call
from server.web.dashboard.gate import Page
from server.web.dashboard.parts import Parts
from server.web.dashboard.rendering import flash

PATH = "/clients/{client_id}/settings"

TABS = (
    ("", "Lead scoring"),
    ("/meta", "Meta"),
    ("/make", "Make.com"),
    ("/typeform", "Typeform"),
    ("/models", "Models"),
    ("/history", "History"),
)

_REVISING = tuple(action for action in ACTIONS if action != RESUMED)
MAX_MISSED = 50
"""Changes behind a form that are looked at."""

_SENTENCES: Mapping[str, str] = {
    **dict.fromkeys(THRESHOLDS, "must be a number from 0 to 1"),
    "scoring_method": "must be AI or ML",
    "capi_token": "must have at most 500 characters",
    "app_secret": "must have at most 500 characters",
    "typeform_secret": "must have at most 500 characters",
    "pixel_id": "must be digits, at most 20",
    "event_name": "must begin with a letter and hold letters, digits, spaces and _, at most 50",
    "event_source_url": "must be an http or https address without spaces, at most 500 characters",
    "action_source": "must be one of the list",
    "test_event_code": "must hold letters, digits, - and _ only, at most 64",
    "typeform_form_ids": "must be ids of letters, digits, - and _, at most 100 of them",
    "typeform_roles": "must have at most 500 characters each",
}
"""Instead of what pydantic says, which is meant for programs."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a form was not saved; `latest` is the change that came in between.

    `opened` holds what it and others before it replaced since the form was opened, by field.
    """

    status: int = 200
    errors: Mapping[str, str] = field(default_factory=dict)
    latest: Row | None = None
    opened: Mapping[str, Any] = field(default_factory=dict)


Refused = Callable[[Call, Fault], Awaitable[Response]]
"""A tab's page again, with what was wrong."""


class SettingsFrame:
    """Routes for admins of a client, and pages with the tabs around them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._change = parts.settings

    def get(self, tab: str, page: Page) -> BaseRoute:
        """A page of a tab."""
        return self._parts.gate.route(PATH + tab, page, Access.ADMIN)

    def post(self, path: str, act: Page, refused: Refused) -> BaseRoute:
        """What a form of a tab is sent to; where it is refused, the tab says why."""

        async def acted(call: Call) -> Response:
            try:
                return await act(call)
            except AppError as error:
                return await refused(call, await self.fault(call, error))

        return self._parts.gate.route(PATH + path, acted, Access.ADMIN, ["POST"])

    async def settings(self, call: Call) -> Settings:
        """The client's settings as they are now."""
        return await self._change.settings(call.client.client_id)

    def page(
        self, call: Call, tab: str, settings: Settings, fault: Fault | None = None, **context: Any
    ) -> Response:
        """A tab's page; its template is named after it."""
        fault = fault or Fault()
        base = _path(call)
        return self._parts.renderer.page(
            call,
            f"settings{tab.replace('/', '_') or '_scoring'}.html",
            fault.status,
            base=base,
            tabs=[(base + path, title, path == tab) for path, title in TABS],
            settings=settings,
            errors=fault.errors,
            latest=fault.latest,
            **context,
        )

    async def fault(self, call: Call, error: AppError) -> Fault:
        """What to say of a refusal on its page; one that is no form's is raised again."""
        status = int(problems.STATUS[error.code])
        if error.code is ErrorCode.CONFLICT:
            since = (await self.settings(call)).revision - revision(call)
            rows = await audit.history(
                self._parts.store, call.client.client_id, _REVISING, min(max(since, 1), MAX_MISSED)
            )
            return Fault(status, {}, rows[0] if rows else None, _replaced(rows))
        if error.code is not ErrorCode.INVALID:
            raise error
        faults = [(one.field.partition(".")[0], one.message) for one in error.fields]
        return Fault(status, {name: _sentence(name, message) for name, message in faults})

    async def change_scoring(self, call: Call, fields: Mapping[str, Any]) -> bool:
        """Put a form's settings for scoring into force; raises AppError."""
        client_id = call.client.client_id
        return await self._change.change_scoring(author(call), client_id, revision(call), fields)

    async def change_client(self, call: Call, fields: Mapping[str, Any]) -> bool:
        """Put a form's settings of the client into force; raises AppError."""
        client_id = call.client.client_id
        return await self._change.change_client(author(call), client_id, revision(call), fields)

    async def resume(self, call: Call, tab: str, destination: str, text: str) -> Response:
        """Send what waits for a paused destination."""
        did = await self._change.resume(author(call), call.client.client_id, destination)
        return self.done(call, tab, text if did else "It was not paused.")

    def saved(self, call: Call, tab: str, text: str, *, did: bool) -> Response:
        """Back to a tab, which says what was saved, if anything was otherwise before."""
        return self.done(call, tab, text if did else "Nothing was changed.")

    def done(self, call: Call, tab: str, text: str) -> Response:
        """Back to a tab, which says what was done."""
        return flash(self._parts.gate.redirect(_path(call) + tab), text)


def _replaced(rows: Sequence[Row]) -> dict[str, Any]:
    """What stood in each field before changes, which come newest first."""
    return {
        change["field"]: change["old"]
        for row in rows
        if row["action"] in (CHANGED, PUBLISHED)
        for change in json.loads(row["details"]).get("changes", [])
    }


def author(call: Call) -> Author:
    """Who saves."""
    return Author(call.user.email, call.user.user_id)


def revision(call: Call) -> int:
    """The revision of the page that a form stood on; one that is no number is none."""
    text = call.text("revision")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else -1


def secret_fields(call: Call, *names: str) -> dict[str, str]:
    """Secrets that were typed or are to be removed; an empty field keeps what is stored."""
    typed = {name: call.text(name) for name in names if call.text(name)}
    return typed | {name: "" for name in names if call.text(f"remove_{name}")}


def _path(call: Call) -> str:
    return PATH.format(client_id=call.client.client_id)


def _sentence(name: str, message: str) -> str:
    is_ours = message.startswith(("is lower", "is missing"))
    return message if is_ours else _SENTENCES.get(name, message)
