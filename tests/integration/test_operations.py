"""Health, readiness and metrics, and the answers to requests that lead nowhere."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.beacons import view
from tests.integration.http_fixtures import (
    CRAWLER_AGENT,
    Person,
    SharedServer,
    eventually,
    problem_of,
)
from tests.receiver import Receiver
from tests.running import RunningServer


def samples(server: RunningServer) -> dict[str, float]:
    """What /metrics counts, by name with labels."""
    answer = server.client.get("/metrics")
    assert answer.status_code == 200
    return {
        sample.name + "".join(f"[{value}]" for _, value in sorted(sample.labels.items())): (
            sample.value
        )
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


@contextmanager
def locked(server: RunningServer) -> Iterator[None]:
    """Hold the database's write lock, as a stuck backup or another program would."""
    path = server.data_dir / "propgauge.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("ROLLBACK")


def test_healthz_when_the_process_answers_is_ok(shared: SharedServer) -> None:
    answer = shared.http.get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok\n")


def test_readyz_when_the_store_takes_writes_is_ready(shared: SharedServer) -> None:
    answer = shared.http.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True})


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probe_when_only_its_head_is_asked_for_answers(shared: SharedServer, path: str) -> None:
    answer = shared.http.head(path)
    assert (answer.status_code, answer.content) == (200, b"")


def test_metrics_are_in_prometheus_form_and_hold_every_counter(shared: SharedServer) -> None:
    answer = shared.http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    names = {family.name for family in text_string_to_metric_families(answer.text)}
    assert names >= {
        "propgauge_beacons_stored",
        "propgauge_beacons_dropped",
        "propgauge_leads",
        "propgauge_lead_seconds",
        "propgauge_delivery_attempts",
        "propgauge_outbox_pending",
        "propgauge_outbox_oldest_seconds",
        "propgauge_destinations_paused",
    }


def test_metrics_when_beacons_and_a_lead_came_have_counted_them(
    shared: SharedServer, person: Person
) -> None:
    before = samples(shared.server)
    assert person.track(person.view()).status_code == 202
    assert person.track(person.view()).status_code == 202
    assert person.track(person.view("bot"), user_agent=CRAWLER_AGENT).status_code == 202
    assert shared.http.post("/api/track", content=b"junk").status_code == 400
    shared.webhook(person.lead({"__site": "listed"}))

    def grown(name: str) -> float:
        return samples(shared.server).get(name, 0.0) - before.get(name, 0.0)

    eventually(lambda: grown("propgauge_delivery_attempts_total[make_webhook][delivered]") or None)
    assert grown("propgauge_beacons_stored_total") == 2
    assert grown("propgauge_beacons_dropped_total[repeated]") == 1
    assert grown("propgauge_beacons_dropped_total[malformed]") == 1
    assert grown("propgauge_leads_total[form]") == 1
    assert grown("propgauge_lead_seconds_count") == 1
    assert 0 < grown("propgauge_lead_seconds_sum") < 30


def test_metrics_hold_no_personal_data(shared: SharedServer, person: Person) -> None:
    shared.webhook(person.tracked_lead({"name": "Personal Name", "phone": "+442079460123"}))
    text = shared.http.get("/metrics").text
    for secret in (person.email, person.visitor, person.ip, "Personal Name", "2079460123"):
        assert secret not in text


@pytest.mark.parametrize(
    "path", ["/nowhere", "/api", "/api/", "/api/lead/none", "/api/track/more", "/.env", "/%ff"]
)
def test_path_when_there_is_none_is_a_problem_document(shared: SharedServer, path: str) -> None:
    problem = problem_of(shared.http.get(path), 404)
    assert problem["title"] == "Not Found"
    assert problem["errors"] == []


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/api/lead", "POST"),
        ("PUT", "/api/lead", "POST"),
        ("DELETE", "/api/lead", "POST"),
        ("GET", "/api/track", "POST"),
        ("PUT", "/api/track", "POST"),
        ("POST", "/healthz", "GET"),
        ("POST", "/readyz", "GET"),
        ("DELETE", "/metrics", "GET"),
        ("PATCH", "/thank-you", "GET"),
    ],
)
def test_method_when_the_path_does_not_take_it_is_a_problem_document(
    shared: SharedServer, method: str, path: str, allowed: str
) -> None:
    answer = shared.http.request(method, path)
    assert problem_of(answer, 405)["title"] == "Method Not Allowed"
    assert allowed in answer.headers["allow"]


_PAUSED_ATTEMPTS = "propgauge_delivery_attempts_total[make_webhook][pause]"
"""Counted after the pause is stored, so that by then all else is there to be read."""


def test_gauges_when_deliveries_wait_tell_how_many_and_since_when(
    server: RunningServer, receiver: Receiver
) -> None:
    receiver.status = 410
    for number in range(3):
        assert server.lead(email=f"gauge{number}@example.com").status_code == 201
    receiver.wait_for(1)
    counted = eventually(lambda: now if _PAUSED_ATTEMPTS in (now := samples(server)) else None)
    assert counted["propgauge_outbox_pending"] == 3
    assert 0 < counted["propgauge_outbox_oldest_seconds"] < 60
    assert counted[_PAUSED_ATTEMPTS] >= 1
    assert counted["propgauge_destinations_paused"] == 1


def test_server_when_the_database_is_locked_says_so_and_recovers_by_itself(
    server: RunningServer,
) -> None:
    with locked(server), ThreadPoolExecutor(5) as at_once:
        begun = time.monotonic()
        probe = at_once.submit(server.client.get, "/readyz")
        lead = at_once.submit(server.lead, email="locked@example.com")
        beacons = [at_once.submit(server.track, view(f"locked{n}")) for n in range(3)]
        slowest = 0.0
        while not wait([probe], timeout=0.1).done:
            started = time.monotonic()
            assert server.client.get("/healthz").status_code == 200
            assert server.client.get("/metrics").status_code == 200
            slowest = max(slowest, time.monotonic() - started)
        refused = [waiting.result() for waiting in (probe, lead, *beacons)]
        assert time.monotonic() - begun < 8
    assert [answer.status_code for answer in refused] == [503] * 5
    assert all(answer.headers["retry-after"] for answer in refused)
    assert refused[0].json()["ready"] is False
    assert "locked" in refused[0].json()["store"]
    assert slowest < 1
    assert server.client.get("/readyz").status_code == 200
    assert server.lead(email="unlocked@example.com").status_code == 201
    (row,) = server.query("SELECT COUNT(*) AS leads FROM Leads")
    assert row["leads"] == 1
