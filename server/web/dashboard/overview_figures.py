"""The overview's seven figures: how each is made, written, compared and drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import zip_longest
from typing import Any, NamedTuple

from server.domain.histogram import median
from server.domain.periods import Step, Stretch
from server.store.overview import Histogram, Sums
from server.store.rollups import WAITS
from server.web.dashboard.presenting import duration, number

NONE = "—"


class Figure(StrEnum):
    """Named as in the address."""

    VISITORS = "visitors"
    LEADS = "leads"
    CONVERSION = "conversion"
    SCORE = "score"
    HOT = "hot"
    WAIT = "wait"
    SPAM = "spam"


class Unit(StrEnum):
    """What a figure counts; the chart writes its axis by it."""

    COUNT = "count"
    SHARE = "share"
    POINTS = "points"
    SECONDS = "seconds"


@dataclass(frozen=True, slots=True)
class Totals:
    """Everything that figures are made from, of a stretch or a step of it."""

    sums: Sums
    scores: Histogram = ()
    waits: Histogram = ()


class About(NamedTuple):
    """How a figure is called, counted and judged: +1 where more is better, -1 where less is."""

    title: str
    unit: Unit
    better: int
    value: Callable[[Totals], float | None]


FIGURES: Mapping[Figure, About] = {
    Figure.VISITORS: About("Visitors", Unit.COUNT, 1, lambda totals: totals.sums.visitors),
    Figure.LEADS: About("Leads", Unit.COUNT, 1, lambda totals: totals.sums.leads),
    Figure.CONVERSION: About("Conversion", Unit.SHARE, 1, lambda totals: totals.sums.conversion),
    Figure.SCORE: About("Median score", Unit.POINTS, 1, lambda totals: median(totals.scores)),
    Figure.HOT: About("Hot and above", Unit.SHARE, 1, lambda totals: totals.sums.hot_share),
    Figure.WAIT: About("First contact", Unit.SECONDS, -1, lambda totals: median(totals.waits)),
    Figure.SPAM: About("Spam", Unit.SHARE, -1, lambda totals: totals.sums.spam_share),
}

MEASURES: Mapping[Figure, str] = {Figure.SCORE: "score", Figure.WAIT: "wait"}
"""Figures that come from a histogram."""


class Change(NamedTuple):
    """How a figure differs from the one before: `way` is up, down or same; `tone` good or bad."""

    text: str
    way: str
    tone: str
    before: str


class Tile(NamedTuple):
    """A figure of the whole stretch, and a word on what it rests on."""

    figure: Figure
    title: str
    value: str
    note: str
    change: Change | None


def tiles(now: Totals, before: Totals | None, *, is_part: bool = False) -> list[Tile]:
    """All figures, with their changes where there is something to compare with.

    Counts of a part of a day (`is_part`) are not judged beside those of a whole one.
    """
    return [
        Tile(
            figure,
            about.title,
            written(figure, about.value(now)),
            _note(figure, now.sums),
            _change(figure, about.value(now), about.value(before), is_part=is_part)
            if before
            else None,
        )
        for figure, about in FIGURES.items()
    ]


def written(figure: Figure, value: float | None) -> str:
    """A figure's value for people."""
    if value is None:
        return NONE
    unit = FIGURES[figure].unit
    if unit is Unit.SHARE:
        return f"{value:.1%}".replace("%", " %")
    if unit is Unit.SECONDS:
        return duration(value)
    return number(int(value)) if value == int(value) else f"{value:,.1f}"


def _note(figure: Figure, sums: Sums) -> str:
    return {
        Figure.VISITORS: f"{sums.page_views:,} page views",
        Figure.LEADS: f"{sums.untracked:,} without a tracked visit",
        Figure.CONVERSION: f"{sums.tracked:,} leads with a visit",
        Figure.SCORE: f"of {sums.tracked:,} leads with a visit",
        Figure.HOT: f"{sums.hot + sums.very_hot:,} of {sums.tracked:,} with a visit",
        Figure.WAIT: f"median; {sums.contacted:,} of {sums.leads:,} contacted",
        Figure.SPAM: f"{sums.spam:,} of {sums.leads:,} leads",
    }[figure]


def _change(
    figure: Figure, now: float | None, before: float | None, *, is_part: bool
) -> Change | None:
    if now is None or before is None:
        return None
    if FIGURES[figure].unit is Unit.SHARE:
        now, before = round(now, 3), round(before, 3)
    difference = now - before
    was = written(figure, before)
    if written(figure, now) == was:
        return Change("no change", "same", "", was)
    more = difference > 0
    if not before and FIGURES[figure].unit is Unit.COUNT:
        return Change("from none", "up", "good", was)
    judged = difference * FIGURES[figure].better
    text = f"{_size(figure, difference, before)} {_word(figure, more=more)}"
    way = "up" if more else "down"
    if is_part and FIGURES[figure].unit is Unit.COUNT:
        return Change(f"{text} so far", way, "", was)
    return Change(text, way, "good" if judged > 0 else "bad", was)


def _size(figure: Figure, difference: float, before: float) -> str:
    unit = FIGURES[figure].unit
    if unit is Unit.SHARE:
        return f"{abs(difference) * 100:.1f} points"
    if unit is Unit.POINTS:
        return written(figure, abs(difference)) + " points"
    if unit is Unit.SECONDS:
        return duration(abs(difference))
    return f"{abs(difference) / before:.0%}".replace("%", " %")


def _word(figure: Figure, *, more: bool) -> str:
    if FIGURES[figure].unit is Unit.SECONDS:
        return "slower" if more else "faster"
    return "more" if more else "fewer" if FIGURES[figure].unit is Unit.COUNT else "less"


# ---- the chart


class Point(NamedTuple):
    """A step of the chart: what it is called, its counts, the figure now and before."""

    label: str
    sums: Sums
    value: float | None
    before: float | None


def points(
    figure: Figure, labels: Sequence[str], now: Sequence[Totals], before: Sequence[Totals]
) -> list[Point]:
    """The steps of a stretch beside those of the one before; both may have fewer than labels."""
    value = FIGURES[figure].value
    return [
        Point(
            label,
            totals.sums if totals else Sums(),
            value(totals) if totals else None,
            value(was) if was else None,
        )
        for label, totals, was in zip_longest(labels, now, before[: len(labels)])
    ]


def chart(figure: Figure, steps: Sequence[Point], *, running: bool) -> dict[str, Any]:
    """What `app.js` draws; `running` says that the last step has not ended."""
    about = FIGURES[figure]
    earlier = [point.before for point in steps]
    return {
        "title": about.title,
        "unit": about.unit,
        "labels": [point.label for point in steps],
        "now": [point.value for point in steps],
        "before": earlier if any(value is not None for value in earlier) else None,
        "running": running,
    }


def by_step(
    stretch: Stretch,
    step: Step,
    days: Mapping[date, Sums],
    histograms: Sequence[tuple[date, int, int]],
    figure: Figure,
) -> list[Totals]:
    """The counts of days, added up by step."""
    places = range(len(stretch.starts(step)))
    sums = [Sums() for _ in places]
    buckets: list[Counter[int]] = [Counter() for _ in places]
    for day, one in days.items():
        if stretch.first <= day <= stretch.last:
            sums[stretch.place(day, step)].join(one)
    for day, bucket, leads in histograms:
        buckets[stretch.place(day, step)][bucket] += leads
    shares = [sorted(counted.items()) for counted in buckets]
    if figure is Figure.WAIT:
        return [Totals(one, waits=share) for one, share in zip(sums, shares, strict=True)]
    return [Totals(one, scores=share) for one, share in zip(sums, shares, strict=True)]


def labels(stretch: Stretch, step: Step) -> list[str]:
    """How the steps are called on the axis."""
    patterns = {Step.DAY: "%a %-d %b", Step.WEEK: "week of %-d %b", Step.MONTH: "%b %Y"}
    return [day.strftime(patterns[step]) for day in stretch.starts(step)]


_WAIT_TEXTS = ("under 5 min", "5–15 min", "15–60 min", "1–2 h", "2–4 h", "4–24 h", "1–2 d")


def median_wait(contacted: int, within: Mapping[str, int]) -> str:
    """Between which times the median of the first contacts lies."""
    if not contacted:
        return NONE
    for name, text in zip(WAITS, _WAIT_TEXTS, strict=True):
        if within[name] * 2 >= contacted:
            return text
    return "over 2 d"
