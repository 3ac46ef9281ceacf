import zoneinfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.domain.timezone import countries_of, mismatch_reason

# A busy machine makes examples slowly; that is no failure.
bounded = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize(
    ("timezone", "country"),
    [
        ("Europe/London", "GB"),
        ("Europe/London", "JE"),
        ("Asia/Dubai", "AE"),
        ("Asia/Dubai", "OM"),
        ("America/New_York", "US"),
        ("America/Argentina/Buenos_Aires", "AR"),
        ("Europe/Oslo", "NO"),
        ("Europe/Berlin", "SE"),
        ("Africa/Lagos", "NG"),
        ("Atlantic/Reykjavik", "IS"),
    ],
)
def test_countries_of_a_zone_hold_each_that_keeps_its_time(timezone: str, country: str) -> None:
    assert country in countries_of(timezone)


@pytest.mark.parametrize(
    ("alias", "country"),
    [
        ("Asia/Calcutta", "IN"),
        ("Asia/Saigon", "VN"),
        ("Asia/Katmandu", "NP"),
        ("Asia/Rangoon", "MM"),
        ("Europe/Kiev", "UA"),
        ("America/Buenos_Aires", "AR"),
        ("America/Godthab", "GL"),
        ("Pacific/Enderbury", "KI"),
        ("US/Eastern", "US"),
        ("GB", "GB"),
        ("Singapore", "SG"),
        ("PRC", "CN"),
        ("Turkey", "TR"),
    ],
)
def test_countries_of_an_old_name_are_those_of_the_zone(alias: str, country: str) -> None:
    assert country in countries_of(alias)


@pytest.mark.parametrize(
    "timezone",
    ["", "UTC", "Etc/UTC", "GMT", "Etc/GMT+4", "Factory", "Mars/Olympus", "asia/dubai", "\x00"],
)
def test_countries_of_an_unknown_zone_or_one_of_no_country_are_none(timezone: str) -> None:
    assert countries_of(timezone) == frozenset()


@pytest.mark.parametrize("timezone", ["CET", "EET", "MET", "WET", "EST", "MST", "HST"])
def test_countries_of_an_abbreviation_that_many_share_are_none(timezone: str) -> None:
    assert countries_of(timezone) == frozenset()


def test_countries_of_every_zone_with_a_place_are_codes_of_two_capitals() -> None:
    places = [zone for zone in zoneinfo.available_timezones() if "/" in zone]
    known = [zone for zone in places if countries_of(zone)]
    assert {zone.split("/")[0] for zone in set(places) - set(known)} <= {"Etc"}
    codes = {code for zone in known for code in countries_of(zone)}
    assert all(len(code) == 2 and code.isalpha() and code.isupper() for code in codes)


@pytest.mark.parametrize(
    ("timezone", "country"),
    [
        ("Europe/London", "GB"),
        ("Asia/Calcutta", "IN"),
        ("Europe/London", ""),
        ("", "GB"),
        ("UTC", "GB"),
        ("Mars/Olympus", "GB"),
    ],
)
def test_mismatch_reason_when_they_agree_or_one_is_unknown_is_empty(
    timezone: str, country: str
) -> None:
    assert mismatch_reason(timezone, country) == ""


def test_mismatch_reason_when_they_differ_names_zone_countries_and_address() -> None:
    reason = mismatch_reason("Europe/London", "AE")
    assert "Europe/London" in reason
    assert "GB, GG, IM, JE" in reason
    assert reason.endswith("address to AE")


@bounded
@given(st.text(max_size=50), st.text(max_size=5))
def test_mismatch_reason_for_any_text_never_raises(timezone: str, country: str) -> None:
    assert mismatch_reason(timezone, country) == ""
