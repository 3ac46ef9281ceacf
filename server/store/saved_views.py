"""Saved views of the inbox: a query under a name, each user's own, per client."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from server.domain.clock import to_text
from server.domain.ids import ClientId
from server.domain.user import UserId
from server.store.contract import Statement, Store

_LIST = """
SELECT id, name, query FROM saved_views WHERE user_id = ? AND client_id = ? ORDER BY id"""

_SAVE = """
INSERT INTO saved_views (user_id, client_id, name, query, created_at)
SELECT ?1, ?2, ?3, ?4, ?5
WHERE (SELECT COUNT(*) FROM saved_views WHERE user_id = ?1 AND client_id = ?2 AND name <> ?3) < ?6
ON CONFLICT (user_id, client_id, name) DO UPDATE SET query = excluded.query
RETURNING id"""

_DELETE = """
DELETE FROM saved_views WHERE id = ? AND user_id = ? AND client_id = ? RETURNING name, query"""


@dataclass(frozen=True, slots=True)
class SavedView:
    """A name and the query of the inbox's address that it stands for."""

    view_id: int
    name: str
    query: str


async def list_views(store: Store, user_id: UserId, client_id: ClientId) -> list[SavedView]:
    """A user's views of a client's inbox, the oldest first."""
    rows = await store.query(_LIST, (user_id, client_id))
    return [SavedView(row["id"], row["name"], row["query"]) for row in rows]


@dataclass(frozen=True, slots=True)
class NewView:
    """A view to be kept."""

    user_id: UserId
    client_id: ClientId
    name: str
    query: str


async def save_view(store: Store, view: NewView, limit: int, now: datetime) -> bool:
    """Keep a view; one of the same name takes the new query. False when there are `limit`."""
    args = (view.user_id, view.client_id, view.name, view.query, to_text(now), limit)
    (saved,) = await store.write([Statement(_SAVE, args)])
    return bool(saved.rows)


async def delete_view(
    store: Store, user_id: UserId, client_id: ClientId, view_id: int
) -> SavedView | None:
    """Forget a view; None when the user has no such view."""
    (deleted,) = await store.write([Statement(_DELETE, (view_id, user_id, client_id))])
    gone = deleted.rows
    return SavedView(view_id, gone[0]["name"], gone[0]["query"]) if gone else None
