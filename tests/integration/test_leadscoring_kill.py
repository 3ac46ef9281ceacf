"""SIGKILL in the midst of scoring: nothing lost, no score paid for twice, no second event id."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.graph_server import NoAnswer, accepted
from tests.integration.http_fixtures import eventually
from tests.integration.scoring_fixtures import Respondent, Scoring, running_scoring
from tests.llm_servers import GOOD_SCORES


def end_leases(scoring: Scoring) -> None:
    """As if the time of the killed server's leases were over."""
    for table in ("jobs", "deliveries"):
        scoring.execute(f"UPDATE {table} SET leased_until = NULL, lease_owner = NULL")


def test_response_when_the_server_is_killed_before_it_is_scored_is_scored_after(
    tmp_path: Path,
) -> None:
    with running_scoring(tmp_path / "data") as scoring:
        person = Respondent(scoring)
        scoring.gemini.answer_with("hang")
        assert person.send().status_code == 200
        eventually(lambda: scoring.gemini.requests or None)
        scoring.server.stop(signal.SIGKILL)
        scoring.gemini.answer_with(GOOD_SCORES)
        end_leases(scoring)
        scoring.server.start()
        assert scoring.scored(person.email)["rotator"] == "A"
        assert len(person.responses()) == len(person.leads()) == 1
        (event,) = eventually(lambda: scoring.events(person) or None)
        assert event["event_name"] == "SubmitApplication"


def test_response_when_the_server_is_killed_before_its_event_was_taken_is_not_scored_again(
    tmp_path: Path,
) -> None:
    with running_scoring(tmp_path / "data") as scoring:
        person = Respondent(scoring)
        scoring.graph.answer_with(NoAnswer.HANG)
        person.send()
        scoring.scored(person.email)
        (first,) = eventually(lambda: scoring.events(person) or None)
        asked = len(scoring.gemini.requests)
        scoring.server.stop(signal.SIGKILL)
        scoring.graph.answer_with(accepted())
        end_leases(scoring)
        scoring.server.start()
        row = scoring.noted(person.email, "capi_submitapp")
        assert row["capi_fired_to_fb"] == 1
        assert {event["event_id"] for event in scoring.events(person)} == {first["event_id"]}
        assert len(person.deliveries("meta_capi")) == 1
        assert len(scoring.gemini.requests) == asked
