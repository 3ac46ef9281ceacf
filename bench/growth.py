"""What a large table costs: look-ups and ingest at 10 k, 1 M and 5 M sessions in one file."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import NamedTuple

from server.app import prepare_store
from server.domain import clock
from server.domain.directory import FIRST_CLIENT
from server.domain.ids import SessionId, VisitorId
from server.domain.visitor import Arrival, Beacon, BeaconType, Peer
from server.store import tracking, visitors
from server.store.contract import Store
from server.store.file import FileStore
from tests.running import BROWSER_AGENT

SIZES, LARGE_SIZE = (10_000, 1_000_000), 5_000_000
AIM = 1.5
"""Times the smallest size's, at the largest."""

STEP = 100_000
DAYS = 365
RETURNS_AFTER = 2_001
"""Every second session is a return of who came so many sessions before; an odd number."""

ADDRESSES = 65_536
LOOKUPS, SEED = 2_000, 7
GROUP, GROUPS, ROUNDS = 100, 40, 5

# ?1 the last session there is, ?2 how many more, ?3 the first moment, ?4 seconds between two.
# Ids begin with their place in time, as those of the tracker do.
_SESSIONS = """
WITH RECURSIVE n (i) AS (SELECT ?1 + 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 + ?2)
INSERT INTO sessions (client_id, session_id, visitor_id, site_key, ip, country, user_agent,
  browser, os, device, language, timezone, screen, landing_url, referrer, utm_source, utm_campaign,
  started_at, last_seen_at, duration_seconds, max_scroll_percent, clicks, pages_visited)
SELECT 1, printf('s%011x-0123456789abcdef01', i), printf('v%011x-0123456789abcdef01',
  CASE WHEN i % 2 AND i > ?5 THEN i - ?5 ELSE i END), 'demo',
  printf('10.%d.%d.1', i * 7919 % ?6 / 256, i * 7919 % 256), 'GB',
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140',
  'Chrome', 'Windows', 'desktop', 'en-GB', 'Europe/London', '1920x1080',
  'https://www.example.com/residences/page-' || (i % 40) || '?utm_campaign=spring',
  'https://www.example.org/', 'google', 'spring', t, t, 60, 70, 4, 2
FROM (SELECT i, strftime('%Y-%m-%dT%H:%M:%fZ', ?3, printf('+%f seconds', i * ?4)) AS t FROM n)"""

_PAGE_VIEWS = """
INSERT INTO page_views (client_id, session_id, page_view_id, url, title, started_at, duration_ms)
SELECT 1, s.session_id, 'p' || j.value, s.landing_url, 'A page', s.started_at, 30000
FROM sessions AS s JOIN json_each('[1,2]') AS j WHERE s.id > ?1"""

_FINGERPRINTS = """
INSERT INTO fingerprints (client_id, visitor_id, visit_count, vpn_suspected, first_seen_at,
  last_seen_at)
SELECT 1, visitor_id, 1, 0, started_at, started_at FROM sessions WHERE id > ?1
ON CONFLICT (client_id, visitor_id)
DO UPDATE SET visit_count = 2, last_seen_at = excluded.last_seen_at"""


class Measured(NamedTuple):
    """What one size cost; look-ups in microseconds, the store's threads included."""

    sessions: int
    fill_seconds: float
    bytes_per_session: float
    visitor_us: float
    address_us: float
    beacons_per_second: float


def run(*, large: bool = False) -> None:
    """Print a line for each size, and how the largest stands to the smallest."""
    sizes = (*SIZES, LARGE_SIZE) if large else SIZES
    print("\ngrowth of one file: the last session of a visitor and of an address, then beacons")
    print(
        f"{'sessions':>10}{'filled s':>10}{'bytes each':>12}{'visitor µs':>12}{'address µs':>12}"
        f"{'beacons/s':>11}"
    )
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "growth.db"
        lines = [_measure(database, size) for size in sizes]
    first, last = lines[0], lines[-1]
    print(
        f"at {last.sessions:,} sessions a visitor takes {last.visitor_us / first.visitor_us:.2f},"
        f" an address {last.address_us / first.address_us:.2f} times as long, a beacon"
        f" {first.beacons_per_second / last.beacons_per_second:.2f} times (aim: {AIM})"
    )


def _measure(database: Path, sessions: int) -> Measured:
    asyncio.run(_prepare(database))
    began = time.perf_counter()
    _fill(database, sessions)
    filled = time.perf_counter() - began
    size = database.stat().st_size / sessions
    line = Measured(sessions, filled, size, *asyncio.run(_times(database, sessions)))
    print(
        f"{line.sessions:10,}{line.fill_seconds:10.1f}{line.bytes_per_session:12.0f}"
        f"{line.visitor_us:12.0f}{line.address_us:12.0f}{line.beacons_per_second:11.0f}",
        flush=True,
    )
    return line


async def _prepare(database: Path) -> None:
    store = FileStore.open(database)
    await prepare_store(store)
    await store.close()


def _fill(database: Path, sessions: int) -> None:
    """Fill up to so many sessions, a year of them, waiting for the disk once, at the end.

    Otherwise the first commits that are measured would wait for all of it.
    """
    begin, gap = clock.to_text(clock.now() - timedelta(days=DAYS)), DAYS * 86_400 / sessions
    with closing(sqlite3.connect(database)) as db:
        db.execute("PRAGMA synchronous = OFF")
        (last,) = db.execute("SELECT COALESCE(MAX(id), 0) FROM sessions").fetchone()
        while last < sessions:
            more = min(STEP, sessions - last)
            with db:
                db.execute(_SESSIONS, (last, more, begin, gap, RETURNS_AFTER, ADDRESSES))
                db.execute(_PAGE_VIEWS, (last,))
                db.execute(_FINGERPRINTS, (last,))
            last += more
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with database.open("rb+") as file:
        os.fsync(file.fileno())


async def _times(database: Path, sessions: int) -> tuple[float, float, float]:
    store, chosen = FileStore.open(database), random.Random(SEED)
    numbers = [chosen.randint(1, sessions) for _ in range(LOOKUPS)]

    async def visitor(number: int) -> object:
        name = VisitorId(f"v{number - number % 2:011x}-0123456789abcdef01")
        return await visitors.last_session_of_visitor(store, FIRST_CLIENT, name)

    async def address(number: int) -> object:
        place = number * 7919 % ADDRESSES
        ip = f"10.{place // 256}.{place % 256}.1"
        return await visitors.last_session_of_address(store, FIRST_CLIENT, ip)

    visitor_us = await _median_us(visitor, numbers)
    address_us = await _median_us(address, numbers)
    rates = [await _ingest(store, sessions, number) for number in range(ROUNDS)]
    await store.close()
    return visitor_us, address_us, median(rates)


async def _median_us(look: Callable[[int], Awaitable[object]], numbers: Sequence[int]) -> float:
    times = []
    for number in numbers:
        began = time.perf_counter()
        await look(number)
        times.append((time.perf_counter() - began) * 1e6)
    return median(times)


async def _ingest(store: Store, sessions: int, number: int) -> float:
    """Beacons a second: a quarter views of new sessions, the rest engagements with them."""
    first = (ROUNDS * sessions + number) * GROUPS
    batches = [tracking.beacon_batch(_group(first + group)) for group in range(GROUPS)]
    began = time.perf_counter()
    for batch in batches:
        await store.write(batch)
    return GROUP * GROUPS / (time.perf_counter() - began)


_NOW = clock.now()
_PEER = Peer("192.0.2.1", "GB", BROWSER_AGENT)


def _group(number: int) -> list[Arrival]:
    return [_arrival(f"n{number:011x}-{place // 4}", place % 4) for place in range(GROUP)]


def _arrival(name: str, seq: int) -> Arrival:
    beacon = Beacon(
        VisitorId(name),
        SessionId(f"{name}-s"),
        "p1",
        BeaconType.ENGAGE if seq else BeaconType.VIEW,
        url="https://www.example.com/residences",
        seq=seq,
        duration_ms=1_000 * seq,
    )
    return Arrival(beacon, FIRST_CLIENT, _PEER, _NOW)
