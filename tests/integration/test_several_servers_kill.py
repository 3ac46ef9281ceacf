"""Two servers on one store under load: one server is killed, then the store where it is sqld."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.beacons import engage, view
from tests.integration.http_fixtures import SECRET_KEY
from tests.integration.test_several_servers import query_file
from tests.receiver import Receiver
from tests.running import BROWSER_AGENT, RunningServer
from tests.sqld import Sqld

SENDERS = 6
LEADS_A_PHASE = 12
PATIENCE_SECONDS = 30.0
"""Far above what either fault takes, for a machine that has other things to do."""


Query = Callable[[str], list[dict[str, Any]]]


@dataclass
class Load:
    """People on a site behind two servers: each is tracked, sends a lead, and insists.

    What one server does not answer, or refuses for now, the other is asked, as a proxy would.
    """

    servers: tuple[RunningServer, RunningServer]
    leads: dict[str, str] = field(default_factory=dict)
    clicks: dict[str, int] = field(default_factory=dict)
    refusals: Counter[str] = field(default_factory=Counter)
    over: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Send until it is over; every person begun is seen through."""
        async with asyncio.TaskGroup() as group:
            for number in range(SENDERS):
                group.create_task(self._send(itertools.cycle(self.servers[:: -1 + number % 2 * 2])))

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait for what acknowledgements and refusals bring about."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not reached():
                self.news.clear()
                await self.news.wait()

    async def more_leads(self) -> None:
        """Wait until a phase's number of leads is acknowledged from now on."""
        enough = len(self.leads) + LEADS_A_PHASE
        await self.until(lambda: len(self.leads) >= enough)

    async def _send(self, servers: Iterator[RunningServer]) -> None:
        headers = {"user-agent": BROWSER_AGENT}
        async with httpx.AsyncClient(headers=headers, timeout=20, trust_env=False) as client:
            while not self.over:
                await self._be_somebody(client, servers)

    async def _be_somebody(
        self, client: httpx.AsyncClient, servers: Iterator[RunningServer]
    ) -> None:
        name, clicks = secrets.token_hex(6), 1 + secrets.randbelow(50)
        beacons = [view(name), engage(name, clicks=clicks)]
        await self._insist(client, servers, "/api/track", beacons)
        self.clicks[f"{name}-s1"] = clicks
        lead = {"email": f"{name}@example.com", "__visitor_id": name, "__submission_id": name}
        answer = await self._insist(client, servers, "/api/lead", lead)
        self.leads[lead["email"]] = answer.json()["lead_id"]
        self.news.set()

    async def _insist(
        self, client: httpx.AsyncClient, servers: Iterator[RunningServer], path: str, body: Any
    ) -> httpx.Response:
        async with asyncio.timeout(PATIENCE_SECONDS):
            for server in servers:
                try:
                    answer = await client.post(server.url + path, json=body)
                except httpx.TransportError as error:
                    self.refusals[type(error).__name__] += 1
                else:
                    if answer.is_success:
                        return answer
                    assert answer.status_code == 503, answer.text
                    assert answer.headers["retry-after"]
                    self.refusals["503"] += 1
                self.news.set()
                await asyncio.sleep(0.05)
        raise AssertionError("servers go round for ever")


@pytest.fixture
def start(tmp_path: Path, receiver: Receiver) -> Iterator[Callable[[str], Load]]:
    """Starts two servers on the store of that address, whose leads go to `receiver`."""
    with ExitStack() as stack:

        def start(url: str) -> Load:
            settings = {
                "ALLOW_PRIVATE_TARGETS": "on",
                "DATABASE_URL": url,
                "MAKE_WEBHOOK_URL": receiver.url,
                "SECRET_KEY": SECRET_KEY,
            }
            one, other = (RunningServer(tmp_path / name, settings) for name in ("one", "other"))
            for server in (one, other):
                stack.callback(server.start().stop, signal.SIGKILL)
            return Load((one, other))

        yield start


async def kill_in_turn(load: Load, sqld: Sqld | None) -> None:
    """Kill -9 one server amid the load, then sqld, which is started again."""
    async with asyncio.TaskGroup() as group:
        group.create_task(load.run())
        await load.more_leads()
        load.servers[0].process.kill()
        await load.more_leads()
        if sqld is not None:
            sqld.end(signal.SIGKILL)
            await load.until(lambda: load.refusals["503"] > 0)
            await asyncio.to_thread(sqld.start)
            await load.more_leads()
        load.over = True


def test_server_on_a_shared_file_when_killed_loses_and_doubles_nothing(
    start: Callable[[str], Load], receiver: Receiver, tmp_path: Path
) -> None:
    database = tmp_path / "shared.db"
    load, query = start(f"file:{database}"), query_file(database)
    asyncio.run(kill_in_turn(load, None))
    check_everything_stands(load, query, receiver)
    assert query("PRAGMA integrity_check") == [{"integrity_check": "ok"}]


def test_server_and_then_sqld_when_killed_lose_and_double_nothing(
    start: Callable[[str], Load], receiver: Receiver, tmp_path: Path
) -> None:
    with Sqld(tmp_path / "sqld") as sqld:
        load = start(sqld.http_url)
        asyncio.run(kill_in_turn(load, sqld))
        check_everything_stands(load, sqld.query, receiver)


def check_everything_stands(load: Load, query: Query, receiver: Receiver) -> None:
    """Each person's visit and lead stands once, and came to the webhook under one id."""
    stored = Counter((row["Email"], row["PublicId"]) for row in query(_LEADS))
    assert stored == Counter(load.leads.items())
    sessions = {row["session_id"]: row["clicks"] for row in query(_SESSIONS)}
    assert sessions == load.clicks
    (totals,) = query(_TOTALS)
    people = len(load.clicks)
    assert totals == {"views": people, "visits": people, "deliveries": len(load.leads)}
    # As a minute would do: what the dead server was sending may be taken up.
    query("UPDATE deliveries SET leased_until = created_at WHERE state = 'pending'")
    wait_until_delivered(receiver, set(load.leads.values()))
    ids = {(request.body["lead_id"], request.headers["webhook-id"]) for request in whole(receiver)}
    assert len(ids) == len(load.leads)


_LEADS = "SELECT Email, PublicId FROM Leads"
_SESSIONS = "SELECT session_id, clicks FROM sessions"
_TOTALS = """
SELECT (SELECT COUNT(*) FROM page_views) AS views,
  (SELECT SUM(visit_count) FROM fingerprints) AS visits,
  (SELECT COUNT(*) FROM deliveries WHERE destination = 'make_webhook') AS deliveries"""


def whole(receiver: Receiver) -> list[Any]:
    """Requests that no kill cut short."""
    return [
        request
        for request in list(receiver.requests)
        if len(request.raw) == int(request.headers["content-length"])
    ]


def wait_until_delivered(receiver: Receiver, leads: set[str]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while missing := leads - {request.body["lead_id"] for request in whole(receiver)}:
        assert time.monotonic() < deadline, f"never delivered: {missing}"
        threading.Event().wait(0.05)
