"""The main job on a real libSQL server: from the first beacon to the scored response."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from server.domain.directory import Scope
from tests.beacons import engage, view
from tests.integration.http_fixtures import eventually
from tests.integration.scoring_fixtures import Respondent, Scoring, running_scoring
from tests.sqld import Sqld


@pytest.fixture(params=["http", "ws"])
def scoring(request: pytest.FixtureRequest, sqld: Sqld, tmp_path: Path) -> Iterator[Scoring]:
    sqld.clear()
    url = sqld.ws_url if request.param == "ws" else sqld.http_url
    with running_scoring(tmp_path / "data", database_url=url) as started:
        yield started


def test_lead_and_response_on_a_libsql_server_are_tracked_scored_and_forwarded(
    scoring: Scoring, sqld: Sqld, tmp_path: Path
) -> None:
    server, person = scoring.server, Respondent(scoring)
    assert server.track(view("ana", "ana-old")).status_code == 202
    assert server.track(view("ana", age_ms=400_000)).status_code == 202
    read = engage("ana", duration_ms=340_000, scroll_percent=100, clicks=12)
    assert server.track(read).status_code == 202
    assert server.track(read).headers["x-propgauge-dropped"]
    lead = {"email": "ana@example.com", "__visitor_id": "ana", "__submission_id": "once"}
    answer = server.lead(**lead)
    assert answer.status_code == 201
    again = server.lead(**lead)
    assert again.json()["lead_id"] == answer.json()["lead_id"]
    webhook = eventually(lambda: next(iter(scoring.receiver.requests), None))
    assert webhook.body["engagement_score"] == 34 + 30 + 12 + 5

    person.visit()
    assert person.send_partial().status_code == 200
    assert person.send().status_code == 200
    forwarded = person.forwarded()
    assert (forwarded["rotator"], forwarded["lead_source"]) == ("A", "WebSite")
    events = eventually(lambda: found if len(found := scoring.events(person)) == 2 else None)
    assert {event["event_name"] for event in events} == {"Lead", "SubmitApplication"}

    read_key = {"authorization": f"Bearer {scoring.keys[Scope.READ]}"}
    listed = scoring.server.client.get("/api/leads", headers=read_key).json()
    assert [lead["email"] for lead in listed["leads"]] == [person.email, "ana@example.com"]
    assert sqld.query("SELECT COUNT(*) AS leads FROM Leads") == [{"leads": 2}]
    assert not (tmp_path / "data" / "propgauge.db").exists()
    assert not [line for line in server.output if '"level": "error"' in line]
