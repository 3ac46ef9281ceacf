"""New leads told to an open inbox: over the stream, to who asks, and when it must end."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from server.domain.ids import ClientId
from server.store.file import FileStore
from server.usecases.watch_leads import LeadWatch
from tests.dashboard import SALES, Dashboard, Desk, running_dashboard, unique
from tests.stored_leads import add_leads, insert_statement, lead_row

LIVE = "/clients/1/leads/live"
STREAM = {"accept": "text/event-stream", "accept-encoding": "gzip"}
CLIENT = ClientId(1)


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """A server of one's own: leads of other tests would be told too."""
    with running_dashboard(tmp_path_factory.mktemp("live") / "data") as dashboard:
        yield dashboard


def newest(desk: Desk) -> int:
    return int(desk.get(LIVE, after=0).json()["newest"])


def next_event(lines: Iterator[str]) -> dict[str, Any]:
    while not (line := next(lines)).startswith("data: "):
        pass
    content: dict[str, Any] = json.loads(line.removeprefix("data: "))
    return content


def test_stream_tells_of_a_lead_another_process_stored(dashboard: Dashboard) -> None:
    desk, name = dashboard.desk(SALES), unique("ada")
    with desk.http.stream("GET", LIVE, params={"after": newest(desk)}, headers=STREAM) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in answer.headers
        lines = answer.iter_lines()
        next(lines)
        (lead_id,) = add_leads(dashboard.server, lead_row(90, Name=name))
        event = next_event(lines)
    link = f"/clients/1/leads/{lead_id}"
    action = "Deep engagement + return visits — call immediately"
    assert event["count"] == 1
    assert event["very_hot"] == [{"name": name, "action": action, "link": link}]


def test_stream_opened_again_goes_on_where_it_was(dashboard: Dashboard) -> None:
    desk = dashboard.desk(SALES)
    seen = newest(desk)
    add_leads(dashboard.server, lead_row(10), lead_row(None), lead_row(90, ClientId=2))
    headers = STREAM | {"last-event-id": str(seen)}
    with desk.http.stream("GET", LIVE, headers=headers) as answer:
        event = next_event(answer.iter_lines())
    assert (event["count"], event["very_hot"]) == (2, [])


def test_who_asks_is_told_what_came_since(dashboard: Dashboard) -> None:
    desk = dashboard.desk(SALES)
    seen = newest(desk)
    add_leads(dashboard.server, lead_row(10))
    told = desk.get(LIVE, after=seen).json()
    assert told["count"] == 1
    assert desk.get(LIVE, after=told["newest"]).json()["count"] == 0


@pytest.mark.parametrize("after", ["", "x", "-1", "9" * 40, "²"])
def test_who_asks_with_an_odd_place_is_answered(dashboard: Dashboard, after: str) -> None:
    assert dashboard.desk(SALES).get(LIVE, after=after).status_code == 200


def test_stream_of_a_session_that_ended_ends(dashboard: Dashboard) -> None:
    desk = dashboard.stranger(SALES)
    desk.sign_in()
    token = desk.csrf()
    with desk.http.stream("GET", LIVE, params={"after": newest(desk)}, headers=STREAM) as answer:
        lines = answer.iter_lines()
        next(lines)
        cookies = dict(desk.http.cookies)
        with httpx.Client(base_url=dashboard.server.url, cookies=cookies, trust_env=False) as other:
            other.post("/sign-out", data={"_csrf": token})
        assert not [line for line in lines if line.startswith("data")]


def test_stream_ends_when_the_server_does(tmp_path: Path) -> None:
    with running_dashboard(tmp_path / "data") as dashboard:
        desk = dashboard.desk(SALES)
        with desk.http.stream("GET", LIVE, headers=STREAM) as answer:
            lines = answer.iter_lines()
            next(lines)
            began = time.monotonic()
            assert dashboard.server.stop() == 0
            assert time.monotonic() - began < 4
            assert not [line for line in lines if line.startswith("data")]


class Sleeps:
    """Stands for the pauses between two looks: each ends when the test says so."""

    def __init__(self) -> None:
        self.begun = 0
        self.first = asyncio.Event()
        self._over = asyncio.Event()

    async def __call__(self, _seconds: float) -> None:
        self.begun += 1
        self.first.set()
        await self._over.wait()
        self._over = asyncio.Event()

    def end(self) -> None:
        self._over.set()


async def test_watch_of_one_client_looks_once_for_all_who_wait(store: FileStore) -> None:
    sleeps = Sleeps()
    watch = LeadWatch(store, sleeps)
    waiting = [asyncio.create_task(wait_for_news(watch)) for _ in range(5)]
    await asyncio.wait_for(sleeps.first.wait(), 5)
    await store.write([insert_statement(lead_row(Name="Ada"))])
    sleeps.end()
    async with asyncio.timeout(5):
        told = await asyncio.gather(*waiting)
    assert [[row["name"] for row in rows] for rows in told] == [["Ada"]] * 5
    assert sleeps.begun <= 2
    watch.close()


async def wait_for_news(watch: LeadWatch) -> list[Any]:
    rows: list[Any] = []
    while not rows:
        rows = list(await watch.news(CLIENT, 0, 30))
    return rows


async def test_watch_of_another_clients_lead_hears_nothing(store: FileStore) -> None:
    watch = LeadWatch(store)
    await store.write([insert_statement(lead_row(ClientId=2))])
    assert await watch.news(CLIENT, 0, 0.05) == []
    watch.close()


async def test_watch_that_nobody_waits_for_stops_looking(store: FileStore) -> None:
    sleeps = Sleeps()
    watch = LeadWatch(store, sleeps)
    waiting = asyncio.create_task(wait_for_news(watch))
    await asyncio.wait_for(sleeps.first.wait(), 5)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    sleeps.end()
    poller = watch._watched[CLIENT].poller
    assert poller is not None
    async with asyncio.timeout(5):
        await poller
    assert sleeps.begun == 1


async def test_watch_that_closes_ends_every_wait(store: FileStore) -> None:
    sleeps = Sleeps()
    watch = LeadWatch(store, sleeps)
    waiting = asyncio.create_task(watch.news(CLIENT, 0, 30))
    await asyncio.wait_for(sleeps.first.wait(), 5)
    watch.close()
    async with asyncio.timeout(5):
        assert await waiting == []
        assert await watch.news(CLIENT, 0, 30) == []
