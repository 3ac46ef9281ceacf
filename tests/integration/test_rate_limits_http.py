"""Rate limits over HTTP: who is counted, what is told, and that beacons are left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from server.app import prepare_store
from server.cli import main
from server.domain import clock
from server.domain.directory import FIRST_CLIENT, ApiKey, Scope, Site, hash_of_key, new_key
from server.store import directory
from server.store.file import FileStore
from tests.beacons import view
from tests.integration.http_fixtures import BROWSER_FORM, problem_of
from tests.running import RunningServer

QUOTAS = "address=3, key=5 form=8"


SITES = [f"site-{number}" for number in range(30)]
"""More than there are tests that share the server."""

_unused_sites = iter(SITES)


@dataclass(frozen=True)
class Limited:
    """A server with small limits; two keys, a site and addresses that no other test has."""

    server: RunningServer
    key: str
    other_key: str
    site: str
    leads_before: int

    def ip(self, number: int) -> str:
        """An address of the test's own."""
        return f"198.18.{SITES.index(self.site)}.{number}"

    def lead(self, ip: str, key: str = "", **fields: str) -> httpx.Response:
        headers = {"x-forwarded-for": ip}
        if key:
            headers["authorization"] = f"Bearer {key}"
        body = {"email": "ana@example.com", "site": self.site, **fields}
        return self.server.client.post("/api/lead", json=body, headers=headers)

    def statuses(self, count: int, ip: str, key: str = "", **fields: str) -> list[int]:
        return [self.lead(ip, key, **fields).status_code for _ in range(count)]

    def stored(self) -> int:
        """How many leads the test has stored."""
        return count_leads(self.server) - self.leads_before


def count_leads(server: RunningServer) -> int:
    return len(server.query("SELECT Id FROM Leads"))


async def _add_sites(database: Path) -> None:
    store = FileStore.open(database)
    await prepare_store(store)
    for site_key in SITES:
        site = Site(site_key, FIRST_CLIENT, None, frozenset())
        await store.write([directory.site_statement(site, clock.now())])
    await store.close()


async def _add_keys(database: Path, *keys: str) -> None:
    store = FileStore.open(database)
    for key in keys:
        new = ApiKey(0, "partner", hash_of_key(key), FIRST_CLIENT, Scope.ADMIN)
        await store.write([directory.key_statement(new, clock.now())])
    await store.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    data_dir = tmp_path_factory.mktemp("limits") / "data"
    asyncio.run(_add_sites(data_dir / "propgauge.db"))
    settings = {"RATE_LIMIT": QUOTAS, "TRUSTED_PROXIES": "127.0.0.1"}
    with RunningServer(data_dir, settings) as running:
        yield running


@pytest.fixture
def limited(server: RunningServer) -> Limited:
    keys = new_key(), new_key()
    asyncio.run(_add_keys(server.data_dir / "propgauge.db", *keys))
    return Limited(server, *keys, next(_unused_sites), count_leads(server))


def test_leads_of_an_address_beyond_its_limit_are_refused_and_not_stored(limited: Limited) -> None:
    assert limited.statuses(4, limited.ip(1)) == [201, 201, 201, 429]
    assert limited.statuses(1, limited.ip(2)) == [201]
    assert limited.stored() == 4


def test_refusal_tells_the_limit_and_when_to_come_again(limited: Limited) -> None:
    limited.statuses(3, limited.ip(1))
    answer = limited.lead(limited.ip(1))
    assert "3 requests a minute for this address" in problem_of(answer, 429)["detail"]
    assert 0 < int(answer.headers["retry-after"]) <= 20
    assert answer.headers["ratelimit-policy"] == '"address";q=3;w=60'
    assert answer.headers["ratelimit"].startswith('"address";r=0;t=')


def test_answer_tells_what_is_left_of_the_nearest_limit(limited: Limited) -> None:
    answer = limited.lead(limited.ip(1))
    assert answer.headers["ratelimit"] == '"address";r=2;t=20'
    with_key = limited.lead(limited.ip(1), limited.key)
    assert with_key.headers["ratelimit"] == '"key";r=4;t=12'


def test_addresses_of_one_ipv6_network_count_together(limited: Limited) -> None:
    addresses = [f"2001:db8::{number}" for number in range(1, 5)]
    statuses = [limited.lead(address).status_code for address in addresses]
    assert statuses == [201, 201, 201, 429]


def test_key_counts_for_itself_from_whatever_address(limited: Limited) -> None:
    assert limited.statuses(3, limited.ip(1), limited.key) == [201] * 3
    assert limited.statuses(3, limited.ip(2), limited.key) == [201, 201, 429]
    assert limited.statuses(1, limited.ip(2), limited.other_key) == [201]
    assert limited.statuses(1, limited.ip(1)) == [201]


def test_form_counts_for_its_site_from_all_addresses(limited: Limited) -> None:
    statuses = [limited.lead(limited.ip(number), site="demo").status_code for number in range(9)]
    assert statuses == [201] * 8 + [429]
    assert limited.lead(limited.ip(99)).status_code == 201


def test_unknown_keys_count_against_the_address_that_tries_them(limited: Limited) -> None:
    assert limited.statuses(5, limited.ip(1), "pg_guess") == [401, 401, 401, 429, 429]


def test_plain_form_beyond_the_limit_shows_a_page_that_says_so(limited: Limited) -> None:
    limited.statuses(3, limited.ip(1))
    headers = {**BROWSER_FORM, "x-forwarded-for": limited.ip(1)}
    answer = limited.server.client.post(
        "/api/lead", data={"email": "ana@example.com", "site": limited.site}, headers=headers
    )
    assert answer.status_code == 429
    assert "retry-after" in answer.headers
    assert "Your enquiry was not sent" in answer.text


def test_beacons_are_not_limited(limited: Limited) -> None:
    statuses = {limited.server.track(view(f"v{number}")).status_code for number in range(20)}
    assert statuses == {202}


def test_batch_counts_each_of_its_leads(limited: Limited) -> None:
    def batch(count: int) -> httpx.Response:
        leads = [{"SOURCE": "Test", "phone": "+442079460123"}] * count
        headers = {"authorization": f"Bearer {limited.key}"}
        return limited.server.client.post("/api/leads", json=leads, headers=headers)

    assert batch(6).status_code == 429
    assert limited.stored() == 0
    first = batch(3)
    assert (first.status_code, first.headers["ratelimit"]) == (207, '"key";r=2;t=36')
    assert batch(3).status_code == 429
    assert limited.stored() == 3


def test_reading_counts_for_the_key(limited: Limited) -> None:
    headers = {"authorization": f"Bearer {limited.key}"}
    statuses = [
        limited.server.client.get("/api/leads", headers=headers).status_code for _ in range(6)
    ]
    assert statuses == [200] * 5 + [429]


def test_reading_without_a_key_counts_for_the_address(limited: Limited) -> None:
    statuses = [limited.server.client.get("/api/leads").status_code for _ in range(4)]
    assert statuses == [401, 401, 401, 429]


@pytest.mark.parametrize("value", ["off", "OFF"])
def test_limits_when_switched_off_are_not_told(tmp_path: Path, value: str) -> None:
    with RunningServer(tmp_path / "data", {"RATE_LIMIT": value}) as server:
        assert "ratelimit" not in server.lead(email="ana@example.com").headers


def test_limit_as_one_number_counts_for_all_three(tmp_path: Path) -> None:
    with RunningServer(tmp_path / "data", {"RATE_LIMIT": "2"}) as server:
        answers = [server.lead(email="ana@example.com").status_code for _ in range(3)]
    assert answers == [201, 201, 429]


@pytest.mark.parametrize(
    "value", ["some", "0", "-5", "address", "address=0", "address=x", "visitor=5", "1e3", "²"]
)
def test_limit_that_cannot_be_used_stops_the_start_with_one_line(
    tmp_path: Path, value: str
) -> None:
    settings = {"DATA_DIR": str(tmp_path), "RATE_LIMIT": value}
    done = CliRunner().invoke(main, ["doctor"], env=settings)
    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: RATE_LIMIT: ")
