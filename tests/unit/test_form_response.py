from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from server.domain.contact_role import (
    MAX_TITLE_CHARS,
    TITLES,
    Role,
    fits,
    role_of_name,
    role_of_title,
    split_name,
)
from server.domain.errors import AppError, ErrorCode
from server.domain.form_response import (
    MAX_ANSWERS,
    MAX_EVENT_ID_CHARS,
    MAX_READ,
    GivenAnswer,
    QuestionAnswer,
    ResponseDraft,
    completed,
    event_key,
    hidden_fields,
    is_tracking,
    question_of,
)
from server.domain.ids import VisitorId
from server.domain.lead import Channel
from server.domain.lead_fields import MAX_DEPTH, MAX_FIELDS
from server.domain.payload import (
    MAX_TEXT_CHARS,
    clean_text,
    moment_of,
    number,
    redacted,
    text_of,
    text_of_any,
)

EMAIL = "ann@example.com"
PHONE = "+44 20 7946 0123"

ENVELOPE = ResponseDraft(channel=Channel.TYPEFORM, event_id="e1", event_type="form_response")


def given(question: str, answer: str, kind: str = "text", *names: str) -> GivenAnswer:
    return GivenAnswer(question, answer, kind, names)


def draft_of(
    *answers: GivenAnswer, hidden: dict[str, str] | None = None, **roles: str
) -> ResponseDraft:
    return completed(ENVELOPE, answers, hidden or {}, roles)


def nested(levels: int) -> Any:
    value: Any = "end"
    for level in range(levels):
        value = [value] if level % 2 else {"in": value}
    return value


# --- the draft ----------------------------------------------------------------


def test_draft_when_changed_refuses() -> None:
    with pytest.raises(FrozenInstanceError):
        ENVELOPE.email = EMAIL  # type: ignore[misc] # the point of the test


@pytest.mark.parametrize("event_type", ["form_response_partial", "partial", "", "FORM_RESPONSE"])
def test_draft_of_any_other_event_type_is_partial(event_type: str) -> None:
    assert ENVELOPE.is_full
    assert not replace(ENVELOPE, event_type=event_type).is_full


@pytest.mark.parametrize(
    ("first", "last", "full"),
    [
        ("Ann", "Example", "Ann Example"),
        ("Ann", "", "Ann"),
        ("", "Example", "Example"),
        ("", "", ""),
    ],
)
def test_full_name_joins_what_is_there(first: str, last: str, full: str) -> None:
    assert replace(ENVELOPE, first_name=first, last_name=last).full_name == full


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"token": "t1", "visitor_id": VisitorId("v1"), "email": EMAIL}, "t1"),
        ({"visitor_id": VisitorId("v1"), "email": EMAIL}, "visitor:v1"),
        ({"email": "Ann@Example.com"}, f"email:{EMAIL}"),
        ({}, "event:e1"),
    ],
)
def test_response_key_takes_the_best_that_is_known(fields: dict[str, Any], key: str) -> None:
    assert replace(ENVELOPE, form_id="f1", **fields).response_key == ("f1", key)


# --- roles --------------------------------------------------------------------


def test_role_is_taken_from_the_mapping_before_anything_else() -> None:
    draft = draft_of(
        GivenAnswer("E-mail", "type@example.com", "email", ("e1",), Role.EMAIL),
        given("Partner?", "mapped@example.com", "choice", "q_mail"),
        email="q_mail",
    )
    assert draft.email == "mapped@example.com"
    assert draft.answers == ()


def test_role_is_taken_from_type_then_name_then_title_then_hidden_field() -> None:
    hidden = given("?", "hidden@example.com")
    titled = given("What's your e-mail?", "title@example.com", "text", "01HX")
    named = given("?", "name@example.com", "text", "email")
    typed = GivenAnswer("?", "type@example.com", "email", (), Role.EMAIL)
    answers: tuple[GivenAnswer, ...] = ()
    found = []
    for answer in (hidden, titled, named, typed):
        answers = (*answers, answer)
        found.append(draft_of(*answers, hidden={"email": "hidden@example.com"}).email)
    assert found == [answer.answer for answer in (hidden, titled, named, typed)]


def test_role_of_two_equal_clues_is_the_first_ones() -> None:
    answers = [GivenAnswer("?", f"{n}@example.com", "email", (), Role.EMAIL) for n in "ab"]
    draft = draft_of(*answers)
    assert draft.email == "a@example.com"
    assert [answer.answer for answer in draft.contact_answers] == ["a@example.com", "b@example.com"]


def test_role_when_its_mapped_field_was_not_answered_falls_to_the_next_clue() -> None:
    assert draft_of(given("Email", EMAIL), email="q_gone").email == EMAIL


def test_role_mapped_to_a_hidden_field_is_its_value() -> None:
    assert draft_of(hidden={"crm_mail": EMAIL}, email="crm_mail").email == EMAIL


@pytest.mark.parametrize("roles", [{"email": ""}, {"colour": "q1"}, {"email": ["q1"]}])
def test_mapping_that_names_nothing_is_passed_over(roles: dict[str, Any]) -> None:
    assert draft_of(given("Colour", EMAIL, "text", "q1"), **roles).email == ""


@pytest.mark.parametrize(
    ("title", "answer", "passed_over"),
    [
        ("Email", "n/a", Role.EMAIL),
        ("Phone", "none", Role.PHONE),
        ("Name", "--", Role.NAME),
        ("Name", '{"transcript":"Ann"}', Role.NAME),
    ],
)
def test_contact_answer_that_cannot_be_one_is_withheld_and_not_used(
    title: str, answer: str, passed_over: Role
) -> None:
    draft = draft_of(given(title, answer))
    assert (draft.email, draft.phone, draft.full_name) == ("", "", "")
    assert draft.contact_answers == (QuestionAnswer(title, answer, "text", passed_over),)
    assert draft.questions() == ()


@pytest.mark.parametrize("kind", ["boolean", "choice", "choices", "date", "url", "file_url"])
def test_answer_of_a_kind_that_is_no_contact_is_kept_whatever_its_title(kind: str) -> None:
    draft = draft_of(given("Email", "x@y", kind, "email"))
    assert (draft.email, draft.answers) == ("", (QuestionAnswer("Email", "x@y", kind),))


def test_hidden_first_name_beside_an_answered_whole_name_is_not_used() -> None:
    draft = draft_of(given("Name", "Ben Other"), hidden={"first_name": "Ann"})
    assert (draft.first_name, draft.last_name) == ("Ben", "Other")


def test_hidden_first_name_beside_an_answered_last_name_completes_it() -> None:
    draft = draft_of(given("Surname", "Example"), hidden={"first_name": "Ann"})
    assert draft.full_name == "Ann Example"


@pytest.mark.parametrize(
    ("role", "name"),
    [
        (Role.EMAIL, "E-Mail"),
        (Role.PHONE, "mobile_number"),
        (Role.FIRST_NAME, "fname"),
        (Role.LAST_NAME, "surname"),
        (Role.NAME, "full_name"),
        (None, "company"),
        (None, "utm_source"),
        (None, "Что такое email"),
        (None, ""),
    ],
)
def test_role_of_a_name_is_told_by_form_synonyms(role: Role | None, name: str) -> None:
    assert role_of_name(name) is role


@pytest.mark.parametrize(
    ("role", "title"),
    [
        (Role.EMAIL, "What's your e-mail address?"),
        (Role.EMAIL, "Great! Which *email* can we reach you at?"),
        (Role.EMAIL, "Quelle est votre adresse e-mail ?"),
        (Role.EMAIL, "البريد الإلكتروني"),
        (Role.EMAIL, "Email address (we never share it)"),
        (Role.PHONE, "And your WhatsApp number, please"),
        (Role.PHONE, "Mobile/WhatsApp"),
        (Role.PHONE, "¿Cuál es tu número de teléfono?"),
        (Role.FIRST_NAME, "What is your first name?"),
        (Role.FIRST_NAME, "PRENOM"),
        (Role.LAST_NAME, "Wie lautet Ihr Nachname?"),
        (Role.NAME, "Thanks …, what’s your name?"),
        (Role.NAME, "Qual è il tuo nome?"),
        (None, "What is your company name?"),
        (None, "Their first name"),
        (None, "Name of your agent"),
        (None, "Email or phone?"),
        (None, "Company phone"),
        (None, "(email)"),
        (None, "Where should we email the brochure?"),
        (None, "What is your"),
        (None, ""),
        (None, "name" + " " * MAX_TITLE_CHARS),
    ],
)
def test_role_of_a_title_is_told_by_the_whole_of_it(role: Role | None, title: str) -> None:
    assert role_of_title(title) is role


@pytest.mark.parametrize(("role", "title"), [(role, t) for role in Role for t in TITLES[role]])
def test_every_title_of_the_table_tells_its_own_role(role: Role, title: str) -> None:
    assert role_of_title(title) is role


def test_fits_when_a_phone_has_digits_of_any_script_holds() -> None:
    assert fits(Role.PHONE, "٠٢٠")


@pytest.mark.parametrize(
    ("given_names", "names"),
    [
        (("Ann Example", "", ""), ("Ann", "Example")),
        (("  Ann   van  Example ", "", ""), ("Ann", "van Example")),
        (("Ann", "", ""), ("Ann", "")),
        (("", "", ""), ("", "")),
        (("Ben Other", "Ann", "Example"), ("Ann", "Example")),
        (("Ann", "", "Example"), ("Ann", "Example")),
        (("Mary Ann Example", "", "Example"), ("Mary Ann", "Example")),
        (("Example", "", "Example"), ("", "Example")),
        (("Ann Example", "Ann", ""), ("Ann", "Example")),
        (("Annabel", "Ann", ""), ("Ann", "")),
        (("", "Ann", ""), ("Ann", "")),
    ],
)
def test_name_is_split_by_all_that_is_known(
    given_names: tuple[str, str, str], names: tuple[str, str]
) -> None:
    assert split_name(*given_names) == names


# --- answers ------------------------------------------------------------------


def test_answers_that_repeat_a_question_and_its_text_are_kept_once() -> None:
    twice = [given("Budget?", "400k"), given("Budget?", "400k"), given("Budget?", "500k")]
    assert draft_of(*twice).questions() == (("Budget?", "400k"), ("Budget?", "500k"))


def test_answers_without_text_are_left_out() -> None:
    assert draft_of(given("Budget?", "")).answers == ()


def test_answers_beyond_the_limit_are_left_out_and_contact_data_after_them_is_found() -> None:
    many = [given(f"Question {n}?", "yes") for n in range(5_000)]
    draft = draft_of(*many, given("Email", EMAIL))
    assert len(draft.answers) == MAX_ANSWERS
    assert draft.answers[-1].question == f"Question {MAX_ANSWERS - 1}?"
    assert draft.email == EMAIL


def test_answers_beyond_what_is_looked_at_are_left_alone() -> None:
    many = [given("Question?", "yes")] * MAX_READ
    draft = draft_of(*many, given("Email", EMAIL))
    assert (len(draft.answers), draft.email) == (1, "")


@pytest.mark.parametrize(
    ("text", "withheld"),
    [
        ("Write to ann@example.com.", "Write to (withheld)."),
        ("or Ben.Other+x@mail.example.co.uk!", "or (withheld)!"),
        (f"Call {PHONE} today", "Call (withheld) today"),
        ("Call +44 (0)20-7946.0999", "Call (withheld)"),
        ("Ring 020 7946 0123", "Ring (withheld)"),
        ("450000 to 500,000 pounds, +2 rooms", "450000 to 500,000 pounds, +2 rooms"),
        ("@ home", "@ home"),
    ],
)
def test_questions_withhold_addresses_and_numbers_in_their_texts(text: str, withheld: str) -> None:
    draft = draft_of(given(text, text), given("Phone", "020 7946 0123"), given("Email", EMAIL))
    assert draft.questions() == ((withheld, withheld),)


def test_questions_when_the_phone_is_short_keep_its_digits() -> None:
    draft = draft_of(given("Budget?", "500"), given("Phone", "5"))
    assert (draft.phone, draft.questions()) == ("5", (("Budget?", "500"),))


def test_questions_with_withheld_texts_stay_within_the_limit() -> None:
    draft = draft_of(given("Who?", "a@b.co " * (MAX_TEXT_CHARS // 7)))
    assert len(draft.questions()[0][1]) == MAX_TEXT_CHARS


# --- hidden fields ------------------------------------------------------------


def test_hidden_visitor_id_ties_the_response_to_its_visitor() -> None:
    assert draft_of(hidden={"visitor_id": "v-1"}).visitor_id == "v-1"


def test_hidden_visitor_id_that_is_no_id_is_none() -> None:
    assert draft_of(hidden={"visitor_id": "{{ visitor }}"}).visitor_id is None


def test_hidden_fields_tell_page_and_attribution() -> None:
    page_url = "https://www.example.com/?utm_source=page&gclid=G1"
    draft = draft_of(hidden={"Page_URL": page_url, "UTM_Source": "hidden"})
    assert draft.page_url == page_url
    assert (draft.attribution.utm, draft.attribution.click_ids) == (
        {"utm_source": "hidden"},
        {"gclid": "G1"},
    )


def test_hidden_fields_that_nobody_filled_are_left_out() -> None:
    values: dict[str, Any] = {
        "visitor_id": "xxxxx",
        "a": "",
        "b": None,
        "c": {},
        "d": True,
        "e": 7,
        "f": " x ",
    }
    assert hidden_fields(values) == {"e": "7", "f": "x"}


def test_hidden_fields_of_another_shape_are_none() -> None:
    assert hidden_fields(["visitor_id"]) == {}


def test_hidden_fields_beyond_the_limit_are_left_out() -> None:
    assert len(hidden_fields({str(n): "x" for n in range(MAX_FIELDS + 1)})) == MAX_FIELDS


@pytest.mark.parametrize("name", ["visitorId", "session_id", "PAGE_URL", "utm_term", "fbclid"])
def test_tracking_field_is_told_by_its_name(name: str) -> None:
    assert is_tracking(name)
    assert not is_tracking("budget")


# --- event keys ---------------------------------------------------------------

PARTS = ("f1", "t1", "2026-11-22T10:00:00Z", "form_response")


def test_event_key_is_the_events_own_id() -> None:
    assert event_key("e1", PARTS, {"a": 1}) == "e1"


def test_event_key_without_an_id_is_told_by_its_parts_alone() -> None:
    key = event_key("", PARTS, {"a": 1})
    assert key == event_key("", PARTS, {"b": 2})
    assert key not in {event_key("", (*PARTS[:3], "partial"), {}), event_key("e1", PARTS, {})}


def test_event_key_when_a_part_is_missing_is_told_by_the_whole_payload() -> None:
    parts = ("f1", "", *PARTS[2:])
    assert event_key("", parts, {"a": 1, "b": 2}) == event_key("", parts, {"b": 2, "a": 1})
    assert event_key("", parts, {"a": 1}) != event_key("", parts, {"a": 2})


def test_event_key_of_an_id_too_long_is_short_and_still_its_own() -> None:
    first, second = ("e" * MAX_EVENT_ID_CHARS + end for end in "ab")
    assert event_key(first, PARTS, {}) != event_key(second, PARTS, {})
    assert len(event_key(first, PARTS, {})) <= MAX_EVENT_ID_CHARS


# --- payloads -----------------------------------------------------------------


@pytest.mark.parametrize("payload", [None, [], "x", 1, True])
def test_redacted_refuses_what_is_no_object(payload: Any) -> None:
    with pytest.raises(AppError) as refusal:
        redacted(payload)
    assert refusal.value.code is ErrorCode.INVALID
    assert refusal.value.fields[0].field == "body"


@pytest.mark.parametrize(
    ("payload", "stored"),
    [
        ({"payment": {"amount": "1", "name": "A", "last4": "1"}}, {"payment": {"amount": "1"}}),
        ({"a": [{"payment": [{"Name": "A", "x": 1}]}]}, {"a": [{"payment": [{"x": 1}]}]}),
        ({"payment": {"card": {"name": "A", "LAST4": "1"}}}, {"payment": {"card": {}}}),
        ({"payment_last4": "1", "payment.name": "A", "x": 1}, {"x": 1}),
        ({"answer": {"last4": "1", "name": "A", "amount": 5}}, {"answer": {"amount": 5}}),
        ({"name": "kept", "last4": "1"}, {"name": "kept"}),
        ({"project": {"name": "kept"}}, {"project": {"name": "kept"}}),
        ({"name": "kept", "payment": "cash"}, {"name": "kept", "payment": "cash"}),
    ],
)
def test_redacted_leaves_card_data_out_wherever_it_stands(
    payload: dict[str, Any], stored: dict[str, Any]
) -> None:
    assert redacted(payload) == stored


def test_redacted_leaves_the_given_payload_as_it_was() -> None:
    payload = {"payment": {"name": "A"}}
    redacted(payload)
    assert payload == {"payment": {"name": "A"}}


def test_redacted_leaves_out_what_no_store_takes() -> None:
    payload: dict[Any, Any] = {
        "a\x00": "b\x00\ud800",
        "n": [float("nan"), float("inf"), 10**5_000, 1, 0.5, True, None],
        "t": ("tuple",),
        7: "no name",
    }
    assert redacted(payload) == {
        "a": "b\ufffd",
        "n": [None, None, None, 1, 0.5, True, None],
        "t": None,
    }


def test_redacted_cuts_what_is_nested_deeper_than_a_body_may_be() -> None:
    assert redacted({"a": nested(MAX_DEPTH)}) == {"a": nested(MAX_DEPTH)}
    assert redacted({"a": nested(MAX_DEPTH + 1)}) != {"a": nested(MAX_DEPTH + 1)}
    assert "end" not in str(redacted({"a": nested(50_000)}))


def test_clean_text_joins_paired_surrogates() -> None:
    assert clean_text("\ud83c\udfe0 \x00home") == "🏠 home"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("  x ", "x"),
        (450_000, "450000"),
        (450_000.0, "450000"),
        (0.1, "0.1"),
        (True, ""),
        (None, ""),
        ([], ""),
        ("x" * 3_000, "x" * MAX_TEXT_CHARS),
    ],
)
def test_text_of_a_value_is_its_string_or_number(value: Any, text: str) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "yes"),
        (False, "no"),
        ({"a": [1, "é"]}, '{"a":[1,"é"]}'),
        ([], ""),
        ({}, ""),
        ("x", "x"),
        (None, ""),
        (["x" * 3_000], '["' + "x" * (MAX_TEXT_CHARS - 2)),
    ],
)
def test_text_of_any_value_is_compact_json_where_it_has_no_other(value: Any, text: str) -> None:
    assert text_of_any(value) == text


@pytest.mark.parametrize(
    ("value", "expected"), [(7, 7.0), (0.5, 0.5), (True, None), ("7", None), (10**400, None)]
)
def test_number_is_finite_or_none(value: Any, expected: float | None) -> None:
    assert number(value) == expected


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00+00:00"),
        (" 2026-11-22T10:00:00+04:00", "2026-11-22T06:00:00+00:00"),
        ("2026-11-22T10:00:00", "2026-11-22T10:00:00+00:00"),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        (1_763_800_000, None),
        (None, None),
    ],
)
def test_moment_is_in_utc_or_none(value: Any, moment: str | None) -> None:
    read = moment_of(value)
    assert (read and read.isoformat()) == moment


def test_question_joins_titles_and_hides_repeated_answers() -> None:
    titles = ("How important\nare these, {{field:01H-a}}?", "", "Schools")
    assert question_of(*titles) == "How important are these, …? – Schools"
