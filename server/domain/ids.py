"""Identifiers: what is accepted from outside and how propgauge makes its own."""

from __future__ import annotations

import re
import secrets
from datetime import datetime
from typing import Annotated, NewType

from pydantic import Field

ClientId = NewType("ClientId", int)
VisitorId = NewType("VisitorId", str)
SessionId = NewType("SessionId", str)
LeadId = NewType("LeadId", str)
DeliveryId = NewType("DeliveryId", str)

OUTSIDE_ID_PATTERN = r"^[A-Za-z0-9._-]{1,128}$"
OutsideId = Field(pattern=OUTSIDE_ID_PATTERN)
"""Marks a model's field as an id from outside."""

OutsideVisitorId = Annotated[VisitorId, OutsideId]
OutsideSessionId = Annotated[SessionId, OutsideId]
OutsidePageViewId = Annotated[str, OutsideId]
OutsideEventId = Annotated[str, OutsideId]

_OUTSIDE_ID = re.compile(OUTSIDE_ID_PATTERN.replace("$", r"\Z"))


def is_outside_id(text: str) -> bool:
    """Whether an id sent by a script or a partner may be used as one."""
    return _OUTSIDE_ID.match(text) is not None


def new_id(prefix: str, moment: datetime) -> str:
    """A time-ordered id, `<prefix>_` + 11 hex digits of milliseconds + 18 random hex digits.

    Random ids cost a third to a half of the ingest rate on a large table
    (facts/performance.md), so that every id starts with its time.
    """
    return f"{prefix}_{int(moment.timestamp() * 1000):011x}{secrets.token_hex(9)}"
