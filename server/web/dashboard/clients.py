"""The customers whose leads are kept apart: list, add, rename."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from starlette.responses import Response
from starlette.routing import BaseRoute

from server.domain.contact import is_region
from server.domain.days import zone_names, zone_of
from server.domain.directory import Client, name_fault
from server.domain.ids import ClientId
from server.store import overview, rollups, site_changes, site_pages
from server.store.audit import Entry
from server.web.access import Access
from server.web.dashboard.call import Call
from server.web.dashboard.parts import Parts
from server.web.dashboard.rendering import flash

PATH = "/clients"
RECENT = timedelta(days=7)

Errors = dict[str, str]


class ClientsPage:
    """The list of clients and their forms, for admins of all clients."""

    def __init__(self, parts: Parts) -> None:
        self._gate = parts.gate
        self._render = parts.renderer
        self._store = parts.store
        self._vault = parts.vault
        self._directory = parts.directory

    def routes(self) -> list[BaseRoute]:
        """The list, the form of a new client, and of one that is there."""
        every, edit = Access.ALL_CLIENTS, f"{PATH}/{{client_id}}/edit"
        return [
            self._gate.route(PATH, self.list, every),
            self._gate.route(PATH, self.add, every, ["POST"]),
            self._gate.route(f"{PATH}/new", self.new, every),
            self._gate.route(edit, self.edit, every),
            self._gate.route(edit, self.change, every, ["POST"]),
        ]

    async def list(self, call: Call) -> Response:
        """All clients, with what each has."""
        counts = await site_pages.client_counts(self._store, call.seen, call.now - RECENT)
        return self._render.page(call, "clients.html", counts=counts)

    async def new(self, call: Call) -> Response:
        """The form of a new client."""
        return self._form(call, "client_new.html", Client(ClientId(0), ""), call.zone.key, {})

    async def add(self, call: Call) -> Response:
        """Add a client, and go on to its first site."""
        client, zone, errors = _read(call, Client(ClientId(0), ""), "UTC")
        if errors:
            return self._form(call, "client_new.html", client, zone, errors)
        entry = Entry(None, call.user.user_id, call.user.email, "client_added", client.name)
        client_id = await site_changes.add_client(self._store, self._vault, client, entry, call.now)
        await rollups.move(self._store, client_id, zone)
        await self._directory.refresh()
        done = f"{client.name} added. Next: the site its leads come from."
        return flash(self._gate.redirect(f"{PATH}/{client_id}/add-site"), done)

    async def edit(self, call: Call) -> Response:
        """The form of a client."""
        zone = await overview.zone_name(self._store, call.client.client_id)
        return self._form(call, "client.html", call.client, zone, {})

    async def change(self, call: Call) -> Response:
        """Store another name, region or time zone."""
        before = await overview.zone_name(self._store, call.client.client_id)
        client, zone, errors = _read(call, call.client, before)
        if errors:
            return self._form(call, "client.html", client, zone, errors)
        entry = Entry(
            client.client_id, call.user.user_id, call.user.email, "client_changed", client.name
        )
        await site_changes.change_client(self._store, client, entry, call.now)
        if zone != before:
            await rollups.move(self._store, client.client_id, zone)
        await self._directory.refresh()
        return flash(self._gate.redirect(PATH), f"{client.name} changed.")

    def _form(
        self, call: Call, template: str, client: Client, zone: str, errors: Errors
    ) -> Response:
        status = 422 if errors else 200
        return self._render.page(
            call, template, status, client=client, zone_name=zone, zones=zone_names(), errors=errors
        )


def _read(call: Call, client: Client, zone: str) -> tuple[Client, str, Errors]:
    """The client and its time zone as the form says, and what is wrong with them by field.

    A form without a time zone leaves the present one.
    """
    name, region = call.text("name"), call.text("default_region").upper()
    errors = {"name": name_fault(name)} if name_fault(name) else {}
    if region and not is_region(region):
        errors["default_region"] = "is no country code: two letters, such as GB or AE"
    zone = call.text("timezone") or zone
    if zone_of(zone).key != zone:
        errors["timezone"] = "is no time zone, such as Europe/London or Asia/Dubai"
    return replace(client, name=name, default_region=region or None), zone, errors
