"""Settings → Make.com: where leads go, how they are signed, and a test of both."""

from __future__ import annotations

import base64
import secrets
from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.routing import BaseRoute

from server.destinations import make_webhook
from server.domain.directory import origin_of
from server.domain.errors import invalid_field
from server.domain.ids import new_id
from server.store import settings_pages
from server.usecases.try_destination import Tried, try_webhook
from server.web.dashboard.call import Call
from server.web.dashboard.parts import Parts
from server.web.dashboard.settings_frame import Fault, SettingsFrame, secret_fields

TAB = "/make"
MAX_URL_CHARS = 2_000
_SECRET_BYTES = 24
_SHOWN_CHARS = 4


class MakeTab:
    """The page, and what its forms do."""

    def __init__(self, parts: Parts, frame: SettingsFrame) -> None:
        self._parts = parts
        self._frame = frame

    def routes(self) -> list[BaseRoute]:
        """The page, the address, the signing secret, a test, and resuming."""
        return [
            self._frame.get(TAB, self.show),
            self._frame.post(TAB, self.save, self._page),
            self._frame.post(f"{TAB}/secret", self.make_secret, self._page),
            self._frame.post(f"{TAB}/test", self.test, self._page),
            self._frame.post(f"{TAB}/resume", self.resume, self._page),
        ]

    async def show(self, call: Call) -> Response:
        """The webhook as it is."""
        return await self._page(call)

    async def save(self, call: Call) -> Response:
        """Store another address, or take address or secret away."""
        fields = secret_fields(call, "make_webhook_url")
        if call.text("remove_make_webhook_secret"):
            fields["make_webhook_secret"] = ""
        _check(fields.get("make_webhook_url", ""))
        did = await self._frame.change_client(call, fields)
        return self._frame.saved(call, TAB, "Webhook saved.", did=did)

    async def make_secret(self, call: Call) -> Response:
        """Make a signing secret and show it, this once."""
        random = secrets.token_bytes(_SECRET_BYTES)
        secret = make_webhook.SECRET_PREFIX + base64.b64encode(random).decode()
        await self._frame.change_client(call, {"make_webhook_secret": secret})
        return await self._page(call, new_secret=secret)

    async def test(self, call: Call) -> Response:
        """Send a sample lead and show the answer."""
        client = self._parts.directory.client(call.client.client_id)
        if not client.make_webhook_url:
            raise invalid_field("test", "There is no webhook address yet.")
        destination = self._parts.destinations[make_webhook.NAME]
        sample_id = new_id("test", call.now)
        tried = await try_webhook(destination, client, sample_id, self._parts.now)
        return await self._page(call, tried=tried)

    async def resume(self, call: Call) -> Response:
        """Send what waits."""
        text = "Leads are being sent again."
        return await self._frame.resume(call, TAB, make_webhook.NAME, text)

    async def _page(
        self,
        call: Call,
        fault: Fault | None = None,
        tried: Tried | None = None,
        new_secret: str = "",
    ) -> Response:
        store, client_id = self._parts.store, call.client.client_id
        settings = await self._frame.settings(call)
        client = self._parts.directory.client(client_id)
        return self._frame.page(
            call,
            TAB,
            settings,
            fault,
            target=shown_url(client.make_webhook_url),
            is_own=bool(settings.client.make_webhook_url),
            is_signed=bool(client.make_webhook_secret),
            is_own_secret=bool(settings.client.make_webhook_secret),
            new_secret=new_secret,
            tried=tried,
            pause=await settings_pages.pause_of(store, client_id, make_webhook.NAME),
            waiting=await settings_pages.waiting_for(store, client_id, make_webhook.NAME),
        )


def shown_url(url: str) -> str:
    """What may be shown of an address that is a secret: its host and the last 4 characters."""
    if not url:
        return ""
    parts = urlsplit(url)
    rest = url.rpartition(parts.netloc)[2].strip("/")
    # Of a short one the last characters would be most of it.
    ending = rest[-_SHOWN_CHARS:] if len(rest) >= 4 * _SHOWN_CHARS else ""
    return f"{parts.hostname or ''}/…{ending}"


def _check(url: str) -> None:
    if len(url) > MAX_URL_CHARS:
        raise invalid_field("make_webhook_url", f"must have at most {MAX_URL_CHARS} characters")
    if url and (not origin_of(url) or not url.isprintable() or " " in url):
        raise invalid_field("make_webhook_url", "must be a whole http or https address")
