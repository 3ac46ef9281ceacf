from datetime import date

import pytest

from server.domain.days import days_of_hour, span_of, zone_of

FIRST, LAST = date(2026, 3, 28), date(2026, 3, 29)


def test_span_of_days_reaches_from_local_midnight_to_local_midnight() -> None:
    span = span_of(FIRST, FIRST, zone_of("Asia/Dubai"))
    assert span.texts == ("2026-03-27T20:00:00.000Z", "2026-03-28T20:00:00.000Z")
    assert span.hours == ("2026-03-27T20", "2026-03-28T19")


def test_span_over_the_change_to_summer_time_is_an_hour_shorter() -> None:
    span = span_of(FIRST, LAST, zone_of("Europe/London"))
    assert (span.end - span.start).total_seconds() == 47 * 3600


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
