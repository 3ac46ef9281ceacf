"""The query of the inbox's address: filters, order and place, and the chips that show them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Annotated, NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from pydantic import Field, TypeAdapter

from server.domain.clock import to_text
from server.domain.days import span_of, zone_of
from server.domain.directory import Client
from server.domain.engagement import EngagementLabel
from server.domain.errors import invalid_field
from server.domain.lead_status import LeadStatus
from server.domain.qualification import Rotator
from server.domain.search_terms import MAX_QUERY_CHARS, search_terms
from server.domain.suspicion import SuspicionLabel
from server.domain.user import UserId
from server.store.inbox import UNTRACKED, InboxFilter, InboxOrder, Listing, Place

MAX_VALUES = 20
"""Of one list; more choices at once are all of them."""

MAX_VALUE_CHARS = 200
MAX_QUERY_PAIRS = 200

SORT = "sort"
DAYS = "days"
"""The time zone whose days are meant, where they are the overview's and not the viewer's own."""

ME, NOBODY = "me", "none"
_PLACE = TypeAdapter(tuple[InboxOrder, bool, str | float, Annotated[int, Field(ge=0, lt=2**63)]])


class ListFilter(NamedTuple):
    """A filter with several values at once; `known` is empty where any text may be one."""

    name: str
    title: str
    known: tuple[str, ...] = ()


LISTS: tuple[ListFilter, ...] = (
    ListFilter("label", "Label", (*reversed(EngagementLabel), UNTRACKED)),
    ListFilter("status", "Status", tuple(LeadStatus)),
    ListFilter("grade", "Grade", tuple(Rotator)),
    ListFilter("suspicion", "Suspicion", tuple(SuspicionLabel)),
    ListFilter("source", "Source"),
    ListFilter("project", "Project"),
    ListFilter("landing_page", "Landing page"),
    ListFilter("first_campaign", "First campaign"),
    ListFilter("last_campaign", "Last campaign"),
    ListFilter("country", "Country"),
    ListFilter("device", "Device"),
)

WITHOUT = "without"
_NO_VALUE: Mapping[str, str] = {
    "project": "No project",
    "landing_page": "No landing page",
    "first_campaign": "No first campaign",
    "last_campaign": "No last campaign",
    "country": "No country",
    "device": "No device",
}
"""Fields that a lead may lack, and how that is called."""

SORTS: Mapping[InboxOrder, str] = {
    InboxOrder.NEWEST: "Newest first",
    InboxOrder.OLDEST: "Oldest first",
    InboxOrder.SCORE: "Highest score first",
    InboxOrder.DUE: "Overdue first",
    InboxOrder.SUSPICIOUS: "Most suspicious first",
    InboxOrder.TRUSTED: "Least suspicious first",
}


class Chip(NamedTuple):
    """A filter in force, and the query without it."""

    text: str
    without: str


@dataclass(frozen=True, slots=True)
class InboxQuery:
    """What an address asks for, as it says it; `errors` by field."""

    text: str = ""
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    owner: str = ""
    since: str = ""
    until: str = ""
    days_of: str = ""
    overdue: bool = False
    order: InboxOrder = InboxOrder.NEWEST
    after: str = ""
    before: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)

    def pairs(self) -> list[tuple[str, str]]:
        """The filters as they stand in an address, without order and place."""
        listed = [(name, value) for name, values in self.lists.items() for value in values]
        single = [
            ("q", self.text),
            ("owner", self.owner),
            ("from", self.since),
            ("to", self.until),
            (DAYS, self.days_of if self.since or self.until else ""),
            ("overdue", "1" if self.overdue else ""),
        ]
        lacking = [(WITHOUT, name) for name in self.without]
        return [*listed, *lacking, *((name, value) for name, value in single if value)]

    @property
    def is_filtered(self) -> bool:
        """Whether anything is left out."""
        return bool(self.pairs())

    @property
    def panel_filters(self) -> int:
        """How many filters the panel holds: all but the search."""
        return sum(name not in ("q", DAYS) for name, _value in self.pairs())

    def address(self, **changes: str) -> str:
        """The query of the address without the place; changes replace or, empty, take away."""
        order = "" if self.order is InboxOrder.NEWEST else str(self.order)
        kept = [pair for pair in [*self.pairs(), (SORT, order)] if pair[0] not in changes]
        return urlencode([pair for pair in [*kept, *changes.items()] if pair[1]])

    def chips(self, owners: Mapping[str, str]) -> list[Chip]:
        """The filters in force, each with the way to lose it; `owners` are names by id."""
        return [
            Chip(self._chip_text(name, value, owners), self._without((name, value)))
            for name, value in self.pairs()
            if name != DAYS
        ]

    def _chip_text(self, name: str, value: str, owners: Mapping[str, str]) -> str:
        text = _chip_text(name, value, owners)
        return f"{text} ({self.days_of})" if self.days_of and name in ("from", "to") else text

    def _without(self, gone: tuple[str, str]) -> str:
        order = [] if self.order is InboxOrder.NEWEST else [(SORT, str(self.order))]
        kept = [pair for pair in [*self.pairs(), *order] if pair != gone]
        has_days = any(name in ("from", "to") for name, _value in kept)
        return urlencode([pair for pair in kept if has_days or pair[0] != DAYS])

    def listing(self, client: Client, user_id: UserId, now: datetime, zone: ZoneInfo) -> Listing:
        """What the store is asked; days are those of `zone`, unless the query names another."""
        of = self.lists.get
        zone = zone_of(self.days_of) if self.days_of else zone
        owner = user_id if self.owner == ME else _user_id(self.owner)
        chosen = InboxFilter(
            terms=search_terms(self.text, client.default_region),
            labels=of("label", ()),
            grades=of("grade", ()),
            suspicion=of("suspicion", ()),
            statuses=of("status", ()),
            sources=of("source", ()),
            projects=of("project", ()),
            landing_pages=of("landing_page", ()),
            first_campaigns=of("first_campaign", ()),
            last_campaigns=of("last_campaign", ()),
            countries=of("country", ()),
            devices=of("device", ()),
            without=self.without,
            owner_id=owner,
            unowned=self.owner == NOBODY,
            since=_midnight(self.since, zone, 0),
            before=_midnight(self.until, zone, 1),
            due_before=to_text(now) if self.overdue else "",
        )
        return Listing(client.client_id, chosen, self.order)

    def place(self, text: str) -> Place | None:
        """The place that a cursor names; raises AppError (invalid) for another's."""
        if not text:
            return None
        try:
            padded = text + "=" * (-len(text) % 4)
            order, searched, key, row = _PLACE.validate_json(base64.urlsafe_b64decode(padded))
        except ValueError:  # of base64 and of pydantic
            raise invalid_field("page", "is no place in this list") from None
        if order is not self.order or searched != bool(self.text):
            raise invalid_field("page", "belongs to a list with other filters")
        return Place(key, row)

    def cursor(self, place: Place) -> str:
        """A place in this query's order, for an address."""
        content = json.dumps([self.order, bool(self.text), place.key, place.row_id])
        return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def parse(pairs: Iterable[tuple[str, str]]) -> InboxQuery:
    """Read an address's query; what cannot be is in `errors`, what is not ours is passed over."""
    given: dict[str, list[str]] = {}
    for name, value in list(pairs)[:MAX_QUERY_PAIRS]:
        if value.strip():
            given.setdefault(name, []).append(value.strip()[:MAX_VALUE_CHARS])
    errors: dict[str, str] = {}
    lists = {one.name: _list_of(one, given.get(one.name, []), errors) for one in LISTS}
    last = {name: values[-1] for name, values in given.items()}
    query = InboxQuery(
        text=last.get("q", "")[:MAX_QUERY_CHARS],
        lists={name: values for name, values in lists.items() if values},
        without=tuple(name for name in _NO_VALUE if name in given.get(WITHOUT, ())),
        owner=_checked("owner", last, _is_owner, "is no one who works here", errors),
        since=_checked("from", last, _is_date, "is no date such as 2026-11-22", errors),
        until=_checked("to", last, _is_date, "is no date such as 2026-11-22", errors),
        days_of=zone_of(last[DAYS]).key if DAYS in last else "",
        overdue=last.get("overdue") == "1",
        order=InboxOrder(_checked(SORT, last, _is_order, "is no order", errors) or "newest"),
        after=last.get("after", ""),
        before=last.get("before", ""),
        errors=errors,
    )
    if query.since and query.until and query.since > query.until and not errors:
        errors["to"] = "lies before the first day"
    return query


def _list_of(one: ListFilter, values: Sequence[str], errors: dict[str, str]) -> tuple[str, ...]:
    known = {name.lower(): name for name in one.known}
    chosen = dict.fromkeys(known.get(value.lower(), value) for value in values)
    if one.known and not chosen.keys() <= set(one.known):
        errors[one.name] = "has a value that there is not"
    if len(chosen) > MAX_VALUES:
        errors[one.name] = f"takes at most {MAX_VALUES} at once"
    return tuple(str(value) for value in chosen)[:MAX_VALUES]


def _checked(
    name: str,
    given: Mapping[str, str],
    check: Callable[[str], bool],
    message: str,
    errors: dict[str, str],
) -> str:
    value = given.get(name, "")
    if not value or check(value):
        return value
    errors[name] = message
    return "" if name == SORT else value


def _is_owner(text: str) -> bool:
    return text in (ME, NOBODY) or (text.isascii() and text.isdigit() and len(text) < 16)


def _is_order(text: str) -> bool:
    return text in tuple(InboxOrder)


def _is_date(text: str) -> bool:
    try:
        return len(text) == 10 and 2000 <= date.fromisoformat(text).year <= 2200
    except ValueError:
        return False


def _midnight(day: str, zone: ZoneInfo, days_later: int) -> str:
    """When a day, or the one after, begins in a time zone; "" for no day."""
    if not day:
        return ""
    moment = date.fromisoformat(day) + timedelta(days=days_later)
    return to_text(span_of(moment, moment, zone).start)


_TITLES = {one.name: one.title for one in LISTS} | {
    "q": "Search",
    "owner": "Owner",
    "from": "From",
    "to": "Until",
}


def value_text(name: str, value: str) -> str:
    """How a value of a list is called."""
    if name == "label" and value == UNTRACKED:
        return "No tracked visit"
    return value.capitalize() if name == "status" else value


def _chip_text(name: str, value: str, owners: Mapping[str, str]) -> str:
    if name == "overdue":
        return "Overdue"
    if name == WITHOUT:
        return _NO_VALUE[value]
    if name == "owner":
        names = {ME: "me", NOBODY: "nobody", **owners}
        return f"Owner: {names.get(value, value)}"
    return f"{_TITLES[name]}: {value_text(name, value)}"


def _user_id(owner: str) -> UserId | None:
    return UserId(int(owner)) if owner.isdigit() else None
