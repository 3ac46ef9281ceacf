"""Why an engagement score is what it is, and what would lift it to the next label."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from server.domain.engagement import LABEL_FLOORS, EngagementLabel, FactorScore
from server.domain.ids import SessionId
from server.domain.visitor import Visit

Factor = Callable[[Visit], FactorScore]

_MEASURES: Mapping[str, tuple[str, int]] = {
    "duration": ("duration_seconds", 86_400),
    "scroll_depth": ("max_scroll_percent", 100),
    "clicks": ("clicks", 10_000),
    "return_visits": ("return_visits", 1_000),
}
"""What of a visit each factor measures, and the most of it that is worth looking at."""


@dataclass(frozen=True, slots=True)
class Step:
    """So much more of one measure, and the points that it would earn.

    `more` is the difference and `value` what it comes to, both in the factor's unit.
    """

    factor: str
    more: int
    value: int
    points: int

    def __str__(self) -> str:
        return _WORDS[self.factor](self)


@dataclass(frozen=True, slots=True)
class NextLabel:
    """The label above a score: what is missing, and the ways there.

    Each way is enough alone; all the steps of one way are needed together.
    """

    label: EngagementLabel
    missing: int
    ways: tuple[tuple[Step, ...], ...]

    def __str__(self) -> str:
        if not self.ways:
            return f"{_points(self.missing)} more would make it {self.label}."
        first, *others = self.ways
        makes = "makes" if len(first) == 1 else "together make"
        told = _sentence(f"{_way(first)} {makes} it {self.label}.")
        return f"{told} So would {', or '.join(map(_way, others))}." if others else told


def _way(steps: Sequence[Step]) -> str:
    return " and ".join(f"{step} (+{_points(step.points)})" for step in steps)


def _points(count: int) -> str:
    return f"{count} point" if count == 1 else f"{count} points"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def next_label(
    score: int, scores: Sequence[FactorScore], factors: Sequence[Factor]
) -> NextLabel | None:
    """What would lift a score to the next label; None for the highest.

    `factors` are asked what more of their measure earns, so that no rule stands twice. A factor
    that is no longer among them, or of an unknown measure, can lift nothing.
    """
    above = [(floor, label) for floor, label in LABEL_FLOORS if floor > score]
    if not above:
        return None
    floor, label = above[-1]
    missing = floor - score
    visit = _visit_of(scores)
    steps = [step for factor in factors if (step := _step(factor, visit, missing)) is not None]
    alone = [(step,) for step in steps if step.points >= missing]
    ways = tuple(alone) or _together(steps, missing, factors, visit)
    return NextLabel(label, missing, ways)


def _visit_of(scores: Sequence[FactorScore]) -> Visit:
    """A visit that measures what the scores say."""
    measured = {_MEASURES[one.factor][0]: one.value for one in scores if one.factor in _MEASURES}
    empty = Visit(
        SessionId(""),
        duration_seconds=0,
        max_scroll_percent=0,
        clicks=0,
        pages_visited=0,
        return_visits=0,
    )
    return _measuring(empty, measured)


def _measuring(visit: Visit, measured: Mapping[str, Any]) -> Visit:
    return replace(visit, **measured)


def _step(factor: Factor, visit: Visit, wanted: int) -> Step | None:
    """The least more that earns `wanted` points, or as many as the factor has left; None for 0."""
    now = factor(visit)
    goal = min(now.points + wanted, now.cap)
    if now.factor not in _MEASURES or goal <= now.points:
        return None
    measure, most = _MEASURES[now.factor]
    low, high = now.value, max(most, now.value)
    while low < high:
        middle = (low + high) // 2
        if factor(_measuring(visit, {measure: middle})).points >= goal:
            high = middle
        else:
            low = middle + 1
    points = factor(_measuring(visit, {measure: low})).points - now.points
    return Step(now.factor, low - now.value, low, points) if points > 0 else None


def _together(
    steps: Sequence[Step], missing: int, factors: Sequence[Factor], visit: Visit
) -> tuple[tuple[Step, ...], ...]:
    """The fewest factors that are enough together, () where all of them are not."""
    chosen: list[Step] = []
    by_name = {factor(visit).factor: factor for factor in factors}
    for step in sorted(steps, key=lambda one: -one.points):
        least = _step(by_name[step.factor], visit, missing) or step
        chosen.append(least)
        missing -= least.points
        if missing <= 0:
            return (tuple(chosen),)
    return ()


def _span(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    spoken = f"{minutes} min" if minutes else ""
    return f"{spoken} {rest} s".strip() if rest or not minutes else spoken


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} more {one if count == 1 else many}"


_WORDS: Mapping[str, Callable[[Step], str]] = {
    "duration": lambda step: f"{_span(step.more)} more on the pages",
    "scroll_depth": lambda step: f"scrolling down to {step.value} % of a page",
    "clicks": lambda step: _counted(step.more, "click", "clicks"),
    "return_visits": lambda step: _counted(step.more, "return visit", "return visits"),
}
