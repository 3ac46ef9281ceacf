"""The server is ended under load, by force and gently: what it acknowledged must stand."""

from __future__ import annotations

import asyncio
import secrets
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import apsw
import httpx
import pytest

from tests.beacons import engage, view
from tests.receiver import Receiver
from tests.running import BROWSER_AGENT, RunningServer

KILLS = 3
BEACON_SENDERS = 8
LEAD_SENDERS = 2
EXIT_SECONDS = 10
DELIVERY_SECONDS = 60.0


@dataclass
class Acknowledged:
    """What the server said it stored: clicks by session id, and lead ids."""

    sessions: dict[str, int] = field(default_factory=dict)
    leads: set[str] = field(default_factory=set)

    def is_enough(self, requests: int) -> bool:
        return len(self.sessions) >= requests and len(self.leads) >= requests // 10


Send = Callable[[httpx.AsyncClient, Acknowledged, str], Awaitable[None]]


async def send_beacons(client: httpx.AsyncClient, said: Acknowledged, name: str) -> None:
    """A visitor's first page view with its totals, as one array."""
    clicks = 1 + secrets.randbelow(50)
    answer = await client.post("/api/track", json=[view(name), engage(name, clicks=clicks)])
    assert answer.status_code == 202, answer.text
    assert "x-propgauge-dropped" not in answer.headers
    said.sessions[f"{name}-s1"] = clicks


async def send_lead(client: httpx.AsyncClient, said: Acknowledged, name: str) -> None:
    """A lead of its own person."""
    contact = {"email": f"{name}@example.com", "name": "Ana Example", "__visitor_id": name}
    answer = await client.post("/api/lead", json=contact)
    assert answer.status_code == 201, answer.text
    said.leads.add(answer.json()["lead_id"])


async def keep_sending(send: Send, url: str, said: Acknowledged) -> None:
    """One request after the other, until the server is gone."""
    name = secrets.token_hex(4)
    headers = {"user-agent": BROWSER_AGENT}
    async with httpx.AsyncClient(
        base_url=url, headers=headers, timeout=30, trust_env=False
    ) as client:
        for number in range(1_000_000):
            try:
                await send(client, said, f"{name}-{number}")
            except httpx.TransportError:
                return


async def end_under_load(server: RunningServer, number: int, said: Acknowledged) -> None:
    """Load the server, send it the signal amid the load, and wait until it is gone."""
    enough = 100 + secrets.randbelow(150)
    fresh = Acknowledged()
    senders = [send_beacons] * BEACON_SENDERS + [send_lead] * LEAD_SENDERS
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(keep_sending(send, server.url, fresh)) for send in senders]
        while not fresh.is_enough(enough):
            assert not any(task.done() for task in tasks)
            await asyncio.sleep(0.002)
        server.process.send_signal(number)
        await asyncio.to_thread(server.process.wait, EXIT_SECONDS)
    said.sessions |= fresh.sessions
    said.leads |= fresh.leads


def check_everything_stands(database: Path, said: Acknowledged) -> None:
    """Acknowledged is stored, every batch is whole, the file is sound; the server is down."""
    with closing(apsw.Connection(str(database))) as stored:
        assert stored.execute("PRAGMA integrity_check").get == "ok"
        sessions = dict(stored.execute("SELECT session_id, clicks FROM sessions"))
        leads = {lead for (lead,) in stored.execute("SELECT PublicId FROM Leads")}
        queued = {lead for (lead,) in stored.execute("SELECT lead_id FROM deliveries")}
        views = {page for (page,) in stored.execute("SELECT session_id FROM page_views")}
        visits = stored.execute("SELECT SUM(visit_count) FROM fingerprints").get
    assert said.sessions.items() <= sessions.items()
    assert said.leads <= leads
    assert queued == leads
    assert views == set(sessions)
    assert visits == len(sessions)


def let_leases_end(database: Path) -> None:
    """As a minute would do: what the dead server was sending may be taken up."""
    with closing(apsw.Connection(str(database))) as stored:
        stored.execute("UPDATE deliveries SET leased_until = created_at WHERE state = 'pending'")


def ids_by_lead(receiver: Receiver) -> dict[str, set[str]]:
    """The webhook ids under which each lead came; a request that a kill cut short is none."""
    ids: dict[str, set[str]] = defaultdict(set)
    for request in list(receiver.requests):
        if len(request.raw) == int(request.headers["content-length"]):
            ids[request.body["lead_id"]].add(request.headers["webhook-id"])
    return ids


def wait_until_delivered(receiver: Receiver, leads: set[str]) -> None:
    deadline = time.monotonic() + DELIVERY_SECONDS
    while missing := leads - ids_by_lead(receiver).keys():
        assert time.monotonic() < deadline, f"never delivered: {missing}"
        threading.Event().wait(0.05)


@pytest.fixture
def start(tmp_path: Path, receiver: Receiver) -> Iterator[Callable[[], RunningServer]]:
    """Starts a server on this test's data, whose leads go to `receiver`.

    Each has a port of its own: that of a dead server may be somebody else's by now.
    """
    settings = {"MAKE_WEBHOOK_URL": receiver.url, "ALLOW_PRIVATE_TARGETS": "on"}
    started: list[RunningServer] = []

    def start() -> RunningServer:
        started.append(RunningServer(tmp_path / "data", settings).start())
        return started[-1]

    yield start
    for server in started:
        server.stop(signal.SIGKILL)


def test_server_when_killed_under_load_loses_nothing_it_acknowledged(
    start: Callable[[], RunningServer], receiver: Receiver
) -> None:
    said = Acknowledged()
    for _kill in range(KILLS):
        server = start()
        asyncio.run(end_under_load(server, signal.SIGKILL, said))
        assert server.stop() == -signal.SIGKILL
        check_everything_stands(server.data_dir / "propgauge.db", said)
        let_leases_end(server.data_dir / "propgauge.db")
    start()
    wait_until_delivered(receiver, said.leads)
    assert {len(ids) for ids in ids_by_lead(receiver).values()} == {1}


def test_server_when_told_to_end_under_load_drains_and_loses_nothing(
    start: Callable[[], RunningServer],
) -> None:
    server, said = start(), Acknowledged()
    asyncio.run(end_under_load(server, signal.SIGTERM, said))
    status = server.stop()
    assert not Path(f"{server.data_dir / 'propgauge.db'}-wal").exists()
    check_everything_stands(server.data_dir / "propgauge.db", said)
    assert status == 0, "".join(server.output)
