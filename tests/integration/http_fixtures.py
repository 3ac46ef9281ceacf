"""What the HTTP tests share: one running server with two clients, and a person for each test."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
from prometheus_client.parser import text_string_to_metric_families

from server.app import prepare_store
from server.config import ROOT
from server.domain import clock
from server.domain.directory import FIRST_CLIENT, ApiKey, Client, Scope, Site, hash_of_key, new_key
from server.domain.ids import ClientId
from server.store import directory
from server.store.vault import Vault
from tests import beacons
from tests.databases import Database, database_at
from tests.receiver import Receiver
from tests.running import RunningServer, free_port

_COUNTRY_PACKAGE = ROOT / "node_modules/@ip-location-db/geo-whois-asn-country-mmdb"
COUNTRY_DB = _COUNTRY_PACKAGE / "geo-whois-asn-country.mmdb"
SECRET_KEY = "the secret key of the shared test server"

LISTED_SITE, LISTED_ORIGIN = "listed", "https://www.listed.example"
OTHER_SITE, OTHER_ORIGIN = "other", "https://www.other.example"
UNLISTED_ORIGIN = "https://www.unlisted.example"
OTHER_CLIENT, SILENT_CLIENT, DEAD_CLIENT = ClientId(2), ClientId(3), ClientId(4)
SILENT_SITE, DEAD_SITE = "silent", "dead"
"""Sites of a client without a webhook, and of one at whose webhook nobody listens."""

BROWSER_FORM = {"accept": "text/html,application/xhtml+xml", "sec-fetch-mode": "navigate"}
"""What a browser says when it posts a plain form."""

VPN_ADDRESS, HOSTING_ADDRESS = "203.0.113.7", "203.0.113.20"
RANGES = {"VPN_RANGES": "203.0.113.0/28", "HOSTING_RANGES": "203.0.113.16/28"}
"""The networks that the shared server takes for a VPN's and a data centre's."""

CRAWLER_AGENT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"

WAIT_SECONDS = 10.0

Found = TypeVar("Found")


def eventually(look: Callable[[], Found | None]) -> Found:
    """What `look` finds, as soon as it finds something."""
    deadline = time.monotonic() + WAIT_SECONDS
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise AssertionError(f"nothing came in {WAIT_SECONDS} s")
        threading.Event().wait(0.01)
    return found


@dataclass(frozen=True)
class Keys:
    """API keys: three of client 1 and one of the other client."""

    read: str = field(default_factory=new_key)
    write: str = field(default_factory=new_key)
    admin: str = field(default_factory=new_key)
    others_write: str = field(default_factory=new_key)


@dataclass(frozen=True)
class SharedServer:
    """A server for many tests. `receiver` gets client 1's leads, `others_receiver` client 2's."""

    server: RunningServer
    receiver: Receiver
    others_receiver: Receiver
    keys: Keys

    @property
    def http(self) -> httpx.Client:
        return self.server.client

    def stored(self) -> dict[str, int]:
        """How many rows each table has that the two endpoints write."""
        tables = ("Leads", "deliveries", "sessions", "page_views", "fingerprints")
        counts = ", ".join(f"(SELECT COUNT(*) FROM {table}) AS {table}" for table in tables)
        (row,) = self.server.query(f"SELECT {counts}")
        return row

    def counter(self, name: str, **labels: str) -> float:
        """A counter of /metrics; 0 before it first counts."""
        for family in text_string_to_metric_families(self.http.get("/metrics").text):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return float(sample.value)
        return 0.0

    def lead_row(self, answer: httpx.Response) -> dict[str, Any]:
        """The row of a lead that was just answered."""
        assert answer.status_code == 201, answer.text
        lead_id = answer.json()["lead_id"]
        (row,) = self.server.query("SELECT * FROM Leads WHERE PublicId = ?", (lead_id,))
        return row

    def webhook(self, answer: httpx.Response) -> dict[str, Any]:
        """The body that a webhook received for a lead, whichever client's it was."""
        assert answer.status_code == 201, answer.text
        lead_id = answer.json()["lead_id"]

        def received() -> dict[str, Any] | None:
            requests = [*self.receiver.requests, *self.others_receiver.requests]
            bodies = (request.body for request in reversed(requests))
            return next((body for body in bodies if body["lead_id"] == lead_id), None)

        return eventually(received)

    def execute(self, sql: str, args: Sequence[Any] = ()) -> None:
        """Change the server's database behind its back."""
        self.server.execute(sql, *args)

    def unexpected(self) -> list[str]:
        """What the server logged that it never should."""
        marks = ('"level": "error"', "Traceback")
        return [line for line in list(self.server.output) if any(mark in line for mark in marks)]


async def furnish(database: Database, keys: Keys, others_webhook_url: str) -> None:
    """Make the other clients, the sites and the keys that the tests use."""
    store, vault, now = database.open(), Vault(SECRET_KEY), clock.now()
    await prepare_store(store)
    for client in (
        Client(OTHER_CLIENT, "Other", "GB", others_webhook_url),
        Client(SILENT_CLIENT, "Silent"),
        Client(DEAD_CLIENT, "Dead", None, f"http://127.0.0.1:{free_port()}/hook"),
    ):
        (added,) = await store.write([directory.new_client_statement(vault, client, now)])
        assert added.rows[0]["id"] == client.client_id
    for site_key, client_id, origins in (
        (LISTED_SITE, FIRST_CLIENT, [LISTED_ORIGIN]),
        (OTHER_SITE, OTHER_CLIENT, [OTHER_ORIGIN]),
        (SILENT_SITE, SILENT_CLIENT, []),
        (DEAD_SITE, DEAD_CLIENT, []),
    ):
        site = Site(site_key, client_id, None, frozenset(origins))
        await store.write([directory.site_statement(site, now)])
    for secret, client_id, scope in (
        (keys.read, FIRST_CLIENT, Scope.READ),
        (keys.write, FIRST_CLIENT, Scope.WRITE),
        (keys.admin, FIRST_CLIENT, Scope.ADMIN),
        (keys.others_write, OTHER_CLIENT, Scope.WRITE),
    ):
        key = ApiKey(0, f"{scope} of {client_id}", hash_of_key(secret), client_id, scope)
        await store.write([directory.key_statement(key, now)])
    await store.close()


@contextmanager
def running_shared(data_dir: Path, *, database_url: str = "") -> Iterator[SharedServer]:
    """A server with two clients, behind a trusted proxy, that knows countries.

    Its store is a file in `data_dir`, or the empty libSQL server at `database_url`.
    """
    keys, database = Keys(), database_at(database_url, data_dir)
    with Receiver() as receiver, Receiver() as others_receiver:
        asyncio.run(furnish(database, keys, others_receiver.url))
        settings = {
            **_ranges(data_dir),
            "ALLOW_PRIVATE_TARGETS": "on",
            "COUNTRY_DB": str(COUNTRY_DB),
            "DATABASE_URL": database_url,
            "MAKE_WEBHOOK_URL": receiver.url,
            "SECRET_KEY": SECRET_KEY,
            "TRUSTED_PROXIES": "127.0.0.1",
        }
        with RunningServer(data_dir, settings) as server:
            yield SharedServer(server, receiver, others_receiver, keys)


def _ranges(folder: Path) -> dict[str, str]:
    """The settings that name a file of networks each."""
    folder.mkdir(exist_ok=True)
    paths = {name: folder / name.lower() for name in RANGES}
    for name, path in paths.items():
        path.write_text(f"# {name}\n{RANGES[name]} # documentation\n")
    return {name: str(path) for name, path in paths.items()}


_numbers = itertools.count(1)


class Person:
    """A visitor whose id, e-mail address, phone and IP address no other test has."""

    def __init__(self, shared: SharedServer) -> None:
        number = next(_numbers)
        self.shared = shared
        self.visitor = f"visitor-{number}"
        self.session = f"{self.visitor}-s1"
        self.email = f"person{number}@example.com"
        self.phone = f"+44 30 {number:08}"
        self.ip = f"198.18.{number // 256}.{number % 256}"

    def view(self, session: str = "", page: str = "p1", **fields: Any) -> dict[str, Any]:
        """The first beacon of a page view."""
        return beacons.view(self.visitor, session, page, **fields)

    def engage(self, session: str = "", page: str = "p1", **fields: Any) -> dict[str, Any]:
        """A later beacon of the same page view."""
        return beacons.engage(self.visitor, session, page, **fields)

    def event(self, session: str = "", page: str = "p1", **fields: Any) -> dict[str, Any]:
        """An own event of the site on the same page view."""
        return beacons.event(self.visitor, session, page, **fields)

    def track(self, *sent: Mapping[str, Any], **headers: str) -> httpx.Response:
        """Send beacons: one as an object, several as an array."""
        body: Any = sent[0] if len(sent) == 1 else list(sent)
        return self.shared.http.post("/api/track", json=body, headers=self.headers(**headers))

    def visit(
        self,
        session: str = "",
        *,
        seconds: int = 0,
        scroll: int = 0,
        clicks: int = 0,
        headers: Mapping[str, str] | None = None,
        **view: Any,
    ) -> None:
        """Read a page for some time, in a session of its own when one is named."""
        totals: dict[str, Any] = {"duration_ms": seconds * 1000, "scroll_percent": scroll}
        beacon = self.view(session, age_ms=seconds * 1000, clicks=clicks, **totals, **view)
        answer = self.track(beacon, **(headers or {}))
        assert answer.status_code == 202, answer.text
        assert "x-propgauge-dropped" not in answer.headers

    def lead(
        self,
        fields: Mapping[str, Any] | None = None,
        /,
        *,
        key: str = "",
        query: str = "",
        **headers: str,
    ) -> httpx.Response:
        """Send a lead as JSON, with the person's e-mail address unless it has its own."""
        if key:
            headers["authorization"] = f"Bearer {key}"
        body = {"email": self.email, **(fields or {})}
        sent = self.headers(**headers)
        return self.shared.http.post(f"/api/lead{query}", json=body, headers=sent)

    def tracked_lead(
        self, fields: Mapping[str, Any] | None = None, /, **headers: str
    ) -> httpx.Response:
        """Send a lead as form.js does, with the visitor's id."""
        return self.lead({"__visitor_id": self.visitor, **(fields or {})}, **headers)

    def form(self, fields: Mapping[str, Any] | None = None, /, **headers: str) -> httpx.Response:
        """Post an HTML form as a browser without scripts does."""
        data = {"email": self.email, **(fields or {})}
        sent = {**BROWSER_FORM, **self.headers(**headers)}
        return self.shared.http.post("/api/lead", data=data, headers=sent)

    def page_state(self, **fields: Any) -> str:
        """The page view's totals so far, as form.js puts them into `__pg_state`."""
        return json.dumps(self.engage(**{"seq": 9, **fields}))

    def event_rows(self) -> list[dict[str, Any]]:
        """The stored events of the person, in their order."""
        return self.shared.server.query(
            "SELECT e.* FROM events AS e JOIN sessions AS s USING (client_id, session_id)"
            " WHERE s.visitor_id = ? ORDER BY e.occurred_at, e.event_id",
            (self.visitor,),
        )

    def session_row(self, session: str = "") -> dict[str, Any]:
        """A stored session of the person."""
        (row,) = self.shared.server.query(
            "SELECT * FROM sessions WHERE session_id = ?", (session or self.session,)
        )
        return row

    def page_rows(self, session: str = "") -> list[dict[str, Any]]:
        """The stored page views of a session, by id."""
        return self.shared.server.query(
            "SELECT * FROM page_views WHERE session_id = ? ORDER BY page_view_id",
            (session or self.session,),
        )

    def fingerprint_row(self) -> dict[str, Any]:
        """What is kept of the person across sessions."""
        (row,) = self.shared.server.query(
            "SELECT * FROM fingerprints WHERE visitor_id = ?", (self.visitor,)
        )
        return row

    def lead_rows(self) -> list[dict[str, Any]]:
        """The person's leads, oldest first."""
        return self.shared.server.query(
            "SELECT * FROM Leads WHERE Email = ? ORDER BY Id", (self.email,)
        )

    def headers(self, **headers: str) -> dict[str, str]:
        """Request headers by Python names, with the person's address."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return {"x-forwarded-for": self.ip, **named}


def dropped(answer: httpx.Response) -> dict[str, int]:
    """The reasons of X-Propgauge-Dropped, each with its count."""
    assert answer.status_code == 202, answer.text
    pairs = answer.headers.get("x-propgauge-dropped", "").split(", ")
    return {
        reason: int(count) for reason, _, count in (pair.partition("=") for pair in pairs if pair)
    }


def exchange(server: RunningServer, *pieces: bytes, hang_up: bool = False) -> bytes:
    """Send bytes over a connection of one's own; all that comes back until it is closed."""
    with closing(socket.create_connection(("127.0.0.1", server.port), WAIT_SECONDS)) as client:
        for piece in pieces:
            client.sendall(piece)
        if hang_up:
            client.shutdown(socket.SHUT_WR)
        answer = b""
        while received := client.recv(65_536):
            answer += received
        return answer


def problem_of(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The problem document of a refusal; fails when the answer is none."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["title"]
    return problem


def fields_at_fault(answer: httpx.Response, status: int) -> list[str]:
    """The names of the fields that a refusal tells to correct."""
    return [error["field"] for error in problem_of(answer, status)["errors"]]


def signals_of(shared: SharedServer, answer: httpx.Response) -> dict[str, tuple[int, str]]:
    """Each signal that fired with points and reason; fails unless row and webhook agree."""
    row, body = shared.lead_row(answer), shared.webhook(answer)
    signals = json.loads(row["SuspicionSignals"])
    assert body["suspicion_reasons"] == [signal["reason"] for signal in signals]
    total = min(100, sum(signal["points"] for signal in signals))
    assert total == row["SuspicionScore"] == body["suspicion_score"]
    label = "High" if total >= 60 else ("Medium" if total >= 30 else "Low")
    assert label == row["SuspicionLabel"] == body["suspicion_label"]
    return {signal["signal"]: (signal["points"], signal["reason"]) for signal in signals}
