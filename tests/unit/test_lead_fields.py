import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.domain.attribution import Attribution
from server.domain.errors import AppError, ErrorCode
from server.domain.lead import Channel, LeadDraft
from server.domain.lead_fields import (
    CONTROL_FIELDS,
    MAX_DEPTH,
    MAX_FIELDS,
    SYNONYMS,
    TEXT_FIELDS,
    draft,
    known_fields,
    our_name,
)

# A busy machine makes examples slowly; that is no failure.
bounded = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])

EMAIL = "ann@example.com"
PHONE = "+44 20 7946 0123"


def draft_of(fields: dict[str, Any]) -> LeadDraft:
    """The draft of a form's fields, with an e-mail address unless they give their own."""
    return draft({"email": EMAIL, **fields}, Channel.FORM)


def nested(levels: int) -> Any:
    value: Any = "end"
    for level in range(levels):
        value = [value] if level % 2 else {"in": value}
    return value


# --- names ------------------------------------------------------------------

WRITTEN = {
    "name": ["name", "Name", "NAME", "full_name", "Full Name", "fullName", "your-name", "name*"],
    "first_name": ["first_name", "FirstName", "first-name", "First Name:", "fname", "given_name"],
    "last_name": ["last_name", "lastName", "LAST NAME", "lname", "surname", "family-name"],
    "email": ["email", "Email", "E-Mail", "e-mail", "EMAIL *", "email_address", "Your Email"],
    "phone": ["phone", "PHONE", "Phone Number", "mobile", "tel", "Tel.", "telephone", "WhatsApp"],
    "message": ["message", "Message", "comments", "Comment", "enquiry", "inquiry", "your-message"],
    "project": ["project", "Project Name", "property", "propertyName", "PROPERTY"],
    "lead_source": ["SOURCE", "source", "Source", "lead_source", "LeadSource"],
    "page_url": ["page_url", "pageUrl", "PAGE_URL", "__page_url"],
    "referrer": ["referrer", "Referer", "__referrer"],
    "visitor_id": ["__visitor_id", "__Visitor_ID", "__visitorId", "_visitor_id"],
    "session_id": ["__session_id", "__SESSION_ID", "__sessionId"],
    "site": ["__site", "site", "__SITE"],
    "submission_id": ["__submission_id", "__submissionId"],
    "page_state": ["__pg_state", "__PG_STATE", "__pgState"],
    "consent": ["__consent", "__Consent"],
    "redirect": ["_redirect", "__redirect", "_Redirect"],
    "honeypot": ["honeypot", "HoneyPot", "__honeypot", "honey_pot"],
    "time_to_submit": ["timeToSubmit", "time_to_submit", "TIMETOSUBMIT", "__timeToSubmit"],
    "utm_source": ["utm_source", "UTM_SOURCE", " Utm_Source "],
    "utm_medium": ["utm_medium"],
    "utm_campaign": ["utm_campaign"],
    "utm_term": ["utm_term"],
    "utm_content": ["utm_content"],
    "gclid": ["gclid", "GCLID"],
    "fbclid": ["fbclid", "fbClid"],
    "li_fat_id": ["li_fat_id"],
}


@pytest.mark.parametrize(
    ("field", "name"), [(field, name) for name, fields in WRITTEN.items() for field in fields]
)
def test_our_name_of_a_field_in_any_spelling_is_known(field: str, name: str) -> None:
    assert our_name(field) == name


@pytest.mark.parametrize(
    ("synonym", "name"), [(one, name) for name, all_of in SYNONYMS.items() for one in all_of]
)
def test_our_name_of_every_synonym_in_either_case_is_known(synonym: str, name: str) -> None:
    prefix = "__" if name in CONTROL_FIELDS else ""
    assert our_name(prefix + synonym) == name
    assert our_name(prefix + synonym.upper()) == name


def test_synonyms_stand_for_one_name_each() -> None:
    every = [synonym for all_of in SYNONYMS.values() for synonym in all_of]
    assert len(every) == len(set(every))


@pytest.mark.parametrize("field", sorted(CONTROL_FIELDS))
def test_our_name_of_a_control_field_without_underscore_is_the_forms_own(field: str) -> None:
    assert our_name("__" + field.replace("page_state", "pg_state")) == field
    assert our_name(field.replace("page_state", "pg_state")) is None


@pytest.mark.parametrize(
    "field",
    [
        "",
        " ",
        "budget",
        "company",
        "name[first]",
        "emails",
        "имя",
        "📞",
        "utm_id",
        "utm-source",
        "_",
    ],
)
def test_our_name_of_an_unknown_field_is_none(field: str) -> None:
    assert our_name(field) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"mobile": PHONE, "tel": "1"},
        {"mobile": "", "tel": PHONE},
        {"mobile": None, "tel": PHONE, "phone": "1"},
        {"mobile": [], "tel": PHONE},
    ],
)
def test_known_fields_of_synonyms_take_the_first_that_is_not_empty(fields: dict[str, Any]) -> None:
    assert known_fields(fields) == {"phone": PHONE}


def test_known_fields_of_unknown_fields_are_none() -> None:
    assert known_fields({"budget": 1, "visitor_id": "v"}) == {}


# --- a whole draft ------------------------------------------------------------


def test_draft_of_a_full_form_reads_every_field() -> None:
    made = draft(
        {
            "First Name": " Ann ",
            "last-name": "Smith",
            "E-Mail": " Ann@Example.com ",
            "Mobile": PHONE,
            "comments": "Is it free?\n",
            "Property": "Harbour View",
            "SOURCE": "Facebook",
            "page_url": "https://www.example.com/flat?utm_source=page&gclid=g-1",
            "referrer": "https://www.example.com/",
            "UTM_Source": "form",
            "__visitor_id": "v-1",
            "__session_id": "s-1",
            "__site": "demo",
            "__submission_id": "sub-1",
            "__pg_state": '{"v":1}',
            "__consent": "yes",
            "_redirect": "https://www.example.com/thanks",
            "honeypot": "",
            "timeToSubmit": "12345",
            "Budget": "2m",
        },
        Channel.FORM,
    )
    assert made == LeadDraft(
        channel=Channel.FORM,
        lead_source="Facebook",
        first_name="Ann",
        last_name="Smith",
        email="Ann@Example.com",
        phone=PHONE,
        message="Is it free?",
        project="Harbour View",
        page_url="https://www.example.com/flat?utm_source=page&gclid=g-1",
        referrer="https://www.example.com/",
        attribution=Attribution({"utm_source": "form"}, {"gclid": "g-1"}),
        consent=True,
        visitor_id=made.visitor_id,
        session_id=made.session_id,
        site="demo",
        submission_id="sub-1",
        page_state='{"v":1}',
        honeypot="",
        time_to_submit_ms=12_345,
        redirect="https://www.example.com/thanks",
        extra={"Budget": "2m"},
    )
    assert (made.visitor_id, made.session_id) == ("v-1", "s-1")


def test_draft_of_an_email_alone_leaves_the_rest_empty() -> None:
    made = draft({"email": EMAIL}, Channel.API)
    assert made == LeadDraft(channel=Channel.API, lead_source="WebSite", email=EMAIL)
    assert made.full_name == ""
    assert made.consent is None
    assert made.time_to_submit_ms is None


def test_draft_of_the_same_fields_twice_is_the_same() -> None:
    fields = {"email": EMAIL, "phone": PHONE, "__visitor_id": "v", "Rooms": [2, 3]}
    assert draft_of(fields) == draft_of(dict(fields))


def test_draft_leaves_the_fields_it_was_given_alone() -> None:
    fields = {"email": f" {EMAIL} ", "rooms": [" 2 "], "utm_source": "ads"}
    before = json.dumps(fields)
    draft(fields, Channel.FORM)
    assert json.dumps(fields) == before


@pytest.mark.parametrize(
    ("fields", "full_name"),
    [
        ({}, ""),
        ({"name": "Ann Smith"}, "Ann Smith"),
        ({"full_name": "Ann Smith"}, "Ann Smith"),
        ({"first_name": "Ann", "last_name": "Smith"}, "Ann Smith"),
        ({"first_name": "Ann"}, "Ann"),
        ({"last_name": "Smith"}, "Smith"),
        ({"name": "Ann Smith", "first_name": "Ann", "last_name": "Smith"}, "Ann Smith"),
    ],
)
def test_full_name_however_it_was_given_is_one_text(fields: dict[str, Any], full_name: str) -> None:
    assert draft_of(fields).full_name == full_name


def test_full_name_of_a_name_and_a_surname_holds_both() -> None:
    assert draft_of({"name": "Ann", "surname": "Smith"}).full_name == "Ann Smith"


# --- what is refused ------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"name": "Ann", "message": "Call me"},
        {"email": "", "phone": ""},
        {"email": " \n", "phone": "\t"},
        {"email": None, "phone": None},
        {"email": [], "phone": {}},
        {"email": ["", None], "phone": [[]]},
        {"email": True, "phone": False},
        {"email": {"address": EMAIL}},
        {"e": EMAIL},
    ],
)
def test_draft_without_email_and_phone_is_refused_naming_both(fields: dict[str, Any]) -> None:
    with pytest.raises(AppError) as refused:
        draft(fields, Channel.FORM)
    assert refused.value.code is ErrorCode.INVALID
    assert [field.field for field in refused.value.fields] == ["email", "phone"]


@pytest.mark.parametrize(
    ("fields", "email", "phone"),
    [
        ({"email": "no address"}, "no address", ""),
        ({"phone": "call me"}, "", "call me"),
        ({"phone": 442079460123}, "", "442079460123"),
        ({"phone": 0}, "", "0"),
        ({"email": [EMAIL, "bob@example.com"]}, EMAIL, ""),
        ({"email": ["", [None, [EMAIL]]]}, EMAIL, ""),
        ({"email": {"no": "text"}, "phone": PHONE}, "", PHONE),
        ({"mail": "📧"}, "📧", ""),
        ({"tel": "9" * 60_000}, "", "9" * 60_000),
    ],
)
def test_draft_with_a_malformed_contact_keeps_it_as_given(
    fields: dict[str, Any], email: str, phone: str
) -> None:
    made = draft(fields, Channel.FORM)
    assert (made.email, made.phone) == (email, phone)


@pytest.mark.parametrize("empty", [" ", "\n", {"x": 1}, [""], [None, " "], True])
def test_draft_with_an_unreadable_email_takes_the_next_synonym(empty: Any) -> None:
    made = draft({"email": empty, "E-Mail": EMAIL}, Channel.FORM)
    assert made.email == EMAIL


def test_draft_with_as_many_fields_as_allowed_is_read() -> None:
    fields = {f"field {n}": n for n in range(MAX_FIELDS - 1)}
    assert len(draft_of(fields).extra) == MAX_FIELDS - 1


def test_draft_with_one_field_too_many_is_refused() -> None:
    with pytest.raises(AppError, match=str(MAX_FIELDS)) as refused:
        draft_of({f"field {n}": n for n in range(MAX_FIELDS)})
    assert refused.value.code is ErrorCode.INVALID


@pytest.mark.parametrize("field", ["rooms", "email", "__pg_state"])
def test_draft_nested_too_deep_is_refused_naming_the_field(field: str) -> None:
    assert draft_of({"phone": PHONE, field: nested(MAX_DEPTH)}).phone == PHONE
    with pytest.raises(AppError, match=f"deeper than {MAX_DEPTH}") as refused:
        draft_of({"phone": PHONE, field: nested(MAX_DEPTH + 1)})
    assert refused.value.code is ErrorCode.INVALID
    assert [error.field for error in refused.value.fields] == [field]


def test_draft_nested_very_deep_is_refused_and_does_not_overflow() -> None:
    with pytest.raises(AppError):
        draft_of({"rooms": nested(900)})


# --- ids and other control fields -------------------------------------------------


@pytest.mark.parametrize(
    ("value", "visitor_id"),
    [
        ("v-1", "v-1"),
        (" v-1 ", "v-1"),
        (12345, "12345"),
        (["", "v-1"], "v-1"),
        ("a" * 128, "a" * 128),
        ("a" * 129, None),
        ("", None),
        (None, None),
        (True, None),
        ({}, None),
        ("a b", None),
        ("v'; --", None),
        ("{{visitor_id}}", None),
        ("null\n1", None),
        ("é", None),
        (1.5e300, None),
    ],
)
def test_draft_with_a_malformed_visitor_id_counts_as_without_one(
    value: Any, visitor_id: str | None
) -> None:
    assert draft_of({"__visitor_id": value}).visitor_id == visitor_id
    assert draft_of({"__session_id": value}).session_id == visitor_id
    assert draft_of({"__submission_id": value}).submission_id == (visitor_id or "")


@pytest.mark.parametrize(
    "value",
    ["1", 1, True, "true", "TRUE", "Yes", "on", "y", "granted", "accepted", " yes ", ["yes"]],
)
def test_draft_with_consent_that_says_yes_in_any_form_is_given(value: Any) -> None:
    assert draft_of({"__consent": value}).consent is True


@pytest.mark.parametrize(
    "value", ["0", 0, False, "false", "No", "off", "n", "denied", "refused", [False, "no"]]
)
def test_draft_with_consent_that_says_no_in_any_form_is_refused(value: Any) -> None:
    assert draft_of({"__consent": value}).consent is False


@pytest.mark.parametrize("value", ["", None, "maybe", "yess", 2, {}, [], [True]])
def test_draft_with_consent_that_says_neither_is_unknown(value: Any) -> None:
    assert draft_of({"__consent": value}).consent is None


def test_draft_with_a_forms_own_consent_field_keeps_it_in_extra() -> None:
    made = draft_of({"consent": "I want the newsletter"})
    assert made.consent is None
    assert made.extra == {"consent": "I want the newsletter"}


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [
        ("0", 0),
        (0, 0),
        ("12345", 12_345),
        (12345, 12_345),
        (12345.9, 12_345),
        (" 7 ", 7),
        ("1e3", 1_000),
        ("-5", 0),
        (-5, 0),
        (["", "9"], 9),
        (10**300, int(float(10**300))),
        ("", None),
        (None, None),
        (True, None),
        ({}, None),
        ([], None),
        ("soon", None),
        ("12 s", None),
        ("nan", None),
        ("inf", None),
        ("-inf", None),
        ("1e999", None),
        (float("nan"), None),
        (float("inf"), None),
        (10**400, None),
    ],
)
def test_draft_with_a_time_to_submit_reads_whole_milliseconds_or_nothing(
    value: Any, milliseconds: int | None
) -> None:
    assert draft_of({"timeToSubmit": value}).time_to_submit_ms == milliseconds


def test_draft_with_two_times_to_submit_takes_the_first_though_it_is_0() -> None:
    assert draft_of({"timeToSubmit": 0, "time_to_submit": 9_000}).time_to_submit_ms == 0


@pytest.mark.parametrize(
    ("value", "honeypot"),
    [
        ("", ""),
        (" ", ""),
        (None, ""),
        (False, ""),
        ([], ""),
        ("x", "x"),
        (["", "x"], "x"),
        (7, "7"),
    ],
)
def test_draft_with_a_honeypot_holds_what_filled_it(value: Any, honeypot: str) -> None:
    assert draft_of({"honeypot": value}).honeypot == honeypot


@pytest.mark.parametrize(("value", "filled"), [(True, True), (0, False), (0.0, False)])
def test_draft_with_a_honeypot_as_a_json_flag_is_filled_when_it_says_so(
    value: Any, *, filled: bool
) -> None:
    assert bool(draft_of({"honeypot": value}).honeypot) is filled


def test_draft_with_the_page_state_as_text_keeps_it_raw() -> None:
    assert draft_of({"__pg_state": ' {"v":1} '}).page_state == '{"v":1}'


def test_draft_with_the_page_state_as_an_object_keeps_it_as_json() -> None:
    assert json.loads(draft_of({"__pg_state": {"v": 1}}).page_state) == {"v": 1}


@pytest.mark.parametrize(
    ("value", "source"),
    [
        ("Facebook", "Facebook"),
        (" WhatsApp ", "WhatsApp"),
        ("", "WebSite"),
        (" ", "WebSite"),
        (None, "WebSite"),
        ({}, "WebSite"),
        (["JustLead"], "JustLead"),
        (7, "7"),
    ],
)
def test_draft_with_a_source_takes_it_word_for_word_or_the_channels(
    value: Any, source: str
) -> None:
    assert draft_of({"SOURCE": value}).lead_source == source


@pytest.mark.parametrize(
    ("fields", "utm", "click_ids"),
    [
        ({"utm_source": "ads"}, {"utm_source": "ads"}, {}),
        ({"utm_source": " ads ", "utm_medium": " "}, {"utm_source": "ads"}, {}),
        ({"utm_source": ["", "ads"], "utm_term": {}}, {"utm_source": "ads"}, {}),
        ({"GCLID": "g", "li_fat_id": 7}, {}, {"gclid": "g", "li_fat_id": "7"}),
        ({"page_url": "https://www.example.com/?utm_source=page"}, {"utm_source": "page"}, {}),
        (
            {"page_url": "https://www.example.com/?utm_term=page", "utm_source": "form"},
            {"utm_source": "form"},
            {},
        ),
        ({"page_url": "https://[::1/?utm_source=page"}, {}, {}),
        ({"page_url": ["https://www.example.com/?fbclid=f"]}, {}, {"fbclid": "f"}),
    ],
)
def test_draft_with_a_campaign_reads_its_own_fields_before_the_pages(
    fields: dict[str, Any], utm: dict[str, str], click_ids: dict[str, str]
) -> None:
    assert draft_of(fields).attribution == Attribution(utm, click_ids)


# --- extra ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", ["2m", " 2m ", 0, 7, 1.5, False, True, [], [1, None], {}, {"a": {"b": [None]}}]
)
def test_draft_with_an_unknown_field_keeps_it_in_extra_as_it_is(value: Any) -> None:
    assert draft_of({"Budget (AED)": value}).extra == {"Budget (AED)": value}


@pytest.mark.parametrize("value", ["", None])
def test_draft_with_an_empty_unknown_field_leaves_it_out(value: Any) -> None:
    assert draft_of({"Budget": value}).extra == {}


@pytest.mark.parametrize("value", [{"first": "Ann"}, True, [], [{"a": 1}], [[""]]])
@pytest.mark.parametrize("field", TEXT_FIELDS)
def test_draft_with_a_known_field_that_is_no_text_keeps_it_in_extra(field: str, value: Any) -> None:
    made = draft({field: value, "tel": "1", "mail": "a"}, Channel.FORM)
    assert made.extra == {field: value}


def test_draft_with_known_and_control_fields_keeps_them_out_of_extra() -> None:
    assert draft_of({"name": "Ann", "__visitor_id": "bad id", "_redirect": "x"}).extra == {}


@pytest.mark.parametrize(
    ("fields", "extra"),
    [
        ({"phone": PHONE, "whatsapp": "+44 20 7946 0999"}, {"whatsapp": "+44 20 7946 0999"}),
        ({"project": "Harbour View", "property": "Flat 4B"}, {"property": "Flat 4B"}),
        ({"message": "Hello", "comments": "After six"}, {"comments": "After six"}),
        ({"Name": "Ann Smith", "contact_name": "Bob"}, {"contact_name": "Bob"}),
    ],
)
def test_draft_with_two_synonyms_keeps_the_second_in_extra(
    fields: dict[str, Any], extra: dict[str, Any]
) -> None:
    assert draft_of(fields).extra == extra


def test_draft_with_two_equal_synonyms_keeps_one() -> None:
    assert draft_of({"phone": PHONE, "mobile": f" {PHONE} "}).extra == {}


def test_draft_with_several_choices_keeps_all_in_extra() -> None:
    made = draft_of({"project": ["Harbour View", "Palm Court"]})
    assert made.project == "Harbour View"
    assert made.extra == {"project": ["Harbour View", "Palm Court"]}


@pytest.mark.parametrize("field", ["page_url", "referrer", "SOURCE", "utm_source"])
def test_draft_with_any_known_field_that_is_no_text_keeps_it_in_extra(field: str) -> None:
    assert draft_of({field: {"value": "x"}}).extra == {field: {"value": "x"}}


# --- anything at all ----------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
field_names = st.text(max_size=12) | st.sampled_from(
    [field for fields in WRITTEN.values() for field in fields]
)
json_objects = st.dictionaries(field_names, json_values, max_size=12)


def draft_or_refusal(fields: dict[str, Any]) -> LeadDraft | AppError:
    try:
        return draft(fields, Channel.FORM)
    except AppError as refused:
        return refused


@bounded
@given(json_objects, st.sampled_from([{}, {"email": EMAIL}]))
def test_draft_of_any_json_object_is_made_or_refused_for_want_of_a_contact(
    fields: dict[str, Any], contact: dict[str, str]
) -> None:
    made = draft_or_refusal({**fields, **contact})
    if isinstance(made, AppError):
        assert made.code is ErrorCode.INVALID
        assert {field.field for field in made.fields} == {"email", "phone"}
    else:
        assert made.email or made.phone
        assert made.lead_source
        assert set(made.extra) <= {*fields, *contact}
        assert made.time_to_submit_ms is None or made.time_to_submit_ms >= 0
        assert made == draft_or_refusal({**fields, **contact})


@bounded
@given(json_objects)
def test_draft_of_any_json_object_keeps_every_unknown_value(fields: dict[str, Any]) -> None:
    made = draft_of({**fields, "email": EMAIL})
    unknown = {
        field
        for field, value in fields.items()
        if our_name(field) is None and not field.startswith("__") and value not in ("", None)
    }
    assert unknown <= set(made.extra)
