"""New leads told to an open inbox: over SSE as they come, or to one that asks."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence

from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute

from server.domain.errors import AppError, ErrorCode
from server.store import inbox
from server.store.contract import Row, StoreError
from server.usecases.watch_leads import MAX_NEWS
from server.web.dashboard.call import Call
from server.web.dashboard.parts import Parts
from server.web.dashboard.rendering import HEADERS

PATH = "/clients/{client_id}/leads/live"
CHECK_SECONDS = 5.0
"""How soon a stream ends when its session did, and how often it shows that it lives."""

MAX_STREAMS = 500
"""A server; who comes later asks instead."""

_EVENT_STREAM = "text/event-stream"


class InboxLive:
    """One route for both ways; it tells of all new leads of the client, whatever the filters."""

    def __init__(self, parts: Parts) -> None:
        self._gate = parts.gate
        self._store = parts.store
        self._watch = parts.lead_watch
        self._sign_in = parts.sign_in
        self._prefix = parts.renderer.link("")
        self._streams = 0

    def routes(self) -> list[BaseRoute]:
        """One route."""
        return [self._gate.route(PATH, self.tell)]

    async def tell(self, call: Call) -> Response:
        """A stream for who takes one, else what came since the row `after`."""
        after = _row_id(call.request.headers.get("last-event-id") or call.query.get("after", ""))
        if _EVENT_STREAM not in call.request.headers.get("accept", ""):
            client_id = call.client.client_id
            rows = await inbox.stored_since(self._store, client_id, after, MAX_NEWS)
            return JSONResponse(self._news(call, rows, after), headers=HEADERS)
        if self._streams >= MAX_STREAMS:
            raise AppError(ErrorCode.UNAVAILABLE, "Too many inboxes are open")
        headers = {**HEADERS, "x-accel-buffering": "no"}
        return StreamingResponse(
            self._events(call, after), headers=headers, media_type=_EVENT_STREAM
        )

    async def _events(self, call: Call, after: int) -> AsyncIterator[str]:
        self._streams += 1
        try:
            yield ": open\n\n"
            async for event in self._until_the_end(call, after):
                yield event
        finally:
            self._streams -= 1

    async def _until_the_end(self, call: Call, after: int) -> AsyncIterator[str]:
        """Events until the server or the session ends, or the store fails."""
        checked = time.monotonic()
        while not self._watch.closed:
            try:
                rows = await self._watch.news(call.client.client_id, after, CHECK_SECONDS)
                if time.monotonic() - checked >= CHECK_SECONDS:
                    checked = time.monotonic()
                    if not await self._sign_in.is_open(call.token):
                        return
                    yield ": here\n\n"
            except StoreError:
                return
            if rows:
                after = rows[-1]["id"]
                data = json.dumps(self._news(call, rows, after))
                yield f"event: leads\nid: {after}\ndata: {data}\n\n"
            await asyncio.sleep(0)

    def _news(self, call: Call, rows: Sequence[Row], after: int) -> dict[str, object]:
        leads = f"{self._prefix}/clients/{call.client.client_id}/leads"
        urgent = [
            {
                "name": (row["name"] or "No name")[:80],
                "action": row["action"],
                "link": f"{leads}/{row['lead_id']}",
            }
            for row in rows
            if row["very_hot"]
        ]
        newest = rows[-1]["id"] if rows else after
        return {"count": len(rows), "newest": newest, "very_hot": urgent}


def _row_id(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
