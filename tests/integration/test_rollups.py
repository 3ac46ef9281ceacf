"""The daily counts equal what the raw rows say, whatever came in whichever order."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from server.domain.clock import from_text, to_text
from server.domain.days import days_of_hour, span_of, zone_of
from server.domain.ids import ClientId
from server.domain.retention import Retention
from server.domain.visitor import Peer
from server.store import rollups
from server.store.contract import Row, Statement, Store
from server.store.file import FileStore
from server.store.rollups import Kind
from server.usecases.keep_rollups import RollupKeeper, catch_up
from server.usecases.purge_expired import PurgePlan, purge
from tests.integration.test_visitors_store import CRAWLER, ONE, START, engage, record, view
from tests.running import BROWSER_AGENT

ZONES = ("UTC", "Asia/Dubai", "Asia/Kolkata", "America/St_Johns", "Europe/London")
DAYS = 4
NOW = START + timedelta(days=DAYS)


def _chance(seed: str | int) -> random.Random:
    return random.Random(seed)  # noqa: S311  the same in every run


def _bare(url: str) -> str:
    parts = urlsplit(url)
    return parts.netloc + parts.path


def _visits_of(rows: Sequence[Row], zone: str) -> dict[tuple[str, str, str], tuple[int, ...]]:
    """What `visit_days` should hold, counted here by other means."""
    visitors: defaultdict[tuple[str, str, str], set[str]] = defaultdict(set)
    sums: defaultdict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    for row in rows:
        if row["consent"] == 0:
            continue
        day = from_text(row["started_at"]).astimezone(zone_of(zone)).date().isoformat()
        values = {
            "total": "",
            "landing_page": _bare(row["landing_url"]),
            "last_campaign": row["utm_campaign"] or "",
            "country": row["country"] or "",
            "device": row["device"] or "",
        }
        for dimension, value in ({"bot": row["bot_reason"]} if row["is_bot"] else values).items():
            key = (dimension, day, value.lower())
            visitors[key].add(row["visitor_id"])
            sums[key] += Counter(
                sessions=1, page_views=row["pages_visited"], bounced=int(row["pages_visited"] <= 1)
            )
    return {
        key: (len(visitors[key]), sum_["sessions"], sum_["page_views"], sum_["bounced"])
        for key, sum_ in sums.items()
    }


async def _stored_visits(store: Store) -> dict[tuple[str, str, str], tuple[int, ...]]:
    rows = await store.query("SELECT * FROM visit_days WHERE client_id = 1")
    return {
        (row["dimension"], row["day"], row["value"].lower()): (
            row["visitors"],
            row["sessions"],
            row["page_views"],
            row["bounced"],
        )
        for row in rows
    }


async def _raw_sessions(store: Store) -> list[Row]:
    return await store.query("SELECT * FROM sessions WHERE client_id = 1")


_SITE = "https://www.example.com/"
_CAMPAIGNS = ("", "?utm_campaign=Spring", "?utm_campaign=spring&x=1", "?utm_campaign=Näxt")
_PEERS = (
    Peer("192.0.2.1", "GB", BROWSER_AGENT),
    Peer("192.0.2.2", "AE", BROWSER_AGENT),
    Peer("192.0.2.3", "", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)"),
    CRAWLER,
)


def _random_beacons(chance: random.Random) -> list[Any]:
    """Views and engagements of a few visitors over some days, some of them late."""
    made = []
    for number in range(120):
        visitor, at = f"v{chance.randrange(12)}", chance.randrange(DAYS * 86_400)
        session = f"{visitor}-s{chance.randrange(6)}"
        fields: dict[str, Any] = {
            "visitor": visitor,
            "at": at,
            "age_ms": chance.choice((0, 0, 5_000, 20 * 3_600_000)),
            "url": "https://www.example.com/"
            + chance.choice(("", "a", "b/c"))
            + chance.choice(_CAMPAIGNS),
            "peer": chance.choice(_PEERS),
        }
        page = f"p{chance.randrange(4)}"
        made.append(view(session, page, **fields))
        made.append(engage(session, page, seq=number, duration_ms=1_000, **fields))
        if chance.random() < 0.03:
            made.append(view(session, page, **{**fields, "consent": False}))
    return made


@pytest.mark.parametrize("zone", ZONES)
async def test_visits_of_random_beacons_are_counted_as_the_raw_rows_say(
    store: FileStore, zone: str
) -> None:
    chance = _chance(zone)
    await rollups.set_zone(store, ONE, zone)
    for group in _groups(chance):
        await record(store, *group)
        await catch_up(store, NOW)
        assert await _stored_visits(store) == _visits_of(await _raw_sessions(store), zone)


def _groups(chance: random.Random) -> list[list[Any]]:
    beacons = _random_beacons(chance)
    return [beacons[start : start + 40] for start in range(0, len(beacons), 40)]


# ---- leads

_LEAD = """
INSERT INTO Leads (PublicId, ClientId, Channel, CreatedAt, UpdatedAt, LeadSource, Project, Country,
  UtmCampaign, FirstCampaign, LandingPage, Device, MatchKind, EngagementScore, EngagementLabel,
  SuspicionLabel, Status, FirstContactAt)
VALUES (?, 1, 'form', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""

_DIMENSIONS = {
    "total": None,
    "source": "LeadSource",
    "project": "Project",
    "landing_page": "LandingPage",
    "first_campaign": "FirstCampaign",
    "last_campaign": "UtmCampaign",
    "country": "Country",
    "device": "Device",
}


def _random_lead(chance: random.Random, number: int) -> Statement:
    created = START + timedelta(seconds=chance.randrange(DAYS * 86_400))
    contacted = created + timedelta(seconds=chance.randrange(300_000))
    score = chance.randrange(101)
    return Statement(
        _LEAD,
        (
            f"lead_{number}",
            to_text(created),
            to_text(NOW),
            chance.choice(("WebSite", "Facebook", "facebook")),
            chance.choice((None, "Saffron Quay")),
            chance.choice((None, "GB")),
            chance.choice((None, "spring")),
            chance.choice((None, "spring", "autumn")),
            chance.choice((None, "/a")),
            chance.choice((None, "mobile")),
            chance.choice(("none", "visitor_id", "ip")),
            score,
            chance.choice(("Cold", "Warm", "Hot", "Very Hot")),
            chance.choice(("Low", "High")),
            chance.choice(("new", "contacted", "spam")),
            chance.choice((None, to_text(contacted))),
        ),
    )


def _wait(row: Row) -> float | None:
    if row["FirstContactAt"] is None:
        return None
    return (from_text(row["FirstContactAt"]) - from_text(row["CreatedAt"])).total_seconds()


def _counted(row: Row) -> Counter[str]:
    tracked, wait = row["MatchKind"] != "none", _wait(row)
    high_and_new = row["Status"] == "new" and row["SuspicionLabel"] == "High"
    counts = Counter(leads=1, tracked=int(tracked))
    counts["spam"] = int(row["Status"] == "spam" or high_and_new)
    if tracked:
        counts[row["EngagementLabel"].lower().replace(" ", "_")] = 1
    if wait is not None:
        counts["contacted"] = 1
        counts.update(name for name, seconds in rollups.WAITS.items() if wait <= seconds)
    return counts


def _leads_of(rows: Sequence[Row], zone: str) -> dict[tuple[str, str, str], Counter[str]]:
    sums: defaultdict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    for row in rows:
        day = from_text(row["CreatedAt"]).astimezone(zone_of(zone)).date().isoformat()
        for dimension, column in _DIMENSIONS.items():
            value = (row[column] or "") if column else ""
            sums[dimension, day, value.lower()] += _counted(row)
    return sums


async def _stored_leads(store: Store) -> dict[tuple[str, str, str], Counter[str]]:
    keys = ("client_id", "dimension", "day", "value")
    return {
        (row["dimension"], row["day"], row["value"].lower()): +Counter(
            {name: count for name, count in row.items() if name not in keys}
        )
        for row in await store.query("SELECT * FROM lead_days WHERE client_id = 1")
    }


async def _scores(store: Store) -> Counter[int]:
    rows = await store.query("SELECT bucket, leads FROM lead_histograms WHERE measure = 'score'")
    found: Counter[int] = Counter()
    for row in rows:
        found[row["bucket"]] += row["leads"]
    return found


@pytest.mark.parametrize("zone", ZONES[::2])
async def test_random_leads_are_counted_as_the_raw_rows_say(store: FileStore, zone: str) -> None:
    chance = _chance(zone)
    await rollups.set_zone(store, ONE, zone)
    await store.write([_random_lead(chance, number) for number in range(150)])
    await catch_up(store, NOW)
    raw = await store.query("SELECT * FROM Leads")
    assert await _stored_leads(store) == _leads_of(raw, zone)
    tracked = Counter(int(row["EngagementScore"]) for row in raw if row["MatchKind"] != "none")
    assert await _scores(store) == tracked


async def test_lead_changed_later_is_counted_anew(store: FileStore) -> None:
    await store.write([_random_lead(_chance(1), 1)])
    await catch_up(store, NOW)
    later = NOW + timedelta(days=2)
    change = "UPDATE Leads SET Status = 'spam', UpdatedAt = ?"
    await store.write([Statement(change, (to_text(later),))])
    await catch_up(store, later)
    assert await _stored_leads(store) == _leads_of(await store.query("SELECT * FROM Leads"), "UTC")


async def test_deleted_leads_that_are_marked_leave_the_counts(store: FileStore) -> None:
    await store.write([_random_lead(_chance(1), 1)])
    await catch_up(store, NOW)
    rows = await store.query("SELECT CreatedAt FROM Leads")
    mark = rollups.changed_leads(ONE, [row["CreatedAt"] for row in rows])
    await store.write([mark, Statement("DELETE FROM Leads")])
    await catch_up(store, NOW)
    assert await _stored_leads(store) == {}
    assert await _scores(store) == Counter()


# ---- when servers meet, rows are purged, days are drawn elsewhere


async def _day_of(store: Store) -> tuple[rollups.CountedClient, date]:
    (client, *_others) = await rollups.clients(store)
    return client, START.astimezone(client.zone).date()


class Seen:
    """A store as another server sees it, whose writes a test may hold up."""

    def __init__(self, store: FileStore) -> None:
        self._store = store

    async def query(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        return await self._store.query(sql, args)

    async def write(
        self, statements: Sequence[Statement], *, patience_seconds: float | None = None
    ) -> Any:
        return await self._store.write(statements, patience_seconds=patience_seconds)

    async def health(self) -> None:
        await self._store.health()

    async def close(self) -> None:
        await self._store.close()


async def test_count_made_before_another_servers_does_not_undo_it(store: FileStore) -> None:
    await record(store, view("s1"))
    client, day = await _day_of(store)

    class Slow(Seen):
        async def write(
            self, statements: Sequence[Statement], *, patience_seconds: float | None = None
        ) -> Any:
            await record(store, view("s2", visitor="ben"))
            await catch_up(store, NOW)
            return await super().write(statements, patience_seconds=patience_seconds)

    await rollups.recount(Slow(store), client, Kind.VISITS, day)
    assert await _stored_visits(store) == _visits_of(await _raw_sessions(store), "UTC")


async def test_change_during_a_count_is_counted_by_the_next(store: FileStore) -> None:
    await record(store, view("s1"))
    client, day = await _day_of(store)
    hours = await rollups.uncounted_hours(store, client, Kind.VISITS)
    await rollups.recount(store, client, Kind.VISITS, day)
    await record(store, view("s2", visitor="ben"))
    await rollups.settle(store, client, Kind.VISITS, hours)
    await catch_up(store, NOW)
    assert (await _stored_visits(store))["total", day.isoformat(), ""] == (2, 2, 2, 2)


async def test_nothing_new_to_count_writes_nothing(store: FileStore, tmp_path: Path) -> None:
    await record(store, view("s1"))
    await catch_up(store, NOW)
    log = tmp_path / "propgauge.db-wal"
    before = log.stat().st_size, log.stat().st_mtime_ns
    told: list[int] = []
    await catch_up(store, NOW, told=lambda done, _total: told.append(done))
    assert (told, (log.stat().st_size, log.stat().st_mtime_ns)) == ([], before)


async def test_purged_visits_stay_counted_and_their_days_are_never_counted_again(
    store: FileStore,
) -> None:
    await record(store, view("s1"))
    await catch_up(store, NOW)
    counted = await _stored_visits(store)
    later = NOW + timedelta(days=400)
    await purge(store, PurgePlan({ONE: Retention(visits=30)}, later))
    assert await _raw_sessions(store) == []
    for client in await rollups.clients(store):
        await rollups.reset(store, client)
    await catch_up(store, later)
    assert await _stored_visits(store) == counted


async def test_visits_that_were_never_counted_are_counted_before_they_are_purged(
    store: FileStore,
) -> None:
    await record(store, view("s1"))
    await purge(store, PurgePlan({ONE: Retention(visits=30)}, NOW + timedelta(days=400)))
    assert len(await _stored_visits(store)) > 0


async def test_lead_without_a_score_or_label_does_not_stop_the_counting(store: FileStore) -> None:
    await store.write([_random_lead(_chance(1), 1)])
    nothing = "UPDATE Leads SET EngagementScore = NULL, EngagementLabel = NULL, MatchKind = 'ip'"
    await store.write([Statement(nothing)])
    await catch_up(store, NOW)
    assert await store.query("SELECT leads FROM lead_days WHERE dimension = 'total'")


async def _counts_before_a_purge(
    store: FileStore,
) -> dict[tuple[str, str, str], tuple[int, ...]]:
    """Visits of two days, counted; those of the first are purged then."""
    await record(store, view("s1"), view("s2", visitor="ben", at=2 * 86_400))
    await catch_up(store, NOW)
    before = await _stored_visits(store)
    cutoff = START + timedelta(days=1)
    purge = "DELETE FROM sessions WHERE started_at < ?"
    await store.write(
        [rollups.kept_from(ONE, Kind.VISITS, cutoff), Statement(purge, (to_text(cutoff),))]
    )
    return before


async def test_purged_day_keeps_its_counts_when_a_late_change_comes(store: FileStore) -> None:
    before = await _counts_before_a_purge(store)
    await record(store, view("s3", visitor="cleo", at=60))
    await catch_up(store, NOW)
    assert await _stored_visits(store) == before


async def test_rebuild_after_a_purge_keeps_what_only_the_counts_tell(store: FileStore) -> None:
    before = await _counts_before_a_purge(store)
    client, _day = await _day_of(store)
    await rollups.reset(store, client)
    await catch_up(store, NOW)
    assert await _stored_visits(store) == before


async def test_reset_after_another_time_zone_draws_the_days_anew(store: FileStore) -> None:
    for group in _groups(_chance(2)):
        await record(store, *group)
    await store.write([_random_lead(_chance(number), number) for number in range(40)])
    await catch_up(store, NOW)
    await rollups.set_zone(store, ONE, "Pacific/Kiritimati")
    client, _day = await _day_of(store)
    await rollups.reset(store, client)
    await catch_up(store, NOW)
    raw, leads = await _raw_sessions(store), await store.query("SELECT * FROM Leads")
    assert await _stored_visits(store) == _visits_of(raw, "Pacific/Kiritimati")
    assert await _stored_leads(store) == _leads_of(leads, "Pacific/Kiritimati")


async def test_visits_of_another_client_are_counted_apart(store: FileStore) -> None:
    await store.write([Statement("INSERT INTO clients (id, name, created_at) VALUES (2, 'b', '')")])
    await record(store, view("s1"), view("s1", visitor="ben", client=ClientId(2)))
    await catch_up(store, NOW)
    rows = await store.query("SELECT client_id, visitors FROM visit_days WHERE dimension = 'total'")
    assert [tuple(row.values()) for row in rows] == [(1, 1), (2, 1)]


async def test_keeper_when_stopped_has_stored_what_was_dropped(store: FileStore) -> None:
    dropped = Counter({(ONE, "duplicate"): 3})
    keeper = RollupKeeper(store, dropped, lambda: NOW)
    keeper.start()
    await asyncio.sleep(0)
    dropped[ONE, "no_page_view"] += 2
    await keeper.stop()
    rows = await store.query("SELECT reason, SUM(beacons) AS n FROM dropped_beacons GROUP BY 1")
    assert {row["reason"]: row["n"] for row in rows} == {"duplicate": 3, "no_page_view": 2}
    assert dropped == {}


# ---- days


@pytest.mark.parametrize("zone", ["America/Havana", "Africa/Cairo", "Asia/Kolkata", "Asia/Beirut"])
def test_days_of_a_zone_follow_each_other_without_gap(zone: str) -> None:
    day, tz = date(2026, 1, 1), zone_of(zone)
    for _ in range(365):
        span, following = span_of(day, day, tz), day + timedelta(days=1)
        assert span.end == span_of(following, following, tz).start
        assert span.start.astimezone(tz).date() == day
        assert (span.start - timedelta(seconds=1)).astimezone(tz).date() == day - timedelta(days=1)
        day = following


def test_hour_across_midnight_of_a_half_hour_zone_belongs_to_two_days() -> None:
    days = days_of_hour("2026-11-22T18", zone_of("Asia/Kolkata"))
    assert days == {date(2026, 11, 22), date(2026, 11, 23)}


@pytest.mark.parametrize("name", ["", "Nowhere/At_All", "../etc/passwd", "\x00"])
def test_zone_that_is_none_is_utc(name: str) -> None:
    assert zone_of(name).key == "UTC"
