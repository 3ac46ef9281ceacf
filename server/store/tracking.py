"""Beacons become sessions, page views, fingerprints and events, in bulk.

Beacons of many requests share one batch of six statements, each fed by one JSON parameter,
so that the cost of a statement is paid once a group on every driver.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from pydantic_core import to_json

from server.domain import user_agent
from server.domain.attribution import UTM_FIELDS, from_url
from server.domain.clock import to_text
from server.domain.ids import ClientId, SessionId, VisitorId
from server.domain.network import vpn_reason
from server.domain.visitor import Arrival, BeaconType, DropReason, NetworkKind
from server.store import rollups
from server.store.contract import Result, Statement
from server.store.visit_rows import SESSION_SUMS, SessionRow, insertion

PageViewKey = tuple[ClientId, SessionId, str]
_EventKey = tuple[ClientId, SessionId, str | None]

_SESSION_COLUMNS = [name for name in SessionRow._fields if name not in SESSION_SUMS]

_INSERT_SESSIONS = f"""
{insertion("sessions", _SESSION_COLUMNS)} WHERE true
ON CONFLICT (client_id, session_id) DO UPDATE SET
  automation = MAX(automation, excluded.automation),
  is_bot = MAX(is_bot, excluded.is_bot),
  bot_reason = COALESCE(bot_reason, excluded.bot_reason),
  consent = COALESCE(consent, excluded.consent)"""

# A session is new while it has no page view: its fingerprint is counted before they are written.
_COUNT_VISITS = """
INSERT INTO fingerprints
  (client_id, visitor_id, fingerprint, visit_count, vpn_suspected, vpn_reason,
   first_seen_at, last_seen_at)
SELECT s.client_id, s.visitor_id, j.value ->> 2, 1, j.value ->> 3, j.value ->> 4,
  s.started_at, s.started_at
FROM json_each(?) AS j
JOIN sessions AS s ON s.client_id = j.value ->> 0 AND s.session_id = j.value ->> 1
WHERE s.pages_visited = 0 AND s.is_bot = 0
ON CONFLICT (client_id, visitor_id) DO UPDATE SET
  fingerprint = COALESCE(excluded.fingerprint, fingerprint),
  visit_count = visit_count + 1,
  vpn_suspected = excluded.vpn_suspected,
  vpn_reason = excluded.vpn_reason,
  first_seen_at = MIN(first_seen_at, excluded.first_seen_at),
  last_seen_at = MAX(last_seen_at, excluded.last_seen_at)"""

_INSERT_PAGE_VIEWS = """
INSERT INTO page_views (client_id, session_id, page_view_id, url, title, referrer, started_at)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
FROM json_each(?) WHERE true
ON CONFLICT (client_id, session_id, page_view_id) DO NOTHING"""

_STORED_SEQS = """
SELECT p.client_id, p.session_id, p.page_view_id, p.seq
FROM json_each(?) AS j
JOIN page_views AS p ON p.client_id = j.value ->> 0 AND p.session_id = j.value ->> 1
  AND p.page_view_id = j.value ->> 2"""

# Totals only grow, and a view cannot have lasted longer than the clock says (value 8 is the
# moment of receipt, value 9 the age that the beacon claims, in ms).
_RAISE_TOTALS = """
UPDATE page_views SET
  seq = j.value ->> 3,
  duration_ms = MAX(duration_ms, MIN(j.value ->> 4, 86400000, MAX(j.value ->> 9,
    CAST(ROUND((julianday(j.value ->> 8) - julianday(started_at)) * 86400000) AS INTEGER)))),
  scroll_percent = MAX(scroll_percent, j.value ->> 5),
  scrollable = j.value ->> 6,
  clicks = MAX(clicks, j.value ->> 7)
FROM json_each(?) AS j
WHERE page_views.client_id = j.value ->> 0 AND page_views.session_id = j.value ->> 1
  AND page_views.page_view_id = j.value ->> 2 AND page_views.seq < j.value ->> 3"""

_SUM_SESSIONS = """
UPDATE sessions SET
  (duration_seconds, max_scroll_percent, clicks, pages_visited) = (
    SELECT SUM(duration_ms) / 1000, MAX(scroll_percent), SUM(clicks), COUNT(*)
    FROM page_views AS p
    WHERE p.client_id = sessions.client_id AND p.session_id = sessions.session_id),
  last_seen_at = MAX(last_seen_at, j.value ->> 2),
  fbp = COALESCE(fbp, j.value ->> 3),
  fbc = COALESCE(fbc, j.value ->> 4),
  consent = COALESCE(consent, j.value ->> 5)
FROM json_each(?) AS j
WHERE sessions.client_id = j.value ->> 0 AND sessions.session_id = j.value ->> 1
  AND EXISTS (SELECT 1 FROM page_views AS p
    WHERE p.client_id = sessions.client_id AND p.session_id = sessions.session_id)"""

_INSERT_EVENTS = """
INSERT INTO events (client_id, session_id, event_id, page_view_id, name, props, occurred_at)
SELECT j.value ->> 0, j.value ->> 1, j.value ->> 2, j.value ->> 3, j.value ->> 4, j.value ->> 5,
  j.value ->> 6
FROM json_each(?) AS j
WHERE EXISTS (SELECT 1 FROM page_views AS p WHERE p.client_id = j.value ->> 0
  AND p.session_id = j.value ->> 1 AND p.page_view_id = j.value ->> 3)
ON CONFLICT (client_id, session_id, event_id) DO NOTHING
RETURNING client_id, session_id, event_id"""

# Who withdraws consent does so for every visit; each later one begins under another id.
_WITHDRAW_CONSENT = """
UPDATE sessions SET consent = 0 FROM json_each(?) AS j
WHERE sessions.client_id = j.value ->> 0 AND sessions.visitor_id = j.value ->> 1"""

_STATEMENT_OF_SEQS = 3
_STATEMENT_OF_EVENTS = 6


def page_view_key(arrival: Arrival) -> PageViewKey:
    """What identifies the page view of a beacon."""
    beacon = arrival.beacon
    return arrival.client_id, beacon.session_id, beacon.page_view_id


def beacon_batch(arrivals: Sequence[Arrival]) -> list[Statement]:
    """One atomic batch that stores beacons; repeating it changes nothing.

    A beacon that withdraws consent stores nothing else.
    """
    allowed = [arrival for arrival in arrivals if arrival.beacon.consent is not False]
    views = [arrival for arrival in allowed if arrival.beacon.type is BeaconType.VIEW]
    events = [arrival for arrival in allowed if arrival.beacon.type is BeaconType.EVENT]
    totals = _merged_totals(allowed)
    batch = [
        Statement(_INSERT_SESSIONS, (_json(map(_session_row, views)),)),
        Statement(_COUNT_VISITS, (_json(map(_fingerprint_row, _one_a_session(views))),)),
        Statement(_INSERT_PAGE_VIEWS, (_json(map(_page_view_row, views)),)),
        Statement(_STORED_SEQS, (_json({*totals, *map(page_view_key, events)}),)),
        Statement(_RAISE_TOTALS, (_json(totals.values()),)),
        Statement(_SUM_SESSIONS, (_json(_seen_sessions(allowed)),)),
    ]
    if events:
        batch.append(Statement(_INSERT_EVENTS, (_json(map(_event_row, events)),)))
    if views:
        batch.append(rollups.changed_sessions({_session_key(view) for view in views}))
    if len(allowed) < len(arrivals):
        withdrawn = _withdrawn(arrivals)
        batch.append(Statement(_WITHDRAW_CONSENT, (_json(withdrawn),)))
        batch.append(rollups.changed_visitors(withdrawn))
    return batch


def drop_reasons(arrivals: Sequence[Arrival], results: Sequence[Result]) -> list[DropReason | None]:
    """For each beacon of a stored batch: why it left no trace, or None."""
    seqs: dict[PageViewKey, int] = {
        (row["client_id"], row["session_id"], row["page_view_id"]): row["seq"]
        for row in results[_STATEMENT_OF_SEQS].rows
    }
    counted: set[tuple[PageViewKey, int]] = set()
    new_events = _new_events(arrivals, results)
    return [_drop_reason(arrival, seqs, counted, new_events) for arrival in arrivals]


def _new_events(arrivals: Sequence[Arrival], results: Sequence[Result]) -> set[_EventKey]:
    """The events that the batch inserted."""
    if not any(arrival.beacon.type is BeaconType.EVENT for arrival in arrivals):
        return set()
    rows = results[_STATEMENT_OF_EVENTS].rows if len(results) > _STATEMENT_OF_EVENTS else []
    return {(row["client_id"], row["session_id"], row["event_id"]) for row in rows}


def _drop_reason(
    arrival: Arrival,
    seqs: dict[PageViewKey, int],
    counted: set[tuple[PageViewKey, int]],
    new_events: set[_EventKey],
) -> DropReason | None:
    key, seq = page_view_key(arrival), arrival.beacon.seq
    if arrival.beacon.consent is False:
        return DropReason.NO_CONSENT
    if key not in seqs:
        return DropReason.NO_PAGE_VIEW
    if arrival.beacon.type is BeaconType.EVENT:
        return _drop_reason_of_event(arrival, new_events)
    if seq <= seqs[key] or (key, seq) in counted:
        return DropReason.DUPLICATE
    counted.add((key, seq))
    return None


def _drop_reason_of_event(arrival: Arrival, new_events: set[_EventKey]) -> DropReason | None:
    event = _event_key(arrival)
    if event not in new_events:
        return DropReason.DUPLICATE
    new_events.remove(event)
    return None


def _json(rows: Iterable[Any]) -> str:
    return to_json(list(rows)).decode()


def _session_key(arrival: Arrival) -> tuple[ClientId, SessionId]:
    return arrival.client_id, arrival.beacon.session_id


def _session_row(arrival: Arrival) -> tuple[Any, ...]:
    beacon, peer = arrival.beacon, arrival.peer
    agent = user_agent.parse(peer.user_agent)
    came_from = from_url(beacon.url)
    bot_reason = user_agent.bot_reason(
        peer.user_agent,
        automation=beacon.automation,
        hosted=peer.network_kind is NetworkKind.HOSTING,
    )
    occurred_at = to_text(arrival.occurred_at)
    return (
        arrival.client_id,
        beacon.session_id,
        beacon.visitor_id,
        beacon.site or None,
        peer.ip,
        peer.country or None,
        peer.user_agent,
        agent.browser,
        agent.os,
        agent.device,
        beacon.language,
        beacon.timezone,
        beacon.screen,
        beacon.url,
        beacon.referrer,
        *(came_from.utm.get(name) for name in UTM_FIELDS),
        to_json(came_from.click_ids).decode() if came_from.click_ids else None,
        occurred_at,
        occurred_at,
        beacon.fbp or None,
        beacon.fbc or None,
        1 if beacon.consent else None,
        peer.network or None,
        peer.network_kind,
        int(beacon.automation),
        int(bool(bot_reason)),
        bot_reason or None,
    )


def _one_a_session(views: Sequence[Arrival]) -> Iterable[Arrival]:
    """The first view of each session, in the order of arrival."""
    first: dict[tuple[ClientId, SessionId], Arrival] = {}
    for view in views:
        first.setdefault(_session_key(view), view)
    return first.values()


def _fingerprint_row(arrival: Arrival) -> tuple[Any, ...]:
    beacon = arrival.beacon
    reason = vpn_reason(beacon.timezone, arrival.peer)
    return (
        arrival.client_id,
        beacon.session_id,
        beacon.fingerprint or None,
        int(bool(reason)),
        reason or None,
    )


def _page_view_row(arrival: Arrival) -> tuple[Any, ...]:
    beacon = arrival.beacon
    return (
        *page_view_key(arrival),
        beacon.url,
        beacon.title,
        beacon.referrer,
        to_text(arrival.occurred_at),
    )


def _event_key(arrival: Arrival) -> _EventKey:
    return arrival.client_id, arrival.beacon.session_id, arrival.beacon.event_id


def _event_row(arrival: Arrival) -> tuple[Any, ...]:
    beacon = arrival.beacon
    moment = to_text(arrival.occurred_at)
    return *_event_key(arrival), beacon.page_view_id, beacon.name, beacon.props, moment


def _withdrawn(arrivals: Sequence[Arrival]) -> set[tuple[ClientId, VisitorId]]:
    """The visitors who withdrew their consent."""
    return {
        (arrival.client_id, arrival.beacon.visitor_id)
        for arrival in arrivals
        if arrival.beacon.consent is False
    }


class _Totals(NamedTuple):
    seq: int
    duration_ms: int
    scroll_percent: int
    scrollable: int
    clicks: int
    received_at: str
    age_ms: int


def _merged_totals(arrivals: Sequence[Arrival]) -> dict[PageViewKey, tuple[Any, ...]]:
    """One row per page view: UPDATE … FROM may meet each row only once."""
    merged: dict[PageViewKey, _Totals] = {}
    for arrival in arrivals:
        if arrival.beacon.type is BeaconType.EVENT:
            continue
        key, totals = page_view_key(arrival), _totals(arrival)
        merged[key] = _maxima(merged[key], totals) if key in merged else totals
    return {key: (*key, *totals) for key, totals in merged.items()}


def _totals(arrival: Arrival) -> _Totals:
    beacon = arrival.beacon
    return _Totals(
        seq=beacon.seq,
        duration_ms=beacon.duration_ms,
        scroll_percent=beacon.scroll_depth,
        scrollable=int(beacon.scrollable),
        clicks=beacon.clicks,
        received_at=to_text(arrival.received_at),
        age_ms=beacon.age_ms,
    )


def _maxima(one: _Totals, other: _Totals) -> _Totals:
    pairs: Iterable[tuple[Any, Any]] = zip(one, other, strict=True)
    latest = max(one, other)
    return _Totals._make(map(max, pairs))._replace(scrollable=latest.scrollable)


def _seen_sessions(arrivals: Sequence[Arrival]) -> list[tuple[Any, ...]]:
    """One row per session: when it was last seen, Meta's cookies, consent.

    Meta's pixel sets its cookies after the view was sent, so that often only an engage beacon
    has them.
    """
    seen: dict[tuple[ClientId, SessionId], tuple[str, str, str, int | None]] = {}
    for arrival in arrivals:
        key, beacon = _session_key(arrival), arrival.beacon
        moment, fbp, fbc, consent = seen.get(key, ("", "", "", None))
        occurred = to_text(arrival.occurred_at)
        granted = 1 if beacon.consent else consent
        seen[key] = (max(moment, occurred), fbp or beacon.fbp, fbc or beacon.fbc, granted)
    return [
        (*key, moment, fbp or None, fbc or None, granted)
        for key, (moment, fbp, fbc, granted) in seen.items()
    ]
