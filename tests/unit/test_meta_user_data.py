"""Fields as Meta matches them, held against its documentation and its own package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from facebook_business.adobjects.serverside.gender import Gender
from facebook_business.adobjects.serverside.user_data import UserData as MetasUserData
from hypothesis import given, settings
from hypothesis import strategies as st

from server.destinations.meta_user_data import (
    US_STATES,
    normal_birth_date,
    normal_country,
    normal_email,
    normal_gender,
    normal_ip,
    normal_name,
    normal_phone,
    normal_place,
    normal_state,
    normal_zip_code,
    sha256,
    user_data_of,
)
from server.domain.conversion import UserData

any_text = st.text(st.characters(exclude_categories=()), max_size=60)
bounded = settings(max_examples=200, deadline=None)

FBC = "fb.1.1554763741205.IwAR2F4-dbP0l7Mn1IawQQ"
FBP = "fb.1.1596403881668.1116446470"


def user(**fields: Any) -> UserData:
    return UserData(**fields)


# ---- the documentation's examples, with its own hashes


@pytest.mark.parametrize(
    ("typed", "key", "expected"),
    [
        (
            user(email="John_Smith@gmail.com"),
            "em",
            "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f",
        ),
        (
            user(phone="(650)555-1212", phone_region="US"),
            "ph",
            "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176",
        ),
        (
            user(first_name="Mary"),
            "fn",
            "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec",
        ),
        (
            user(first_name="정"),
            "fn",
            "8fa8cd9c440be61d0151429310034083132b35975c4bea67fdd74158eb51db14",
        ),
        (
            user(first_name="Valéry"),
            "fn",
            "08e1996b5dd49e62a4b4c010d44e4345592a863bb9f8e3976219bac29417149c",
        ),
    ],
)
def test_field_of_metas_documentation_has_its_hash(
    typed: UserData, key: str, expected: str
) -> None:
    assert user_data_of(typed) == {key: [expected]}


# ---- each field


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        ("  Ana@Example.COM\n", "ana@example.com"),
        ("ana+viewing@example.com", "ana+viewing@example.com"),
        ("\u200eana@example.com\ufeff", "ana@example.com"),
        ("a\u0301na@example.com", "ána@example.com"),
        ("", ""),
        ("ana", ""),
        ("ana@localhost", ""),
        ("ana@@example.com", ""),
        ("ana smith@example.com", ""),
    ],
)
def test_email_is_trimmed_and_lowered_or_left_out(typed: str, normal: str) -> None:
    assert normal_email(typed) == normal


@pytest.mark.parametrize(
    ("typed", "region", "normal"),
    [
        ("+44 20 7946 0123", None, "442079460123"),
        ("+44 (0)20 7946 0123", None, "442079460123"),
        ("020.7946.0123", "GB", "442079460123"),
        ("00 44 20 7946 0123", "GB", "442079460123"),
        ("020 7946 0123", None, ""),
        ("020 7946 0123", "Atlantis", ""),
        ("7946", "GB", ""),
        ("call me", "GB", ""),
        ("", "GB", ""),
    ],
)
def test_phone_has_its_country_code_or_is_left_out(
    typed: str, region: str | None, normal: str
) -> None:
    assert normal_phone(typed, region) == normal


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        ("  MARY  Ann ", "mary ann"),
        ("O'Brien", "obrien"),
        ("O’Brien", "obrien"),
        ("Smith-Jones, Jr.", "smithjones jr"),
        ("Vale\u0301ry", "valéry"),
        ("Vale.\u0301ry", "valéry"),
        ("Ана", "ана"),
        ("निशा", "निशा"),
        ("\u200fليلى\u200f", "ليلى"),
        ("Ana ❤️", "ana"),
        ("\ud83d", ""),
        ("…", ""),
    ],
)
def test_name_loses_case_and_punctuation_and_keeps_its_letters(typed: str, normal: str) -> None:
    assert normal_name(typed) == normal


@pytest.mark.parametrize(
    ("typed", "normal"),
    [("San Francisco", "sanfrancisco"), ("St. John's", "stjohns"), ("Zürich", "zürich")],
)
def test_city_loses_spaces_as_well(typed: str, normal: str) -> None:
    assert normal_place(typed) == normal


@pytest.mark.parametrize(
    ("typed", "country", "normal"),
    [
        ("CA", "US", "ca"),
        ("C.A.", "us", "ca"),
        ("California", "US", "ca"),
        ("New York", "US", "ny"),
        ("Bavaria", "US", ""),
        ("ZZ", "US", ""),
        ("California", "", "california"),
        ("New South Wales", "AU", "newsouthwales"),
        ("", "US", ""),
    ],
)
def test_state_has_two_letters_in_the_united_states_only(
    typed: str, country: str, normal: str
) -> None:
    assert normal_state(typed, country) == normal


def test_states_of_the_united_states_are_fifty_with_the_capital_and_puerto_rico() -> None:
    assert len(set(US_STATES.values())) == len(US_STATES) == 52


@pytest.mark.parametrize(
    ("typed", "country", "normal"),
    [
        ("94035-1234", "US", "94035"),
        ("94035", "us", "94035"),
        ("9403", "US", ""),
        ("M1 1AE", "GB", "m11ae"),
        ("1000-001", "PT", "1000001"),
        ("75018", "", "75018"),
        ("٩٤٠٣٥", "US", ""),
    ],
)
def test_zip_code_is_cut_to_five_digits_in_the_united_states_only(
    typed: str, country: str, normal: str
) -> None:
    assert normal_zip_code(typed, country) == normal


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        (" GB ", "gb"),
        ("ae", "ae"),
        ("UK", ""),
        ("ZZ", ""),
        ("United States", ""),
        ("uſ", ""),
        ("001", ""),
        ("", ""),
    ],
)
def test_country_is_two_letters_or_left_out(typed: str, normal: str) -> None:
    assert normal_country(typed) == normal


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        ("19970216", "19970216"),
        (" 1997-02-16 ", "19970216"),
        ("1997/02/16", "19970216"),
        ("16/02/1997", ""),
        ("19970231", ""),
        ("18991231", ""),
        ("1997-2-16", ""),
        ("١٩٩٧٠٢١٦", ""),
        ("", ""),
    ],
)
def test_birth_date_is_year_month_day_or_left_out(typed: str, normal: str) -> None:
    assert normal_birth_date(typed) == normal


@pytest.mark.parametrize(
    ("typed", "normal"),
    [("F", "f"), ("female", "f"), (" Male", "m"), ("m", "m"), ("woman", ""), ("", "")],
)
def test_gender_is_an_initial_or_left_out(typed: str, normal: str) -> None:
    assert normal_gender(typed) == normal


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        ("203.0.113.7", "203.0.113.7"),
        (" 2001:DB8:0:0::1 ", "2001:db8::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", ""),
        ("203.0.113.7:443", ""),
        ("203.0.113.256", ""),
        ("unknown", ""),
        ("", ""),
    ],
)
def test_ip_is_an_address_or_left_out(typed: str, normal: str) -> None:
    assert normal_ip(typed) == normal


# ---- all together


def test_user_data_hashes_all_but_what_meta_wants_in_clear() -> None:
    everything = UserData(
        email="Ana@Example.com",
        phone="020 7946 0123",
        phone_region="GB",
        first_name="Ana",
        last_name="Example",
        city="London",
        state="Greater London",
        zip_code="SW1A 1AA",
        country="GB",
        birth_date="1997-02-16",
        gender="female",
        external_id=" Visitor-1 ",
        client_ip="203.0.113.7",
        client_user_agent="Mozilla/5.0 (X11; Linux x86_64)",
        fbc=FBC,
        fbp=FBP,
        lead_id="525645896321548",
    )
    assert user_data_of(everything) == {
        "em": [sha256("ana@example.com")],
        "ph": [sha256("442079460123")],
        "fn": [sha256("ana")],
        "ln": [sha256("example")],
        "ct": [sha256("london")],
        "st": [sha256("greaterlondon")],
        "zp": [sha256("sw1a1aa")],
        "country": [sha256("gb")],
        "db": [sha256("19970216")],
        "ge": [sha256("f")],
        "external_id": [sha256("Visitor-1")],
        "client_ip_address": "203.0.113.7",
        "client_user_agent": "Mozilla/5.0 (X11; Linux x86_64)",
        "fbc": FBC,
        "fbp": FBP,
        "lead_id": 525645896321548,
    }


@pytest.mark.parametrize(
    "wrong",
    [
        user(),
        user(email="ana", phone="1", country="UK", client_ip="unknown"),
        user(fbc="IwAR2F4", fbp="made-up"),
        *[user(lead_id=text) for text in ("abc", "0", "-5", "1.5", "٣", "9" * 5_000)],
    ],
)
def test_user_data_of_what_cannot_be_read_is_empty(wrong: UserData) -> None:
    assert user_data_of(wrong) == {}


def test_external_id_is_the_visitors_as_it_is_even_when_it_looks_hashed() -> None:
    for visitor_id in ("Visitor-1", "a" * 64):
        assert user_data_of(user(external_id=visitor_id)) == {"external_id": [sha256(visitor_id)]}


@bounded
@given(
    st.builds(
        UserData,
        **dict.fromkeys(
            (
                "email",
                "phone",
                "phone_region",
                "first_name",
                "last_name",
                "city",
                "state",
                "zip_code",
                "country",
                "birth_date",
                "gender",
                "external_id",
                "client_ip",
                "client_user_agent",
                "fbc",
                "fbp",
                "lead_id",
            ),
            any_text,
        ),
    )
)
def test_user_data_of_any_text_never_raises_and_holds_no_empty_value(any_user: UserData) -> None:
    made = user_data_of(any_user)
    assert all(value not in ("", [sha256("")]) for value in made.values())


@bounded
@given(any_text, st.sampled_from(["", "US", "gb", "UK"]))
def test_normal_text_of_any_text_is_normal_already(text: str, country: str) -> None:
    for once, again in (
        (normal_email(text), normal_email),
        (normal_name(text), normal_name),
        (normal_place(text), normal_place),
        (normal_state(text, country), lambda normal: normal_state(normal, country)),
        (normal_zip_code(text, country), lambda normal: normal_zip_code(normal, country)),
        (normal_country(text), normal_country),
        (normal_birth_date(text), normal_birth_date),
        (normal_gender(text), normal_gender),
        (normal_ip(text), normal_ip),
    ):
        assert again(once) == once


# ---- Meta's own package


OURS = {
    "email": "email",
    "phone": "phone",
    "first_name": "first_name",
    "last_name": "last_name",
    "city": "city",
    "state": "state",
    "zip_code": "zip_code",
    "country_code": "country",
    "date_of_birth": "birth_date",
    "gender": "gender",
    "external_id": "external_id",
    "client_ip_address": "client_ip",
    "client_user_agent": "client_user_agent",
    "fbc": "fbc",
    "fbp": "fbp",
}
"""The names of fields in Meta's package and in ours."""


def of_meta(name: str, typed: str) -> Mapping[str, Any]:
    """What Meta's package makes of one field, or the name of the error it raises."""
    given = Gender(typed) if name == "gender" else typed
    try:
        made: Mapping[str, Any] = MetasUserData(**{name: given}).normalize()
    except (TypeError, ValueError) as error:
        return {"raises": type(error).__name__}
    return made


def of_ours(name: str, typed: str) -> Mapping[str, Any]:
    return user_data_of(UserData(**{OURS[name]: typed}))


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("email", "  John_Smith@Gmail.com "),
        ("email", "ana+viewing@example.com"),
        ("phone", "+1 (650) 555-1212"),
        ("phone", "+44 20 7946 0123"),
        ("phone", "+971 50 123 4567"),
        ("first_name", " Mary "),
        ("first_name", "Mary Ann"),
        ("first_name", "정"),
        ("first_name", "Valéry"),
        ("last_name", "Example"),
        ("city", "San Francisco"),
        ("city", "Wilkes-Barre"),
        ("city", "Zürich"),
        ("state", "CA"),
        ("state", "New South Wales"),
        ("zip_code", "75018"),
        ("zip_code", "M1 1AE"),
        ("country_code", "US"),
        ("country_code", " gb "),
        ("date_of_birth", "19970216"),
        ("gender", "f"),
        ("gender", "m"),
        ("client_ip_address", "203.0.113.7"),
        ("client_ip_address", "2001:db8::1"),
        ("client_user_agent", "Mozilla/5.0 (X11; Linux x86_64)"),
        ("fbc", FBC),
        ("fbp", FBP),
    ],
)
def test_field_is_the_same_as_by_metas_package_where_both_follow_the_documents(
    name: str, typed: str
) -> None:
    assert of_ours(name, typed) == of_meta(name, typed)


DIFFERENCES = [
    # name, as typed, ours, theirs, why
    ("email", "ana smith@example.com", "", "ana smith@example.com", "no address; it checks little"),
    ("email", "ana", "", TypeError, "it raises"),
    ("email", "a\u0301na@example.com", "ána@example.com", "a\u0301na@example.com", "no NFC"),
    ("email", "\ufeffana@example.com", "ana@example.com", "\ufeffana@example.com", "unseen mark"),
    ("phone", "+44 (0)20 7946 0123", "442079460123", "4402079460123", "it keeps the trunk zero"),
    ("phone", "+44.20.7946.0123", "442079460123", ValueError, "it knows no dots"),
    ("phone", "+44 20 7946 0123 ext. 5", "442079460123", ValueError, "it knows no extensions"),
    ("phone", "020 7946 0123", "", "2079460123", "it takes 20, Egypt, for the country code"),
    ("phone", "2079460123", "", "2079460123", "no country code, and it sends the number as it is"),
    ("phone", "+1234567", "", "1234567", "no possible number"),
    ("phone", "call me", "", ValueError, "it raises"),
    ("first_name", "Mary  Ann", "mary ann", "mary  ann", "it keeps double spaces"),
    ("first_name", "Vale\u0301ry", "valéry", "vale\u0301ry", "no NFC"),
    ("last_name", "O'Brien", "obrien", "o'brien", "documents: no punctuation"),
    ("last_name", "Smith-Jones", "smithjones", "smith-jones", "documents: no punctuation"),
    ("city", "St. John's", "stjohns", "stjohn's", "documents: no punctuation"),
    ("city", "Dubai 2", "dubai2", "dubai", "documents say nothing of digits"),
    ("state", "Côte d'Or", "côtedor", "côted'or", "documents: no punctuation"),
    ("zip_code", "1000-001", "1000001", "1000", "documents: no dash; only US codes are cut"),
    ("country_code", "UK", "", TypeError, "it raises"),
    ("country_code", "G.B.", "", "gb", "it guesses"),
    ("country_code", "XK", "xk", TypeError, "Kosovo's code is in use, though not in ISO's list"),
    ("country_code", "AQ", "", "aq", "has no telephone numbers, by which we know countries"),
    ("date_of_birth", "1997-02-16", "19970216", "1997-02-16", "documents: YYYYMMDD"),
    ("date_of_birth", "16/02/1997", "", "16/02/1997", "it hashes any order"),
    ("date_of_birth", "19970231", "", "19970231", "no such day"),
]
"""Where Meta's package departs from its documents, or guesses or raises where we do neither."""


@pytest.mark.parametrize(("name", "typed", "ours", "theirs", "_why"), DIFFERENCES)
def test_field_known_to_differ_from_metas_package_still_does(
    name: str, typed: str, ours: str, theirs: str | type[Exception], _why: str
) -> None:
    made = [value for (value,) in of_ours(name, typed).values()]
    assert made == ([sha256(ours)] if ours else [])
    if isinstance(theirs, str):
        (by_meta,) = of_meta(name, typed).values()
        assert by_meta == [sha256(theirs)]
    else:
        assert of_meta(name, typed) == {"raises": theirs.__name__}


def test_external_id_known_to_differ_from_metas_package_still_does() -> None:
    # Documents: hashing recommended; its package sends it in clear.
    assert of_ours("external_id", "visitor-1") == {"external_id": [sha256("visitor-1")]}
    assert of_meta("external_id", "visitor-1") == {"external_id": ["visitor-1"]}


@pytest.mark.parametrize("name", ["email", "first_name", "city"])
def test_text_that_looks_hashed_known_to_differ_from_metas_package_still_does(name: str) -> None:
    # It takes any 32 or 64 hex digits for a hash made before; we are given texts as typed.
    typed = "a" * 64
    assert of_meta(name, typed) == {next(iter(of_meta(name, typed))): [typed]}
    assert [typed] not in of_ours(name, typed).values()


@pytest.mark.parametrize(
    ("name", "typed"),
    [("client_ip_address", "unknown"), ("fbc", "IwAR2F4"), ("fbp", "made-up")],
)
def test_clear_field_known_to_differ_from_metas_package_still_does(name: str, typed: str) -> None:
    # It checks nothing that it sends in clear.
    assert list(of_meta(name, typed).values()) == [typed]
    assert of_ours(name, typed) == {}
