"""The dashboard of two servers on one libSQL server: what is done on one holds on the other.

One server speaks Hrana over HTTP, the other over a WebSocket. The journeys themselves run on a
libSQL server in a browser (tests marked `both_stores`).
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from server.domain import clock
from server.domain.directory import FIRST_CLIENT
from server.domain.retention import Retention
from server.store.remote import connect
from server.usecases.keep_rollups import rebuild
from server.usecases.purge_expired import PurgePlan, compact, purge
from tests.beacons import view
from tests.dashboard import SALES, SECRET_KEY, Dashboard, Desk, running_dashboard, unique
from tests.integration.http_fixtures import eventually
from tests.lead_pages import lead_path, partner_lead, tracked_lead
from tests.receiver import Receiver
from tests.running import RunningServer, propgauge
from tests.settings_desk import DEFAULTS
from tests.sqld import Sqld

CLIENT = "/clients/1"
LIVE_SECONDS = 5


@dataclass(frozen=True)
class Pair:
    """Two servers on one sqld: users sign in on one, `other` is told by cookie only."""

    dashboard: Dashboard
    other: RunningServer
    sqld: Sqld

    def there(self, desk: Desk) -> httpx.Client:
        """The other server, as the browser of who signed in on the first one asks it."""
        self.other.client.cookies = httpx.Cookies(desk.http.cookies)
        return self.other.client


@pytest.fixture(scope="module")
def pair(sqld: Sqld, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    sqld.clear()
    folder = tmp_path_factory.mktemp("remote")
    with Receiver() as receiver:
        settings = {"ALLOW_PRIVATE_TARGETS": "on", "MAKE_WEBHOOK_URL": receiver.url}
        with running_dashboard(folder / "one", settings, database_url=sqld.http_url) as dashboard:
            shared = {**settings, "SECRET_KEY": SECRET_KEY, "DATABASE_URL": sqld.ws_url}
            with RunningServer(folder / "other", shared) as other:
                yield Pair(dashboard, other, sqld)
    for server in (dashboard.server, other):
        assert not [line for line in server.output if '"level": "error"' in line]


def test_session_is_valid_on_every_server_until_it_ends_on_one(pair: Pair) -> None:
    desk = pair.dashboard.stranger(SALES)
    assert desk.sign_in().status_code == 303
    assert pair.there(desk).get(f"{CLIENT}/leads").status_code == 200
    token = desk.csrf()
    assert pair.there(desk).post("/sign-out", data={"_csrf": token}).status_code == 303
    assert desk.get(f"{CLIENT}/leads").status_code == 303


def test_lead_that_one_server_takes_is_live_on_the_other_and_found_by_search(pair: Pair) -> None:
    desk, name = pair.dashboard.desk(SALES), unique("ada")
    live = f"{CLIENT}/leads/live"
    there = pair.there(desk)
    seen = there.get(live, params={"after": 0}).json()["newest"]
    headers = {"accept": "text/event-stream"}
    with there.stream("GET", live, params={"after": seen}, headers=headers) as answer:
        lines = answer.iter_lines()
        next(lines)
        lead_id = partner_lead(pair.dashboard.server, name=name, project="Saffron Quay")
        began = time.monotonic()
        assert next_event(lines)["count"] == 1
        assert time.monotonic() - began < LIVE_SECONDS
    assert lead_path(lead_id) in desk.get(f"{CLIENT}/leads", q=name[4:9]).text
    assert name in desk.get(f"{CLIENT}/leads/export.csv", q=name).text


def test_status_changed_on_one_server_shows_on_the_other_and_meets_its_edit(pair: Pair) -> None:
    desk = pair.dashboard.desk(SALES)
    lead_id = tracked_lead(pair.dashboard.server, name="Ana Example")
    page = desk.get(lead_path(lead_id)).text
    assert "Saffron Quay" in page
    seen = {name: hidden(page, name) for name in ("revision", "seen")}
    change = {"status": "contacted", "owner": "", "note": "rang her", **seen}
    assert desk.post(lead_path(lead_id), change).status_code == 303
    assert "rang her" in pair.there(desk).get(lead_path(lead_id)).text
    late = {**change, "status": "lost", "_csrf": desk.csrf()}
    assert pair.there(desk).post(lead_path(lead_id), data=late).status_code == 409
    (row,) = pair.sqld.query("SELECT Status FROM Leads WHERE PublicId = ?", [lead_id])
    assert row == {"Status": "contacted"}


def test_settings_published_on_one_server_are_in_force_on_the_other(pair: Pair) -> None:
    desk, path = pair.dashboard.desk(), f"{CLIENT}/settings"
    seen = {"revision": hidden(desk.get(f"{path}/models").text, "revision")}
    fields = {**DEFAULTS, "a_rotator_fin": "0.9", **seen}
    assert desk.post(f"{path}/publish", fields).status_code == 303
    there = pair.there(desk)
    assert there.get(f"{path}/history").text.count("a_rotator_fin")
    # The other server reads the directory anew every few seconds.
    eventually(
        lambda: there.get("/api/v1/leadscoring/config/1").json()["a_rotator_fin"] == 0.9 or None
    )


def test_overview_of_one_server_counts_what_came_to_the_other(pair: Pair) -> None:
    desk = pair.dashboard.desk(SALES)
    tracked_lead(pair.other)

    def visitors() -> int | None:
        page = desk.get(f"{CLIENT}/overview", period="7d").text
        found = re.search(r'tile-title">Visitors</span>\s*<strong[^>]*>(\d+)<', page)
        return int(found[1]) or None if found else None

    (came,) = pair.sqld.query("SELECT COUNT(DISTINCT visitor_id) AS visitors FROM sessions")
    eventually(lambda: visitors() == came["visitors"] or None)
    asyncio.run(rebuilt_twice(pair.sqld))
    assert visitors() == came["visitors"]


def test_person_erased_leaves_no_row_and_no_hit_of_the_search(pair: Pair) -> None:
    desk, word = pair.dashboard.desk(), unique("canary")
    pair.dashboard.server.track(view(f"v-{word}", f"s-{word}", title=word))
    email = f"{word}@example.com"
    partner_lead(pair.other, email=email, message=word, _visitor_id=f"v-{word}")
    chosen = {"identity": [f"email:{email}", f"visitor:v-{word}"]}
    privacy = f"{CLIENT}/privacy"
    done = desk.post(f"{privacy}/erase", {**chosen, "confirmed": "1"})
    assert done.headers["location"] == privacy
    assert lead_links(desk.get(f"{CLIENT}/leads", q=word)) == []
    assert [name for name, rows in content(pair.sqld).items() if word in rows] == []


def test_erase_command_on_a_server_does_not_claim_to_write_the_file_anew(pair: Pair) -> None:
    email = f"{unique('erased')}@example.com"
    partner_lead(pair.other, email=email)
    settings = {**pair.dashboard.server.settings, "SECRET_KEY": SECRET_KEY}
    done = propgauge("erase", email, "--yes", settings=settings)
    assert "rows erased" in done.stdout
    assert "stays in free pages of the server" in done.stdout
    assert "anew" not in done.stdout


def test_purge_of_two_servers_at_once_takes_what_is_old_and_nothing_else(pair: Pair) -> None:
    old, young = unique("old"), unique("young")
    for word in (old, young):
        pair.dashboard.server.track(view(f"v-{word}", f"s-{word}"))
    change = "UPDATE sessions SET started_at = ?1, last_seen_at = ?1 WHERE visitor_id = ?2"
    pair.sqld.query(change, ["2020-01-01T00:00:00.000Z", f"v-{old}"])
    asyncio.run(purged_twice(pair.sqld))
    kept = {row["visitor_id"] for row in pair.sqld.query("SELECT visitor_id FROM sessions")}
    assert f"v-{young}" in kept
    assert f"v-{old}" not in kept


async def rebuilt_twice(sqld: Sqld) -> None:
    """Count all days anew on two servers at once."""
    stores = [connect(url, "") for url in (sqld.http_url, sqld.ws_url)]
    await asyncio.gather(*(rebuild(store, clock.now(), FIRST_CLIENT) for store in stores))
    for store in stores:
        await store.close()


async def purged_twice(sqld: Sqld) -> None:
    """As two servers whose leases let both begin would; a server cannot compact what it is."""
    due = PurgePlan({FIRST_CLIENT: Retention(visits=400)}, clock.now())
    stores = [connect(url, "") for url in (sqld.http_url, sqld.ws_url)]
    await asyncio.gather(*(purge(store, due) for store in stores))
    assert not await compact(stores[0], clock.now())
    for store in stores:
        await store.close()


def hidden(page: str, name: str) -> str:
    """A hidden field of the page's form."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, f"no field {name}"
    return found[1]


def lead_links(answer: httpx.Response) -> list[str]:
    return re.findall(rf'href="{CLIENT}/leads/(lead_\w+)"', answer.text)


def next_event(lines: Iterator[str]) -> dict[str, Any]:
    while not (line := next(lines)).startswith("data: "):
        pass
    event: dict[str, Any] = json.loads(line.removeprefix("data: "))
    return event


def content(sqld: Sqld) -> dict[str, str]:
    """Everything that every table holds, the shadow tables of the search too."""
    rows = sqld.query("SELECT name FROM sqlite_master WHERE type = 'table'")
    reads = [f'SELECT * FROM "{row["name"]}"' for row in rows]
    answers = sqld.pipeline([{"type": "execute", "stmt": {"sql": read}} for read in reads])
    assert {answer["type"] for answer in answers} == {"ok"}
    return {row["name"]: str(answer) for row, answer in zip(rows, answers, strict=True)}
