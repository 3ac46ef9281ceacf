"""Times as the store keeps them: UTC text with milliseconds, so that text order is time order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

DAY_MS = 86_400_000
_DIGITS = len("2026-11-22T10:00:00.000")


def now() -> datetime:
    """The present moment in UTC."""
    return datetime.now(UTC)


def to_text(moment: datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SS.sssZ`; text order equals time order."""
    return moment.isoformat(timespec="milliseconds")[:_DIGITS] + "Z"


def from_text(text: str) -> datetime:
    """Read what `to_text` wrote."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def before(moment: datetime, milliseconds: float) -> datetime:
    """`moment` moved back by `milliseconds`."""
    return moment - timedelta(milliseconds=milliseconds)


def elapsed_ms(earlier: datetime, later: datetime) -> int:
    """Whole milliseconds from `earlier` to `later`, never negative."""
    return max(0, round((later - earlier).total_seconds() * 1000))
