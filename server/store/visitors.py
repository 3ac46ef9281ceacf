"""Sessions, page views and fingerprints as they are read when a lead comes."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime

from server.domain.attribution import UTM_FIELDS, Attribution
from server.domain.clock import from_text
from server.domain.ids import ClientId, SessionId, VisitorId
from server.domain.visitor import Beacon, Fingerprint, PageViewTotals, Session
from server.store.contract import Row, Store

_SESSION_FIELDS = """
  session_id, visitor_id, started_at, max_scroll_percent, clicks, pages_visited, automation,
  consent,
  utm_source, utm_medium, utm_campaign, utm_term, utm_content, click_ids,
  (SELECT COALESCE(SUM(p.duration_ms), 0) FROM page_views AS p
    WHERE p.client_id = s.client_id AND p.session_id = s.session_id) AS duration_ms"""

# The page view is read in the same statement: a beacon committed between two would count once in
# the session and again, or not at all, in what the page state adds.
_VIEW_FIELDS = ", ".join(
    f"(SELECT v.{column} FROM page_views AS v WHERE v.client_id = s.client_id"
    f" AND v.session_id = ?3 AND v.page_view_id = ?4) AS view_{column}"
    for column in ("started_at", "duration_ms", "clicks")
)

# Most recent is the last that began to arrive: the index holds that order, also for an address
# that an office shares (20 ms by last_seen_at, 20 µs by insertion: facts/performance.md).
_LAST_SESSION_OF_VISITOR = f"""
SELECT {_SESSION_FIELDS}, is_bot, bot_reason, {_VIEW_FIELDS} FROM sessions AS s
WHERE client_id = ?1 AND visitor_id = ?2 ORDER BY id DESC LIMIT 1"""

_LAST_SESSION_OF_ADDRESS = f"""
SELECT {_SESSION_FIELDS}, is_bot, bot_reason FROM sessions AS s
WHERE client_id = ? AND ip = ? AND is_bot = 0 AND consent IS NOT 0 ORDER BY id DESC LIMIT 1"""

_FINGERPRINT = """
SELECT visit_count, vpn_suspected, vpn_reason FROM fingerprints
WHERE client_id = ? AND visitor_id = ?"""

_TRACES = """
SELECT ip, country, user_agent, fbp, fbc, consent, landing_url, click_ids, started_at
FROM sessions WHERE client_id = ? AND visitor_id = ? AND is_bot = 0 ORDER BY id DESC LIMIT 1"""


@dataclass(frozen=True, slots=True)
class FoundSession:
    """A stored session and why it counts as a bot's ("" for a person's).

    `page_view` is the one that was asked for, with its totals as of the same moment.
    """

    session: Session
    bot_reason: str
    page_view: PageViewTotals | None = None


async def last_session_of_visitor(
    store: Store, client_id: ClientId, visitor_id: VisitorId, state: Beacon | None = None
) -> FoundSession | None:
    """The visitor's most recent session within the client, a bot's included.

    With it comes the page view that `state` names, of whichever session.
    """
    view = (state.session_id, state.page_view_id) if state else (None, None)
    rows = await store.query(_LAST_SESSION_OF_VISITOR, (client_id, visitor_id, *view))
    if not rows:
        return None
    found, row = _found_session(rows[0]), rows[0]
    if row["view_started_at"] is None:
        return found
    totals = PageViewTotals(
        from_text(row["view_started_at"]), row["view_duration_ms"], row["view_clicks"]
    )
    return replace(found, page_view=totals)


async def last_session_of_address(
    store: Store, client_id: ClientId, ip: str
) -> FoundSession | None:
    """The most recent session of people from that address within the client.

    Who withdrew consent is not found.
    """
    rows = await store.query(_LAST_SESSION_OF_ADDRESS, (client_id, ip))
    return _found_session(rows[0]) if rows else None


async def fingerprint_of(
    store: Store, client_id: ClientId, visitor_id: VisitorId
) -> Fingerprint | None:
    """What is kept of a visitor across sessions."""
    rows = await store.query(_FINGERPRINT, (client_id, visitor_id))
    if not rows:
        return None
    row = rows[0]
    return Fingerprint(row["visit_count"], bool(row["vpn_suspected"]), row["vpn_reason"] or "")


@dataclass(frozen=True, slots=True)
class Traces:
    """What a visit left that Meta matches people by; "" where it left nothing."""

    ip: str
    country: str
    user_agent: str
    fbp: str
    fbc: str
    consent: bool | None
    landing_url: str
    fbclid: str
    started_at: datetime


async def traces_of_visitor(
    store: Store, client_id: ClientId, visitor_id: VisitorId
) -> Traces | None:
    """The traces of the visitor's most recent session, a bot's left out."""
    rows = await store.query(_TRACES, (client_id, visitor_id))
    if not rows:
        return None
    row = rows[0]
    click_ids = json.loads(row["click_ids"]) if row["click_ids"] else {}
    return Traces(
        ip=row["ip"] or "",
        country=row["country"] or "",
        user_agent=row["user_agent"] or "",
        fbp=row["fbp"] or "",
        fbc=row["fbc"] or "",
        consent=None if row["consent"] is None else bool(row["consent"]),
        landing_url=row["landing_url"] or "",
        fbclid=click_ids.get("fbclid", ""),
        started_at=from_text(row["started_at"]),
    )


def _found_session(row: Row) -> FoundSession:
    return FoundSession(
        Session(
            session_id=SessionId(row["session_id"]),
            visitor_id=VisitorId(row["visitor_id"]),
            started_at=from_text(row["started_at"]),
            duration_ms=row["duration_ms"],
            max_scroll_percent=row["max_scroll_percent"],
            clicks=row["clicks"],
            pages_visited=row["pages_visited"],
            attribution=_attribution(row),
            automation=bool(row["automation"]),
            consent=None if row["consent"] is None else bool(row["consent"]),
        ),
        (row["bot_reason"] or "bot") if row["is_bot"] else "",
    )


def _attribution(row: Row) -> Attribution:
    return Attribution(
        utm={name: row[name] for name in UTM_FIELDS if row[name]},
        click_ids=json.loads(row["click_ids"]) if row["click_ids"] else {},
    )
