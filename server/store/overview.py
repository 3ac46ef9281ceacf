"""What the overview shows, read from the daily counts alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from server.domain.clock import to_text
from server.domain.days import Span, zone_of
from server.domain.ids import ClientId
from server.domain.periods import Step, Stretch
from server.store.contract import Row, Store
from server.store.rollups import SPAM, WAITS, Dimension, count_span

_LEAD_SUMS = ("leads", "tracked", "cold", "warm", "hot", "very_hot", "spam", "contacted")
_VISIT_SUMS = ("visitors", "sessions", "page_views", "bounced")

_ZONE = "SELECT timezone FROM clients WHERE id = ?"

_LEADS_BY_DAY = f"""
SELECT day, {", ".join(_LEAD_SUMS)} FROM lead_days
WHERE client_id = ? AND dimension = 'total' AND day BETWEEN ? AND ? ORDER BY day"""

_VISITS_BY_DAY = f"""
SELECT day, {", ".join(_VISIT_SUMS)} FROM visit_days
WHERE client_id = ? AND dimension = 'total' AND day BETWEEN ? AND ? ORDER BY day"""

_HISTOGRAM = """
SELECT bucket, SUM(leads) AS leads FROM lead_histograms
WHERE client_id = ? AND measure = ? AND day BETWEEN ? AND ? GROUP BY bucket ORDER BY bucket"""

_HISTOGRAMS = """
SELECT {day} AS day, bucket, SUM(leads) AS leads FROM lead_histograms
WHERE client_id = ?1 AND measure = ?2 AND day BETWEEN ?3 AND ?4 GROUP BY 1, bucket"""

_FIRST_DAY = {
    Step.DAY: "day",
    Step.WEEK: "date(?3, (CAST(julianday(day) - julianday(?3) AS INTEGER) / 7 * 7) || ' days')",
    Step.MONTH: "MAX(substr(day, 1, 8) || '01', ?3)",
}
"""The first day of the step that a day belongs to."""

_OF_LEADS = (*_LEAD_SUMS, *WAITS)

# Sums of each table first: joined by day they would be as many rows as both have.
_BREAKDOWN = f"""
SELECT MIN(value) AS value, {", ".join(f"SUM({name}) AS {name}" for name in _OF_LEADS)},
  SUM(visitors) AS visitors
FROM (
  SELECT value, {", ".join(f"SUM({name}) AS {name}" for name in _OF_LEADS)}, 0 AS visitors
  FROM lead_days WHERE client_id = ?1 AND dimension = ?2 AND day BETWEEN ?3 AND ?4 GROUP BY value
  UNION ALL
  SELECT value, {", ".join("0" for _ in _OF_LEADS)}, SUM(visitors)
  FROM visit_days WHERE client_id = ?1 AND dimension = ?2 AND day BETWEEN ?3 AND ?4 GROUP BY value)
GROUP BY value COLLATE NOCASE ORDER BY value = '', leads DESC, visitors DESC, value LIMIT ?5"""

_VISITORS_BY_HOUR = """
SELECT CAST((julianday(started_at) - julianday(?2)) * 24 + 1e-7 AS INTEGER) AS hour,
  COUNT(DISTINCT visitor_id) AS visitors
FROM sessions WHERE client_id = ?1 AND started_at >= ?2 AND started_at < ?3 AND is_bot = 0
  AND consent IS NOT 0 GROUP BY 1"""

_LEADS_BY_HOUR = f"""
SELECT CAST((julianday(CreatedAt) - julianday(?2)) * 24 + 1e-7 AS INTEGER) AS hour,
  COUNT(*) AS leads, SUM(MatchKind <> 'none') AS tracked, SUM({SPAM}) AS spam,
  SUM(MatchKind <> 'none' AND EngagementLabel IN ('Hot', 'Very Hot')) AS hot
FROM Leads WHERE ClientId = ?1 AND CreatedAt >= ?2 AND CreatedAt < ?3 GROUP BY 1"""

_ANY = """
SELECT EXISTS (SELECT 1 FROM lead_days WHERE client_id = ?1)
  OR EXISTS (SELECT 1 FROM visit_days WHERE client_id = ?1) AS found"""


@dataclass(slots=True)
class Sums:
    """Counts of a stretch or of one value in it.

    Visitors count once a day. What is hot, cold or anything between is tracked.
    """

    visitors: int = 0
    sessions: int = 0
    page_views: int = 0
    bounced: int = 0
    leads: int = 0
    tracked: int = 0
    cold: int = 0
    warm: int = 0
    hot: int = 0
    very_hot: int = 0
    spam: int = 0
    contacted: int = 0

    @property
    def untracked(self) -> int:
        """Leads without a tracked visit: they have no score."""
        return self.leads - self.tracked

    @property
    def conversion(self) -> float | None:
        """Leads with a tracked visit per visitor; None without visitors."""
        return self.tracked / self.visitors if self.visitors else None

    @property
    def hot_share(self) -> float | None:
        """Hot and Very Hot among the tracked leads."""
        return (self.hot + self.very_hot) / self.tracked if self.tracked else None

    @property
    def spam_share(self) -> float | None:
        """Spam among all leads."""
        return self.spam / self.leads if self.leads else None

    def add(self, row: Row) -> None:
        """Add the counts that a row has."""
        for name in (*_LEAD_SUMS, *_VISIT_SUMS):
            if name in row:
                setattr(self, name, getattr(self, name) + row[name])

    def join(self, other: Sums) -> None:
        """Add the counts of another."""
        for name in (*_LEAD_SUMS, *_VISIT_SUMS):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(frozen=True, slots=True)
class Part:
    """One value of a dimension, "" for none, with its counts.

    `contacted_within` are leads, by the columns of `WAITS`.
    """

    value: str
    sums: Sums
    contacted_within: dict[str, int] = field(default_factory=dict)


Histogram = Sequence[tuple[int, int]]
"""Leads by bucket: points of the score, seconds of waiting."""


async def zone_name(store: Store, client_id: ClientId) -> str:
    """The name of the time zone in which a client's days are counted."""
    rows = await store.query(_ZONE, (client_id,))
    return zone_of(rows[0]["timezone"] if rows else "").key


async def has_any(store: Store, client_id: ClientId) -> bool:
    """Whether anything was ever counted."""
    return bool((await store.query(_ANY, (client_id,)))[0]["found"])


async def by_day(store: Store, client_id: ClientId, stretch: Stretch) -> dict[date, Sums]:
    """The counts of each day that has any."""
    where = (client_id, *_texts(stretch))
    days: dict[date, Sums] = {}
    for sql in (_VISITS_BY_DAY, _LEADS_BY_DAY):
        for row in await store.query(sql, where):
            days.setdefault(date.fromisoformat(row["day"]), Sums()).add(row)
    return days


async def histogram(store: Store, client_id: ClientId, measure: str, stretch: Stretch) -> Histogram:
    """Leads by "score" or by "wait", the seconds until first contact; smallest first."""
    rows = await store.query(_HISTOGRAM, (client_id, measure, *_texts(stretch)))
    return [(row["bucket"], row["leads"]) for row in rows]


async def histograms(
    store: Store, client_id: ClientId, measure: str, stretch: Stretch, step: Step
) -> list[tuple[date, int, int]]:
    """The same for each step: its first day in the stretch, bucket, leads."""
    sql = _HISTOGRAMS.format(day=_FIRST_DAY[step])
    rows = await store.query(sql, (client_id, measure, *_texts(stretch)))
    return [(date.fromisoformat(row["day"]), row["bucket"], row["leads"]) for row in rows]


async def breakdown(
    store: Store, client_id: ClientId, dimension: Dimension, stretch: Stretch, limit: int
) -> list[Part]:
    """The values of a dimension, those with most leads first."""
    args = (client_id, dimension, *_texts(stretch), limit)
    return [_part(row) for row in await store.query(_BREAKDOWN, args)]


async def by_hour(store: Store, client_id: ClientId, span: Span) -> dict[int, Sums]:
    """Visitors and leads of each hour since the beginning of a day, from the raw rows."""
    where = (client_id, to_text(span.start), to_text(span.end))
    hours: dict[int, Sums] = {}
    for sql in (_VISITORS_BY_HOUR, _LEADS_BY_HOUR):
        for row in await store.query(sql, where):
            hours.setdefault(row["hour"], Sums()).add(row)
    return hours


async def part_of_day(
    store: Store, client_id: ClientId, span: Span
) -> tuple[Sums, Histogram, Histogram] | None:
    """The counts of a part of a day, with its leads by score and by wait, from the raw rows.

    None where these are purged.
    """
    found = await count_span(store, client_id, span)
    if found is None:
        return None
    sums = Sums()
    histograms: dict[str, list[tuple[int, int]]] = {"score": [], "wait": []}
    for row in found[0]:
        sums.add(row)
    for row in found[1]:
        histograms[row["measure"]].append((row["bucket"], row["leads"]))
    return sums, histograms["score"], histograms["wait"]


def _part(row: Row) -> Part:
    sums = Sums()
    sums.add(row)
    return Part(row["value"], sums, {name: row[name] for name in WAITS})


def _texts(stretch: Stretch) -> tuple[str, str]:
    return stretch.first.isoformat(), stretch.last.isoformat()
