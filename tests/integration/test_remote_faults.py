"""The database server is killed, frozen and locked under a running server, which says so in time.

What was acknowledged stands, nothing stands twice, and all goes on by itself.
"""

from __future__ import annotations

import secrets
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.beacons import engage, view
from tests.integration.http_fixtures import eventually
from tests.receiver import Receiver
from tests.running import BROWSER_AGENT, RunningServer
from tests.sqld import Keys, Sqld

NOTICE_SECONDS = 20.0
ANSWER_SECONDS = 25.0
"""A lead asks the store up to five times, one after the other; the first waits 10 s, the rest 2."""

SENDERS = 6


@dataclass(frozen=True)
class Site:
    """A server, its database server, and where its leads go."""

    server: RunningServer
    sqld: Sqld
    keys: Keys
    receiver: Receiver

    def readiness(self) -> tuple[int, str]:
        """What a load balancer sees."""
        answer = self.server.client.get("/readyz")
        if answer.status_code == 503:
            assert int(answer.headers["retry-after"]) > 0
        return answer.status_code, answer.text

    def until_ready(self) -> None:
        """Wait until it is ready again, by itself."""
        deadline = time.monotonic() + NOTICE_SECONDS
        while self.readiness()[0] != 200:
            assert time.monotonic() < deadline, self.readiness()
            threading.Event().wait(0.1)

    def until_fault(self, cure: str) -> None:
        """Wait until it says what is to be done."""
        deadline = time.monotonic() + NOTICE_SECONDS
        while cure not in self.readiness()[1]:
            assert time.monotonic() < deadline, self.readiness()
            threading.Event().wait(0.1)
        assert self.readiness()[0] == 503
        metrics = self.server.client.get("/metrics")
        assert metrics.status_code == 200
        assert "propgauge_store_ready 0.0" in metrics.text
        assert cure in metrics.text
        assert any(cure in line for line in list(self.server.output))


@dataclass
class Said:
    """What senders were told is stored; `refused` counts the answers that told them to wait."""

    leads: dict[str, str] = field(default_factory=dict)
    clicks: dict[str, int] = field(default_factory=dict)
    refused: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def until_more_leads(self, more: int) -> None:
        """Wait until so many more were taken."""
        wanted = len(self.leads) + more
        eventually(lambda: len(self.leads) >= wanted or None)

    def until_refused(self) -> None:
        """Wait until a sender was told to come again."""
        before = self.refused
        eventually(lambda: self.refused > before or None)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("faults")
    keys = Keys.make(folder)
    with ExitStack() as stack:
        sqld = Sqld(folder / "sqld", key_file=keys.public_file)
        sqld.token = keys.token()
        stack.enter_context(sqld)
        receiver = stack.enter_context(Receiver())
        settings = {
            "ALLOW_PRIVATE_TARGETS": "on",
            "DATABASE_URL": sqld.http_url,
            "LIBSQL_AUTH_TOKEN": sqld.token,
            "MAKE_WEBHOOK_URL": receiver.url,
        }
        server = stack.enter_context(RunningServer(folder / "data", settings))
        yield Site(server, sqld, keys, receiver)


def send_until_told(site: Site, said: Said) -> None:
    """Visitors with a lead each, one after the other; what is refused is sent again as it was."""
    with httpx.Client(
        base_url=site.server.url,
        headers={"user-agent": BROWSER_AGENT},
        timeout=60,
        trust_env=False,
    ) as client:
        while not said.stop.is_set():
            name = f"v{secrets.token_hex(6)}"
            clicks = 1 + secrets.randbelow(50)
            visit = [view(name), engage(name, clicks=clicks)]
            lead = {"email": f"{name}@example.com", "__submission_id": name}
            until_taken(client, said, "/api/track", visit)
            said.clicks[f"{name}-s1"] = clicks
            said.leads[name] = until_taken(client, said, "/api/lead", lead).json()["lead_id"]


def until_taken(client: httpx.Client, said: Said, path: str, body: object) -> httpx.Response:
    while True:
        began = time.monotonic()
        answer = client.post(path, json=body)
        assert time.monotonic() - began < ANSWER_SECONDS
        if answer.status_code != 503:
            assert answer.status_code in (201, 202), answer.text
            return answer
        assert answer.headers["retry-after"]
        said.refused += 1
        said.stop.wait(0.2)


def check_everything_stands(site: Site, said: Said) -> None:
    leads = site.sqld.query("SELECT PublicId, Email FROM Leads WHERE Email LIKE 'v%'")
    by_email = {row["Email"].partition("@")[0]: row["PublicId"] for row in leads}
    assert len(by_email) == len(leads)
    assert said.leads.items() <= by_email.items()
    sessions = site.sqld.query("SELECT session_id, clicks FROM sessions")
    stored = {row["session_id"]: row["clicks"] for row in sessions}
    assert len(stored) == len(sessions)
    assert said.clicks.items() <= stored.items()
    queued = site.sqld.query("SELECT lead_id FROM deliveries")
    assert len(queued) == len({row["lead_id"] for row in queued})
    assert set(said.leads.values()) <= {row["lead_id"] for row in queued}


def test_server_when_its_database_is_killed_under_load_loses_and_doubles_nothing(
    site: Site,
) -> None:
    said = Said()
    with ThreadPoolExecutor(SENDERS) as senders:
        sending = [senders.submit(send_until_told, site, said) for _sender in range(SENDERS)]
        try:
            for number in (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM):
                said.until_more_leads(20)
                site.sqld.end(number)
                said.until_refused()
                site.sqld.start()
            said.until_more_leads(20)
        finally:
            said.stop.set()
        for one in sending:
            one.result()
    check_everything_stands(site, said)
    site.until_ready()
    assert not any("Traceback" in line for line in list(site.server.output))


def test_server_when_its_database_is_frozen_says_so_in_time_and_recovers(site: Site) -> None:
    server = site.server
    site.until_ready()
    site.sqld.freeze()
    try:
        began = time.monotonic()
        with ThreadPoolExecutor(2) as at_once:
            lead = at_once.submit(server.lead, email="frozen@example.com", __submission_id="frozen")
            beacon = at_once.submit(server.track, view("frozen"))
            site.until_fault("restart sqld")
            assert time.monotonic() - began < NOTICE_SECONDS
            assert server.client.get("/healthz").status_code == 200
            answers = [lead.result(), beacon.result()]
        assert time.monotonic() - began < ANSWER_SECONDS
        assert [answer.status_code for answer in answers] == [503, 503]
        assert all(answer.headers["retry-after"] for answer in answers)
    finally:
        site.sqld.thaw()
    site.until_ready()
    assert server.lead(email="frozen@example.com", __submission_id="frozen").status_code == 201
    stored = site.sqld.query("SELECT COUNT(*) AS leads FROM Leads WHERE Email LIKE 'frozen%'")
    assert stored == [{"leads": 1}]
    assert "propgauge_store_ready 1.0" in server.client.get("/metrics").text


def test_server_when_its_token_is_no_longer_in_force_names_the_setting(
    site: Site, tmp_path: Path
) -> None:
    other = Keys.make(tmp_path)
    key = site.keys.public_file.read_bytes()
    site.sqld.end()
    site.keys.public_file.write_bytes(other.public_file.read_bytes())
    site.sqld.start()
    site.until_fault("LIBSQL_AUTH_TOKEN")
    refused = site.server.lead(email="refused@example.com")
    assert refused.status_code == 503
    site.sqld.end()
    site.keys.public_file.write_bytes(key)
    site.sqld.start()
    site.until_ready()
    assert site.server.lead(email="taken@example.com").status_code == 201
    assert not any(site.sqld.token in line for line in list(site.server.output))
