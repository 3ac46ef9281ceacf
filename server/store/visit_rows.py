"""The columns of sessions, page views, events and fingerprints, in the order of their rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class SessionRow(NamedTuple):
    """A session with the sums of its page views (SESSION_SUMS)."""

    client_id: int
    session_id: str
    visitor_id: str
    site_key: str | None
    ip: str
    country: str
    user_agent: str
    browser: str
    os: str
    device: str
    language: str
    timezone: str
    screen: str
    landing_url: str
    referrer: str
    utm_source: str | None
    utm_medium: str | None
    utm_campaign: str | None
    utm_term: str | None
    utm_content: str | None
    click_ids: str | None
    started_at: str
    last_seen_at: str
    duration_seconds: int
    max_scroll_percent: int
    clicks: int
    pages_visited: int
    fbp: str | None
    fbc: str | None
    consent: int | None
    network: str | None
    network_kind: str | None
    automation: int
    is_bot: int
    bot_reason: str | None


class PageViewRow(NamedTuple):
    """A page view with its last totals."""

    client_id: int
    session_id: str
    page_view_id: str
    url: str
    title: str
    referrer: str
    started_at: str
    seq: int
    duration_ms: int
    scroll_percent: int
    scrollable: int
    clicks: int


class VisitorEventRow(NamedTuple):
    """Something of the site's own that happened on a page view; `props` is a JSON object."""

    client_id: int
    session_id: str
    event_id: str
    page_view_id: str
    name: str
    props: str
    occurred_at: str


class FingerprintRow(NamedTuple):
    """A visitor across sessions; a later row of the same visitor replaces the earlier one."""

    client_id: int
    visitor_id: str
    fingerprint: str
    visit_count: int
    vpn_suspected: int
    vpn_reason: str | None
    first_seen_at: str
    last_seen_at: str


SESSION_SUMS = frozenset(["duration_seconds", "max_scroll_percent", "clicks", "pages_visited"])
"""Columns of a session that follow from its page views."""


def insertion(table: str, columns: Sequence[str]) -> str:
    """INSERT … SELECT of one JSON parameter that holds a list of rows; a WHERE may follow."""
    values = ", ".join(f"value ->> {position}" for position in range(len(columns)))
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM json_each(?)"
