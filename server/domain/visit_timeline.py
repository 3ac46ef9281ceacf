"""A session as a timeline: pages, events and the submission in order, long stretches folded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from typing import Any


class EntryKind(StrEnum):
    """What can happen in a session; in this order where moments are the same."""

    PAGE = "page"
    EVENT = "event"
    SUBMISSION = "submission"


_ORDER = {kind: place for place, kind in enumerate(EntryKind)}

AROUND = 3
"""Entries that stay in sight at the beginning, at the end, and on both sides of the submission."""

MIN_FOLDED = 3
"""Fewer are not worth a click."""


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One thing that happened; `at` is a text of the clock, what a kind lacks stays at its default.

    `scroll_percent` is None on a page too short to scroll.
    """

    kind: EntryKind
    at: str
    title: str = ""
    url: str = ""
    duration_ms: int = 0
    scroll_percent: int | None = None
    clicks: int = 0
    props: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Entries that follow each other, all in sight or all folded away."""

    entries: tuple[TimelineEntry, ...]
    folded: bool


def stretches(entries: Iterable[TimelineEntry]) -> list[Stretch]:
    """The entries in order, and which of them are folded: those far from anything that matters."""
    ordered = sorted(entries, key=lambda entry: (entry.at, _ORDER[entry.kind]))
    shown = _shown(ordered)
    runs = groupby(enumerate(ordered), key=lambda pair: pair[0] in shown)
    return [Stretch(tuple(entry for _, entry in run), not is_shown) for is_shown, run in runs]


def _shown(ordered: Sequence[TimelineEntry]) -> frozenset[int]:
    """Places that stay in sight."""
    last = len(ordered) - 1
    marks = [place for place, one in enumerate(ordered) if one.kind is EntryKind.SUBMISSION]
    near = {
        place
        for place in range(len(ordered))
        if place < AROUND
        or last - place < AROUND
        or any(abs(place - mark) <= AROUND for mark in marks)
    }
    hidden = [place for place in range(len(ordered)) if place not in near]
    for _, run in groupby(enumerate(hidden), key=lambda pair: pair[1] - pair[0]):
        places = [place for _, place in run]
        if len(places) < MIN_FOLDED:
            near.update(places)
    return frozenset(near)
