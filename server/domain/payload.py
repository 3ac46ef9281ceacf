"""JSON from strangers, made safe to read and to store, whatever its shape."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from server.domain.errors import invalid_field
from server.domain.lead_fields import MAX_DEPTH

MAX_TEXT_CHARS = 2_000

_SQUEEZE = re.compile(r"[^a-z0-9]")


def clean_text(text: str) -> str:
    """A text without NUL and unpaired surrogates, which no store takes."""
    text = text.replace("\x00", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def redacted(payload: Any) -> dict[str, Any]:
    """A JSON object fit to be stored; raises AppError (invalid) for anything else.

    Left out are the holder and the last digits of a payment's card wherever they stand, NUL and
    unpaired surrogates, numbers that are not finite, and whatever is nested deeper than the
    body of a request may be.
    """
    if not isinstance(payload, Mapping):
        raise invalid_field("body", "must be a JSON object")
    return _object(payload, MAX_DEPTH, is_payment=False)


def _object(fields: Mapping[Any, Any], levels: int, *, is_payment: bool) -> dict[str, Any]:
    names = {name: squeeze(name) for name in fields if isinstance(name, str)}
    is_whole = levels == MAX_DEPTH  # where the name beside a card's digits is the person's
    is_payment = is_payment or ("last4" in names.values() and not is_whole)
    return {
        clean_text(name): _value(
            fields[name], levels, is_payment=is_payment or squeezed.startswith("payment")
        )
        for name, squeezed in names.items()
        if not _tells_of_card(squeezed, is_payment=is_payment)
    }


def _tells_of_card(squeezed: str, *, is_payment: bool) -> bool:
    """`payment.last4` and `payment.name`, also written flat as `payment_last4`."""
    return (
        squeezed.endswith("last4")
        or squeezed == "paymentname"
        or (is_payment and squeezed == "name")
    )


def _value(value: Any, levels: int, *, is_payment: bool) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value if number(value) is not None else None
    if isinstance(value, Mapping) and levels:
        return _object(value, levels - 1, is_payment=is_payment)
    if isinstance(value, list) and levels:
        return [_value(item, levels - 1, is_payment=is_payment) for item in value]
    return None


def squeeze(name: str) -> str:
    """A field's name in lower case, its ASCII letters and digits only."""
    return _SQUEEZE.sub("", name.lower())


def number(value: Any) -> float | None:
    """A finite number, None for anything else; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def text_of(value: Any) -> str:
    """A string or number as trimmed text of up to 2,000 characters, "" for anything else."""
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value).strip()[:MAX_TEXT_CHARS].rstrip()


def text_of_any(value: Any) -> str:
    """Any value as text: booleans yes and no, objects and lists as compact JSON."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict | list):
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":")) if value else ""
        return text[:MAX_TEXT_CHARS]
    return text_of(value)


def object_of(value: Any) -> Mapping[str, Any]:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def list_of(value: Any) -> list[Any]:
    """The value where it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def objects_of(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; none where the value is no list."""
    return [item for item in list_of(value) if isinstance(item, dict)]


def moment_of(value: Any) -> datetime | None:
    """An ISO 8601 time in UTC, None for anything else; one without a zone is UTC already."""
    try:
        moment = datetime.fromisoformat(value.strip() if isinstance(value, str) else "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
