"""Stretches of days that people ask for, the stretch before each, and the steps of a chart."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

MAX_DAYS = 1_830
"""Five years: as long as a stretch of one's own may be."""

_DAY = timedelta(days=1)
_MAX_DAILY, _MAX_WEEKLY = 92, 200


class Period(StrEnum):
    """What can be asked for by name; each ends today, which is still running."""

    TODAY = "today"
    WEEK = "7d"
    FOUR_WEEKS = "28d"
    QUARTER = "90d"
    MONTH = "month"
    YEAR = "12mo"
    CUSTOM = "custom"


class Step(StrEnum):
    """How long a point of a chart is."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


_LENGTHS = {Period.TODAY: 1, Period.WEEK: 7, Period.FOUR_WEEKS: 28, Period.QUARTER: 90}


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some days, the first and the last included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """How many."""
        return (self.last - self.first).days + 1

    @property
    def step(self) -> Step:
        """How to cut it so that a chart has between one and about ninety points."""
        if self.days <= _MAX_DAILY:
            return Step.DAY
        return Step.WEEK if self.days <= _MAX_WEEKLY else Step.MONTH

    def place(self, day: date, step: Step) -> int:
        """The number of the step that a day falls into; weeks count from the first day."""
        if step is Step.MONTH:
            return (day.year - self.first.year) * 12 + day.month - self.first.month
        return (day - self.first).days // (7 if step is Step.WEEK else 1)

    def starts(self, step: Step) -> list[date]:
        """The first day of each step."""
        starts, day = [], self.first
        while day <= self.last:
            starts.append(day)
            day = _next_month(day) if step is Step.MONTH else day + _step_days(step)
        return starts


def stretch_of(period: Period, today: date) -> Stretch:
    """The days of a period that has a name."""
    if period is Period.MONTH:
        return Stretch(today.replace(day=1), today)
    if period is Period.YEAR:
        return Stretch(_months_before(today.replace(day=1), 11), today)
    return Stretch(today - (_LENGTHS[period] - 1) * _DAY, today)


def stretch_before(period: Period, stretch: Stretch) -> Stretch:
    """What it is compared with: the same days a month or a year ago, else as many days before."""
    if period is Period.MONTH:
        return Stretch(_months_before(stretch.first, 1), _months_before(stretch.last, 1))
    if period is Period.YEAR:
        return Stretch(_months_before(stretch.first, 12), _months_before(stretch.last, 12))
    return Stretch(stretch.first - stretch.days * _DAY, stretch.first - _DAY)


def is_alike(period: Period, stretch: Stretch, earlier: Stretch) -> bool:
    """Whether the last day of what a stretch is compared with stands where its own does.

    It does not where a month is shorter: up to 31 March, all of February is compared.
    """
    named = period in (Period.MONTH, Period.YEAR)
    return not named or stretch.last.day == earlier.last.day


def _step_days(step: Step) -> timedelta:
    return 7 * _DAY if step is Step.WEEK else _DAY


def _next_month(day: date) -> date:
    return (day.replace(day=1) + 32 * _DAY).replace(day=1)


def _months_before(day: date, months: int) -> date:
    """The same day of an earlier month, its last one where it is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
