"""Leads over HTTP whose scoring fails: none is lost, and what can be told is."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.beacons import engage, view
from tests.integration.http_fixtures import SharedServer, eventually, running_shared, signals_of
from tests.integration.test_lead_scoring_http import NOTHING, eight, match_of

pytestmark = pytest.mark.both_stores


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Iterator[SharedServer]:
    """A server that lost what visits are scored from, after a visit of `ana`."""
    folder = tmp_path_factory.mktemp("broken") / "data"
    with running_shared(folder, database_url=database_url) as shared:
        shared.server.track(view("ana", age_ms=60_000), engage("ana", duration_ms=50_000))
        shared.execute("ALTER TABLE sessions RENAME TO sessions_gone")
        yield shared


@pytest.mark.parametrize("state", [{}, {"__pg_state": json.dumps(engage("ana", seq=5))}])
def test_lead_when_scoring_fails_is_stored_and_forwarded_all_the_same(
    broken: SharedServer, state: dict[str, str]
) -> None:
    answer = broken.server.lead(email="ana@example.com", __visitor_id="ana", **state)
    assert eight(broken, answer) == {"visitor_id": "ana", **NOTHING}
    assert match_of(broken, answer) == ("none", False)


def test_scoring_when_it_fails_is_logged(broken: SharedServer) -> None:
    broken.server.lead(email="eva@example.com", __visitor_id="ana")
    message = "engagement could not be scored"
    assert eventually(lambda: any(message in line for line in broken.server.output) or None)


def test_suspicion_when_engagement_cannot_be_scored_is_counted_all_the_same(
    broken: SharedServer,
) -> None:
    answer = broken.server.lead(email="mia@example.com", __visitor_id="ana", honeypot="x")
    assert signals_of(broken, answer)["honeypot"][0] == 60
