"""Sessions, page views and fingerprints of an earlier Worker as rows of ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from server.domain.clock import to_text
from server.domain.ids import is_outside_id
from server.domain.user_agent import parse as parse_agent
from server.store import moving_in
from server.usecases import d1_values as values
from server.usecases.d1_values import Source

_VISIT_TIMES = {
    **dict.fromkeys(("startedat", "createdat", "firstseenat", "firstseen"), "started_at"),
    **dict.fromkeys(
        ("lastseenat", "lastseen", "updatedat", "lastactivity", "lastactivityat", "endedat"),
        "last_seen_at",
    ),
}
_SESSION = {
    **_VISIT_TIMES,
    **{
        name.replace("_", ""): name
        for name in moving_in.SESSION_COLUMNS
        if name not in ("client_id", "started_at", "last_seen_at", "bot_reason")
    },
    "ipaddress": "ip",
    **dict.fromkeys(("url", "pageurl", "landingpage", "entryurl"), "landing_url"),
    **dict.fromkeys(("duration", "sessionduration", "totalduration"), "duration_seconds"),
    "durationms": "duration_ms",
    **dict.fromkeys(
        ("scrolldepth", "maxscroll", "maxscrolldepth", "scrollpercent"), "max_scroll_percent"
    ),
    **dict.fromkeys(("clickcount", "totalclicks"), "clicks"),
    **dict.fromkeys(("pages", "pageviews", "pagecount", "pageviewcount"), "pages_visited"),
}
_FINGERPRINT = {
    **_VISIT_TIMES,
    **dict.fromkeys(("firstseenat", "firstseen", "createdat"), "first_seen_at"),
    "visitorid": "visitor_id",
    "fingerprint": "fingerprint",
    "fingerprinthash": "fingerprint",
    "visitcount": "visit_count",
    "visits": "visit_count",
    "returnvisits": "return_visits",
    "vpnsuspected": "vpn_suspected",
    "isvpn": "vpn_suspected",
    "vpnreason": "vpn_reason",
}
_PAGE_VIEW = {
    "pageviewid": "page_view_id",
    "id": "page_view_id",
    "sessionid": "session_id",
    "url": "url",
    "pageurl": "url",
    "title": "title",
    "referrer": "referrer",
    **dict.fromkeys(("startedat", "createdat", "viewedat", "timestamp"), "started_at"),
    "durationms": "duration_ms",
    **dict.fromkeys(("duration", "durationseconds", "timeonpage"), "duration_seconds"),
    **dict.fromkeys(("scrollpercent", "scrolldepth", "maxscroll"), "scroll_percent"),
    **dict.fromkeys(("clicks", "clickcount"), "clicks"),
}
_NAMES: Mapping[str, Mapping[str, str]] = {
    "sessions": _SESSION,
    "fingerprints": _FINGERPRINT,
    "page_views": _PAGE_VIEW,
}


def unknown_columns(table: str, columns: Iterable[str]) -> list[str]:
    """Columns of sessions, fingerprints and page views that have no place here."""
    known = _NAMES[table]
    return [column for column in columns if values.squeezed(column) not in known]


def session(row: Source, client_id: int, now: datetime) -> dict[str, Any] | None:
    """A session's columns; None for a row without usable ids."""
    known = values.known_values(_SESSION, row)
    ids = values.text(known.get("session_id")), values.text(known.get("visitor_id"))
    if not all(one and is_outside_id(one) for one in ids):
        return None
    started = (
        values.moment(known.get("started_at"))
        or values.moment(known.get("last_seen_at"))
        or to_text(now)
    )
    agent = parse_agent(values.text(known.get("user_agent")) or "")
    duration = known.get("duration_seconds")
    if duration is None:
        duration = values.number(known.get("duration_ms")) // 1000
    told_agent = {"browser": agent.browser, "os": agent.os, "device": agent.device}
    texts = {name: values.text(value) for name, value in known.items()}
    texts.pop("duration_ms", None)
    return {
        **{name: value for name, value in told_agent.items() if texts.get("user_agent")},
        **{name: value for name, value in texts.items() if value is not None},
        "client_id": client_id,
        "started_at": started,
        "last_seen_at": max(started, values.moment(known.get("last_seen_at")) or started),
        "duration_seconds": values.number(duration),
        "max_scroll_percent": min(100, values.number(known.get("max_scroll_percent"))),
        "clicks": values.number(known.get("clicks")),
        "pages_visited": max(1, values.number(known.get("pages_visited"))),
        "is_bot": int(bool(values.number(known.get("is_bot")) or agent.bot_reason)),
        "bot_reason": agent.bot_reason or None,
    }


def fingerprint(row: Source, client_id: int, now: datetime) -> dict[str, Any] | None:
    """A fingerprint's columns; None for a row without a usable visitor id."""
    known = values.known_values(_FINGERPRINT, row)
    visitor_id = values.text(known.get("visitor_id"))
    if not visitor_id or not is_outside_id(visitor_id):
        return None
    first = values.moment(known.get("first_seen_at")) or values.moment(known.get("started_at"))
    last = values.moment(known.get("last_seen_at"))
    first = first or last or to_text(now)
    visits = (
        values.number(known.get("visit_count")) or values.number(known.get("return_visits")) + 1
    )
    return {
        "client_id": client_id,
        "visitor_id": visitor_id,
        "fingerprint": values.text(known.get("fingerprint")),
        "visit_count": visits,
        "vpn_suspected": int(values.is_set(known.get("vpn_suspected"))),
        "vpn_reason": values.text(known.get("vpn_reason")),
        "first_seen_at": first,
        "last_seen_at": max(first, last or first),
    }


def page_view(row: Source, client_id: int, now: datetime) -> dict[str, Any] | None:
    """A page view's columns; None for a row without a usable session id."""
    known = values.known_values(_PAGE_VIEW, row)
    session_id = values.text(known.get("session_id"))
    if not session_id or not is_outside_id(session_id):
        return None
    given = values.text(known.get("page_view_id")) or ""
    seconds = values.number(known.get("duration_seconds"))
    return {
        "client_id": client_id,
        "session_id": session_id,
        "page_view_id": given if is_outside_id(given) else f"pv_d1_{values.digest(row)}",
        "url": values.text(known.get("url")),
        "title": values.text(known.get("title")),
        "referrer": values.text(known.get("referrer")),
        "started_at": values.moment(known.get("started_at")) or to_text(now),
        "seq": 0,
        "duration_ms": values.number(known.get("duration_ms")) or seconds * 1000,
        "scroll_percent": min(100, values.number(known.get("scroll_percent"))),
        "scrollable": 1,
        "clicks": values.number(known.get("clicks")),
    }
