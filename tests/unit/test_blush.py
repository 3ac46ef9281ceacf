import contextlib
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.channels import blush
from server.config import ROOT
from server.domain.errors import AppError, ErrorCode
from server.domain.form_response import MAX_ANSWERS, ResponseDraft
from server.domain.lead import Channel
from server.domain.payload import MAX_TEXT_CHARS
from tests.json_rubbish import broken, values

# A busy machine makes examples slowly; that is no failure.
bounded = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])

EMAIL = "ann@example.com"
PHONE = "+44 20 7946 0123"


def examples() -> list[dict[str, Any]]:
    text = (ROOT / "docs" / "blush.md").read_text("utf-8")
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]


LISTED, FLAT = examples()

NAMES = ["answers", "responses", "lead", "hidden", "question", "answer", "value", "type", "email"]
NAMES += ["event_type", "event_id", "token", "name", "visitor_id", "payment", "phone", "id"]
rubbish = values(st.sampled_from(NAMES))


def draft_of(**fields: Any) -> ResponseDraft:
    return blush.parse(fields, {})


# --- the examples of docs/blush.md --------------------------------------------


def test_listed_example_tells_the_response() -> None:
    draft = blush.parse(LISTED, {})
    assert (draft.channel, draft.is_full) == (Channel.BLUSH, True)
    assert (draft.event_id, draft.title) == ("blush-20261122-0001", "Skyline enquiry")
    assert draft.response_key == ("skyline-enquiry", "rsp-7781")
    assert draft.submitted_at == datetime(2026, 11, 22, 10, 4, tzinfo=UTC)


def test_listed_example_tells_the_person_and_the_visit() -> None:
    draft = blush.parse(LISTED, {})
    assert (draft.full_name, draft.email, draft.phone) == ("Ann Example", EMAIL, PHONE)
    assert draft.visitor_id == "v-01kam5"
    assert draft.page_url == "https://www.example.com/skyline?utm_source=newsletter"
    assert draft.attribution.utm == {"utm_source": "newsletter"}


def test_listed_example_tells_questions_and_answers_without_the_person() -> None:
    assert blush.parse(LISTED, {}).questions() == (
        ("When do you want to buy?", "Within 3 months"),
        ("What is your budget?", "450000"),
        ("Which homes would suit you?", "Two bedrooms, Penthouse"),
        ("Do you need a mortgage?", "no"),
    )


def test_flat_example_tells_the_response() -> None:
    draft = blush.parse(FLAT, {})
    assert (draft.is_full, draft.event_type, draft.token) == (False, "partial", "rsp-7782")
    assert (draft.first_name, draft.last_name) == ("Ben", "van Example")
    assert (draft.email, draft.visitor_id) == ("ben@example.com", "v-02kam5")
    assert draft.attribution.click_ids == {"fbclid": "IwAR0example"}
    assert draft.questions() == (("Preferred area", "Riverside"), ("budget_range", "400-500k"))


# --- the envelope -------------------------------------------------------------


@pytest.mark.parametrize("event_type", ["form_response", "Form Response", "formResponse"])
def test_event_of_a_finished_form_is_full_however_it_is_written(event_type: str) -> None:
    assert draft_of(eventType=event_type, email=EMAIL).is_full


@pytest.mark.parametrize("event_type", ["partial", "form_response_partial", "", None, 7, {}])
def test_event_of_any_other_type_is_a_partial(event_type: Any) -> None:
    assert not draft_of(event_type=event_type, email=EMAIL).is_full


def test_envelope_is_told_by_the_first_key_that_says_something() -> None:
    draft = blush.parse({"token": "", "Response ID": 7, "submission_id": "s", "email": EMAIL}, {})
    assert draft.token == "7"


def test_envelope_tells_score_ending_and_address() -> None:
    draft = draft_of(score=7, ending="thanks", response_url="https://example.com/r/1", email=EMAIL)
    assert (draft.score, draft.ending) == (7, "thanks")
    assert draft.response_url == "https://example.com/r/1"
    assert draft.answers == ()


def test_envelope_of_the_client_is_no_question() -> None:
    assert draft_of(client_id=30, email=EMAIL).answers == ()


@pytest.mark.parametrize("wrapper", ["data", "contact", "formResponse", "response", "Lead"])
def test_fields_in_a_wrapper_count_as_outside(wrapper: str) -> None:
    draft = blush.parse({wrapper: {"contact": {"email": EMAIL, "token": "t1"}}}, {})
    assert (draft.email, draft.token) == (EMAIL, "t1")


def test_wrapper_that_is_no_object_is_a_question() -> None:
    assert draft_of(contact="by phone").questions() == (("contact", "by phone"),)


# --- events -------------------------------------------------------------------


def test_event_key_is_the_event_id() -> None:
    assert blush.event_key(LISTED) == "blush-20261122-0001"
    assert blush.event_key({"data": {"eventId": 5}}) == "5"


def test_event_key_without_an_id_is_told_by_form_token_type_and_time() -> None:
    known = {name: value for name, value in LISTED.items() if name != "event_id"}
    key = blush.event_key(known)
    assert key == blush.event_key({**known, "answers": []}) == blush.parse(known, {}).event_id
    assert key != blush.event_key({**known, "event_type": "partial"})


def test_event_key_without_token_is_told_by_the_whole_payload() -> None:
    assert blush.event_key({"email": EMAIL}) == blush.event_key({"email": EMAIL})
    assert blush.event_key({"email": EMAIL}) != blush.event_key({"email": "b@example.com"})


# --- the person ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"E-Mail": EMAIL}, (EMAIL, "", "")),
        ({"Mobile Number": PHONE}, ("", PHONE, "")),
        ({"phone": 442079460123}, ("", "442079460123", "")),
        ({"fullName": "Ann Example"}, ("", "", "Ann Example")),
        ({"What is your e-mail?": EMAIL}, (EMAIL, "", "")),
        ({"emails": [EMAIL]}, ("", "", "")),
        ({"email": [EMAIL]}, (EMAIL, "", "")),
        ({"hidden": {"email": EMAIL}}, (EMAIL, "", "")),
    ],
)
def test_person_is_told_by_the_usual_keys(
    fields: dict[str, Any], told: tuple[str, str, str]
) -> None:
    draft = blush.parse(fields, {})
    assert (draft.email, draft.phone, draft.full_name) == told


@pytest.mark.parametrize(
    ("item", "roles"),
    [
        ({"question": "Your e-mail", "answer": EMAIL}, {}),
        ({"key": "email", "value": EMAIL}, {}),
        ({"Question": "E-mail", "Answer": EMAIL}, {}),
        ({"label": "Where to?", "type": "email", "value": EMAIL}, {}),
        ({"label": "Where to?", "id": "q9", "value": EMAIL}, {"email": "q9"}),
        ({"label": "Write  where?", "value": EMAIL}, {"email": "Write where?"}),
    ],
)
def test_person_is_told_by_an_answer_in_the_list(
    item: dict[str, Any], roles: dict[str, str]
) -> None:
    draft = blush.parse({"answers": [item, {"question": "x", "answer": "y"}]}, roles)
    assert (draft.email, draft.questions()) == (EMAIL, (("x", "y"),))


def test_person_is_told_by_the_mapped_key() -> None:
    draft = blush.parse({"kontakt": EMAIL, "email": "other@example.com"}, {"email": "kontakt"})
    assert draft.email == EMAIL
    assert draft.answers == ()


# --- answers ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["answers", "responses", "Questions", "fields"])
def test_answers_in_an_object_are_read_as_questions(name: str) -> None:
    draft = blush.parse({name: {"Budget?": 5, "email": EMAIL}}, {})
    assert (draft.email, draft.questions()) == (EMAIL, (("Budget?", "5"),))


@pytest.mark.parametrize(
    ("value", "text", "kind"),
    [
        ("x", "x", "text"),
        (5, "5", "number"),
        (5.5, "5.5", "number"),
        (True, "yes", "boolean"),
        (["a", "", None, 2, {"b": 1}], 'a, 2, {"b":1}', "list"),
        ({"a": {"b": 1}}, '{"a":{"b":1}}', "json"),
        (["x" * 1_500] * 2, ("x" * 1_500 + ", " + "x" * 1_500)[:MAX_TEXT_CHARS], "list"),
    ],
)
def test_answer_of_each_shape_becomes_a_text(value: Any, text: str, kind: str) -> None:
    for draft in (draft_of(q=value), draft_of(answers=[{"question": "q", "answer": value}])):
        (read,) = draft.answers
        assert (read.question, read.answer, read.kind) == ("q", text, kind)


def test_answers_that_say_nothing_are_left_out() -> None:
    listed = [{"question": "q", "answer": ""}, {"question": "r"}, "s", 7, {"answer": "t"}]
    draft = blush.parse({"a": None, "b": "", "c": [], "d": {}, "answers": listed}, {})
    assert draft.questions() == (("", "t"),)


def test_answers_that_are_no_list_are_one_question() -> None:
    assert draft_of(answers="many").questions() == (("answers", "many"),)


def test_answers_beyond_500_are_left_out() -> None:
    listed = [{"question": f"q{n}", "answer": n} for n in range(5_000)]
    draft = draft_of(answers=listed, email=EMAIL)
    assert (len(draft.answers), draft.email) == (MAX_ANSWERS, EMAIL)


def test_answer_with_a_payment_tells_nothing_of_the_card() -> None:
    payment = {"amount": "500", "name": "A CARDHOLDER", "last4": "4242"}
    draft = draft_of(
        payment=payment, payment_last4="4242", answers=[{"key": "fee", "value": payment}]
    )
    assert draft.questions() == (("payment", '{"amount":"500"}'), ("fee", '{"amount":"500"}'))


# --- bad payloads -------------------------------------------------------------


@pytest.mark.parametrize("value", [None, [], "x", 7])
def test_payload_that_is_no_object_is_refused(value: Any) -> None:
    for read in (lambda: blush.parse(value, {}), lambda: blush.event_key(value)):
        with pytest.raises(AppError) as refusal:
            read()
        assert (refusal.value.code, refusal.value.fields[0].field) == (ErrorCode.INVALID, "body")


@pytest.mark.parametrize("payload", [{}, {"event_type": "form_response"}, {"answers": [], "x": {}}])
def test_payload_without_answer_and_contact_is_refused(payload: dict[str, Any]) -> None:
    with pytest.raises(AppError) as refusal:
        blush.parse(payload, {})
    assert (refusal.value.code, refusal.value.fields[0].field) == (ErrorCode.INVALID, "body")


def test_payload_nested_without_end_raises_nothing() -> None:
    endless: Any = {}
    for _ in range(20_000):
        endless = {"data": endless}
    assert draft_of(data=endless, email=EMAIL).email == EMAIL


def check(value: Any) -> None:
    """Whatever comes, it is read or refused, and what was read can be stored."""
    with contextlib.suppress(AppError):
        draft = blush.parse(value, {"email": "x"})
        assert draft.event_id == blush.event_key(value)
        texts = [text for read in draft.answers for text in (read.question, read.answer)]
        assert max(map(len, texts), default=0) <= MAX_TEXT_CHARS
        assert f"{draft}{draft.questions()}".encode()
        assert json.dumps(blush.redacted(value), allow_nan=False, ensure_ascii=False).encode()


@bounded
@given(values())
def test_any_json_is_read_or_refused(value: Any) -> None:
    check(value)


@bounded
@given(rubbish)
def test_any_payload_of_known_names_is_read_or_refused(value: Any) -> None:
    check(value)


@bounded
@given(broken({**LISTED, **FLAT}))
def test_any_broken_payload_is_read_or_refused(value: Any) -> None:
    check(value)
