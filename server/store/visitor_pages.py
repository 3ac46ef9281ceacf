"""Who is on the site, and what one visitor did: raw rows, each query bounded.

Nobody is shown who withdrew consent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from server.domain.clock import to_text
from server.domain.ids import ClientId, VisitorId
from server.domain.periods import Stretch
from server.store.contract import Row, Store

PRESENT = timedelta(minutes=5)
"""Who was seen within it is on the site."""

WINDOW_MINUTES = 30
LONGEST = timedelta(hours=4)
"""How long ago the session of someone present may have begun: what the index is asked for."""

MAX_PRESENT = 30
MAX_SESSIONS = 30
MAX_PAGE_VIEWS = 500
MAX_EVENTS = 500
MAX_LEADS = 50

# ?1 client, ?2 begun since, ?3 seen since. The index holds when a session began, for that never
# changes; when it was last seen does at every beacon.
_RECENT = """
FROM sessions AS s WHERE s.client_id = ?1 AND s.started_at >= ?2 AND s.last_seen_at >= ?3
  AND s.is_bot = 0 AND s.consent IS NOT 0"""

_PRESENT_COUNT = f"SELECT COUNT(DISTINCT s.visitor_id) AS visitors {_RECENT}"

_PRESENT = f"""
SELECT s.visitor_id, s.country, s.device, s.browser, s.os, s.started_at, s.last_seen_at,
  s.duration_seconds, s.pages_visited, s.utm_source, s.utm_campaign, s.referrer,
  (SELECT p.url FROM page_views AS p WHERE p.client_id = s.client_id
    AND p.session_id = s.session_id ORDER BY p.started_at DESC LIMIT 1) AS url,
  (SELECT f.visit_count FROM fingerprints AS f WHERE f.client_id = s.client_id
    AND f.visitor_id = s.visitor_id) AS visit_count,
  (SELECT l.Name FROM Leads AS l WHERE l.ClientId = s.client_id
    AND l.VisitorId = s.visitor_id ORDER BY l.Id DESC LIMIT 1) AS lead_name,
  (SELECT l.PublicId FROM Leads AS l WHERE l.ClientId = s.client_id
    AND l.VisitorId = s.visitor_id ORDER BY l.Id DESC LIMIT 1) AS lead_id
{_RECENT} ORDER BY s.last_seen_at DESC, s.id DESC LIMIT ?4"""

_BY_MINUTE = """
SELECT CAST((julianday(p.started_at) - julianday(?3)) * 1440 + 1e-7 AS INTEGER) AS minute,
  COUNT(DISTINCT s.visitor_id) AS visitors
FROM sessions AS s CROSS JOIN page_views AS p
  ON p.client_id = s.client_id AND p.session_id = s.session_id
WHERE s.client_id = ?1 AND s.started_at >= ?2 AND s.last_seen_at >= ?3 AND s.is_bot = 0
  AND s.consent IS NOT 0 AND p.started_at >= ?3 GROUP BY 1"""

_BOTS = """
SELECT MIN(value) AS reason, SUM(sessions) AS sessions FROM visit_days
WHERE client_id = ? AND dimension = 'bot' AND day BETWEEN ? AND ?
GROUP BY value ORDER BY 2 DESC LIMIT 50"""

_PEOPLE = """
SELECT COALESCE(SUM(sessions), 0) AS sessions FROM visit_days
WHERE client_id = ? AND dimension = 'total' AND day BETWEEN ? AND ?"""

_FINGERPRINT = """
SELECT visit_count, vpn_suspected, vpn_reason, first_seen_at, last_seen_at FROM fingerprints
WHERE client_id = ? AND visitor_id = ?"""

_SESSIONS = """
SELECT session_id, started_at, last_seen_at, duration_seconds, max_scroll_percent, clicks,
  pages_visited, landing_url, referrer, utm_source, utm_medium, utm_campaign, country, browser, os,
  device, language, timezone, screen, network, network_kind, is_bot, bot_reason
FROM sessions WHERE client_id = ? AND visitor_id = ? AND consent IS NOT 0
ORDER BY id DESC LIMIT ?"""

_PAGE_VIEWS = """
SELECT p.session_id, p.page_view_id, p.url, p.title, p.started_at, p.duration_ms,
  p.scroll_percent, p.scrollable, p.clicks
FROM json_each(?) AS j CROSS JOIN page_views AS p ON p.client_id = ? AND p.session_id = j.value
ORDER BY p.started_at DESC LIMIT ?"""

_EVENTS = """
SELECT e.session_id, e.name, e.props, e.occurred_at
FROM json_each(?) AS j CROSS JOIN events AS e ON e.client_id = ? AND e.session_id = j.value
ORDER BY e.occurred_at DESC LIMIT ?"""

_LEADS = """
SELECT PublicId AS lead_id, Name AS name, Email AS email, Phone AS phone, CreatedAt AS created_at,
  SessionId AS session_id, EngagementScore AS score, EngagementLabel AS label,
  MatchKind AS match_kind, Project AS project, LeadSource AS source
FROM Leads WHERE ClientId = ? AND VisitorId = ? ORDER BY Id DESC LIMIT ?"""


@dataclass(frozen=True, slots=True)
class Presence:
    """Who is on the site: how many, the latest of them, and visitors by minute, oldest first."""

    count: int
    latest: list[Row]
    minutes: list[int]


@dataclass(frozen=True, slots=True)
class Filtered:
    """What did not count as visits: bots by reason, beside the visits of people."""

    bots: list[Row]
    people: int


@dataclass(frozen=True, slots=True)
class Profile:
    """A visitor: sessions latest first; the latest page views and events of these, oldest first."""

    fingerprint: Row | None
    sessions: list[Row]
    page_views: list[Row]
    events: list[Row]
    leads: list[Row]


async def presence(store: Store, client_id: ClientId, now: datetime) -> Presence:
    """Who is there now, and who was in the last half hour."""
    begun = to_text(now - LONGEST)
    seen = (client_id, begun, to_text(now - PRESENT))
    since = to_text(now - timedelta(minutes=WINDOW_MINUTES))
    counted = await store.query(_PRESENT_COUNT, seen)
    latest = await store.query(_PRESENT, (*seen, MAX_PRESENT))
    minutes = [0] * WINDOW_MINUTES
    for row in await store.query(_BY_MINUTE, (client_id, begun, since)):
        minutes[min(row["minute"], WINDOW_MINUTES - 1)] += row["visitors"]
    return Presence(counted[0]["visitors"], latest, minutes)


async def filtered(store: Store, client_id: ClientId, stretch: Stretch) -> Filtered:
    """The bots of some days, read from the daily counts."""
    where = (client_id, stretch.first.isoformat(), stretch.last.isoformat())
    people = (await store.query(_PEOPLE, where))[0]["sessions"]
    return Filtered(await store.query(_BOTS, where), people)


async def profile(store: Store, client_id: ClientId, visitor_id: VisitorId) -> Profile | None:
    """What is known of a visitor; None where there is nothing to show."""
    who = (client_id, visitor_id)
    sessions = await store.query(_SESSIONS, (*who, MAX_SESSIONS))
    if not sessions:
        return None
    found = await store.query(_FINGERPRINT, who)
    ids = json.dumps([row["session_id"] for row in sessions])
    page_views = await store.query(_PAGE_VIEWS, (ids, client_id, MAX_PAGE_VIEWS))
    events = await store.query(_EVENTS, (ids, client_id, MAX_EVENTS))
    return Profile(
        found[0] if found else None,
        sessions,
        page_views[::-1],
        events[::-1],
        await store.query(_LEADS, (*who, MAX_LEADS)),
    )
