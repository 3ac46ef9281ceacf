"""What the fuzz tests share: a server of their own, and what must hold after every request."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from hypothesis import HealthCheck, settings

from tests.integration.http_fixtures import COUNTRY_DB
from tests.running import RunningServer

TRACKING_TABLES = {"sessions", "page_views", "fingerprints", "events"}
"""What a lead's page state may add rows to."""

FIELDLESS = {404, 405, 408}
"""Refusals where no field is at fault."""


def fuzz(examples: int) -> settings:
    """The same examples on every run; a busy machine makes them slowly, which is no failure."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@dataclass(frozen=True)
class Target:
    """A server without a webhook: nothing changes in its tables but by the test's requests."""

    server: RunningServer

    @property
    def http(self) -> httpx.Client:
        return self.server.client

    def counts(self) -> dict[str, int]:
        """How many rows each table has."""
        tables = [row["name"] for row in self.server.query(_TABLES)]
        counts = ", ".join(f'(SELECT COUNT(*) FROM "{table}") AS "{table}"' for table in tables)
        (row,) = self.server.query(f"SELECT {counts}")
        return row

    def grown(self, before: Mapping[str, int]) -> dict[str, int]:
        """The tables that have other counts now, with the difference."""
        now = self.counts()
        return {name: now[name] - count for name, count in before.items() if now[name] != count}

    def post(
        self, path: str, body: bytes, content_type: str = "", **headers: str
    ) -> httpx.Response:
        """Send a body as it is."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {**named, "content-type": content_type} if content_type else named
        return self.http.post(path, content=body, headers=sent)

    def delivered(self, lead_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """A lead's row, and what its only delivery will send."""
        (row,) = self.server.query("SELECT * FROM Leads WHERE PublicId = ?", (lead_id,))
        (delivery,) = self.server.query(
            "SELECT payload FROM deliveries WHERE lead_id = ?", (lead_id,)
        )
        return row, json.loads(delivery["payload"])


_TABLES = """
SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_*'
  AND name NOT GLOB 'lead_search*' AND name NOT GLOB 'rollup_*' AND name NOT GLOB '*_days'
  AND name NOT IN ('dropped_beacons', 'lead_histograms')"""
"""All tables but those of the search index and of counts, which follow from the others."""


@contextmanager
def target(folder: Path) -> Iterator[Target]:
    """A running server; at its end its log holds no error and its database is whole."""
    settings_ = {"DEMO": "off", "TRUSTED_PROXIES": "127.0.0.1", "COUNTRY_DB": str(COUNTRY_DB)}
    with RunningServer(folder / "data", settings_) as server:
        yield Target(server)
        assert server.client.get("/readyz").status_code == 200
        assert server.query("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
        assert server.query("PRAGMA foreign_key_check") == []
    wrong = [line for line in server.output if '"level": "error"' in line or "Trace" in line]
    assert wrong == [], wrong


def assert_refused(answer: httpx.Response) -> None:
    """The answer is a problem document that names a field wherever one is at fault."""
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["title"]
    if answer.status_code not in FIELDLESS:
        assert all(error["field"] and error["message"] for error in problem["errors"])
        assert problem["errors"]


def assert_lead_is_whole_or_refused(
    target: Target, before: Mapping[str, int], answer: httpx.Response
) -> None:
    """201 stands for one lead with one delivery that tell the same; a refusal for nothing."""
    grown = target.grown(before)
    if answer.status_code != 201:
        assert_refused(answer)
        assert grown == {}
        return
    stored = {name: count for name, count in grown.items() if name not in TRACKING_TABLES}
    replayed = "idempotent-replayed" in answer.headers
    assert stored == ({} if replayed else {"Leads": 1, "deliveries": 1})
    row, payload = target.delivered(answer.json()["lead_id"])
    assert (payload["email"], payload["phone"]) == (row["Email"], row["Phone"])
    assert row["Email"] or row["Phone"]
    json.loads(row["Extra"] or "{}")
    assert "\x00" not in json.dumps([row, payload], ensure_ascii=False)
