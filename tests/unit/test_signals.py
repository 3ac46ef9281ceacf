from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.domain.suspicion import Evidence, SignalFinding, total
from server.signals import SIGNALS

# A busy machine makes examples slowly; that is no failure.
bounded = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])

MAX_POINTS = {
    "honeypot": 60,
    "time_to_submit": 30,
    "no_tracking_session": 15,
    "vpn": 15,
    "duplicates": 30,
    "repeated_message": 20,
    "email_domain": 40,
    "phone": 15,
    "automation": 40,
    "links": 40,
    "velocity": 20,
    "country_mismatch": 5,
    "origin": 10,
}


def findings(**evidence: Any) -> list[SignalFinding]:
    """What fires for a lead that is beyond suspicion but for `evidence`."""
    seen = Evidence(**{"session_matched": True, **evidence})
    return [finding for signal in SIGNALS if (finding := signal(seen)) is not None]


def fired(**evidence: Any) -> dict[str, int]:
    return {finding.signal: finding.points for finding in findings(**evidence)}


def reason(**evidence: Any) -> str:
    (finding,) = findings(**evidence)
    return finding.reason


def test_signals_for_an_ordinary_tracked_lead_are_silent() -> None:
    ordinary = fired(
        time_to_submit_ms=45_000,
        view_age_ms=90_000,
        leads_from_address_in_5_min=1,
        name="Ann Smith",
        email="ann.smith@example.com",
        phone="+44 20 7946 0123",
        phone_countries=("GB", "GG", "IM", "JE"),
        message="Is the two-bedroom flat still free? Thank you.",
        country="GB",
    )
    assert ordinary == {}


def test_signals_that_all_fire_name_themselves_in_the_designs_order() -> None:
    everything = findings(
        session_matched=False,
        honeypot="x",
        time_to_submit_ms=0,
        vpn_suspected=True,
        vpn_reason="far away",
        duplicates_in_24_h=9,
        same_message_from_others_in_24_h=9,
        leads_from_address_in_5_min=99,
        name="https://example.com",
        email="a@mailinator.com",
        phone="1",
        phone_possible=False,
        phone_countries=("GB",),
        country="AE",
        bot_reason="says so",
        unlisted_origin="https://copy.example.com",
    )
    assert {finding.signal: finding.points for finding in everything} == MAX_POINTS
    assert [finding.signal for finding in everything] == list(MAX_POINTS)
    assert total(everything).score == 100


@pytest.mark.parametrize(
    ("evidence", "points"),
    [
        ({"honeypot": ""}, {}),
        ({"honeypot": "x"}, {"honeypot": 60}),
        ({"honeypot": "https://example.com"}, {"honeypot": 60}),
    ],
)
def test_honeypot_when_filled_adds_60(evidence: dict[str, Any], points: dict[str, int]) -> None:
    assert fired(**evidence) == points


@pytest.mark.parametrize(
    ("claimed", "view_age", "points"),
    [
        (None, None, None),
        (None, 100, None),
        (0, None, 30),
        (1_999, None, 30),
        (2_000, None, 10),
        (4_999, None, 10),
        (5_000, None, None),
        (600_000, None, None),
        (60_000, 0, 30),
        (60_000, 1_999, 30),
        (60_000, 2_000, 10),
        (60_000, 4_999, 10),
        (60_000, 5_000, None),
        (1_000, 60_000, 30),
        (3_000, 1_000, 30),
    ],
)
def test_time_to_submit_under_two_seconds_adds_30_and_under_five_10(
    claimed: int | None, view_age: int | None, points: int | None
) -> None:
    expected = {} if points is None else {"time_to_submit": points}
    assert fired(time_to_submit_ms=claimed, view_age_ms=view_age) == expected


@pytest.mark.parametrize(
    ("taken", "text"), [(0, "0.0 s"), (1_200, "1.2 s"), (1_900, "1.9 s"), (4_900, "4.9 s")]
)
def test_time_to_submit_tells_the_time_taken(taken: int, text: str) -> None:
    assert reason(time_to_submit_ms=taken) == f"Submitted after {text}"


@pytest.mark.parametrize(("taken", "text"), [(1_999, "1.9 s"), (4_999, "4.9 s")])
def test_time_to_submit_just_below_a_limit_does_not_name_the_limit(taken: int, text: str) -> None:
    assert reason(time_to_submit_ms=taken) == f"Submitted after {text}"


@pytest.mark.parametrize(("matched", "points"), [(True, {}), (False, {"no_tracking_session": 15})])
def test_no_tracking_session_without_a_match_adds_the_specs_15(
    *, matched: bool, points: dict[str, int]
) -> None:
    assert fired(session_matched=matched) == points


@pytest.mark.parametrize(("suspected", "points"), [(False, {}), (True, {"vpn": 15})])
def test_vpn_when_suspected_adds_15(*, suspected: bool, points: dict[str, int]) -> None:
    assert fired(vpn_suspected=suspected, vpn_reason="far away") == points


def test_vpn_tells_why_it_was_suspected() -> None:
    assert reason(vpn_suspected=True, vpn_reason="far away") == "VPN suspected: far away"


@pytest.mark.parametrize(
    ("count", "points"), [(0, None), (1, 10), (2, 20), (3, 30), (4, 30), (1_000, 30)]
)
def test_duplicates_add_10_each_and_at_most_30(count: int, points: int | None) -> None:
    assert fired(duplicates_in_24_h=count) == ({} if points is None else {"duplicates": points})


def test_duplicates_tell_how_often_in_words() -> None:
    assert "came 1 time before" in reason(duplicates_in_24_h=1)
    assert "came 2 times before" in reason(duplicates_in_24_h=2)


@pytest.mark.parametrize(("count", "points"), [(0, None), (1, 20), (2, 20), (1_000, 20)])
def test_repeated_message_from_any_other_contact_adds_20(count: int, points: int | None) -> None:
    expected = {} if points is None else {"repeated_message": points}
    assert fired(same_message_from_others_in_24_h=count) == expected


def test_repeated_message_tells_how_many_in_words() -> None:
    assert reason(same_message_from_others_in_24_h=1).startswith("1 other contact sent")
    assert reason(same_message_from_others_in_24_h=2).startswith("2 other contacts sent")


@pytest.mark.parametrize(
    ("email", "points"),
    [
        ("", None),
        ("ann@example.com", None),
        ("ann@gmail.com", None),
        ("ann@mailinator.com", 40),
        ("ann@MAILINATOR.com", 40),
        ("ann@box.mailinator.com", 40),
        ("info@mailinator.com", 40),
        ("ann", 20),
        ("ann@", 20),
        ("ann@example", 20),
        ("ann@example..com", 20),
        ("ann smith@example.com", 20),
        ("info@example", 20),
        ("info@example.com", 5),
        ("Sales@example.com", 5),
        ("no-reply+web@example.com", 5),
        ("information@example.com", None),
    ],
)
def test_email_domain_adds_40_disposable_20_invalid_5_role(email: str, points: int | None) -> None:
    assert fired(email=email) == ({} if points is None else {"email_domain": points})


@pytest.mark.parametrize(
    ("phone", "possible", "points"),
    [
        ("", True, {}),
        ("", False, {}),
        ("+44 20 7946 0123", True, {}),
        ("call me", False, {"phone": 15}),
    ],
)
def test_phone_that_was_given_and_is_impossible_adds_15(
    *, phone: str, possible: bool, points: dict[str, int]
) -> None:
    assert fired(phone=phone, phone_possible=possible) == points


@pytest.mark.parametrize(
    ("evidence", "points"),
    [
        ({}, {}),
        ({"bot_reason": "names a crawler"}, {"automation": 40}),
        ({"automation": True}, {"automation": 40}),
        ({"automation": True, "bot_reason": "names a crawler"}, {"automation": 40}),
    ],
)
def test_automation_by_word_or_by_webdriver_adds_40_once(
    evidence: dict[str, Any], points: dict[str, int]
) -> None:
    assert fired(**evidence) == points


def test_automation_prefers_the_agents_own_word() -> None:
    assert reason(automation=True, bot_reason="says so") == "Not a browser: says so"
    assert reason(automation=True) == "The browser was driven by a program"


@pytest.mark.parametrize(
    ("message", "points"),
    [
        ("", None),
        ("No links here. Only e.g. sentences.", None),
        ("write to ann@example.com", None),
        ("write to ann@mail.example.com or a-b@my-example.com", None),
        ("call me.so we talk", None),
        ("awww.cute flat", None),
        ("see http://example.com/a?b=c#d", 15),
        ("see HTTPS://EXAMPLE.COM", 15),
        ("see www.example.com", 15),
        ("see example.com", 15),
        ("see shop.my-example.net now", 15),
        ("see example.com.au", 15),
        ("https://www.example.com/www.example.com", 15),
        ("https://a.example.com https://b.example.com", 15),
        ("https://a.example.com https://b.example.com https://c.example.com", 30),
        ("example.com\nexample.net\nwww.example.org", 30),
        ("example.com " * 50, 30),
    ],
)
def test_links_in_the_message_add_15_and_from_three_30(message: str, points: int | None) -> None:
    assert fired(message=message) == ({} if points is None else {"links": points})


def test_links_in_the_message_are_counted_in_words() -> None:
    assert reason(message="example.com") == "The message holds 1 link"
    assert reason(message="example.com and example.net") == "The message holds 2 links"


def test_links_before_an_at_sign_are_part_of_an_address_and_not_counted() -> None:
    assert fired(message="write to ann.shop@example.com") == {}


def test_links_joined_by_commas_are_counted_one_by_one() -> None:
    joined = ",".join(["https://example.com/a"] * 3)
    assert fired(message=joined) == {"links": 30}


@pytest.mark.parametrize("message", ["In the Marina.Top floor please", "I like it.Online viewing?"])
def test_links_where_only_a_space_is_missing_are_none(message: str) -> None:
    assert fired(message=message) == {}


@pytest.mark.parametrize(
    ("name", "points"),
    [
        ("Ann Smith", None),
        ("Dr. J. O'Neill-Smith Jr.", None),
        ("Ann <3", None),
        ("ann@example.com", None),
        ("https://example.com", 40),
        ("Ann www.example.com", 40),
        ("Ann example.com", 40),
        ("<b>Ann</b>", 40),
        ("</p>", 40),
        ("<!-- x", 40),
        ("<SCRIPT>", 40),
        ("[url=x]Ann", 40),
        ("[Ann](x)", 40),
    ],
)
def test_links_or_markup_in_a_name_add_40(name: str, points: int | None) -> None:
    assert fired(name=name) == ({} if points is None else {"links": points})


def test_links_in_name_and_message_fire_once_for_the_name() -> None:
    assert fired(name="example.com", message="example.com " * 5) == {"links": 40}


def test_markup_in_the_message_alone_is_silent() -> None:
    assert fired(message="<b>I want it</b> [now](x)") == {}


@pytest.mark.parametrize(
    ("count", "points"), [(None, None), (0, None), (1, None), (5, None), (6, 20), (1_000, 20)]
)
def test_velocity_of_more_than_five_leads_adds_20(count: int | None, points: int | None) -> None:
    expected = {} if points is None else {"velocity": points}
    assert fired(leads_from_address_in_5_min=count) == expected


@pytest.mark.parametrize(
    ("countries", "country", "points"),
    [
        ((), None, {}),
        ((), "GB", {}),
        (("GB",), None, {}),
        (("GB",), "", {}),
        (("GB",), "GB", {}),
        (("GB", "GG", "IM", "JE"), "JE", {}),
        (("GB",), "AE", {"country_mismatch": 5}),
        (("GB", "GG", "IM", "JE"), "AE", {"country_mismatch": 5}),
    ],
)
def test_country_mismatch_of_two_known_countries_adds_5(
    countries: tuple[str, ...], country: str | None, points: dict[str, int]
) -> None:
    assert fired(phone_countries=countries, country=country) == points


def test_country_mismatch_names_both_countries() -> None:
    assert reason(phone_countries=("GB", "JE"), country="AE") == "Phone from GB, address from AE"


@pytest.mark.parametrize(
    ("origin", "points"),
    [(None, {}), ("", {}), ("https://copy.example.com", {"origin": 10}), ("null", {"origin": 10})],
)
def test_origin_that_is_not_listed_adds_10(origin: str | None, points: dict[str, int]) -> None:
    assert fired(unlisted_origin=origin) == points


def test_origin_is_named_in_the_reason() -> None:
    assert "https://copy.example.com" in reason(unlisted_origin="https://copy.example.com")


def test_signals_for_a_bare_api_lead_are_the_missing_session_alone() -> None:
    assert fired(session_matched=False, email="ann@example.com") == {"no_tracking_session": 15}


@bounded
@given(
    st.builds(
        Evidence,
        session_matched=st.booleans(),
        honeypot=st.text(max_size=20),
        time_to_submit_ms=st.none() | st.integers(0, 10**300),
        view_age_ms=st.none() | st.integers(0, 10**12),
        vpn_suspected=st.booleans(),
        vpn_reason=st.text(max_size=20),
        duplicates_in_24_h=st.integers(0, 10**6),
        same_message_from_others_in_24_h=st.integers(0, 10**6),
        leads_from_address_in_5_min=st.none() | st.integers(0, 10**6),
        name=st.text(max_size=50),
        email=st.text(max_size=50),
        phone=st.text(max_size=50),
        phone_possible=st.booleans(),
        phone_countries=st.lists(st.sampled_from(["GB", "AE", "US"]), max_size=3).map(tuple),
        message=st.text(max_size=200),
        country=st.none() | st.sampled_from(["", "GB", "AE"]),
        bot_reason=st.text(max_size=20),
        automation=st.booleans(),
        unlisted_origin=st.none() | st.text(max_size=20),
    )
)
def test_signals_for_any_evidence_stay_within_their_points_and_give_a_reason(
    evidence: Evidence,
) -> None:
    found = [finding for signal in SIGNALS if (finding := signal(evidence)) is not None]
    assert all(0 < finding.points <= MAX_POINTS[finding.signal] for finding in found)
    assert all(finding.reason for finding in found)
    assert 0 <= total(found).score <= 100
