"""Counts by value, and what can be read from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import accumulate


def median(histogram: Sequence[tuple[int, int]]) -> float | None:
    """The median of (value, how often) in rising order; None of nothing."""
    total = sum(times for _value, times in histogram)
    if not total:
        return None
    low, high = _at(histogram, (total - 1) // 2), _at(histogram, total // 2)
    return low if low == high else (low + high) / 2


def merged(*histograms: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Several in one, in rising order."""
    counted: Counter[int] = Counter()
    for histogram in histograms:
        for value, times in histogram:
            counted[value] += times
    return sorted(counted.items())


def _at(histogram: Sequence[tuple[int, int]], place: int) -> int:
    passed = accumulate(times for _value, times in histogram)
    return next(
        value for (value, _), so_far in zip(histogram, passed, strict=True) if so_far > place
    )
