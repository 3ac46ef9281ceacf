"""Beacons for tests, as tracker.js would send them."""

from __future__ import annotations

from typing import Any


def view(visitor: str, session: str = "", page: str = "p1", **fields: Any) -> dict[str, Any]:
    """The first beacon of a page view; the session is named after the visitor unless given."""
    return {
        **_of(visitor, session, page),
        "seq": 0,
        "type": "view",
        "url": "https://www.example.com/residences",
        "timezone": "Europe/London",
        **fields,
    }


def engage(visitor: str, session: str = "", page: str = "p1", **fields: Any) -> dict[str, Any]:
    """A later beacon of the same page view."""
    return {**view(visitor, session, page), "type": "engage", "seq": 1, **fields}


def event(visitor: str, session: str = "", page: str = "p1", **fields: Any) -> dict[str, Any]:
    """An own event of the site on that page view."""
    return {
        **_of(visitor, session, page),
        "type": "event",
        "event_id": "e1",
        "name": "brochure_download",
        "props": {},
        **fields,
    }


def _of(visitor: str, session: str, page: str) -> dict[str, Any]:
    return {
        "v": 1,
        "site": "demo",
        "visitor_id": visitor,
        "session_id": session or f"{visitor}-s1",
        "page_view_id": page,
        "age_ms": 0,
    }
