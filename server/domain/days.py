"""Calendar days in a time zone, and the hours of UTC text that touch them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from server.domain.clock import to_text

HOUR_CHARS = len("2026-11-22T10")
_HOUR = timedelta(hours=1)
_MOMENT = timedelta(milliseconds=1)


class Span(NamedTuple):
    """From the first moment to the first that is past it, in UTC."""

    start: datetime
    end: datetime

    @property
    def texts(self) -> tuple[str, str]:
        """Both as the store keeps times."""
        return to_text(self.start), to_text(self.end)

    @property
    def hours(self) -> tuple[str, str]:
        """The first and the last hour of UTC that it touches, such as `2026-11-22T10`."""
        return to_text(self.start)[:HOUR_CHARS], to_text(self.end - _MOMENT)[:HOUR_CHARS]


def zone_of(name: str) -> ZoneInfo:
    """The time zone of that name, UTC where there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


@cache
def zone_names() -> Sequence[str]:
    """Time zones that people name: of places, and UTC."""
    named = (name for name in available_timezones() if "/" in name and not name.startswith("Etc/"))
    return ["UTC", *sorted(named)]


def span_of(first: date, last: date, zone: ZoneInfo) -> Span:
    """From the beginning of one day to the end of another."""
    return Span(_midnight(first, zone), _midnight(last + timedelta(days=1), zone))


def span_until(day: date, clock: time, zone: ZoneInfo) -> Span:
    """From the beginning of a day to a time of it by the clock on the wall."""
    start, end = span_of(day, day, zone)
    return Span(start, min(end, datetime.combine(day, clock, zone).astimezone(UTC)))


def days_of_hour(hour: str, zone: ZoneInfo) -> set[date]:
    """The one or two days that an hour of UTC belongs to."""
    start = datetime.strptime(hour, "%Y-%m-%dT%H").replace(tzinfo=UTC)
    return {moment.astimezone(zone).date() for moment in (start, start + _HOUR - _MOMENT)}


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)
