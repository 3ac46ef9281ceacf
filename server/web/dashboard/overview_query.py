"""The query of the overview's address: which days, compared or not, which figure, which table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from server.domain.periods import MAX_DAYS, Period, Stretch, stretch_before, stretch_of
from server.store.rollups import Dimension
from server.web.dashboard.inbox_query import DAYS, WITHOUT
from server.web.dashboard.overview_figures import Figure

DIMENSIONS: Mapping[Dimension, tuple[str, str]] = {
    Dimension.SOURCE: ("Source", ""),
    Dimension.PROJECT: ("Project", "No project"),
    Dimension.LANDING_PAGE: ("Landing page", "Unknown"),
    Dimension.FIRST_CAMPAIGN: ("First campaign", "No campaign"),
    Dimension.LAST_CAMPAIGN: ("Last campaign", "No campaign"),
    Dimension.COUNTRY: ("Country", "Unknown"),
    Dimension.DEVICE: ("Device", "Unknown"),
}
"""Title of each table, and what stands for no value."""

PERIODS: Mapping[Period, tuple[str, str]] = {
    Period.TODAY: ("Today", "d"),
    Period.WEEK: ("7 days", "w"),
    Period.FOUR_WEEKS: ("28 days", "f"),
    Period.QUARTER: ("90 days", "n"),
    Period.MONTH: ("This month", "m"),
    Period.YEAR: ("12 months", "y"),
}
"""Title and key."""

_DEFAULT = Period.FOUR_WEEKS

Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class OverviewQuery:
    """What an address asks for; `errors` by field, the default days in place of wrong ones."""

    period: Period
    stretch: Stretch
    is_compared: bool
    figure: Figure
    by: Dimension
    is_whole: bool
    since: str = ""
    until: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def earlier(self) -> Stretch:
        """The days before, to compare with."""
        return stretch_before(self.period, self.stretch)

    def address(self, **changes: str) -> str:
        """The query of the address, as short as it goes, with some of it changed."""
        own = self.period is Period.CUSTOM
        asked = {
            "period": self.period.value,
            "from": self.stretch.first.isoformat() if own else "",
            "to": self.stretch.last.isoformat() if own else "",
            "compare": "" if self.is_compared else "off",
            "figure": self.figure.value,
            "by": self.by.value,
            "rows": "all" if self.is_whole else "",
            **changes,
        }
        if asked["period"] != Period.CUSTOM:
            asked |= {"from": "", "to": ""}
        return urlencode([pair for pair in asked.items() if pair[1] and pair not in _DEFAULTS])

    def inbox(self, dimension: Dimension, value: str, zone: str) -> str:
        """The query of the inbox that lists the leads of a row, by the same days of that zone.

        A row without a value asks for the leads that have none.
        """
        days = (("from", self.stretch.first.isoformat()), ("to", self.stretch.last.isoformat()))
        chosen = (dimension.value, value) if value else (WITHOUT, dimension.value)
        return urlencode([chosen, *days, (DAYS, zone)])


_DEFAULTS = {
    ("period", _DEFAULT.value),
    ("figure", Figure.VISITORS.value),
    ("by", Dimension.SOURCE.value),
}


def parse(query: QueryParams, today: date) -> OverviewQuery:
    """Read an address's query; names that are none count as not given."""
    period = _one_of(Period, query.get("period", ""), _DEFAULT)
    by = _one_of(Dimension, query.get("by", ""), Dimension.SOURCE)
    since, until = query.get("from", "").strip(), query.get("to", "").strip()
    errors: dict[str, str] = {}
    if period is Period.CUSTOM:
        stretch = _own_stretch(since, until, today, errors)
    else:
        stretch = stretch_of(period, today)
    if errors:
        period, stretch = _DEFAULT, stretch_of(_DEFAULT, today)
    return OverviewQuery(
        period,
        stretch,
        query.get("compare") != "off",
        _one_of(Figure, query.get("figure", ""), Figure.VISITORS),
        by if by in DIMENSIONS else Dimension.SOURCE,
        query.get("rows") == "all",
        since or stretch.first.isoformat(),
        until or stretch.last.isoformat(),
        errors,
    )


def _own_stretch(since: str, until: str, today: date, errors: dict[str, str]) -> Stretch:
    first, last = _day(since, "from", errors), _day(until, "to", errors)
    if first is None or last is None:
        return Stretch(today, today)
    last = min(last, today)
    if first > today:
        errors["from"] = "lies ahead"
    elif first > last:
        errors["to"] = "lies before the first day"
    elif Stretch(first, last).days > MAX_DAYS:
        errors["from"] = f"lies more than {MAX_DAYS:,} days before the last day"
    return Stretch(first, last)


def _day(text: str, name: str, errors: dict[str, str]) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        errors[name] = "is no date"
        return None
    if day.year < 2000:
        errors[name] = "lies before the year 2000"
        return None
    return day


def _one_of(kind: type[Choice], text: str, otherwise: Choice) -> Choice:
    try:
        return kind(text)
    except ValueError:
        return otherwise
