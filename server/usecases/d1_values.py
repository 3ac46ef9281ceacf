"""Single values of an earlier Worker's rows: texts, numbers, times."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from server.domain.clock import to_text

Source = Mapping[str, Any]

_SQUEEZE = re.compile(r"[^a-z0-9]")
_EPOCH_MS_FROM = 100_000_000_000
"""A number above it counts milliseconds."""


def squeezed(name: str) -> str:
    """A column's name without case, spaces and signs."""
    return _SQUEEZE.sub("", name.lower())


def known_values(names: Mapping[str, str], row: Source) -> dict[str, Any]:
    """What a row says by our names; the first of a name wins."""
    known: dict[str, Any] = {}
    for column, value in row.items():
        name = names.get(squeezed(column))
        if name is not None and value is not None:
            known.setdefault(name, value)
    return known


def text(value: Any) -> str | None:
    """A text without white space around it; None for what is none or empty."""
    return None if value is None or isinstance(value, bytes) else str(value).strip() or None


def number(value: Any) -> int:
    """A whole number of 0 or more; 0 for what is none."""
    try:
        given = float(value)
    except (TypeError, ValueError):
        return 0
    return max(0, min(int(given), 10**12)) if math.isfinite(given) else 0


def is_set(value: Any) -> bool:
    """Whether a value says yes."""
    return str(value).strip().lower() in ("1", "1.0", "true", "yes", "on")


def moment(value: Any) -> str | None:
    """A time as the store keeps it, of ISO 8601, SQLite's form (UTC) or an epoch; else None."""
    try:
        if isinstance(value, int | float) or (isinstance(value, str) and value.isdigit()):
            epoch = float(value)
            seconds = epoch / 1000 if epoch > _EPOCH_MS_FROM else epoch
            return to_text(datetime.fromtimestamp(seconds, UTC))
        read = datetime.fromisoformat(str(value).strip())
        return to_text(read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC))
    except (ValueError, OverflowError, OSError):
        return None


def digest(value: Source) -> str:
    """24 hex digits of what a row says, whatever the order of its columns."""
    told = json.dumps(value, sort_keys=True, default=hex_of)
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def hex_of(value: Any) -> str:
    """Bytes in hex digits, anything else as text."""
    return value.hex() if isinstance(value, bytes) else str(value)
