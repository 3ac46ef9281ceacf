"""The rhythm of a property site: busier evenings and weekends, and growing week by week."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from random import Random

_HOURS = (3, 2, 1, 1, 1, 2, 4, 7, 9, 10, 10, 11, 13, 12, 10, 10, 10, 12, 14, 17, 19, 18, 13, 7)
_WEEKDAYS = (10, 10, 11, 10, 9, 12, 14)
_GROWTH = 0.6
"""By how much the last day is busier than the first."""

_BREATH = timedelta(seconds=5)


class Rhythm:
    """Moments of `days` days, counted from 0 to the present day, never later than `now`."""

    def __init__(self, rng: Random, now: datetime, days: int) -> None:
        self._rng = rng
        self._now = now
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        self._midnights = [midnight - timedelta(days=days - 1 - day) for day in range(days)]
        self.shares = self._shares()
        self._days = list(itertools.accumulate(self.shares))
        self._hours = list(itertools.accumulate(_HOURS))

    @property
    def begins_at(self) -> datetime:
        """The first midnight."""
        return self._midnights[0]

    def _shares(self) -> list[float]:
        last = len(self._midnights) - 1
        weights = [
            _WEEKDAYS[midnight.weekday()] * (1 + _GROWTH * day / max(1, last))
            for day, midnight in enumerate(self._midnights)
        ]
        weights[last] *= max(0.01, sum(_HOURS[: self._now.hour]) / sum(_HOURS))
        total = sum(weights)
        return [weight / total for weight in weights]

    def day_of(self, moment: datetime) -> int:
        """Which of the days a moment belongs to."""
        return max(0, (moment - self.begins_at).days)

    def moment(self) -> datetime:
        """Any moment, busy ones more often."""
        (day,) = self._rng.choices(range(len(self._midnights)), cum_weights=self._days)
        return self.moment_on(day)

    def moment_on(self, day: int) -> datetime:
        """A moment of a day, busy hours more often."""
        today = day == len(self._midnights) - 1
        hours = self._hours[: self._now.hour + 1] if today else self._hours
        (hour,) = self._rng.choices(range(len(hours)), cum_weights=hours)
        seconds = self._rng.randrange(hour * 3600, (hour + 1) * 3600)
        midnight = self._midnights[day]
        moment = midnight + timedelta(seconds=seconds, milliseconds=self._rng.randrange(1000))
        latest = self._now - _BREATH
        return moment if moment <= latest else midnight + self._rng.random() * (latest - midnight)
