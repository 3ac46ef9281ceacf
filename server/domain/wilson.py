"""How sure a share is: Wilson's score interval, which also holds for few and for extreme ones."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

Z_95 = 1.959963984540054
"""The standard normal quantile of a two-sided interval of 95 %."""

MIN_TRIALS = 30
"""Below so many a share is not shown: the interval around 10 % would span over 20 points."""


class Share(NamedTuple):
    """A share of something, from 0 to 1, with the interval it lies in at 95 %."""

    number: int
    of: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share itself."""
        return self.number / self.of if self.of else 0.0

    @property
    def is_told(self) -> bool:
        """Whether there are enough to say anything."""
        return self.of >= MIN_TRIALS


def share(number: int, of: int) -> Share:
    """A share with its interval (Wilson 1927, without correction for continuity)."""
    low, high = interval(number, of)
    return Share(number, of, low, high)


def interval(successes: int, trials: int, z: float = Z_95) -> tuple[float, float]:
    """The interval in which a proportion lies; (0, 1) where nothing was tried."""
    if trials <= 0:
        return 0.0, 1.0
    observed, spread = successes / trials, z * z / trials
    middle = (observed + spread / 2) / (1 + spread)
    half = z / (1 + spread) * sqrt(observed * (1 - observed) / trials + spread / (4 * trials))
    return max(0.0, middle - half), min(1.0, middle + half)
