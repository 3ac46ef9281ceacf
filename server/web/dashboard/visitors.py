"""Who is on the site now, what one visitor did, and what was filtered out."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.routing import BaseRoute

from server.domain.days import span_of, zone_of
from server.domain.errors import AppError, ErrorCode
from server.domain.ids import VisitorId
from server.domain.periods import Period, stretch_of
from server.domain.visitor import DropReason
from server.store import dropped_beacons, overview, visitor_pages
from server.store.contract import Row
from server.store.visitor_pages import Profile
from server.web.dashboard.call import Call
from server.web.dashboard.parts import Parts

PATH = "/clients/{client_id}/visitors"

DROPS: dict[str, str] = {
    DropReason.DUPLICATE: "Sent again although it had arrived",
    DropReason.REPEATED: "The very same, twice within moments",
    DropReason.NO_PAGE_VIEW: "Of a page view that never arrived",
    DropReason.NO_CONSENT: "Consent withdrawn",
}
"""What the reasons mean."""


class Moment(NamedTuple):
    """Something a visitor did: a page opened, an event, a lead sent."""

    at: str
    kind: str
    row: Row


@dataclass(slots=True)
class _Visit:
    """A session with what happened in it, oldest first."""

    session: Row
    moments: list[Moment] = field(default_factory=list)


class VisitorsPage:
    """The live list and a visitor's profile."""

    def __init__(self, parts: Parts) -> None:
        self._gate = parts.gate
        self._render = parts.renderer
        self._store = parts.store

    def routes(self) -> list[BaseRoute]:
        """Two routes."""
        return [
            self._gate.route(PATH, self.show),
            self._gate.route(f"{PATH}/{{visitor_id}}", self.show_one),
        ]

    async def show(self, call: Call) -> Response:
        """Now on the site; browsers ask again every few seconds."""
        client_id = call.client.client_id
        zone = zone_of(await overview.zone_name(self._store, client_id))
        week = stretch_of(Period.WEEK, call.now.astimezone(zone).date())
        present = await visitor_pages.presence(self._store, client_id, call.now)
        dropped = await dropped_beacons.by_reason(
            self._store, client_id, span_of(week.first, week.last, zone)
        )
        return self._render.page(
            call,
            "visitors.html",
            base=f"/clients/{client_id}",
            present=present,
            bars=_bars(present.minutes),
            most=max(present.minutes),
            filtered=await visitor_pages.filtered(self._store, client_id, week),
            dropped=dropped,
            drops=DROPS,
            week=week,
            came_from=_came_from,
            page_of=_page_of,
            is_empty=not present.latest and not await overview.has_any(self._store, client_id),
        )

    async def show_one(self, call: Call) -> Response:
        """What one visitor did."""
        visitor_id = VisitorId(call.request.path_params["visitor_id"])
        found = await visitor_pages.profile(self._store, call.client.client_id, visitor_id)
        if found is None:
            raise AppError(
                ErrorCode.NOT_FOUND, "There is no such visitor, or they withdrew their consent"
            )
        return self._render.page(
            call,
            "visitor.html",
            base=f"/clients/{call.client.client_id}",
            visitor_id=visitor_id,
            profile=found,
            visits=_visits(found),
            has_all=len(found.page_views) < visitor_pages.MAX_PAGE_VIEWS,
            came_from=_came_from,
            page_of=_page_of,
            props_of=_props_of,
        )


def _bars(minutes: Sequence[int]) -> list[tuple[int, int, int]]:
    """Place, height in percent and visitors of each minute that has any."""
    most = max(1, *minutes)
    return [
        (place, max(4, round(100 * count / most)), count)
        for place, count in enumerate(minutes)
        if count
    ]


def _came_from(row: Row) -> str:
    """Where a visit came from, in a word: the campaign's source, else the referring site."""
    if row["utm_source"]:
        return str(row["utm_source"])
    return _host(row["referrer"]) or "Direct"


def _host(url: str | None) -> str:
    try:
        return (urlsplit(url or "").hostname or "").removeprefix("www.")
    except ValueError:
        return ""


def _page_of(url: str | None) -> str:
    """An address without its scheme and query."""
    return (url or "").partition("?")[0].partition("#")[0].partition("://")[2] or (url or "—")


def _props_of(event: Row) -> str:
    """An event's values in one line."""
    props = json.loads(event["props"])
    return ", ".join(f"{name}: {value}" for name, value in props.items())


def _visits(found: Profile) -> list[_Visit]:
    """Sessions latest first, each with its moments."""
    moments: defaultdict[str, list[Moment]] = defaultdict(list)
    for row in found.page_views:
        moments[row["session_id"]].append(Moment(row["started_at"], "page", row))
    for row in found.events:
        moments[row["session_id"]].append(Moment(row["occurred_at"], "event", row))
    for row in found.leads:
        moments[row["session_id"]].append(Moment(row["created_at"], "lead", row))
    return [
        _Visit(session, sorted(moments[session["session_id"]], key=lambda moment: moment.at))
        for session in found.sessions
    ]
