"""The leads inbox: whom to call first; its list, its export and each user's saved views."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute

from server.domain.errors import AppError, ErrorCode, invalid_field
from server.store import audit, saved_views
from server.store.audit import Entry
from server.store.saved_views import NewView
from server.web.dashboard import inbox_query
from server.web.dashboard.call import Call
from server.web.dashboard.inbox_export import csv_of
from server.web.dashboard.inbox_page import InboxPage
from server.web.dashboard.inbox_query import InboxQuery
from server.web.dashboard.parts import Parts
from server.web.dashboard.rendering import HEADERS, flash

PATH = "/clients/{client_id}/leads"
MAX_VIEWS = 30
MAX_VIEW_NAME_CHARS = 40
MAX_VIEW_QUERY_CHARS = 4_000


class Inbox:
    """The pages below a client's leads, but for a lead's own; for all who may see the client."""

    def __init__(self, parts: Parts) -> None:
        self._gate = parts.gate
        self._store = parts.store
        self._page = InboxPage(parts)
        self._link = parts.renderer.link

    def routes(self) -> list[BaseRoute]:
        """Before those of a lead's page, whose path would take these names for ids."""
        return [
            self._gate.route(PATH, self.show),
            self._gate.route(f"{PATH}/export.csv", self.export),
            self._gate.route(f"{PATH}/views", self.save_view, methods=["POST"]),
            self._gate.route(
                f"{PATH}/views/{{view_id:int}}/delete", self.delete_view, methods=["POST"]
            ),
        ]

    async def show(self, call: Call) -> Response:
        """The list; a filter that cannot be is told beside its field."""
        query = inbox_query.parse(call.query.multi_items())
        response = await self._page.show(call, query)
        if call.request.headers.get("hx-request") and not query.errors:
            address = self._link(_address(call, query))
            # Typing replaces the address, each other choice is a step to go back.
            is_typing = call.request.headers.get("hx-source") == "input#q"
            is_step = not is_typing and not _is_at(call, address)
            response.headers["hx-push-url" if is_step else "hx-replace-url"] = address
        return response

    async def export(self, call: Call) -> Response:
        """All leads that pass, as CSV; who took them is kept, but not whom they searched for."""
        query = inbox_query.parse(call.query.multi_items())
        for name, message in query.errors.items():
            raise invalid_field(name, message)
        entry = Entry(
            call.client.client_id,
            call.user.user_id,
            call.user.email,
            "leads_exported",
            details={"query": query.address(q=""), "searched": bool(query.text)},
        )
        await self._store.write([audit.entry_statement(entry, call.now)])
        listing = query.listing(call.client, call.user.user_id, call.now, call.zone)
        name = f"leads-{call.client.client_id}-{call.now:%Y-%m-%d}.csv"
        headers = {**HEADERS, "content-disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(
            csv_of(self._store, listing), headers=headers, media_type="text/csv; charset=utf-8"
        )

    async def save_view(self, call: Call) -> Response:
        """Keep the list's query under a name; the same name takes the new query."""
        name = call.text("name")
        kept = inbox_query.parse(parse_qsl(call.text("query")[:MAX_VIEW_QUERY_CHARS]))
        query = replace(kept, after="", before="")
        fault = _name_fault(name)
        if not fault and not await self._saved(call, name, query):
            fault = f"there are {MAX_VIEWS} views already; delete one first"
        if fault:
            return await self._page.show(call, query, fault, name[:MAX_VIEW_NAME_CHARS])
        return flash(self._gate.redirect(_address(call, query)), f"View “{name}” saved.")

    async def delete_view(self, call: Call) -> Response:
        """Forget one of one's own views."""
        view_id = call.request.path_params["view_id"]
        gone = await saved_views.delete_view(
            self._store, call.user.user_id, call.client.client_id, view_id
        )
        if gone is None:
            raise AppError(ErrorCode.NOT_FOUND, "There is no such view")
        return flash(self._gate.redirect(_leads(call)), f"View “{gone.name}” deleted.")

    async def _saved(self, call: Call, name: str, query: InboxQuery) -> bool:
        view = NewView(call.user.user_id, call.client.client_id, name, query.address())
        return await saved_views.save_view(self._store, view, MAX_VIEWS, call.now)


def _is_at(call: Call, address: str) -> bool:
    """Whether the browser shows that address already."""
    shown = urlsplit(call.request.headers.get("hx-current-url", ""))
    return shown._replace(scheme="", netloc="", fragment="").geturl() == address


def _leads(call: Call) -> str:
    return f"/clients/{call.client.client_id}/leads"


def _address(call: Call, query: InboxQuery) -> str:
    """Where the query's list stands, its page included, without empty fields."""
    place = {"after": query.after} if query.after else {"before": query.before}
    asked = query.address(**place)
    return f"{_leads(call)}?{asked}" if asked else _leads(call)


def _name_fault(name: str) -> str:
    if not name:
        return "give it a name"
    if len(name) > MAX_VIEW_NAME_CHARS:
        return f"must have at most {MAX_VIEW_NAME_CHARS} characters"
    return ""
