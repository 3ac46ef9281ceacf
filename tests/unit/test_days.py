from datetime import date, time

import pytest

from server.domain.days import days_of_hour, span_of, span_until, zone_names, zone_of

FIRST, LAST = date(2026, 3, 28), date(2026, 3, 29)


def test_span_of_days_reaches_from_local_midnight_to_local_midnight() -> None:
    span = span_of(FIRST, FIRST, zone_of("Asia/Dubai"))
    assert span.texts == ("2026-03-27T20:00:00.000Z", "2026-03-28T20:00:00.000Z")
    assert span.hours == ("2026-03-27T20", "2026-03-28T19")


def test_zone_names_are_of_places_and_utc_and_all_are_zones() -> None:
    names = zone_names()
    assert {"UTC", "Asia/Dubai", "Europe/London"} < set(names)
    assert [zone_of(name).key for name in names] == list(names)


def test_span_over_the_change_to_summer_time_is_an_hour_shorter() -> None:
    span = span_of(FIRST, LAST, zone_of("Europe/London"))
    assert (span.end - span.start).total_seconds() == 47 * 3600


@pytest.mark.parametrize(
    ("clock", "end"),
    [
        (time(0), "2026-03-29T00:00:00.000Z"),
        (time(1, 30), "2026-03-29T01:30:00.000Z"),
        (time(12), "2026-03-29T11:00:00.000Z"),
    ],
)
def test_span_until_a_time_of_the_clock_ends_there_in_summer_time_too(
    clock: time, end: str
) -> None:
    span = span_until(LAST, clock, zone_of("Europe/London"))
    assert span.texts == ("2026-03-29T00:00:00.000Z", end)


@pytest.mark.parametrize("name", ["", "Nowhere/At_All", "../etc/passwd"])
def test_zone_of_no_known_name_is_utc(name: str) -> None:
    assert zone_of(name).key == "UTC"


@pytest.mark.parametrize(
    ("zone", "days"),
    [
        ("UTC", {date(2026, 11, 22)}),
        ("Asia/Kolkata", {date(2026, 11, 22), date(2026, 11, 23)}),
        ("Asia/Dubai", {date(2026, 11, 22)}),
    ],
)
def test_hour_of_utc_belongs_to_the_days_it_touches(zone: str, days: set[date]) -> None:
    assert days_of_hour("2026-11-22T18", zone_of(zone)) == days
