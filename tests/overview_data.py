"""A client with some weeks of visits and leads behind it, counted."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

from server.domain import clock
from server.domain.clock import to_text
from server.domain.ids import ClientId, SessionId, VisitorId
from server.domain.visitor import Arrival, Beacon, BeaconType, Peer
from server.store import tracking
from server.store.contract import Statement
from server.usecases.keep_rollups import catch_up
from tests.dashboard import Dashboard
from tests.databases import Database
from tests.running import BROWSER_AGENT

XSS = "<img src=x onerror=alert(1)>\"'</script>"
CRAWLER = "Mozilla/5.0 (compatible; Googlebot/2.1)"
DAYS = 40
VISITORS_A_DAY, LEADS_A_DAY = 4, 2

_LEAD = """
INSERT INTO Leads (PublicId, ClientId, Channel, CreatedAt, UpdatedAt, Name, LeadSource, Project,
  Country, UtmCampaign, FirstCampaign, LandingPage, Device, VisitorId, SessionId, MatchKind,
  EngagementScore, EngagementLabel, SuspicionLabel, Status, FirstContactAt)
VALUES (?, 1, 'form', ?, ?, ?, ?, ?, ?, ?, ?, ?, 'desktop', ?, ?, ?, ?, ?, 'Low', ?, ?)"""


def arrival(visitor: str, moment: datetime, **fields: Any) -> Arrival:
    """A page view of the visitor's session of that day."""
    agent = fields.pop("agent", BROWSER_AGENT)
    session = f"{visitor}-{moment:%Y%m%d}"
    beacon = Beacon(VisitorId(visitor), SessionId(session), "p1", BeaconType.VIEW, **fields)
    return Arrival(beacon, ClientId(1), Peer("192.0.2.1", "GB", agent), moment)


def _visits(day: datetime, number: int) -> list[Arrival]:
    campaign = ("spring", "autumn", XSS)[number % 3]
    url = f"https://www.example.com/page-{number % 3}?utm_campaign={campaign}"
    people = [arrival(f"v{place}", day, url=url) for place in range(VISITORS_A_DAY)]
    return [*people, arrival("bot", day, url=url, agent=CRAWLER)]


def _leads(day: datetime, number: int) -> list[Statement]:
    moment, contacted = to_text(day), to_text(day + timedelta(minutes=30))
    tracked = (
        *(f"lead_t{number}", moment, moment, XSS, "WebSite", XSS, "GB", XSS, "spring"),
        *("www.example.com/page-0", "v0", f"v0-{day:%Y%m%d}", "visitor_id", 50, "Hot"),
        *("contacted", contacted),
    )
    untracked = (
        *(f"lead_u{number}", moment, moment, "Ben Example", "Facebook", None, None, None, None),
        *(None, None, None, "none", 0, "Cold", "spam" if number % 2 else "new", None),
    )
    return [Statement(_LEAD, tracked), Statement(_LEAD, untracked)]


async def fill_database(database: Database) -> None:
    """Store the visits and leads, and count them."""
    store, now = database.open(), clock.now()
    for number in range(DAYS):
        day = now - timedelta(days=number)
        await store.write([*tracking.beacon_batch(_visits(day, number)), *_leads(day, number)])
    await catch_up(store, now)
    await store.close()


def fill(dashboard: Dashboard) -> Dashboard:
    """Give client 1 its visits and leads; client 2 has none."""
    database = dashboard.server.database
    with ThreadPoolExecutor(1) as aside:  # Playwright keeps a loop running in the test's thread
        aside.submit(lambda: asyncio.run(fill_database(database))).result()
    return dashboard
