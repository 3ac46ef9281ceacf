"""What the menu offers: a literal table, shown as far as the user may go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from server.web.access import Access
from server.web.dashboard.call import Call


class Entry(NamedTuple):
    """One page of the menu; `{client}` in its path is the client that is looked at."""

    name: str
    title: str
    path: str
    access: Access = Access.SIGNED_IN


ENTRIES: tuple[Entry, ...] = (
    Entry("leads", "Leads", "/clients/{client}/leads"),
    Entry("overview", "Overview", "/clients/{client}/overview"),
    Entry("visitors", "Visitors", "/clients/{client}/visitors"),
    Entry("outcomes", "Outcomes", "/clients/{client}/outcomes"),
    Entry("deliveries", "Deliveries", "/clients/{client}/deliveries"),
    Entry("settings", "Lead scoring", "/clients/{client}/settings", Access.ADMIN),
    Entry("sites", "Sites", "/clients/{client}/sites", Access.ADMIN),
    Entry("keys", "API keys", "/clients/{client}/keys", Access.ADMIN),
    Entry("privacy", "Privacy", "/clients/{client}/privacy", Access.ADMIN),
    Entry("clients", "Clients", "/clients", Access.ALL_CLIENTS),
    Entry("users", "Users", "/users", Access.ALL_CLIENTS),
)


def navigation(call: Call) -> Sequence[Entry]:
    """The entries that the user may open, for the client of the page or their first."""
    client = call.of_path or (call.clients[0] if call.clients else None)
    shown = [entry for entry in ENTRIES if _may(call, entry.access)]
    if client is None:
        return [entry for entry in shown if "{client}" not in entry.path]
    number = str(client.client_id)
    return [entry._replace(path=entry.path.replace("{client}", number)) for entry in shown]


def _may(call: Call, access: Access) -> bool:
    if access is Access.ALL_CLIENTS:
        return call.user.sees_all
    return access is Access.SIGNED_IN or call.is_admin
