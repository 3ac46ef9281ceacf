"""Daily counts of visits and leads, recounted for the days in which something changed.

An hour of UTC is marked when something in it changes: a session that began in it, a lead that
came in it. The days (in the client's time zone) of marked hours are counted anew from the raw
rows, so that late beacons, bots found out later and withdrawn consent need no rules of their own.
A day whose raw rows were purged is never counted again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from server.domain.clock import from_text, to_text
from server.domain.days import HOUR_CHARS, Span, span_of, zone_of
from server.domain.ids import ClientId
from server.store.contract import Row, Statement, Store

OVERLAP = timedelta(seconds=60)
"""How long a lead's change may take from its time to its commit, other servers' clocks included."""


class Kind(StrEnum):
    """What is counted; each has marks of its own."""

    VISITS = "visits"
    LEADS = "leads"


class Dimension(StrEnum):
    """What counts are broken down by. A bot's sessions count under BOT alone."""

    TOTAL = "total"
    SOURCE = "source"
    PROJECT = "project"
    LANDING_PAGE = "landing_page"
    FIRST_CAMPAIGN = "first_campaign"
    LAST_CAMPAIGN = "last_campaign"
    COUNTRY = "country"
    DEVICE = "device"
    BOT = "bot"


@dataclass(frozen=True, slots=True)
class CountedClient:
    """A client as the counting sees it: its time zone, and how far its raw rows reach back.

    `leads_seen` is up to when changes of leads have been marked. Times are texts of the clock.
    """

    client_id: ClientId
    zone: ZoneInfo
    leads_seen: str
    kept_from: Mapping[Kind, str]


_CLIENTS = """
SELECT c.id, c.timezone, r.leads_seen, r.visits_kept_from, r.leads_kept_from
FROM clients AS c LEFT JOIN rollup_clients AS r ON r.client_id = c.id ORDER BY c.id"""

# The rows to mark end in a condition: without one, ON would read as that of a join.
_MARK = """
INSERT INTO rollup_hours (client_id, kind, hour, version) {rows} GROUP BY 1, 2, 3
ON CONFLICT (client_id, kind, hour) DO UPDATE SET version = version + 1"""

_HOUR_OF_SESSION = "SELECT s.client_id, 'visits', substr(s.started_at, 1, 13), 1"

_MARK_SESSIONS = _MARK.format(
    rows=f"""{_HOUR_OF_SESSION} FROM json_each(?) AS j JOIN sessions AS s
    WHERE s.client_id = j.value ->> 0 AND s.session_id = j.value ->> 1"""
)

_MARK_VISITORS = _MARK.format(
    rows=f"""{_HOUR_OF_SESSION} FROM json_each(?) AS j JOIN sessions AS s
    WHERE s.client_id = j.value ->> 0 AND s.visitor_id = j.value ->> 1"""
)

_MARK_ALL_SESSIONS = _MARK.format(rows=f"{_HOUR_OF_SESSION} FROM sessions AS s WHERE client_id = ?")

_MARK_HOURS = _MARK.format(rows="SELECT ?, 'leads', value, 1 FROM json_each(?) WHERE true")

_MARK_ALL_LEADS = _MARK.format(
    rows="SELECT ClientId, 'leads', substr(CreatedAt, 1, 13), 1 FROM Leads WHERE ClientId = ?"
)

_MARK_LEADS = _MARK.format(
    rows="SELECT ClientId, 'leads', substr(CreatedAt, 1, 13), 1 FROM Leads"
    " WHERE ClientId = ? AND PublicId IN (SELECT value FROM json_each(?))"
)

_HOURS_OF_CHANGED_LEADS = """
SELECT DISTINCT substr(CreatedAt, 1, 13) AS hour FROM Leads WHERE ClientId = ? AND UpdatedAt >= ?"""

_KEEP_LEADS_SEEN = """
INSERT INTO rollup_clients (client_id, leads_seen) VALUES (?, ?)
ON CONFLICT (client_id) DO UPDATE SET leads_seen = MAX(leads_seen, excluded.leads_seen)"""

_KEPT_FROM = """
INSERT INTO rollup_clients (client_id, {0}_kept_from) VALUES (?, ?)
ON CONFLICT (client_id) DO UPDATE SET {0}_kept_from = MAX({0}_kept_from, excluded.{0}_kept_from)"""

_KEPT = "SELECT visits_kept_from, leads_kept_from FROM rollup_clients WHERE client_id = ?"

_UNCOUNTED = """
SELECT hour, version FROM rollup_hours WHERE client_id = ? AND kind = ? AND version > counted
ORDER BY hour DESC"""

_AS_OF = """
SELECT COALESCE(SUM(version), 0) AS as_of FROM rollup_hours
WHERE client_id = ? AND kind = ? AND hour BETWEEN ? AND ?"""

# An upsert goes from each hour to its row; UPDATE … FROM read all hours for each of them.
_SETTLE = """
INSERT INTO rollup_hours (client_id, kind, hour, version, counted)
SELECT ?, ?, value ->> 0, value ->> 1, value ->> 1 FROM json_each(?) WHERE true
ON CONFLICT (client_id, kind, hour) DO UPDATE SET counted = MAX(counted, excluded.counted)"""

_VISIT_DIMENSIONS = (
    Dimension.TOTAL,
    Dimension.LANDING_PAGE,
    Dimension.LAST_CAMPAIGN,
    Dimension.COUNTRY,
    Dimension.DEVICE,
    Dimension.BOT,
)

# One scan for all dimensions: a compound SELECT may have five terms on D1. Values are cut, for
# they come from outside.
_COUNT_VISITS = """
SELECT dimension, MIN(value) AS value, COUNT(DISTINCT visitor_id) AS visitors,
  COUNT(*) AS sessions, SUM(pages_visited) AS page_views, SUM(pages_visited <= 1) AS bounced
FROM (
  SELECT d.value AS dimension, s.visitor_id, s.pages_visited, substr(COALESCE(CASE d.value
    WHEN 'landing_page' THEN s.landing_page
    WHEN 'last_campaign' THEN s.utm_campaign
    WHEN 'country' THEN s.country
    WHEN 'device' THEN s.device
    WHEN 'bot' THEN s.bot_reason
    END, ''), 1, 200) AS value
  FROM sessions AS s JOIN json_each(?4) AS d ON s.is_bot = (d.value = 'bot')
  WHERE s.client_id = ?1 AND s.started_at >= ?2 AND s.started_at < ?3 AND s.consent IS NOT 0)
GROUP BY dimension, value COLLATE NOCASE"""

_LEAD_DIMENSIONS = (
    Dimension.TOTAL,
    Dimension.SOURCE,
    Dimension.PROJECT,
    Dimension.LANDING_PAGE,
    Dimension.FIRST_CAMPAIGN,
    Dimension.LAST_CAMPAIGN,
    Dimension.COUNTRY,
    Dimension.DEVICE,
)

_WAIT_SECONDS = "MAX(0, ROUND((julianday(FirstContactAt) - julianday(CreatedAt)) * 86400))"

WAITS: Mapping[str, int] = {
    "within_5m": 300,
    "within_15m": 900,
    "within_1h": 3_600,
    "within_2h": 7_200,
    "within_4h": 14_400,
    "within_1d": 86_400,
    "within_2d": 172_800,
}
"""Columns of leads contacted so soon, in seconds; each holds those of the columns before."""

SPAM = "(Status = 'spam' OR (Status = 'new' AND SuspicionLabel = 'High'))"
"""Marked as such, or of high suspicion while nobody has said otherwise."""

_COUNT_LEADS = f"""
SELECT dimension, MIN(value) AS value, COUNT(*) AS leads, SUM(tracked) AS tracked,
  SUM(tracked AND label = 'Cold') AS cold, SUM(tracked AND label = 'Warm') AS warm,
  SUM(tracked AND label = 'Hot') AS hot, SUM(tracked AND label = 'Very Hot') AS very_hot,
  SUM(spam) AS spam, COUNT(wait) AS contacted,
  {", ".join(f"TOTAL(wait <= {seconds}) AS {name}" for name, seconds in WAITS.items())}
FROM (
  SELECT d.value AS dimension, l.MatchKind <> 'none' AS tracked,
    COALESCE(l.EngagementLabel, '') AS label,
    {SPAM} AS spam,
    {_WAIT_SECONDS} AS wait, substr(COALESCE(CASE d.value
    WHEN 'source' THEN l.LeadSource
    WHEN 'project' THEN l.Project
    WHEN 'landing_page' THEN l.LandingPage
    WHEN 'first_campaign' THEN l.FirstCampaign
    WHEN 'last_campaign' THEN l.UtmCampaign
    WHEN 'country' THEN l.Country
    WHEN 'device' THEN l.Device
    END, ''), 1, 200) AS value
  FROM Leads AS l JOIN json_each(?4) AS d
  WHERE l.ClientId = ?1 AND l.CreatedAt >= ?2 AND l.CreatedAt < ?3)
GROUP BY dimension, value COLLATE NOCASE"""

# Waits in seconds: by the minute up to two hours, the quarter up to two days, then the hour.
_COUNT_HISTOGRAMS = f"""
SELECT measure, bucket, COUNT(*) AS leads FROM (
  SELECT 'score' AS measure, CAST(EngagementScore AS INTEGER) AS bucket FROM Leads
  WHERE ClientId = ?1 AND CreatedAt >= ?2 AND CreatedAt < ?3 AND MatchKind <> 'none'
  UNION ALL
  SELECT 'wait', CAST(CASE WHEN wait < 7200 THEN wait - wait % 60
    WHEN wait < 172800 THEN wait - wait % 900 ELSE wait - wait % 3600 END AS INTEGER)
  FROM (SELECT CAST({_WAIT_SECONDS} AS INTEGER) AS wait FROM Leads
    WHERE ClientId = ?1 AND CreatedAt >= ?2 AND CreatedAt < ?3 AND FirstContactAt IS NOT NULL))
WHERE bucket IS NOT NULL GROUP BY measure, bucket"""

# A server that read before another must not undo what that one wrote.
_NOT_OLDER = """
NOT EXISTS (SELECT 1 FROM rollup_days AS r WHERE r.client_id = ?1 AND r.kind = ?2 AND r.day = ?3
  AND r.as_of > ?4)"""

_DAY_COUNTED = """
INSERT INTO rollup_days (client_id, kind, day, as_of) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (client_id, kind, day) DO UPDATE SET as_of = MAX(as_of, excluded.as_of)"""

_FORGET_DAYS = "DELETE FROM {} WHERE client_id = ? AND day >= ?"

_SET_ZONE = "UPDATE clients SET timezone = ? WHERE id = ?"


_DELETE_DAY = """
DELETE FROM {table} WHERE client_id = ?1 AND day = ?3
  AND {group} IN (SELECT value FROM json_each(?5)) AND {guard}"""

_INSERT_DAY = """
INSERT INTO {table} (client_id, day, {columns})
SELECT ?1, ?3, {values} FROM json_each(?5) WHERE {guard}"""


class _Table(NamedTuple):
    """A table of daily counts: the column that names the group, its groups, its other columns."""

    name: str
    group: str
    groups: Sequence[str]
    columns: Sequence[str]

    def replacing(self, rows: Sequence[Row]) -> list[tuple[str, str]]:
        """Statements that put rows in the place of a day's earlier ones, with their 5th value."""
        values = ", ".join(f"value ->> {position}" for position in range(len(self.columns) + 1))
        names = [self.group, *self.columns]
        delete = _DELETE_DAY.format(table=self.name, group=self.group, guard=_NOT_OLDER)
        insert = _INSERT_DAY.format(
            table=self.name, columns=", ".join(names), values=values, guard=_NOT_OLDER
        )
        made = [[row[name] for name in names] for row in rows]
        return [(delete, json.dumps(self.groups)), (insert, json.dumps(made))]


_VISIT_DAYS = _Table(
    "visit_days",
    "dimension",
    _VISIT_DIMENSIONS,
    ("value", "visitors", "sessions", "page_views", "bounced"),
)
_LEAD_DAYS = _Table(
    "lead_days",
    "dimension",
    _LEAD_DIMENSIONS,
    (
        *("value", "leads", "tracked", "cold", "warm", "hot", "very_hot", "spam", "contacted"),
        *WAITS,
    ),
)
_HISTOGRAMS = _Table("lead_histograms", "measure", ("score", "wait"), ("bucket", "leads"))


async def clients(store: Store) -> list[CountedClient]:
    """All clients."""
    return [_client(row) for row in await store.query(_CLIENTS)]


def changed_sessions(keys: Iterable[tuple[ClientId, str]]) -> Statement:
    """Mark sessions (client and session id) as changed, in the batch that changes them."""
    return Statement(_MARK_SESSIONS, (json.dumps(list(keys)),))


def changed_visitors(keys: Iterable[tuple[ClientId, str]]) -> Statement:
    """Mark every session of visitors (client and visitor id) as changed.

    Where the rows go in the same batch, this stands before it.
    """
    return Statement(_MARK_VISITORS, (json.dumps(list(keys)),))


def changed_leads(client_id: ClientId, created_at: Iterable[str]) -> Statement:
    """Mark leads by the time they came; only needed for deletions, changes show by UpdatedAt."""
    hours = sorted({moment[:HOUR_CHARS] for moment in created_at})
    return Statement(_MARK_HOURS, (client_id, json.dumps(hours)))


def leads_that_go(client_id: ClientId, lead_ids: Iterable[str]) -> Statement:
    """Mark leads by their ids as changed; stands before their deletion in the same batch."""
    return Statement(_MARK_LEADS, (client_id, json.dumps(list(lead_ids))))


def kept_from(client_id: ClientId, kind: Kind, moment: datetime) -> Statement:
    """Never again count days that began before: their raw rows go in the same batch."""
    return Statement(_KEPT_FROM.format(kind.value), (client_id, to_text(moment)))


async def mark_changed_leads(store: Store, client: CountedClient, now: datetime) -> None:
    """Mark the hours of leads that were stored or changed since the last look."""
    since = to_text(from_text(client.leads_seen) - OVERLAP) if client.leads_seen else ""
    rows = await store.query(_HOURS_OF_CHANGED_LEADS, (client.client_id, since))
    if rows:
        statements = [
            changed_leads(client.client_id, [row["hour"] for row in rows]),
            Statement(_KEEP_LEADS_SEEN, (client.client_id, to_text(now))),
        ]
        await store.write(statements)


async def uncounted_hours(store: Store, client: CountedClient, kind: Kind) -> dict[str, int]:
    """The marked hours with their versions, latest first."""
    rows = await store.query(_UNCOUNTED, (client.client_id, kind))
    return {row["hour"]: row["version"] for row in rows}


async def settle(store: Store, client: CountedClient, kind: Kind, hours: Mapping[str, int]) -> None:
    """Take the marks from hours that have been counted as of these versions."""
    versions = json.dumps(list(hours.items()))
    await store.write([Statement(_SETTLE, (client.client_id, kind, versions))])


async def recount(store: Store, client: CountedClient, kind: Kind, day: date) -> None:
    """Count a day from its raw rows, unless some of these are purged."""
    span = span_of(day, day, client.zone)
    if span.texts[0] < client.kept_from[kind]:
        return
    as_of = (await store.query(_AS_OF, (client.client_id, kind, *span.hours)))[0]["as_of"]
    where = (client.client_id, *span.texts)
    counted = await (_visits if kind is Kind.VISITS else _leads)(store, where)
    args = (client.client_id, kind, day.isoformat(), as_of)
    batch = [Statement(sql, (*args, values)) for sql, values in counted]
    await store.write([*batch, Statement(_DAY_COUNTED, args)])


async def has_raw_rows(store: Store, client_id: ClientId, span: Span) -> bool:
    """Whether all rows of a stretch of time are there: neither visits nor leads are purged."""
    kept = await store.query(_KEPT, (client_id,))
    return not kept or span.texts[0] >= max(kept[0].values())


async def count_span(
    store: Store, client_id: ClientId, span: Span
) -> tuple[list[Row], list[Row]] | None:
    """What a part of a day holds, from the raw rows: counts of visits and of leads, histograms.

    None where raw rows are purged.
    """
    if not await has_raw_rows(store, client_id, span):
        return None
    where, total = (client_id, *span.texts), json.dumps([Dimension.TOTAL])
    visits = await store.query(_COUNT_VISITS, (*where, total))
    leads = await store.query(_COUNT_LEADS, (*where, total))
    return [*visits, *leads], await store.query(_COUNT_HISTOGRAMS, where)


async def _visits(store: Store, where: tuple[Any, ...]) -> list[tuple[str, str]]:
    counts = await store.query(_COUNT_VISITS, (*where, json.dumps(_VISIT_DIMENSIONS)))
    return _VISIT_DAYS.replacing(counts)


async def _leads(store: Store, where: tuple[Any, ...]) -> list[tuple[str, str]]:
    counts = await store.query(_COUNT_LEADS, (*where, json.dumps(_LEAD_DIMENSIONS)))
    shares = await store.query(_COUNT_HISTOGRAMS, where)
    return [*_LEAD_DAYS.replacing(counts), *_HISTOGRAMS.replacing(shares)]


async def reset(store: Store, client: CountedClient, *, changes: Sequence[Statement] = ()) -> None:
    """Forget the days whose raw rows are all there, and mark these rows to be counted.

    `changes` stand in the same batch.
    """
    first = {kind: _first_whole_day(client, kind) for kind in Kind}
    tables = {"visit_days": Kind.VISITS, "lead_days": Kind.LEADS, "lead_histograms": Kind.LEADS}
    batch = [*changes]
    batch += [
        Statement(_FORGET_DAYS.format(table), (client.client_id, first[kind]))
        for table, kind in tables.items()
    ]
    batch += [
        Statement(
            _FORGET_DAYS.format("rollup_days") + " AND kind = ?",
            (client.client_id, first[kind], kind),
        )
        for kind in Kind
    ]
    for mark in (_MARK_ALL_SESSIONS, _MARK_ALL_LEADS):
        batch.append(Statement(mark, (client.client_id,)))
    await store.write(batch)


async def set_zone(store: Store, client_id: ClientId, zone: str) -> None:
    """Give a client another time zone; its days then need `reset`."""
    await store.write([Statement(_SET_ZONE, (zone, client_id))])


async def move(store: Store, client_id: ClientId, zone: str) -> None:
    """Give a client another time zone, and have the days counted anew in the background."""
    for client in await clients(store):
        if client.client_id == client_id:
            moved = replace(client, zone=zone_of(zone))
            await reset(store, moved, changes=[Statement(_SET_ZONE, (zone, client_id))])


def _first_whole_day(client: CountedClient, kind: Kind) -> str:
    if not client.kept_from[kind]:
        return ""
    last_purged = from_text(client.kept_from[kind]) - timedelta(milliseconds=1)
    return (last_purged.astimezone(client.zone).date() + timedelta(days=1)).isoformat()


def _client(row: Row) -> CountedClient:
    return CountedClient(
        ClientId(row["id"]),
        zone_of(row["timezone"]),
        row["leads_seen"] or "",
        {kind: row[f"{kind.value}_kept_from"] or "" for kind in Kind},
    )
