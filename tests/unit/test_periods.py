from datetime import date, timedelta

import pytest

from server.domain.histogram import median, merged
from server.domain.periods import Period, Step, Stretch, is_alike, stretch_before, stretch_of

TODAY = date(2026, 3, 31)


@pytest.mark.parametrize(
    ("period", "first", "before"),
    [
        (Period.TODAY, date(2026, 3, 31), (date(2026, 3, 30), date(2026, 3, 30))),
        (Period.WEEK, date(2026, 3, 25), (date(2026, 3, 18), date(2026, 3, 24))),
        (Period.FOUR_WEEKS, date(2026, 3, 4), (date(2026, 2, 4), date(2026, 3, 3))),
        (Period.QUARTER, date(2026, 1, 1), (date(2025, 10, 3), date(2025, 12, 31))),
        (Period.MONTH, date(2026, 3, 1), (date(2026, 2, 1), date(2026, 2, 28))),
        (Period.YEAR, date(2025, 4, 1), (date(2024, 4, 1), date(2025, 3, 31))),
    ],
)
def test_period_with_a_name_ends_today_and_has_one_before(
    period: Period, first: date, before: tuple[date, date]
) -> None:
    stretch = stretch_of(period, TODAY)
    assert stretch == Stretch(first, TODAY)
    assert stretch_before(period, stretch) == Stretch(*before)


def test_stretch_before_days_of_ones_own_is_as_long_and_ends_where_they_begin() -> None:
    stretch = Stretch(date(2026, 3, 1), date(2026, 3, 10))
    before = stretch_before(Period.CUSTOM, stretch)
    assert (before.days, before.last) == (10, date(2026, 2, 28))


def test_stretch_before_the_29th_of_february_ends_on_the_28th_of_the_year_before() -> None:
    stretch = stretch_of(Period.YEAR, date(2028, 2, 29))
    assert stretch_before(Period.YEAR, stretch).last == date(2027, 2, 28)


@pytest.mark.parametrize(
    ("period", "today", "alike"),
    [
        (Period.MONTH, date(2026, 3, 28), True),
        (Period.MONTH, date(2026, 3, 31), False),
        (Period.YEAR, date(2028, 2, 29), False),
        (Period.WEEK, date(2026, 3, 31), True),
    ],
)
def test_last_days_are_alike_unless_the_earlier_month_is_shorter(
    period: Period, today: date, *, alike: bool
) -> None:
    stretch = stretch_of(period, today)
    assert is_alike(period, stretch, stretch_before(period, stretch)) is alike


@pytest.mark.parametrize(
    ("days", "step"),
    [(1, Step.DAY), (92, Step.DAY), (93, Step.WEEK), (200, Step.WEEK), (201, Step.MONTH)],
)
def test_step_of_a_stretch_grows_with_its_days(days: int, step: Step) -> None:
    stretch = Stretch(TODAY - timedelta(days=days - 1), TODAY)
    assert (stretch.days, stretch.step) == (days, step)


@pytest.mark.parametrize("step", list(Step))
@pytest.mark.parametrize("days", [1, 7, 31, 180, 400])
def test_every_day_of_a_stretch_falls_into_a_step_that_starts(days: int, step: Step) -> None:
    stretch = Stretch(TODAY - timedelta(days=days - 1), TODAY)
    starts = stretch.starts(step)
    every = [stretch.first + timedelta(days=number) for number in range(days)]
    places = [stretch.place(day, step) for day in every]
    assert sorted(set(places)) == list(range(len(starts)))
    assert [every[places.index(place)] for place in range(len(starts))] == starts


@pytest.mark.parametrize(
    ("histogram", "expected"),
    [
        ([], None),
        ([(7, 0)], None),
        ([(7, 1)], 7),
        ([(1, 1), (2, 1)], 1.5),
        ([(1, 2), (2, 1)], 1),
        ([(0, 1), (50, 2), (100, 2)], 50),
        ([(0, 2), (100, 2)], 50),
    ],
)
def test_median_is_that_of_the_values_written_out(
    histogram: list[tuple[int, int]], expected: float | None
) -> None:
    assert median(histogram) == expected


def test_histograms_merged_count_a_value_of_both_once() -> None:
    assert merged([(1, 2), (7, 1)], [], [(0, 1), (7, 3)]) == [(0, 1), (1, 2), (7, 4)]
