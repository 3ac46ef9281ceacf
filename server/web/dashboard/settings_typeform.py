"""Settings → Typeform: the webhook's address and secret, its forms, whose answer is whose."""

from __future__ import annotations

import re
import secrets
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from server.domain.contact_role import Role
from server.store import settings_pages
from server.usecases.change_settings import Settings
from server.web import leadscoring, snippets
from server.web.dashboard.call import Call
from server.web.dashboard.parts import Parts
from server.web.dashboard.settings_frame import Fault, SettingsFrame, secret_fields

TAB = "/typeform"
ROLES = {
    Role.EMAIL: "E-mail",
    Role.PHONE: "Phone",
    Role.FIRST_NAME: "First name",
    Role.LAST_NAME: "Last name",
    Role.NAME: "Whole name",
}
_SEPARATORS = re.compile(r"[\s,;]+")
_SECRET_BYTES = 24


class TypeformTab:
    """The page, and what its forms do."""

    def __init__(self, parts: Parts, frame: SettingsFrame) -> None:
        self._parts = parts
        self._frame = frame

    def routes(self) -> list[BaseRoute]:
        """The page, its settings, and a secret to be made."""
        return [
            self._frame.get(TAB, self.show),
            self._frame.post(TAB, self.save, self._page),
            self._frame.post(f"{TAB}/secret", self.make_secret, self._page),
        ]

    async def show(self, call: Call) -> Response:
        """The settings as they are."""
        return await self._page(call)

    async def save(self, call: Call) -> Response:
        """Store secret, forms and roles."""
        roles = {role.value: call.text(f"role_{role}") for role in ROLES}
        fields: dict[str, Any] = {
            "typeform_form_ids": tuple(dict.fromkeys(_ids(call.text("typeform_form_ids")))),
            "typeform_roles": await self._roles(call, roles),
            **secret_fields(call, "typeform_secret"),
        }
        did = await self._frame.change_scoring(call, fields)
        return self._frame.saved(call, TAB, "Typeform settings saved.", did=did)

    async def make_secret(self, call: Call) -> Response:
        """Make a secret and show it, this once."""
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        await self._frame.change_scoring(call, {"typeform_secret": secret})
        return await self._page(call, new_secret=secret)

    async def _roles(self, call: Call, typed: dict[str, str]) -> dict[str, str]:
        """The roles typed, beside others that the API was told."""
        stored = (await self._frame.settings(call)).scoring.typeform_roles
        others = {role: name for role, name in stored.items() if role not in typed}
        return others | {role: name for role, name in typed.items() if name}

    async def _page(self, call: Call, fault: Fault | None = None, new_secret: str = "") -> Response:
        client_id, config = call.client.client_id, self._parts.config
        settings = await self._frame.settings(call)
        base = snippets.base_url(config)
        return self._frame.page(
            call,
            TAB,
            settings,
            fault,
            values=_values(call, settings),
            roles=ROLES,
            webhook=f"{base}{leadscoring.WEBHOOK_PATH}?client_id={client_id}",
            is_public=bool(config.public_url),
            takes_unsigned=config.allow_unsigned_webhooks,
            is_signed=bool(self._parts.directory.client(client_id).scoring.typeform_secret),
            is_own_secret=bool(settings.scoring.typeform_secret),
            new_secret=new_secret,
            last=await settings_pages.last_response(self._parts.store, client_id),
        )


def _ids(text: str) -> list[str]:
    return [one for one in _SEPARATORS.split(text) if one]


def _values(call: Call, settings: Settings) -> dict[str, str]:
    """What the fields show: what was typed where the form came back; the secret never."""
    scoring = settings.scoring
    values = {f"role_{role}": scoring.typeform_roles.get(role.value, "") for role in ROLES}
    values["typeform_form_ids"] = "\n".join(scoring.typeform_form_ids)
    return values | {name: call.text(name) for name in values if name in call.form}
