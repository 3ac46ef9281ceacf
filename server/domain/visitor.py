"""Visits: beacons as received, and what is known of a visitor when a lead is scored."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from server.domain.attribution import Attribution
from server.domain.clock import DAY_MS, before, elapsed_ms
from server.domain.ids import (
    ClientId,
    OutsideEventId,
    OutsidePageViewId,
    OutsideSessionId,
    OutsideVisitorId,
    SessionId,
    VisitorId,
)

MAX_URL_CHARS = 2_000
MAX_TITLE_CHARS = 300
MAX_SHORT_CHARS = 128
MAX_CLICK_ID_CHARS = 500
"""Beyond this a click id is left out: Meta refuses one that was cut."""

MAX_COUNT = 1_000_000
MAX_EVENT_NAME_CHARS = 64
MAX_EVENT_PROPS = 20
MAX_PROP_CHARS = 500

Url = Annotated[str, Field(max_length=MAX_URL_CHARS)]
Title = Annotated[str, Field(max_length=MAX_TITLE_CHARS)]
Short = Annotated[str, Field(max_length=MAX_SHORT_CHARS)]
ClickId = Annotated[str, Field(max_length=MAX_CLICK_ID_CHARS)]
Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]
Percent = Annotated[int, Field(ge=0, le=100)]
DayMs = Annotated[int, Field(ge=0, le=DAY_MS)]
EventName = Annotated[str, Field(max_length=MAX_EVENT_NAME_CHARS)]


def _checked_props(props: dict[str, Any]) -> dict[str, Any]:
    for name, value in props.items():
        if len(name) > MAX_EVENT_NAME_CHARS:
            raise ValueError(f"the name {name[:20]}… is longer than {MAX_EVENT_NAME_CHARS}")
        if isinstance(value, dict | list):  # pydantic turns no TypeError into a refusal
            raise ValueError(f"{name} must be a text, a number, true, false or null")  # noqa: TRY004
        if isinstance(value, str) and len(value) > MAX_PROP_CHARS:
            raise ValueError(f"{name} is longer than {MAX_PROP_CHARS} characters")
        if isinstance(value, int | float) and not abs(value) <= sys.float_info.max:
            raise ValueError(f"{name} is no number that every reader of JSON knows")
    return props


EventProps = Annotated[
    dict[str, Any], Field(max_length=MAX_EVENT_PROPS), AfterValidator(_checked_props)
]


class BeaconType(StrEnum):
    """`view` opens a page view; `engage` updates one, `event` adds what was done on it.

    Neither of these two ever creates a page view or a session.
    """

    VIEW = "view"
    ENGAGE = "engage"
    EVENT = "event"


class DropReason(StrEnum):
    """Why a beacon left no trace."""

    NO_PAGE_VIEW = "no_page_view"
    DUPLICATE = "duplicate"
    REPEATED = "repeated"
    NO_CONSENT = "no_consent"


class NetworkKind(StrEnum):
    """A network that hides who is behind it, by the lists of the settings."""

    VPN = "vpn"
    HOSTING = "hosting"


class MatchKind(StrEnum):
    """How a lead was matched to a session."""

    VISITOR_ID = "visitor_id"
    IP = "ip"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Beacon:
    """A page view's totals so far. Durations and ages in milliseconds, scroll in percent.

    `age_ms` is the time since the event: for a view, since it began. `consent` is what the
    visitor answered, None where nobody asked. An event has `event_id`, `name` and `props`, and
    no totals.
    """

    visitor_id: OutsideVisitorId
    session_id: OutsideSessionId
    page_view_id: OutsidePageViewId
    type: BeaconType
    seq: Count = 0
    site: Short = ""
    url: Url = ""
    referrer: Url = ""
    title: Title = ""
    screen: Short = ""
    language: Short = ""
    timezone: Short = ""
    fingerprint: Short = ""
    duration_ms: DayMs = 0
    scroll_percent: Percent = 0
    scrollable: bool = True
    clicks: Count = 0
    automation: bool = False
    age_ms: DayMs = 0
    fbp: Short = ""
    fbc: ClickId = ""
    consent: bool | None = None
    event_id: OutsideEventId | None = None
    name: EventName = ""
    props: EventProps = field(default_factory=dict)

    @property
    def scroll_depth(self) -> int:
        """Percent of the page seen; 0 on a page too short to scroll."""
        return self.scroll_percent if self.scrollable else 0


@dataclass(frozen=True, slots=True)
class Peer:
    """Who sent a request: address, country (ISO 3166, upper case), agent; "" when unknown.

    `network` is the name of the address's network.
    """

    ip: str
    country: str
    user_agent: str
    network: str = ""
    network_kind: NetworkKind | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """A beacon with all the server adds: whose it is, who sent it, when it came."""

    beacon: Beacon
    client_id: ClientId
    peer: Peer
    received_at: datetime

    @property
    def occurred_at(self) -> datetime:
        """When the event happened: receipt less its age, at most a day back."""
        age_ms = self.beacon.age_ms
        return before(self.received_at, age_ms) if age_ms else self.received_at


@dataclass(frozen=True, slots=True)
class PageViewTotals:
    """One page view as stored."""

    started_at: datetime
    duration_ms: int
    clicks: int


@dataclass(frozen=True, slots=True)
class Session:
    """One session as stored, with what a lead needs of it."""

    session_id: SessionId
    visitor_id: VisitorId
    started_at: datetime
    duration_ms: int
    max_scroll_percent: int
    clicks: int
    pages_visited: int
    attribution: Attribution
    automation: bool = False
    consent: bool | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """All that engagement is scored from: the matched session plus the visitor's history."""

    session_id: SessionId
    duration_seconds: int
    max_scroll_percent: int
    clicks: int
    pages_visited: int
    return_visits: int


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A visitor across sessions; `visit_count` counts distinct sessions of people, not bots."""

    visit_count: int
    vpn_suspected: bool
    vpn_reason: str

    @property
    def return_visits(self) -> int:
        """Sessions after the first."""
        return max(0, self.visit_count - 1)


def wall_time_ms(arrival: Arrival, view_started_at: datetime) -> int:
    """Milliseconds a view can have lasted by now, 0 to 24 h: the bound of its duration.

    The claimed age counts too, so that a first beacon that already carries totals
    is bounded by its own age.
    """
    elapsed = elapsed_ms(view_started_at, arrival.received_at)
    return min(DAY_MS, max(elapsed, arrival.beacon.age_ms))
