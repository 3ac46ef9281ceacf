import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.domain.contact import (
    ROLE_ACCOUNTS,
    Email,
    Phone,
    is_region,
    parse_email,
    parse_phone,
)

# A busy machine makes examples slowly; that is no failure.
bounded = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])

GB = ("GB", "GG", "IM", "JE")
LONDON = Phone("+442079460123", possible=True, countries=GB)
UNDECIDED = Phone("", possible=True, countries=())
IMPOSSIBLE = Phone("", possible=False, countries=())

UNREMARKABLE = Email(valid=True, domain="example.com", disposable=False, role_account=False)
INVALID = Email(valid=False, domain="", disposable=False, role_account=False)

any_text = st.text(st.characters(exclude_categories=()), max_size=60)
phone_like = st.text("0123456789+()-. extEXT#*/٠٢²½ⅷ０＋\u200b\x00", max_size=40)
email_like = st.text('ab.+-_@@"<>[]()éß\u3002＠ \x00:;,%xn-', max_size=60)


@pytest.mark.parametrize(
    "text",
    [
        "+442079460123",
        "+44 20 7946 0123",
        "+44 (0)20 7946 0123",
        "+44(0)2079460123",
        "+44-20-7946-0123",
        "+44.20.7946.0123",
        "  +44 20 7946 0123\n",
        "tel:+442079460123",
        "call me: +44 20 7946 0123",
        "+44 20 7946 0123 ext. 5",
        "+44 20 7946 0123 📞",
        "＋44 20 7946 0123",
        "+٤٤٢٠٧٩٤٦٠١٢٣",
    ],
)
@pytest.mark.parametrize("region", [None, "GB", "AE"])
def test_phone_with_country_code_is_read_whatever_the_region(text: str, region: str | None) -> None:
    assert parse_phone(text, region) == LONDON


@pytest.mark.parametrize("text", ["020 7946 0123", "(020) 7946-0123", "00 44 20 7946 0123"])
def test_phone_without_country_code_is_read_with_the_clients_region(text: str) -> None:
    assert parse_phone(text, "GB") == LONDON


@pytest.mark.parametrize("text", ["00442079460123", " 00 44 20 7946 0123", "0044 (0)20 7946 0123"])
def test_phone_with_00_for_the_plus_is_read_without_a_region(text: str) -> None:
    assert parse_phone(text, None) == LONDON


@pytest.mark.parametrize(
    "text", ["020 7946 0123", "0012345", "1234567", "123456789012345", "٠٢٠٧٩٤٦٠١٢٣"]
)
def test_phone_without_country_code_and_region_is_possible_but_not_guessed(text: str) -> None:
    assert parse_phone(text, None) == UNDECIDED


@pytest.mark.parametrize("text", ["123456", "1234567890123456", "", "abc", "0800 HOMES"])
def test_phone_without_country_code_and_region_of_odd_length_is_impossible(text: str) -> None:
    assert parse_phone(text, None) == IMPOSSIBLE


@pytest.mark.parametrize("region", [None, "GB", "US"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "+",
        "++44",
        "+44",
        "+44 20",
        "+44 20 7946 0123 4567 8901",
        "+999 12345678",
        "+0000000",
        "abc",
        "not given",
        "n/a",
        "📞",
        "12",
        "*100#",
        "\x00",
        "\ud800",
        "1" * 251,
        "+44" * 1_000,
        "9" * 60_000,
    ],
)
def test_phone_that_is_none_is_impossible_and_does_not_raise(text: str, region: str | None) -> None:
    assert parse_phone(text, region) == IMPOSSIBLE


def test_phone_of_letters_on_a_keypad_is_read() -> None:
    assert parse_phone("+44 800 HOMES 12", None).e164 == "+448004663712"


def test_phone_of_a_shared_country_code_names_all_its_countries() -> None:
    countries = parse_phone("+1 202 555 0123", None).countries
    assert countries[0] == "US"
    assert {"US", "CA", "JM"} <= set(countries)


@pytest.mark.parametrize(("text", "region"), [("7946 0123", "GB"), ("555 0123", "US")])
def test_phone_without_area_code_is_possible_but_not_guessed(text: str, region: str) -> None:
    assert parse_phone(text, region) == UNDECIDED


def test_phone_of_no_country_names_none() -> None:
    assert parse_phone("+800 1234 5678", None) == Phone("+80012345678", possible=True, countries=())


@pytest.mark.parametrize("region", ["", "XX", "UK"])
def test_phone_with_an_unknown_region_is_read_as_without_one(region: str) -> None:
    assert parse_phone("020 7946 0123", region) == UNDECIDED


def test_phone_with_a_region_in_lower_case_is_read() -> None:
    assert parse_phone("020 7946 0123", "gb") == LONDON


@bounded
@given(text=any_text | phone_like, region=st.sampled_from([None, "GB", "US", "AE", "", "xx"]))
def test_phone_of_any_text_never_raises_and_gives_e164_only_when_possible(
    text: str, region: str | None
) -> None:
    phone = parse_phone(text, region)
    assert phone.possible or phone == IMPOSSIBLE
    if phone.e164:
        assert phone.e164[0] == "+"
        assert phone.e164[1:].isdigit()
        assert parse_phone(phone.e164, None) == phone


@pytest.mark.parametrize(
    "text",
    [
        "ann@example.com",
        "  ann@example.com\n",
        "ann.smith+flat@example.com",
        "o'neill@example.com",
        "ann@EXAMPLE.com",
        "änn@example.com",
        "1@example.com",
    ],
)
def test_email_of_a_person_is_valid_and_unremarkable(text: str) -> None:
    assert parse_email(text) == Email(True, "example.com", False, False)


def test_email_of_an_international_domain_is_kept_in_ascii() -> None:
    assert parse_email("ann@exämple.com").domain == "xn--exmple-cua.com"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "ann",
        "@example.com",
        "ann@",
        "ann@@example.com",
        "ann@example",
        "ann@localhost",
        "ann@example..com",
        "ann@-example.com",
        "ann@example.com.",
        "ann@[192.0.2.1]",
        "ann@site.invalid",
        "ann@site.test",
        "Ann <ann@example.com>",
        "ann@example.com, bob@example.com",
        "mailto:ann@example.com",
        '"ann smith"@example.com',
        "ann smith@example.com",
        "ann＠example.com",
        "\x00@example.com",
        "\ud800@example.com",
        "ann@\ud800.com",
        "ann@📧.com",
        "ann@xn--.com",
        "@" * 60_000,
        "ann@" + "b." * 30_000 + "com",
    ],
)
def test_email_that_is_none_is_invalid_and_does_not_raise(text: str) -> None:
    assert parse_email(text) == Email(False, "", False, False)


@pytest.mark.parametrize(
    "text",
    ["ann@mailinator.com", "ann@MAILINATOR.COM", "ann@box.mailinator.com", "a@a.b.yopmail.com"],
)
def test_email_of_a_throw_away_domain_or_below_it_is_disposable(text: str) -> None:
    assert parse_email(text).disposable


@pytest.mark.parametrize(
    "text",
    [
        "ann@notmailinator.example",
        "ann@mailinator.example.com",
        "ann@gmail.com",
        "ann@outlook.com",
        "ann@yahoo.co.uk",
        "ann@icloud.com",
        "ann@proton.me",
    ],
)
def test_email_of_a_free_or_similar_domain_is_not_disposable(text: str) -> None:
    assert not parse_email(text).disposable


@pytest.mark.parametrize("account", sorted(ROLE_ACCOUNTS))
def test_email_of_a_role_is_a_role_account_in_any_case_and_with_a_tag(account: str) -> None:
    assert parse_email(f"{account.upper()}@example.com").role_account
    assert parse_email(f"{account}+web@example.com").role_account
    assert not parse_email(f"{account}.smith@example.com").role_account


@bounded
@given(any_text | email_like | st.builds("{}@{}.com".format, any_text, any_text))
def test_email_of_any_text_never_raises_and_tells_nothing_of_an_invalid_one(text: str) -> None:
    email = parse_email(text)
    if email.valid:
        assert email.domain == email.domain.lower()
        assert "." in email.domain
        assert email.domain.isascii()
    else:
        assert email == Email(False, "", False, False)


@pytest.mark.parametrize(
    ("code", "known"), [("GB", True), ("AE", True), ("UK", False), ("gb", False), ("", False)]
)
def test_region_is_known_by_its_iso_code_in_upper_case(code: str, *, known: bool) -> None:
    assert is_region(code) is known
