"""The inbox as a page: everything it shows, read at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from server.destinations import make_webhook
from server.domain.clock import to_text
from server.domain.directory import Client
from server.domain.ids import ClientId
from server.domain.user import UserId
from server.store import inbox, saved_views, users
from server.store.inbox import InboxFilter, Listing
from server.store.saved_views import SavedView
from server.web.dashboard.call import Call
from server.web.dashboard.inbox_query import (
    LISTS,
    MAX_VALUE_CHARS,
    SORTS,
    InboxQuery,
    value_text,
)
from server.web.dashboard.inbox_rows import DELIVERY_TONES, InboxRow, present
from server.web.dashboard.parts import Parts

PAGE_ROWS = 50
MAX_COUNTED = 1_000
MAX_COUNTED_DUE = 99
MAX_CHOICES = 100

STANDARD_VIEWS: tuple[tuple[str, str], ...] = (
    ("All leads", ""),
    ("To contact", "status=new&sort=due"),
    ("Overdue", "overdue=1&sort=due"),
    ("Very Hot", "label=Very+Hot"),
)
"""Everybody's views: name and query."""


@dataclass(frozen=True, slots=True)
class Leads:
    """Leads of one page, and the cursors of the pages beside it."""

    rows: Sequence[InboxRow] = ()
    previous: str = ""
    following: str = ""


class InboxPage:
    """Renders the inbox for a query."""

    def __init__(self, parts: Parts) -> None:
        self._render = parts.renderer
        self._store = parts.store

    async def show(
        self,
        call: Call,
        query: InboxQuery,
        view_error: str = "",
        view_name: str = "",
    ) -> Response:
        """The page; 422 when a filter cannot be, or the name of a view."""
        client_id = call.client.client_id
        leads, number, surroundings = await asyncio.gather(
            self._leads(call, query), self._count(call, query), self._surroundings(call)
        )
        is_first = not leads.rows and not query.is_filtered and not query.errors
        status = 422 if query.errors or view_error else 200
        context = {
            "inbox": query,
            "leads": leads,
            "number": number,
            "max_counted": MAX_COUNTED,
            "max_due": MAX_COUNTED_DUE,
            "is_empty": is_first,
            "sorts": SORTS,
            "lists": _lists(query, surroundings["choices"]),
            "chips": query.chips({str(key): name for key, name in surroundings["owners"].items()}),
            "standard_views": STANDARD_VIEWS,
            "known_views": {
                *(asked for _name, asked in STANDARD_VIEWS),
                *(view.query for view in surroundings["views"]),
            },
            "delivery_tones": DELIVERY_TONES,
            "view_error": view_error,
            "view_name": view_name,
            "base": f"/clients/{client_id}/leads",
            "now_text": to_text(call.now),
        }
        return self._render.page(call, "inbox.html", status, **surroundings, **context)

    async def _leads(self, call: Call, query: InboxQuery) -> Leads:
        """One more than shown is read, to know whether there is another page."""
        if query.errors:
            return Leads()
        listing = query.listing(call.client, call.user.user_id, call.now, call.zone)
        before, after = query.place(query.before), query.place(query.after)
        backwards = before is not None
        found = await inbox.places(
            self._store, listing, before or after, PAGE_ROWS + 1, backwards=backwards
        )
        has_more = len(found) > PAGE_ROWS
        if backwards and not has_more:
            found = await inbox.places(self._store, listing, None, PAGE_ROWS + 1)
            backwards, has_more = False, len(found) > PAGE_ROWS
        shown = found[1:] if backwards and has_more else found[:PAGE_ROWS]
        has_previous = has_more if backwards else after is not None and before is None
        has_following = bool(backwards or has_more)
        rows = await inbox.rows(
            self._store, listing.client_id, [place.row_id for place in shown], make_webhook.NAME
        )
        return Leads(
            present(rows),
            query.cursor(shown[0]) if has_previous and shown else "",
            query.cursor(shown[-1]) if has_following and shown else "",
        )

    async def _count(self, call: Call, query: InboxQuery) -> int:
        if query.errors:
            return 0
        listing = query.listing(call.client, call.user.user_id, call.now, call.zone)
        return await inbox.count(self._store, listing, MAX_COUNTED + 1)

    async def _surroundings(self, call: Call) -> dict[str, Any]:
        """What stands around the list, whatever it holds."""
        store, client_id = self._store, call.client.client_id
        due = Listing(client_id, InboxFilter(due_before=to_text(call.now)))
        overdue, newest, sources, projects, views, owners = await asyncio.gather(
            inbox.count(store, due, MAX_COUNTED_DUE + 1),
            inbox.newest_row(store),
            inbox.sources(store, client_id, MAX_CHOICES),
            inbox.projects(store, client_id, MAX_CHOICES),
            self._views(call.user.user_id, client_id),
            self._owners(call.client),
        )
        return {
            "overdue": overdue,
            "newest": newest,
            "choices": {"source": sources, "project": projects},
            "views": views,
            "owners": owners,
        }

    async def _views(self, user_id: UserId, client_id: ClientId) -> list[SavedView]:
        return await saved_views.list_views(self._store, user_id, client_id)

    async def _owners(self, client: Client) -> dict[UserId, str]:
        """Who may own a lead of the client: whoever sees it and may sign in."""
        stored = await users.list_users(self._store)
        return {
            one.user.user_id: one.user.email
            for one in stored
            if one.user.seen_of([client.client_id]) and not one.user.disabled_at
        }


def _lists(query: InboxQuery, choices: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """The lists of the filter panel; what is chosen is offered, known or not."""
    shown = []
    for one in LISTS:
        chosen = query.lists.get(one.name, ())
        offered = one.known or [
            value for value in choices.get(one.name, ()) if len(value) <= MAX_VALUE_CHARS
        ]
        values = dict.fromkeys([*offered, *chosen])
        options = [(value, value_text(one.name, value), value in chosen) for value in values]
        lacks = one.name in query.without
        shown.append({"name": one.name, "title": one.title, "options": options, "lacks": lacks})
    return shown
