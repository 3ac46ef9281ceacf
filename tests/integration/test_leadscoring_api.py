"""Results, settings, predictions and the manual event, by their endpoints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from server.domain.directory import Scope
from server.domain.qualification import MASK
from tests.graph_server import accepted, page, refused
from tests.integration.http_fixtures import eventually, fields_at_fault, problem_of
from tests.integration.scoring_fixtures import (
    PIXEL,
    TOKEN,
    Respondent,
    Scoring,
    decoded,
    running_scoring,
)
from tests.llm_servers import GOOD_SCORES

BELOW = {**GOOD_SCORES, "ai_fin": 0.5}


@pytest.fixture(scope="module")
def scoring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scoring]:
    with running_scoring(tmp_path_factory.mktemp("scoring") / "data") as running:
        yield running


@pytest.fixture
def person(scoring: Scoring) -> Iterator[Respondent]:
    scoring.gemini.answer_with(GOOD_SCORES)
    scoring.graph.answer_with(accepted())
    yield Respondent(scoring)
    assert [line for line in scoring.server.output if "Traceback" in line] == []


def fire(scoring: Scoring, email: str) -> Any:
    return scoring.call("POST", f"/fire-capi-event/1/{email}", Scope.WRITE)


# --- result -------------------------------------------------------------------


def test_result_of_an_address_has_the_specs_fields(scoring: Scoring, person: Respondent) -> None:
    person.send()
    scoring.scored(person.email)
    query = {"client_id": "1", "email": person.email.upper()}
    answer = scoring.call("GET", "", Scope.READ, params=query)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["p_fin_model"], body["p_show_model"], body["p_sql_model"]) == (0.9, 0.8, 0.7)
    assert (body["rotator"], body["source"]) == ("A", "LEAD-SCORING")
    assert body["signals"]["emotional_urgency"] == 0.5
    assert body["capi_data"]["event_id"]
    assert {"capi_lead", "capi_submitapp", "capi_fired_to_fb", "updated_at"} <= body.keys()


def test_result_of_an_unknown_address_is_not_found(scoring: Scoring) -> None:
    query = {"client_id": "1", "email": "nobody@example.com"}
    problem_of(scoring.call("GET", "", params=query), 404)


def test_result_without_an_address_names_the_field(scoring: Scoring) -> None:
    assert fields_at_fault(scoring.call("GET", "", params={"client_id": "1"}), 422) == ["email"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "?client_id=1&email=a@example.com"),
        ("POST", "/fire-capi-event/1/a@example.com"),
        ("GET", "/config/1"),
        ("PUT", "/config/1"),
        ("POST", "/predictions/1"),
        ("GET", "/predictions/1/run_x"),
    ],
)
def test_endpoint_without_a_key_of_the_client_is_refused(
    scoring: Scoring, method: str, path: str
) -> None:
    problem_of(scoring.call(method, path, None), 401)
    headers = {"authorization": f"Bearer {scoring.others_key}"}
    url = f"/api/v1/leadscoring{path}"
    problem_of(scoring.server.client.request(method, url, headers=headers, json={}), 403)


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "?client_id=1&email=a@example.com", Scope.WRITE),
        ("POST", "/fire-capi-event/1/a@example.com", Scope.READ),
        ("GET", "/config/1", Scope.READ),
        ("PUT", "/config/1", Scope.WRITE),
        ("POST", "/predictions/1", Scope.READ),
    ],
)
def test_endpoint_with_a_key_of_another_scope_is_refused(
    scoring: Scoring, method: str, path: str, scope: Scope
) -> None:
    problem_of(scoring.call(method, path, scope, json={}), 403)


# --- settings -----------------------------------------------------------------


def test_settings_have_the_specs_names_and_defaults(scoring: Scoring) -> None:
    config = scoring.call("GET", "/config/1").json()
    assert {
        name: config[name]
        for name in (
            "scoring_method",
            "fb_capi_fin",
            "fb_capi_show",
            "a_rotator_fin",
            "a_rotator_show",
            "b_rotator_fin",
            "b_rotator_show",
            "c_rotator_fin",
            "c_rotator_show",
            "event_name",
            "action_source",
            "capi_trigger_logic",
        )
    } == {
        "scoring_method": "AI",
        "fb_capi_fin": 0.8,
        "fb_capi_show": 0.6,
        "a_rotator_fin": 0.8,
        "a_rotator_show": 0.8,
        "b_rotator_fin": 0.6,
        "b_rotator_show": 0.3,
        "c_rotator_fin": 0.0,
        "c_rotator_show": 0.0,
        "event_name": "SubmitApplication",
        "action_source": "website",
        "capi_trigger_logic": "threshold",
    }
    assert {"event_source_url", "test_event_code", "pixel_id"} <= config.keys()


def test_settings_show_secrets_as_a_mask_and_keep_them_when_it_comes_back(
    scoring: Scoring, person: Respondent
) -> None:
    shown = scoring.call("GET", "/config/1")
    assert shown.json()["capi_token"] == MASK
    assert TOKEN not in shown.text
    answer = scoring.call("PUT", "/config/1", json=shown.json())
    assert (answer.status_code, answer.json()) == (200, shown.json())
    person.send_partial()
    (event,) = eventually(lambda: scoring.events(person) or None)
    request = next(one for one in scoring.graph.requests if one.event == event)
    assert request.headers["authorization"] == f"Bearer {TOKEN}"


def test_settings_that_a_key_changed_stand_in_the_audit_trail_without_secrets(
    scoring: Scoring,
) -> None:
    scoring.configure(fb_capi_show=0.55, app_secret="another secret")
    scoring.configure(fb_capi_show=0.6, app_secret="")
    newest = scoring.rows("SELECT * FROM audit_trail ORDER BY id DESC LIMIT 2")[1]
    assert (newest["action"], newest["actor"]) == ("settings_published", "API key tests")
    assert decoded(newest["details"])["changes"] == [
        {"field": "fb_capi_show", "old": 0.6, "new": 0.55},
        {"field": "app_secret", "old": "", "new": "changed"},
    ]


def test_settings_keep_secrets_encrypted(scoring: Scoring) -> None:
    (row,) = scoring.rows("SELECT * FROM clients WHERE id = 1")
    assert TOKEN not in str(row)
    assert '"capi_token": "v1:' in row["lead_scoring_config"]


@pytest.mark.parametrize(
    ("fields", "at_fault"),
    [
        ({"fb_capi_fin": 1.1}, "fb_capi_fin"),
        ({"fb_capi_fin": -0.1}, "fb_capi_fin"),
        ({"fb_capi_fin": "high"}, "fb_capi_fin"),
        ({"a_rotator_fin": 0.5}, "rotator"),
        ({"b_rotator_show": 0.9}, "rotator"),
        ({"c_rotator_fin": 0.7}, "rotator"),
        ({"scoring_method": "GUESS"}, "scoring_method"),
        ({"capi_trigger_logic": "always"}, "capi_trigger_logic"),
        ({"action_source": "billboard"}, "action_source"),
        ({"pixel_id": "abc"}, "pixel_id"),
        ({"event_name": ""}, "event_name"),
        ({"event_source_url": "javascript:alert(1)"}, "event_source_url"),
        ({"form_ai_models": "nonsense"}, "form_ai_models"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_by_their_field(
    scoring: Scoring, fields: dict[str, Any], at_fault: str
) -> None:
    before = scoring.call("GET", "/config/1").json()
    answer = scoring.call("PUT", "/config/1", json={**before, **fields})
    assert at_fault in fields_at_fault(answer, 422)
    assert scoring.call("GET", "/config/1").json() == before


def test_models_of_the_clients_settings_win(scoring: Scoring, person: Respondent) -> None:
    scoring.configure(form_ai_models="openai:gpt-4o@none")
    try:
        person.send()
        assert scoring.scored(person.email)["model"] == "openai:gpt-4o"
    finally:
        scoring.configure(form_ai_models="")
    assert scoring.openai.requests[-1].temperature is None


# --- the manual event ---------------------------------------------------------


def test_fire_sends_at_once_and_notes_what_meta_took(scoring: Scoring, person: Respondent) -> None:
    scoring.configure(event_name="Qualified Lead")
    try:
        person.send()
        scoring.scored(person.email)
        answer = fire(scoring, person.email)
    finally:
        scoring.configure(event_name="SubmitApplication")
    assert (answer.status_code, answer.json()["fired"]) == (200, True)
    body = answer.json()
    sent = [event for event in scoring.graph.events if event["event_id"] == body["event_id"]]
    assert [event["event_name"] for event in sent] == ["Qualified Lead"]
    row = scoring.result(person.email)
    assert row is not None
    assert (row["capi_submitapp"], row["capi_fired_to_fb"]) == (1, 1)


def test_fire_when_repeated_sends_the_same_event_id_as_the_automatic_one(
    scoring: Scoring, person: Respondent
) -> None:
    person.send()
    (automatic,) = eventually(lambda: scoring.events(person) or None)
    eventually(lambda: ((one := scoring.result(person.email)) and one["capi_submitapp"]) or None)
    ids = {fire(scoring, person.email).json()["event_id"] for _ in range(2)}
    assert ids == {automatic["event_id"]}
    assert len(scoring.events(person)) == 3
    assert len(person.deliveries("meta_capi")) == 1


def test_fire_below_the_thresholds_tells_both_numbers(scoring: Scoring, person: Respondent) -> None:
    scoring.gemini.answer_with(BELOW)
    person.send()
    scoring.scored(person.email)
    problem = problem_of(fire(scoring, person.email), 409)
    assert problem["verdict"] == "below_threshold"
    assert (problem["p_fin"], problem["p_show"]) == (0.5, 0.8)
    assert (problem["fb_capi_fin"], problem["fb_capi_show"]) == (0.8, 0.6)
    assert scoring.events(person) == []


def test_fire_goes_by_the_settings_of_now_not_by_those_of_the_scoring(
    scoring: Scoring, person: Respondent
) -> None:
    scoring.gemini.answer_with(BELOW)
    person.send()
    assert decoded(scoring.scored(person.email)["capi_data"])["fire"] is False
    scoring.configure(fb_capi_fin=0.5)
    try:
        assert fire(scoring, person.email).status_code == 200
    finally:
        scoring.configure(fb_capi_fin=0.8)


def test_fire_without_a_result_is_not_found(scoring: Scoring) -> None:
    problem = problem_of(fire(scoring, "nobody@example.com"), 404)
    assert problem["verdict"] == "no_result"


def test_fire_of_a_partial_response_is_not_scored_yet(scoring: Scoring, person: Respondent) -> None:
    person.send_partial()
    assert problem_of(fire(scoring, person.email), 409)["verdict"] == "not_scored"


def test_fire_without_a_pixel_tells_that(scoring: Scoring, person: Respondent) -> None:
    person.send()
    scoring.scored(person.email)
    scoring.configure(pixel_id="")
    try:
        assert problem_of(fire(scoring, person.email), 409)["verdict"] == "not_configured"
    finally:
        scoring.configure(pixel_id=PIXEL)


def test_fire_that_meta_refuses_tells_its_message(scoring: Scoring, person: Respondent) -> None:
    person.send()
    eventually(lambda: ((one := scoring.result(person.email)) and one["capi_submitapp"]) or None)
    scoring.graph.answer_with(refused(100, 2804009, message="Something is missing"))
    problem = problem_of(fire(scoring, person.email), 502)
    assert problem["verdict"] == "refused"
    assert TOKEN not in str(problem)


def test_fire_while_meta_is_down_is_sent_again_by_itself(
    scoring: Scoring, person: Respondent
) -> None:
    person.send()
    eventually(lambda: ((one := scoring.result(person.email)) and one["capi_submitapp"]) or None)
    scoring.graph.answer_with(page(503), accepted())
    problem = problem_of(fire(scoring, person.email), 503)
    assert problem["verdict"] == "to_be_retried"
    (delivery,) = person.deliveries("meta_capi")
    assert delivery["state"] == "pending"


# --- predictions --------------------------------------------------------------


def test_prediction_of_given_answers_is_told_at_once_and_stores_nothing(
    scoring: Scoring, person: Respondent
) -> None:
    before = scoring.rows("SELECT COUNT(*) AS n FROM form_responses")
    body = {"answers": [{"question": "Budget?", "answer": f"1m {person.token}"}]}
    answer = scoring.call("POST", "/predictions/1", Scope.WRITE, json=body)
    assert answer.status_code == 200
    told = answer.json()
    assert (told["ai_fin"], told["rotator"], told["fires"]) == (0.9, "A", True)
    assert told["model"] == "gemini:gemini-2.0-flash"
    assert scoring.rows("SELECT COUNT(*) AS n FROM form_responses") == before


def finished(scoring: Scoring, started: dict[str, Any]) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        path = started["progress"].removeprefix("/api/v1/leadscoring")
        progress: dict[str, Any] = scoring.call("GET", path, Scope.READ).json()
        return progress if progress["done"] else None

    return eventually(look)


def test_predictions_of_named_addresses_are_made_anew_and_can_be_polled(
    scoring: Scoring, person: Respondent
) -> None:
    person.send()
    first = scoring.scored(person.email)
    scoring.configure(a_rotator_fin=0.95)
    try:
        body = {"emails": [person.email]}
        answer = scoring.call("POST", "/predictions/1", Scope.WRITE, json=body)
        assert (answer.status_code, answer.json()["total"]) == (202, 1)
        progress = finished(scoring, answer.json())
    finally:
        scoring.configure(a_rotator_fin=0.8)
    assert (progress["scored"], progress["failed"], progress["pending"]) == (1, 0, 0)
    assert first["rotator"] == "A"
    assert scoring.scored(person.email)["rotator"] == "B"


def test_predictions_of_all_unscored_responses_score_what_failed_before(
    scoring: Scoring, person: Respondent
) -> None:
    scoring.gemini.answer_with("server_error")
    scoring.openai.answer_with("server_error")
    answers = [{"type": "text", "text": person.token, "field": {"id": "qWhy", "type": "long_text"}}]
    contact = {"type": "email", "email": person.email, "field": {"id": "c4Email", "type": "email"}}
    person.send(answers=[*answers, contact])
    eventually(lambda: person.responses()[0]["last_error"])
    assert person.responses()[0]["scored_at"] is None
    assert scoring.result(person.email) is None
    assert person.deliveries("meta_capi") == []
    scoring.gemini.answer_with(GOOD_SCORES)
    scoring.openai.answer_with(GOOD_SCORES)
    answer = scoring.call("POST", "/predictions/1", Scope.WRITE, json={})
    assert answer.json()["total"] >= 1
    finished(scoring, answer.json())
    assert scoring.scored(person.email)["rotator"] == "A"


@pytest.mark.parametrize(
    ("body", "at_fault"),
    [
        ({"answers": []}, "answers"),
        ({"answers": "x"}, "answers"),
        ({"answers": [{"question": "a"}]}, "answers.0"),
        ({"answers": [{"question": 1, "answer": "a"}]}, "answers.0"),
        ({"emails": []}, "emails"),
        ({"emails": [1]}, "emails"),
        ({"emails": ["nobody@example.com"]}, "emails"),
    ],
)
def test_predictions_that_cannot_be_made_name_the_field(
    scoring: Scoring, body: dict[str, Any], at_fault: str
) -> None:
    answer = scoring.call("POST", "/predictions/1", Scope.WRITE, json=body)
    assert fields_at_fault(answer, 422) == [at_fault]


def test_progress_of_an_unknown_run_is_not_found(scoring: Scoring) -> None:
    problem_of(scoring.call("GET", "/predictions/1/run_none", Scope.READ), 404)
