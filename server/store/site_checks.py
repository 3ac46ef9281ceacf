"""What the store holds of one visit that somebody watches for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from server.domain.clock import to_text
from server.domain.ids import ClientId
from server.store.contract import Row, Store

_VIEW = """
SELECT p.session_id, p.page_view_id, p.url, s.site_key
FROM page_views AS p
JOIN sessions AS s ON s.client_id = p.client_id AND s.session_id = p.session_id
WHERE p.client_id = ? AND p.session_id = ? AND p.page_view_id = ?"""

# Another server of the same store may have taken the visit: it is among the newest sessions.
_MARKED_VIEW = """
SELECT p.session_id, p.page_view_id, p.url, s.site_key
FROM (SELECT client_id, session_id, site_key FROM sessions ORDER BY id DESC LIMIT 1000) AS s
JOIN page_views AS p ON p.client_id = s.client_id AND p.session_id = s.session_id
WHERE s.client_id = ? AND instr(p.url, ?) > 0 ORDER BY p.started_at DESC LIMIT 1"""

_EVENT = """
SELECT 1 FROM events WHERE client_id = ? AND session_id = ? AND page_view_id = ? AND name = ?"""

_LEAD = """
SELECT 1 FROM Leads WHERE ClientId = ? AND CreatedAt >= ? AND instr(PageUrl, ?) > 0 LIMIT 1"""


@dataclass(frozen=True, slots=True)
class SeenView:
    """A page view that is stored, and the site that its session began on."""

    session_id: str
    page_view_id: str
    url: str
    site_key: str


async def view(
    store: Store, client_id: ClientId, session_id: str, page_view_id: str
) -> SeenView | None:
    """A page view of a client."""
    return _seen(await store.query(_VIEW, (client_id, session_id, page_view_id)))


async def marked_view(store: Store, client_id: ClientId, mark: str) -> SeenView | None:
    """The latest page view of a client whose address holds a mark, among the newest sessions."""
    return _seen(await store.query(_MARKED_VIEW, (client_id, mark)))


async def has_event(store: Store, client_id: ClientId, seen: SeenView, name: str) -> bool:
    """Whether a page view told of an event."""
    args = (client_id, seen.session_id, seen.page_view_id, name)
    return bool(await store.query(_EVENT, args))


async def has_lead(store: Store, client_id: ClientId, mark: str, since: datetime) -> bool:
    """Whether a lead came from a page whose address holds a mark."""
    return bool(await store.query(_LEAD, (client_id, to_text(since), mark)))


def _seen(rows: list[Row]) -> SeenView | None:
    if not rows:
        return None
    row = rows[0]
    return SeenView(row["session_id"], row["page_view_id"], row["url"] or "", row["site_key"] or "")
