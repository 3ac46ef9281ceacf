"""The overview and the visitors page over a year of visits, and what keeping the counts costs."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median, quantiles

import httpx

from bench.measured import propgauge, wrk
from server.app import prepare_store
from server.domain import clock
from server.domain.ids import ClientId, SessionId, VisitorId
from server.domain.visitor import Arrival, Beacon, BeaconType, Peer
from server.store import rollups, tracking
from server.store.contract import Statement
from server.store.file import FileStore
from server.usecases.keep_rollups import REST, catch_up
from tests.running import BROWSER_AGENT

DAYS = 365
LEADS = 100_000
VIEWS, LARGE_VIEWS = 1_000_000, 10_000_000
VIEWS_A_SESSION = 2.5
REQUESTS = 40
PASSWORD = "correct horse battery"  # noqa: S105  of a server that lives for this run
PAGES = (
    ("overview, 28 days", "overview"),
    ("overview, 12 months", "overview?period=12mo&by=landing_page"),
    ("overview, 12 months, median score", "overview?period=12mo&by=last_campaign&figure=score"),
    ("overview, today by the hour", "overview?period=today&by=country"),
    ("visitors", "visitors"),
    ("one visitor", "visitors/v7"),
)

GROUP, GROUPS, ROUNDS = 100, 40, 11

# ?1 how many, ?2 the present, ?3 days. The primes scatter values without a random number.
_SESSIONS = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
INSERT INTO sessions (client_id, session_id, visitor_id, ip, country, browser, os, device,
  landing_url, utm_source, utm_campaign, started_at, last_seen_at, duration_seconds,
  max_scroll_percent, clicks, pages_visited, is_bot, bot_reason)
SELECT 1, printf('s%010d', i), 'v' || (i * 7919 % (?1 / 2)), '192.0.2.' || (i % 250),
  substr('GBAEINDEFRUS', i * 31 % 6 * 2 + 1, 2), 'Chrome', 'Windows',
  CASE WHEN i % 3 THEN 'desktop' ELSE 'mobile' END,
  'https://www.example.com/page-' || (i * 131 % 40) || '?utm_campaign=c', 'google',
  CASE WHEN i % 2 THEN 'campaign-' || (i * 17 % 25) END, t, t, i % 300, i % 100, i % 20, 3,
  i % 20 = 0, CASE WHEN i % 20 = 0 THEN 'crawler' END
FROM (SELECT i, strftime('%Y-%m-%dT%H:%M:%fZ', ?2, printf('-%f days', ?3 * (1.0 - i * 1.0 / ?1)))
  AS t FROM n)"""

_PAGE_VIEWS = """
INSERT INTO page_views (client_id, session_id, page_view_id, url, title, started_at, duration_ms)
SELECT 1, s.session_id, 'p' || j.value, s.landing_url, 'A page', s.started_at, 20000
FROM sessions AS s JOIN json_each('[1,2,3]') AS j ON j.value < 3 OR s.id % 2"""

_LEADS = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
INSERT INTO Leads (PublicId, ClientId, Channel, CreatedAt, UpdatedAt, Name, Email, LeadSource,
  Project, Country, UtmCampaign, FirstCampaign, LandingPage, Device, VisitorId, MatchKind,
  EngagementScore, EngagementLabel, SuspicionLabel, Status, FirstContactAt, Message)
SELECT 'lead_' || i, 1, 'form', t, t, 'Ana Example', 'ana' || i || '@example.com',
  substr('WebSite FacebookPortal  ', i * 13 % 3 * 8 + 1, 7), 'Project ' || (i % 12),
  substr('GBAEINDEFRUS', i % 6 * 2 + 1, 2), 'campaign-' || (i % 25), 'campaign-' || (i % 9),
  'www.example.com/page-' || (i % 40), 'desktop', 'v' || i,
  CASE WHEN i % 4 THEN 'visitor_id' ELSE 'none' END, i * 37 % 101,
  CASE i * 37 % 4 WHEN 0 THEN 'Cold' WHEN 1 THEN 'Warm' WHEN 2 THEN 'Hot' ELSE 'Very Hot' END,
  'Low', CASE WHEN i % 30 THEN 'contacted' ELSE 'spam' END,
  CASE WHEN i % 5 THEN strftime('%Y-%m-%dT%H:%M:%fZ', t, printf('+%d seconds', i * 71 % 200000))
  END, printf('%.400c', 'x')
FROM (SELECT i, strftime('%Y-%m-%dT%H:%M:%fZ', ?2, printf('-%f days', ?3 * (1.0 - i * 1.0 / ?1)))
  AS t FROM n)"""


def run(seconds: int, *, large: bool = False) -> None:
    """Print server times, and what the counts cost of each beacon."""
    views = LARGE_VIEWS if large else VIEWS
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder)
        asyncio.run(_fill(data_dir / "propgauge.db", round(views / VIEWS_A_SESSION)))
        with propgauge(data_dir, {"ADMIN_PASSWORD": PASSWORD}) as server:
            _pages(server.url, views)
    with tempfile.TemporaryDirectory() as folder, propgauge(Path(folder), {}) as server:
        whole = 1 / wrk(server, "beacons.lua", seconds).per_cpu_second
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_ingest(Path(folder), whole))


async def _fill(database: Path, sessions: int) -> None:
    store = FileStore.open(database)
    await prepare_store(store)
    now = clock.now()
    with closing(sqlite3.connect(database)) as db, db:
        args = (clock.to_text(now), DAYS)
        db.execute(_SESSIONS, (sessions, *args))
        db.execute(_PAGE_VIEWS)
        db.execute(_LEADS, (LEADS, *args))
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (client,) = await rollups.clients(store)
    await rollups.reset(store, client)
    began = time.perf_counter()
    await catch_up(store, now)
    built = time.perf_counter() - began
    await store.write(
        [
            Statement(
                "UPDATE rollup_hours SET version = version + 1 WHERE hour > ?",
                (clock.to_text(now - timedelta(hours=1))[:13],),
            )
        ]
    )
    began = time.perf_counter()
    await catch_up(store, now)
    one = time.perf_counter() - began
    await store.close()
    print(f"\ndaily counts: {DAYS} days of {sessions:,} sessions rebuilt in {built:.1f} s;")
    print(f"  one pass over a running day {one * 1000:.0f} ms, then {REST} times as long of rest")


def _pages(url: str, views: int) -> None:
    print(f"\ndashboard over {views:,} page views and {LEADS:,} leads, server time over HTTP")
    print(f"{'':36}{'p50 ms':>8}{'p95 ms':>8}{'KB':>6}")
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as http:
        http.post("/sign-in", data={"email": "admin@localhost", "password": PASSWORD})
        for title, path in PAGES:
            _page(http, title, f"/clients/1/{path}")


def _page(http: httpx.Client, title: str, path: str) -> None:
    times, size = [], 0
    for _ in range(REQUESTS):
        began = time.perf_counter()
        answer = http.get(path).raise_for_status()
        times.append((time.perf_counter() - began) * 1000)
        size = int(answer.headers["content-length"])
    p95 = quantiles(times, n=20)[-1]
    print(f"{title:36}{median(times):8.1f}{p95:8.1f}{size / 1024:6.1f}")


async def _ingest(folder: Path, whole: float) -> None:
    """Batches of beacons with marks and index, and on a store without either, in turn."""
    plain, kept = FileStore.open(folder / "plain.db"), FileStore.open(folder / "kept.db")
    for store in (plain, kept):
        await prepare_store(store)
    await plain.write([Statement("DROP INDEX sessions_by_start")])
    without, with_counts = [], []
    for number in range(ROUNDS):
        groups = [_group(number * GROUPS + group) for group in range(GROUPS)]
        without.append(await _cpu_seconds(plain, groups, marked=False))
        with_counts.append(await _cpu_seconds(kept, groups, marked=True))
    await plain.close()
    await kept.close()
    bare = median(without)
    cost = median(with_counts) - bare
    each = cost / GROUP / GROUPS
    print(
        f"cost of the counts: {each * 1e6:.1f} µs a beacon, {cost / bare:.1%} of the processor time"
        f" of its batch, {each / whole:.1%} of that of the whole request ({whole * 1e6:.0f} µs)"
    )


async def _cpu_seconds(store: FileStore, groups: Sequence[list[Arrival]], *, marked: bool) -> float:
    batches = [tracking.beacon_batch(group) for group in groups]
    if not marked:
        batches = [[one for one in batch if "rollup_hours" not in one.sql] for batch in batches]
    began = time.process_time()
    for batch in batches:
        await store.write(batch)
    return time.process_time() - began


_NOW = clock.now()
_PEER = Peer("192.0.2.1", "GB", BROWSER_AGENT)


def _group(number: int) -> list[Arrival]:
    """A quarter views, the rest engagements of them, as the load of `beacons.lua`."""
    return [
        _arrival(f"{number}-{place // 4}", place % 4, _NOW + timedelta(seconds=number))
        for place in range(GROUP)
    ]


def _arrival(name: str, seq: int, moment: datetime) -> Arrival:
    beacon = Beacon(
        VisitorId(f"v{name}"),
        SessionId(f"s{name}"),
        f"p{name}",
        BeaconType.ENGAGE if seq else BeaconType.VIEW,
        seq,
        url="https://www.example.com/residences?utm_source=google",
        timezone="Europe/London",
        duration_ms=seq * 1000,
    )
    return Arrival(beacon, ClientId(1), _PEER, moment)
