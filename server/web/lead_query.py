"""The query of GET /api/leads: filters and paging, read into what the store asks."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from server.domain.clock import to_text
from server.domain.errors import AppError, ErrorCode, FieldError
from server.domain.ids import ClientId
from server.store import lead_pages
from server.store.contract import Store
from server.store.lead_pages import Filter, LeadOrder, LeadPlace

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
_CURSOR = TypeAdapter(tuple[LeadOrder, str, Annotated[int, Field(ge=0, lt=2**63)]])
_LOST_PLUS = re.compile(r" (?=\d\d:?\d\d$)")


@dataclass(frozen=True, slots=True)
class LeadPage:
    """Leads as their JSON shows them; `next_cursor` is None on the last page."""

    leads: list[dict[str, Any]]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class LeadQuery:
    """Filters, the order, where to go on, how many."""

    filters: tuple[tuple[Filter, Any], ...]
    order: LeadOrder
    after: LeadPlace | None
    limit: int

    async def page(self, store: Store, client_id: ClientId) -> LeadPage:
        """The leads of one page; one more is read to know whether there is another."""
        rows = await lead_pages.list_leads(
            store, client_id, self.filters, self.order, self.after, self.limit + 1
        )
        shown = rows[: self.limit]
        more = len(rows) > self.limit
        cursor = _cursor(self.order, shown[-1].place) if more else None
        return LeadPage([row.content for row in shown], cursor)


def parse_query(pairs: Iterable[tuple[str, str]]) -> LeadQuery:
    """Read query parameters; raises AppError (invalid) naming each at fault."""
    values: dict[str, Any] = {}
    faults: list[FieldError] = []
    for name, text in pairs:
        try:
            values[name] = _value(name, text)
        except ValueError as error:
            faults.append(FieldError(name, str(error)))
    by_change = Filter.UPDATED_SINCE in values
    order = LeadOrder.OLDEST_CHANGE_FIRST if by_change else LeadOrder.NEWEST_FIRST
    limit = values.pop("limit", DEFAULT_LIMIT)
    cursor_order, after = values.pop("cursor", (order, None))
    if cursor_order is not order:
        faults.append(FieldError("cursor", "belongs to a query with other parameters"))
    if faults:
        message = f"{faults[0].field} {faults[0].message}"
        raise AppError(ErrorCode.INVALID, message, *faults)
    filters = tuple((Filter(name), value) for name, value in values.items())
    return LeadQuery(filters, order, after, limit)


def _value(name: str, text: str) -> Any:
    if name not in _PARAMETERS:
        raise ValueError("is no parameter of this address")
    return _PARAMETERS[name](text)


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_LIMIT):
        raise ValueError(f"must be a number from 1 to {MAX_LIMIT}")
    return int(text)


def _time(text: str) -> str:
    """A time as the store keeps it; a date is its first moment, one without a zone is UTC."""
    try:
        moment = datetime.fromisoformat(_LOST_PLUS.sub("+", text))
    except ValueError:
        raise ValueError("must be a time such as 2026-11-22T10:00:00Z") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        return to_text(moment.astimezone(UTC))
    except OverflowError:
        raise ValueError("must be a time such as 2026-11-22T10:00:00Z") from None


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 100):
        raise ValueError("must be a number from 0 to 100")
    return int(text)


def _yes_or_no(text: str) -> int:
    if text.lower() not in ("true", "false", "1", "0"):
        raise ValueError("must be true or false")
    return int(text.lower() in ("true", "1"))


def _cursor(order: LeadOrder, place: LeadPlace) -> str:
    text = json.dumps([order, place.moment, place.row_id])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _place(text: str) -> tuple[LeadOrder, LeadPlace]:
    try:
        padded = text + "=" * (-len(text) % 4)
        content = base64.urlsafe_b64decode(padded.encode("ascii"))
        order, moment, row_id = _CURSOR.validate_json(content)
    except ValueError:  # of base64, of ASCII, of pydantic
        raise ValueError("is no cursor of an earlier page") from None
    return order, LeadPlace(moment, row_id)


_PARAMETERS: dict[str, Callable[[str], Any]] = {
    Filter.CREATED_SINCE: _time,
    Filter.CREATED_BEFORE: _time,
    Filter.UPDATED_SINCE: _time,
    Filter.ENGAGEMENT_LABEL: str,
    Filter.MIN_ENGAGEMENT_SCORE: _number,
    Filter.TRACKED: _yes_or_no,
    Filter.SUSPICION_LABEL: str,
    Filter.MAX_SUSPICION_SCORE: _number,
    Filter.LEAD_SOURCE: str,
    Filter.CHANNEL: str,
    Filter.PROJECT: str,
    Filter.EMAIL: str,
    Filter.PHONE: str,
    Filter.VISITOR_ID: str,
    "limit": _limit,
    "cursor": _place,
}
