import contextlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.channels import typeform
from server.domain.contact_role import Role
from server.domain.errors import AppError, ErrorCode
from server.domain.form_response import MAX_ANSWERS, ResponseDraft
from server.domain.lead import Channel
from server.domain.payload import MAX_TEXT_CHARS
from tests.json_rubbish import broken, values
from tests.typeform_payloads import (
    ABSENT,
    CARD_DIGITS,
    CARD_HOLDER,
    CONTACT,
    EMAIL,
    EVENT_ID,
    FORM_ID,
    PARTIAL_EVENT_ID,
    PHONE,
    QUESTIONS,
    TOKEN,
    VISITOR_ID,
    answer,
    contact_answers,
    encoded,
    every_type,
    group,
    of_every_type,
    partial,
    payload,
    question,
    question_answers,
    signed,
)

# A busy machine makes examples slowly; that is no failure.
bounded = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

NAMES = ["form_response", "answers", "definition", "fields", "properties", "field", "hidden"]
NAMES += ["type", "text", "choice", "choices", "labels", "payment", "id", "ref", "title", "email"]
rubbish = values(st.sampled_from(NAMES))


def draft_of(*answers: Any, fields: Any = (), **overrides: Any) -> ResponseDraft:
    """The draft of a form with these questions and answers."""
    definition = {"id": FORM_ID, "fields": list(fields)}
    return typeform.parse(
        payload(**{"definition": definition, "answers": list(answers), **overrides}), {}
    )


# --- whole payloads -----------------------------------------------------------


def test_full_payload_tells_the_person() -> None:
    draft = typeform.parse(payload(), {})
    assert (draft.email, draft.phone) == (EMAIL, PHONE)
    assert (draft.first_name, draft.last_name, draft.full_name) == ("Ann", "Example", "Ann Example")


def test_full_payload_tells_questions_and_answers_without_the_person() -> None:
    assert typeform.parse(payload(), {}).questions() == (
        ("What is your budget in pounds?", "450000"),
        ("When do you want to buy?", "Within 3 months"),
        ("Which homes would suit you?", "Two bedrooms, Penthouse"),
        ("Do you need a mortgage?", "no"),
        ("What are you looking for?", "A quiet home near the river, close to schools."),
    )


def test_full_payload_tells_its_envelope() -> None:
    draft = typeform.parse(payload(), {})
    assert (draft.channel, draft.event_id, draft.event_type, draft.is_full) == (
        Channel.TYPEFORM,
        EVENT_ID,
        "form_response",
        True,
    )
    assert (draft.form_id, draft.token, draft.response_key) == (FORM_ID, TOKEN, (FORM_ID, TOKEN))
    assert draft.response_url == f"https://example.com/forms/{FORM_ID}/responses/{TOKEN}"
    assert (draft.title, draft.ending) == ("Saffron Quay: find your home", "thanks")
    assert draft.landed_at == datetime(2026, 11, 22, 9, 12, 31, tzinfo=UTC)
    assert draft.submitted_at == datetime(2026, 11, 22, 9, 15, 4, tzinfo=UTC)


def test_full_payload_tells_score_and_variables() -> None:
    draft = typeform.parse(payload(), {})
    assert (draft.score, draft.variables) == (7, {"score": "7", "segment": "family"})


def test_full_payload_is_tied_to_its_visitor() -> None:
    draft = typeform.parse(payload(), {})
    assert draft.visitor_id == VISITOR_ID
    assert draft.hidden == {"visitor_id": VISITOR_ID, "utm_source": "newsletter"}
    assert draft.attribution.utm == {"utm_source": "newsletter"}


def test_partial_payload_is_partial_and_belongs_to_the_same_response() -> None:
    early, late = typeform.parse(partial(), {}), typeform.parse(payload(), {})
    assert (early.is_full, early.event_id, early.email) == (False, PARTIAL_EVENT_ID, EMAIL)
    assert early.questions() == late.questions()[:1]
    assert early.response_key == late.response_key
    assert (early.ending, early.score) == ("", None)


def test_payload_of_an_older_form_without_refs_and_ids_of_choices_is_read() -> None:
    fields = [question("44", "Which cities?", "list"), question("45", "Your e-mail", "email")]
    cities = answer("choices", {"labels": ["Leeds", "York"]}, "44", "multiple_choice")
    draft = draft_of(cities, answer("email", EMAIL, "45"), fields=fields, event_id=ABSENT)
    assert (draft.email, draft.questions()) == (EMAIL, (("Which cities?", "Leeds, York"),))


def test_payload_with_contact_data_in_hidden_fields_only_is_read() -> None:
    hidden = {"email": EMAIL, "phone": PHONE, "first_name": "Ann", "last_name": "Example"}
    draft = typeform.parse(payload(answers=question_answers(), hidden=hidden), {})
    assert (draft.email, draft.phone, draft.full_name) == (EMAIL, PHONE, "Ann Example")
    assert draft.response_key == (FORM_ID, TOKEN)


# --- every type of answer -----------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "given_answer", "text"), every_type(), ids=lambda part: str(part)[:20]
)
def test_answer_of_each_type_becomes_a_text(
    asked: dict[str, Any], given_answer: dict[str, Any], text: str
) -> None:
    (read,) = draft_of(given_answer, fields=[asked]).answers
    assert (read.question, read.answer) == (asked["title"], text)
    assert (read.kind, read.role) == (given_answer["type"], None)


def test_answers_of_every_type_in_one_form_are_all_kept_in_order() -> None:
    draft = typeform.parse(of_every_type(), {})
    assert [read.answer for read in draft.answers] == [text for _, _, text in every_type()]
    assert [read.role for read in draft.contact_answers] == [
        Role.FIRST_NAME,
        Role.LAST_NAME,
        Role.PHONE,
        Role.EMAIL,
    ]


def test_answer_of_a_payment_tells_nothing_of_the_card() -> None:
    draft = typeform.parse(of_every_type(), {})
    assert CARD_HOLDER not in repr(draft)
    assert CARD_DIGITS not in repr(draft)


def test_redacted_payload_keeps_all_but_the_card() -> None:
    stored = typeform.redacted(of_every_type())
    text = json.dumps(stored)
    assert CARD_HOLDER not in text
    assert CARD_DIGITS not in text
    payments = [a["payment"] for a in stored["form_response"]["answers"] if a["type"] == "payment"]
    assert payments == [{"amount": "500", "success": True}]
    assert typeform.redacted(payload()) == payload()


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("x", ["x"]),
        (7, ["7"]),
        (True, ["yes"]),
        ([1, "é"], ['[1,"é"]']),
        ({"label": 5.5}, ['{"label":5.5}']),
        ({"payment": {"name": CARD_HOLDER, "amount": "1"}}, ['{"payment":{"amount":"1"}}']),
        (None, []),
        ({}, []),
    ],
)
def test_answer_of_an_unknown_type_is_kept_as_compact_json(value: Any, texts: list[str]) -> None:
    assert [read.answer for read in draft_of(answer("hologram", value, "h1")).answers] == texts


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", {"a": 1}),
        ("text", None),
        ("email", [EMAIL]),
        ("number", [7]),
        ("boolean", "maybe"),
        ("choice", "London"),
        ("choice", {"label": {"x": 1}}),
        ("choices", ["London"]),
        ("choices", {"labels": "London"}),
        ("file_url", {"url": "x"}),
        ("payment", "500"),
        ("contact_info", "Ann"),
    ],
)
def test_answer_of_the_wrong_shape_is_passed_over(kind: str, value: Any) -> None:
    draft = draft_of(answer(kind, value, "q1"), answer("text", "kept", "q2"))
    assert [read.answer for read in draft.answers] == ["kept"]
    assert draft.contact_answers == ()


def test_answer_without_its_type_is_read_by_the_value_it_has() -> None:
    untyped = {"field": {"id": "q1"}, "number": 7}
    mistyped = {"type": "text", "field": {"id": "q2"}, "boolean": True}
    empty = {"type": "text", "field": {"id": "q3"}}
    assert [(a.answer, a.kind) for a in draft_of(untyped, mistyped, empty).answers] == [
        ("7", "number"),
        ("yes", "boolean"),
    ]


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://api.example.com/files/a/plan.pdf?token=s3cret", "(file) plan.pdf"),
        ("https://api.example.com/files/", "(file)"),
        ("plan%00.pdf", "(file) plan.pdf"),
        ("http://[", "(file) ["),
    ],
)
def test_answer_of_a_file_is_its_name(url: str, text: str) -> None:
    assert draft_of(answer("file_url", url, "f1")).answers[0].answer == text


# --- questions ----------------------------------------------------------------


def test_question_of_a_group_is_found_inside_it() -> None:
    inner = question("g1", "Monthly income?", "number")
    fields = [group("g0", "Money", "group", group("g00", "More", "inline_group", inner))]
    assert draft_of(answer("number", 5, "g1"), fields=fields).questions() == (
        ("Monthly income?", "5"),
    )


@pytest.mark.parametrize("kind", ["matrix", "address"])
def test_question_of_a_row_has_the_title_above_it(kind: str) -> None:
    fields = [group("m0", "How important is this?", kind, question("m1", "Schools", "choice"))]
    draft = draft_of(answer("choice", {"label": "Very"}, "m1"), fields=fields)
    assert draft.questions() == (("How important is this? – Schools", "Very"),)


def test_question_of_a_multi_format_part_is_found_inside_it() -> None:
    fields = [group("v0", "Tell us", "multi_format", question("v1", "In writing", "long_text"))]
    assert draft_of(answer("text", "Hi", "v1"), fields=fields).questions() == (
        ("In writing", "Hi"),
    )


def test_question_whose_ref_was_renamed_is_joined_by_its_id() -> None:
    fields = [question("q1", "Budget?", "number", "new_ref"), question("q2", "No", "number", "old")]
    draft = draft_of(answer("number", 5, "q1", ref="old"), fields=fields)
    assert draft.questions() == (("Budget?", "5"),)


def test_question_whose_id_is_unknown_is_joined_by_its_ref() -> None:
    fields = [question("q1", "Budget?", "number", "budget")]
    draft = draft_of(answer("number", 5, "other", ref="budget"), fields=fields)
    assert draft.questions() == (("Budget?", "5"),)


@pytest.mark.parametrize("definition", [ABSENT, None, "x", {"fields": {}}, {"fields": [7, {}]}])
def test_question_without_a_definition_is_the_fields_ref_else_its_id(definition: Any) -> None:
    answers = [answer("number", 5, "q1", ref="budget"), answer("boolean", True, "q2")]
    nameless = {"type": "text", "text": "hello"}
    draft = typeform.parse(payload(definition=definition, answers=[*answers, nameless]), {})
    assert draft.questions() == (("budget", "5"), ("q2", "yes"), ("", "hello"))


def test_questions_that_came_twice_are_kept_once() -> None:
    assert typeform.parse(payload(answers=question_answers() * 2), {}).questions() == (
        typeform.parse(payload(), {}).questions()
    )


# --- roles --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["q1", "q_mail"])
def test_role_of_a_mapped_id_or_ref_is_its_answer(name: str) -> None:
    answers = [*contact_answers(), answer("text", "mapped@example.com", "q1", ref="q_mail")]
    draft = typeform.parse(payload(answers=answers), {"email": name})
    assert draft.email == "mapped@example.com"


def test_role_is_told_by_the_type_that_only_the_definition_knows() -> None:
    fields = [question("q1", "Where to?", "email"), question("q2", "Where?", "phone_number")]
    untyped = [
        {"type": "text", "text": EMAIL, "field": {"id": "q1"}},
        {"type": "text", "text": PHONE, "field": {"id": "q2"}},
    ]
    draft = draft_of(*untyped, fields=fields)
    assert (draft.email, draft.phone, draft.answers) == (EMAIL, PHONE, ())


def test_role_of_a_whole_name_is_split() -> None:
    asked = question("q1", "{{field:x}} What's your *name*?", "short_text")
    draft = draft_of(answer("text", "Ann van Example", "q1", "short_text"), fields=[asked])
    assert (draft.first_name, draft.last_name) == ("Ann", "van Example")


def test_role_of_a_company_in_contact_info_is_none() -> None:
    firm = answer("text", "Example Ltd", "c5Firm", "short_text")
    assert draft_of(firm, fields=CONTACT).questions() == (("Company", "Example Ltd"),)


def test_role_of_a_contact_part_with_a_key_of_its_own_is_told_by_its_type() -> None:
    asked = question("c1", "Work", "email", subfield_key="work_email")
    draft = draft_of(answer("email", EMAIL, "c1"), fields=[group("c0", "?", "contact_info", asked)])
    assert draft.email == EMAIL


def test_roles_of_contact_info_in_one_answer_are_told_by_its_keys() -> None:
    whole = {"first_name": "Ann", "email": EMAIL, "company": "Example Ltd"}
    draft = draft_of(answer("contact_info", whole, "c0"))
    assert (draft.first_name, draft.email) == ("Ann", EMAIL)
    assert draft.questions() == (("company", "Example Ltd"),)


# --- events -------------------------------------------------------------------


@pytest.mark.parametrize("event_type", ["form_response_partial", "", None, 7, "form_responses"])
def test_event_of_any_other_type_is_a_partial(event_type: Any) -> None:
    assert not typeform.parse(payload(event_type=event_type), {}).is_full


def test_event_key_is_the_event_id() -> None:
    assert typeform.event_key(payload()) == EVENT_ID


def test_event_key_without_an_id_is_told_by_form_token_type_and_time() -> None:
    key = typeform.event_key(payload(event_id=ABSENT))
    assert key == typeform.event_key(payload(event_id=None, answers=[]))
    assert typeform.parse(payload(event_id=""), {}).event_id == key
    others = [
        payload(event_id=ABSENT, **{name: "other"})
        for name in ("form_id", "token", "event_type", "submitted_at")
    ]
    assert len({key, *map(typeform.event_key, others)}) == 5


def test_event_key_of_two_people_without_id_and_token_differs() -> None:
    ann, ben = (payload(event_id=ABSENT, token=ABSENT, email=e) for e in (EMAIL, "b@example.com"))
    assert typeform.event_key(ann) != typeform.event_key(ben)


# --- bad payloads -------------------------------------------------------------


@pytest.mark.parametrize("read", [typeform.event_key, typeform.redacted])
@pytest.mark.parametrize("value", [None, [], "form_response", 7])
def test_payload_that_is_no_object_is_refused(read: Any, value: Any) -> None:
    with pytest.raises(AppError) as refusal:
        read(value)
    assert (refusal.value.code, refusal.value.fields[0].field) == (ErrorCode.INVALID, "body")


@pytest.mark.parametrize("value", [ABSENT, None, [], "x", 7, True])
def test_payload_without_a_form_response_object_is_refused(value: Any) -> None:
    bad = {} if value is ABSENT else {"form_response": value}
    with pytest.raises(AppError) as refusal:
        typeform.parse(bad, {})
    assert refusal.value.code is ErrorCode.INVALID
    assert refusal.value.fields[0].field == "form_response"


def test_payload_with_an_empty_form_response_is_an_empty_draft() -> None:
    draft = typeform.parse({"form_response": {}}, {})
    assert (draft.answers, draft.email, draft.visitor_id, draft.is_full) == ((), "", None, False)


def test_payload_of_5000_answers_keeps_500_and_finds_the_person_at_the_end() -> None:
    many = [answer("text", f"answer {n}", f"q{n}", "short_text") for n in range(5_000)]
    draft = typeform.parse(payload(answers=[*many, *contact_answers()]), {})
    assert len(draft.answers) == MAX_ANSWERS
    assert draft.email == EMAIL


def test_payload_with_long_texts_has_them_cut() -> None:
    asked = question("q1", "T" * 5_000, "long_text")
    labels = {"labels": ["L" * 1_500] * 3}
    answers = [answer("text", "x" * 5_000, "q1"), answer("choices", labels, "q1")]
    for read in draft_of(*answers, fields=[asked]).answers:
        assert len(read.question) == len(read.answer) == MAX_TEXT_CHARS


def test_payload_with_nul_and_surrogates_is_cleaned() -> None:
    asked = question("q1", "Wh\x00y?", "long_text")
    draft = draft_of(answer("text", "be\x00cause \ud800", "q1"), fields=[asked])
    assert draft.questions() == (("Why?", "because \ufffd"),)


def test_payload_nested_without_end_raises_nothing() -> None:
    endless: Any = {}
    for _ in range(20_000):
        endless = {"properties": {"fields": [endless]}}
    draft = draft_of(answer("hologram", endless, "q1"), fields=[endless], hidden=endless)
    assert len(draft.answers) == 1


@pytest.mark.parametrize("value", [None, "x", 7, [], {}, [[]], [None], {"id": {}}])
@pytest.mark.parametrize(
    "name",
    ["form_id", "token", "hidden", "calculated", "variables", "definition", "answers", "ending"],
)
def test_payload_with_a_part_of_another_shape_keeps_the_rest(name: str, value: Any) -> None:
    draft = typeform.parse(payload(**{name: value}), {})
    assert draft.event_id == EVENT_ID
    assert name == "answers" or draft.email == EMAIL


def check(value: Any, roles: Mapping[str, str]) -> None:
    """Whatever comes, it is read or refused, and what was read can be stored."""
    with contextlib.suppress(AppError):
        draft = typeform.parse(value, roles)
        stored = typeform.redacted(value)
        assert draft.event_id == typeform.event_key(value) == typeform.event_key(stored)
        texts = [text for read in draft.answers for text in (read.question, read.answer)]
        assert max(map(len, texts), default=0) <= MAX_TEXT_CHARS
        assert f"{draft}{draft.questions()}".encode()
        assert json.dumps(stored, allow_nan=False, ensure_ascii=False).encode()


@bounded
@given(values())
def test_any_json_is_read_or_refused(value: Any) -> None:
    check(value, {})


@bounded
@given(rubbish, rubbish, rubbish, rubbish)
def test_any_form_response_is_read(answers: Any, definition: Any, hidden: Any, rest: Any) -> None:
    parts = {"answers": answers, "definition": definition, "hidden": hidden, "ending": rest}
    check({"event_id": rest, "form_response": parts}, {"email": "x"})


@bounded
@given(broken(of_every_type()))
def test_any_broken_payload_is_read_or_refused(value: Any) -> None:
    check(value, {"email": "c4Email"})


# --- what tests of others build on --------------------------------------------


def test_signed_is_the_header_that_typeform_documents() -> None:
    # echo -n '{"a": 1}' | openssl dgst -sha256 -hmac s3cret -binary | base64
    assert signed(encoded({"a": 1}), "s3cret") == {
        "Typeform-Signature": "sha256=Gp+rbNS4zcqthkDz7Kc/qSTGL/JPODMlTvNUcjIVN2c=",
    }


def test_payload_factory_when_changed_leaves_the_next_one_alone() -> None:
    payload()["form_response"]["definition"]["fields"][0]["title"] = "changed"
    assert payload()["form_response"]["definition"]["fields"] == [*QUESTIONS, *CONTACT]
    assert QUESTIONS[0]["title"] == "What is your budget in pounds?"
