"""The forms' webhook: every branch of the spec's diagram, from the payload to Meta and Make.com."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from server.domain.directory import Scope
from tests import typeform_payloads
from tests.graph_server import accepted, refused
from tests.integration.http_fixtures import eventually, fields_at_fault, problem_of
from tests.integration.scoring_fixtures import (
    PIXEL,
    SECRET,
    TOKEN,
    WEBHOOK,
    Respondent,
    Scoring,
    decoded,
    running_scoring,
)
from tests.llm_servers import GOOD_SCORES


@pytest.fixture(scope="module")
def scoring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scoring]:
    with running_scoring(tmp_path_factory.mktemp("scoring") / "data") as running:
        yield running


@pytest.fixture
def person(scoring: Scoring) -> Iterator[Respondent]:
    scoring.gemini.answer_with(GOOD_SCORES)
    scoring.graph.answer_with(accepted())
    yield Respondent(scoring)
    errors = [line for line in scoring.server.output if "Traceback" in line]
    assert errors == []


# --- a whole response ---------------------------------------------------------


def test_response_when_it_is_whole_is_scored_and_saved_with_every_column(
    scoring: Scoring, person: Respondent
) -> None:
    answer = person.send()
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    row = scoring.scored(person.email)
    assert (row["client_id"], row["source"]) == (1, "LEAD-SCORING")
    assert (row["p_fin_model"], row["p_show_model"], row["p_sql_model"]) == (0.9, 0.8, 0.7)
    assert row["rotator"] == "A"
    assert row["model"] == "gemini:gemini-2.0-flash"
    assert decoded(row["signals"]) == {
        "scheduling_commitment": 0.6,
        "emotional_urgency": 0.5,
        "personal_responsibility": 1.0,
        "financial_stability": 0.4,
        "investment_readiness": 0.0,
    }
    capi_data = decoded(row["capi_data"])
    assert (capi_data["fire"], capi_data["event_name"]) == (True, "SubmitApplication")
    assert (capi_data["fb_capi_fin"], capi_data["fb_capi_show"]) == (0.8, 0.6)


def test_response_when_scored_keeps_its_own_scores_with_model_prompt_and_input(
    scoring: Scoring, person: Respondent
) -> None:
    person.send()
    scoring.scored(person.email)
    (response,) = person.responses()
    assert (response["ai_fin"], response["ai_show"], response["ai_sql"]) == (0.9, 0.8, 0.7)
    assert response["model"] == "gemini:gemini-2.0-flash"
    assert response["prompt_version"]
    assert len(response["input_hash"]) == 64
    assert response["scored_at"] >= response["received_at"]


def test_response_that_reaches_the_thresholds_is_reported_to_meta(
    scoring: Scoring, person: Respondent
) -> None:
    person.send()
    (event,) = eventually(lambda: scoring.events(person) or None)
    assert event["event_name"] == "SubmitApplication"
    assert event["event_id"] == f"submitapplication:{typeform_payloads.FORM_ID}:{person.token}"
    request = next(one for one in scoring.graph.requests if one.event == event)
    assert request.path.endswith(f"/{PIXEL}/events")
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert person.email not in request.raw.decode()
    row = scoring.noted(person.email, "capi_submitapp")
    assert (row["capi_submitapp"], row["capi_fired_to_fb"], row["capi_lead"]) == (1, 1, 0)


def test_response_when_reported_is_logged_with_the_exact_body_and_metas_answer(
    scoring: Scoring, person: Respondent
) -> None:
    person.send()
    (event,) = eventually(lambda: scoring.events(person) or None)
    request = next(one for one in scoring.graph.requests if one.event == event)
    (log,) = eventually(
        lambda: (
            scoring.rows("SELECT * FROM facebook_capi_event_log WHERE email = ?", person.email)
            or None
        )
    )
    assert log["request_body"] == request.raw.decode()
    assert (log["event_id"], log["event_name"]) == (event["event_id"], "SubmitApplication")
    assert log["response_status"] == 200
    assert log["fbtrace_id"]
    assert TOKEN not in str(log)


@pytest.mark.parametrize(
    ("fin", "show", "rotator", "fired"),
    [
        (0.8, 0.8, "A", True),
        (0.79, 0.9, "B", False),
        (0.8, 0.79, "B", True),
        (0.8, 0.6, "B", True),
        (0.8, 0.59, "B", False),
        (0.6, 0.3, "B", False),
        (0.59, 0.9, "C", False),
        (0.9, 0.29, "C", False),
        (0.0, 0.0, "C", False),
    ],
)
def test_grade_and_event_by_the_default_thresholds_are_inclusive(
    scoring: Scoring, person: Respondent, fin: float, show: float, rotator: str, *, fired: bool
) -> None:
    scoring.gemini.answer_with({**GOOD_SCORES, "ai_fin": fin, "ai_show": show})
    person.send()
    row = scoring.scored(person.email)
    assert row["rotator"] == rotator
    assert decoded(row["capi_data"])["fire"] is fired
    assert len(person.deliveries("meta_capi")) == int(fired)


def test_response_when_the_first_model_fails_is_scored_by_the_next(
    scoring: Scoring, person: Respondent
) -> None:
    scoring.gemini.answer_with("model_gone")
    person.send()
    assert scoring.scored(person.email)["model"] == "openai:gpt-4o"


def test_model_is_sent_the_answers_and_no_contact_data(
    scoring: Scoring, person: Respondent
) -> None:
    why = f"Write to {person.email} or call {person.phone}, says Ann Example"
    answers = [
        typeform_payloads.answer("text", why, "qWhy", "long_text", "why"),
        *typeform_payloads.contact_answers(person.email, person.phone),
    ]
    person.send(answers=answers)
    scoring.scored(person.email)
    sent = scoring.gemini.requests[-1].raw.decode()
    assert "What are you looking for?" in sent
    for private in (person.email, person.phone, "Ann", person.visitor, person.token):
        assert private not in sent


def test_response_with_a_scoring_method_other_than_ai_ends_with_a_warning(
    scoring: Scoring, person: Respondent
) -> None:
    scoring.configure(scoring_method="ML")
    asked = len(scoring.gemini.requests)
    try:
        assert person.send().status_code == 200
    finally:
        scoring.configure(scoring_method="AI")
    assert any("scoring method ML" in line for line in scoring.server.output)
    assert scoring.rows("SELECT * FROM jobs WHERE subject = ?", f"1:full-{person.token}") == []
    assert scoring.result(person.email) is None
    assert len(scoring.gemini.requests) == asked
    assert len(person.leads()) == 1


def test_response_whose_input_was_scored_before_is_not_paid_for_again(
    scoring: Scoring, person: Respondent
) -> None:
    same = typeform_payloads.question_answers()
    person.send(answers=[*same, *typeform_payloads.contact_answers(person.email, person.phone)])
    scoring.scored(person.email)
    asked = len(scoring.gemini.requests)
    again = Respondent(scoring)
    again.send(answers=[*same, *typeform_payloads.contact_answers(again.email, again.phone)])
    assert scoring.scored(again.email)["p_fin_model"] == 0.9
    assert len(scoring.gemini.requests) == asked


def test_response_without_an_email_is_scored_and_has_no_result(
    scoring: Scoring, person: Respondent
) -> None:
    answers = typeform_payloads.question_answers()
    person.send(answers=answers)
    eventually(lambda: person.responses()[0]["scored_at"])
    assert scoring.result(person.email) is None
    assert person.leads() == []


# --- a partial response -------------------------------------------------------


def test_partial_fires_the_event_lead_and_notes_it_once_meta_took_it(
    scoring: Scoring, person: Respondent
) -> None:
    assert person.send_partial().json() == {"ok": True}
    (event,) = eventually(lambda: scoring.events(person) or None)
    assert (event["event_name"], event["event_id"]) == (
        "Lead",
        f"lead:{typeform_payloads.FORM_ID}:{person.token}",
    )
    row = scoring.noted(person.email, "capi_lead")
    assert (row["source"], row["rotator"], row["capi_submitapp"]) == ("LEAD-SCORING", None, 0)


def test_partial_that_meta_refuses_is_not_noted_as_taken(
    scoring: Scoring, person: Respondent
) -> None:
    scoring.graph.answer_with(refused(100, 2804003))
    person.send_partial()
    (delivery,) = eventually(
        lambda: [one for one in person.deliveries("meta_capi") if one["state"] == "failed"] or None
    )
    assert "too old" in delivery["last_error"]
    row = scoring.result(person.email)
    assert row is not None
    assert row["capi_lead"] == 0


def test_partials_of_several_points_fire_once(scoring: Scoring, person: Respondent) -> None:
    for number in range(3):
        person.send_partial(event_id=f"partial-{number}-{person.token}")
    eventually(lambda: scoring.events(person) or None)
    assert len(person.deliveries("meta_capi")) == 1
    assert len(person.responses()) == 3
    assert len(person.leads()) == 1


def test_partial_without_an_email_fires_the_event_alone(
    scoring: Scoring, person: Respondent
) -> None:
    person.send_partial(answers=typeform_payloads.question_answers()[:1])
    (event,) = eventually(lambda: scoring.events(person) or None)
    assert event["event_name"] == "Lead"
    assert scoring.result(person.email) is None
    assert person.leads() == []


def test_partial_then_whole_are_one_lead_and_one_result(
    scoring: Scoring, person: Respondent
) -> None:
    person.send_partial()
    person.send()
    row = scoring.noted(person.email, "capi_lead", "rotator")
    assert row["rotator"] == "A"
    (lead,) = person.leads()
    assert lead["Channel"] == "typeform"
    assert {event["event_name"] for event in scoring.events(person)} >= {"Lead"}


def test_partial_that_comes_late_downgrades_nothing(scoring: Scoring, person: Respondent) -> None:
    person.send()
    scoring.scored(person.email)
    (before,) = person.leads()
    late = [typeform_payloads.answer("email", person.email, "c4Email", ref="b4")]
    assert person.send_partial(answers=late).status_code == 200
    (after,) = person.leads()
    assert after == before
    row = scoring.result(person.email)
    assert row is not None
    assert (row["rotator"], row["p_fin_model"]) == ("A", 0.9)


def test_responses_when_delivered_again_change_nothing(
    scoring: Scoring, person: Respondent
) -> None:
    person.send_partial()
    person.send()
    scoring.scored(person.email)
    asked, leads = len(scoring.gemini.requests), person.leads()
    assert person.send().json() == {"ok": True, "duplicate": True}
    assert person.send_partial().json() == {"ok": True, "duplicate": True}
    assert len(person.responses()) == 2
    assert person.leads() == leads
    assert len(scoring.gemini.requests) == asked


# --- behaviour and score of one person ----------------------------------------


def test_response_of_a_tracked_visitor_stands_in_leads_with_its_engagement(
    scoring: Scoring, person: Respondent
) -> None:
    person.visit()
    person.send()
    scoring.scored(person.email)
    (lead,) = person.leads()
    assert (lead["VisitorId"], lead["MatchKind"]) == (person.visitor, "visitor_id")
    assert (lead["EngagementScore"], lead["LeadSource"]) == (12, "WebSite")
    assert decoded(lead["Extra"])["What is your budget in pounds?"] == "450000"
    (response,) = person.responses()
    assert response["lead_id"] == lead["PublicId"]


def test_response_without_a_tracked_visit_is_no_cold_lead(
    person: Respondent,
) -> None:
    person.send()
    body = person.forwarded()
    assert (body["engagement_available"], body["lead_source"]) == (False, "Typeform")


def test_event_of_a_tracked_visitor_carries_what_the_visit_left(
    scoring: Scoring, person: Respondent
) -> None:
    person.visit(fbp="fb.1.1700000000000.123", fbc="fb.1.1700000000000.AbC")
    person.send()
    (event,) = eventually(lambda: scoring.events(person) or None)
    user = event["user_data"]
    assert user["client_ip_address"] == "203.0.113.77"
    assert "Mozilla" in user["client_user_agent"]
    assert (user["fbp"], user["fbc"]) == ("fb.1.1700000000000.123", "fb.1.1700000000000.AbC")


def test_event_of_a_visitor_who_clicked_an_ad_has_its_click_id(
    scoring: Scoring, person: Respondent
) -> None:
    person.visit(url="https://www.example.com/?fbclid=AbC-123")
    person.send()
    (event,) = eventually(lambda: scoring.events(person) or None)
    assert event["user_data"]["fbc"].startswith("fb.1.")
    assert event["user_data"]["fbc"].endswith(".AbC-123")


def test_visitor_who_withdrew_consent_is_scored_and_not_reported(
    scoring: Scoring, person: Respondent
) -> None:
    person.visit(consent=True)
    scoring.server.track(view_of(person, consent=False))
    person.send_partial()
    person.send()
    assert scoring.scored(person.email)["rotator"] == "A"
    assert person.deliveries("meta_capi") == []
    (lead,) = person.leads()
    assert (lead["VisitorId"], lead["Consent"]) == (None, 0)


def view_of(person: Respondent, **fields: Any) -> dict[str, Any]:
    return {
        "visitor_id": person.visitor,
        "session_id": f"{person.visitor}-s1",
        "page_view_id": "p1",
        "type": "engage",
        "seq": 5,
        **fields,
    }


# --- forwarding ---------------------------------------------------------------


def test_lead_when_scored_is_forwarded_once_with_rotator_and_scores(
    person: Respondent,
) -> None:
    person.send_partial()
    person.send()
    body = person.forwarded()
    assert (body["rotator"], body["p_fin_model"], body["p_show_model"]) == ("A", 0.9, 0.8)
    assert body["form_ai_model"] == "gemini:gemini-2.0-flash"
    assert body["emotional_urgency"] == 0.5
    assert (body["form_id"], body["form_token"]) == (typeform_payloads.FORM_ID, person.token)
    assert len(person.deliveries("make_webhook")) == 1


def test_lead_without_scores_waits_five_minutes_and_is_then_forwarded_without(
    scoring: Scoring, person: Respondent
) -> None:
    person.send_partial()
    (waiting,) = person.deliveries("make_webhook")
    assert waiting["state"] == "pending"
    created, due = waiting["created_at"], waiting["due_at"]
    minutes = (int(due[14:16]) - int(created[14:16])) % 60
    assert minutes == 5
    sql = "UPDATE deliveries SET due_at = created_at WHERE delivery_id = ?"
    scoring.execute(sql, waiting["delivery_id"])
    body = person.forwarded()
    assert (body["rotator"], body["p_fin_model"]) == (None, None)
    person.send()
    scoring.scored(person.email)
    (still,) = person.deliveries("make_webhook")
    assert still["state"] == "delivered"


# --- whose it is, and whether it is genuine -----------------------------------


@pytest.mark.parametrize("secret", ["", "another secret"])
def test_webhook_with_no_or_a_wrong_signature_is_refused_and_nothing_is_kept(
    scoring: Scoring, person: Respondent, secret: str
) -> None:
    problem_of(scoring.hook(person.payload(), secret=secret), 401)
    assert person.responses() == []
    assert scoring.rows("SELECT * FROM rejected") == []


def test_webhook_whose_body_was_changed_after_signing_is_refused(
    scoring: Scoring, person: Respondent
) -> None:
    body = typeform_payloads.encoded(person.payload())
    headers = typeform_payloads.signed(body, SECRET)
    answer = scoring.server.client.post(
        f"{WEBHOOK}?client_id=1", content=body + b" ", headers=headers
    )
    problem_of(answer, 401)


def test_webhook_with_odd_spacing_is_checked_by_its_bytes(
    scoring: Scoring, person: Respondent
) -> None:
    body = b"\n " + typeform_payloads.encoded(person.payload()).replace(b": ", b" :  ")
    headers = typeform_payloads.signed(body, SECRET)
    answer = scoring.server.client.post(f"{WEBHOOK}?client_id=1", content=body, headers=headers)
    assert answer.json() == {"ok": True}


@pytest.mark.parametrize("client_id", ["99", "0", "-1", "abc", "9" * 30, None])
def test_webhook_of_an_unknown_client_or_form_is_answered_200_and_not_kept(
    scoring: Scoring, person: Respondent, client_id: str | None
) -> None:
    answer = scoring.hook(person.payload(), client_id=client_id)
    assert (answer.status_code, answer.json()["ignored"]) == (200, "unknown_client")
    assert person.responses() == []


def test_webhook_without_a_client_goes_to_the_one_whose_settings_name_the_form(
    scoring: Scoring, person: Respondent
) -> None:
    scoring.configure(typeform_form_ids=["myForm01"])
    try:
        own = scoring.hook(person.payload(form_id="myForm01"), client_id=None)
        other = scoring.hook(person.payload(form_id="other", event_id="x"))
    finally:
        scoring.configure(typeform_form_ids=[])
    assert own.json() == {"ok": True}
    assert other.json() == {"ok": True, "ignored": "unknown_form"}
    assert [one["form_id"] for one in person.responses()] == ["myForm01"]


def test_webhook_with_a_write_key_of_the_client_needs_no_signature(
    scoring: Scoring, person: Respondent
) -> None:
    headers = {"authorization": f"Bearer {scoring.keys[Scope.WRITE]}"}
    url = f"{WEBHOOK}?client_id=1"
    answer = scoring.server.client.post(url, json=person.payload(), headers=headers)
    assert answer.json() == {"ok": True}
    others = {"authorization": f"Bearer {scoring.others_key}"}
    problem_of(scoring.server.client.post(url, json=person.payload(), headers=others), 401)


def test_webhook_of_blush_is_read_by_its_own_channel(scoring: Scoring, person: Respondent) -> None:
    headers = {"authorization": f"Bearer {scoring.others_key}"}
    content = {
        "event_type": "form_response",
        "event_id": f"blush-{person.token}",
        "email": person.email,
        "first_name": "Ann",
        "answers": [{"question": "What is your budget?", "answer": "2m"}],
    }
    url = f"{WEBHOOK}?client_id=30"
    answer = scoring.server.client.post(url, json=content, headers=headers)
    assert answer.json() == {"ok": True}
    assert scoring.scored(person.email)["client_id"] == 30
    (lead,) = person.leads()
    assert (lead["Channel"], lead["LeadSource"]) == ("blush", "Blush")


# --- bad input ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b"", 400), (b"[]", 422), (b'"x"', 422), (b"{}", 422), (b"\xff", 400)],
)
def test_webhook_that_is_no_response_is_refused(scoring: Scoring, body: bytes, status: int) -> None:
    headers = typeform_payloads.signed(body, SECRET)
    answer = scoring.server.client.post(f"{WEBHOOK}?client_id=1", content=body, headers=headers)
    problem_of(answer, status)


def test_webhook_over_1_mib_is_refused(scoring: Scoring) -> None:
    body = b"[" + b" " * 1024 * 1024
    answer = scoring.server.client.post(f"{WEBHOOK}?client_id=1", content=body)
    assert fields_at_fault(answer, 413) == ["body"]


def test_webhook_with_5000_answers_is_taken(scoring: Scoring, person: Respondent) -> None:
    many = [
        typeform_payloads.answer("text", f"answer {number}", f"f{number}") for number in range(5000)
    ]
    answers = [*many, *typeform_payloads.contact_answers(person.email, person.phone)]
    assert person.send(answers=answers).json() == {"ok": True}
    assert scoring.scored(person.email)["rotator"] == "A"


def test_webhook_without_a_definition_and_with_unknown_types_is_taken(
    scoring: Scoring, person: Respondent
) -> None:
    answers = [
        {"type": "hologram", "hologram": {"beam": [1, 2]}, "field": {"id": "h1"}},
        {"type": "text"},
        17,
        *typeform_payloads.contact_answers(person.email, person.phone),
    ]
    sent = person.send(answers=answers, definition=typeform_payloads.ABSENT)
    assert sent.json() == {"ok": True}
    assert scoring.scored(person.email)["rotator"] == "A"


def test_payment_answers_are_kept_without_name_and_card_digits(
    person: Respondent,
) -> None:
    paid = {"amount": "1", "last4": "4242", "name": "Cardholder Example", "success": True}
    answers = [
        typeform_payloads.answer("payment", paid, "pay1"),
        *typeform_payloads.contact_answers(person.email, person.phone),
    ]
    person.send(answers=answers)
    (response,) = person.responses()
    assert "4242" not in response["raw"]
    assert "Cardholder" not in response["raw"]


def test_client_without_token_or_pixel_keeps_the_event_as_not_configured(
    scoring: Scoring, person: Respondent
) -> None:
    scoring.configure(capi_token="", pixel_id="")
    try:
        person.send()
        scoring.scored(person.email)
        (delivery,) = person.deliveries("meta_capi")
    finally:
        scoring.configure(capi_token=TOKEN, pixel_id=PIXEL)
    assert delivery["state"] == "not_configured"
    row = scoring.result(person.email)
    assert row is not None
    assert (row["capi_submitapp"], row["capi_fired_to_fb"]) == (0, 0)
