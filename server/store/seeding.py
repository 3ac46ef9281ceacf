"""Demonstration data: rows as the server would have stored them, inserted by the thousand.

Each kind of row names its table's columns; one statement with one JSON parameter stores many.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from pydantic_core import to_json

from server.domain.clock import to_text
from server.domain.ids import ClientId
from server.store.contract import Statement, Store
from server.store.visit_rows import (
    FingerprintRow,
    PageViewRow,
    SessionRow,
    VisitorEventRow,
    insertion,
)

SEED_OWNER = "demo seed"
SEED_LEASE_UNTIL = "9999-12-31T23:59:59.999Z"
"""Pending deliveries are leased to nobody for ever: no worker takes them, no resume and no replay
frees them, and yet they are due when a real one would be."""


class DeliveryRow(NamedTuple):
    """A delivery in any state."""

    delivery_id: str
    client_id: int
    destination: str
    lead_id: str | None
    payload: str
    state: str
    attempts: int
    created_at: str
    due_at: str
    lease_owner: str | None
    leased_until: str | None
    finished_at: str | None
    last_status: int | None
    last_error: str | None
    event_name: str | None
    email: str | None


class AttemptRow(NamedTuple):
    """One try at a delivery."""

    delivery_id: str
    started_at: str
    duration_ms: int
    verdict: str
    status: int | None
    error: str | None
    response: str | None


class EventLogRow(NamedTuple):
    """One request to Meta and what came back, if anything."""

    client_id: int
    delivery_id: str
    event_id: str
    event_name: str
    email: str | None
    request_body: str
    response_status: int | None
    response_body: str | None
    fbtrace_id: str | None
    created_at: str


class PausedDestinationRow(NamedTuple):
    """A destination that stands paused."""

    client_id: int
    destination: str
    paused_at: str
    reason: str


class ChangeRow(NamedTuple):
    """One change that somebody made to a lead."""

    client_id: int
    lead_id: str
    user_id: int | None
    actor: str
    kind: str
    old_value: str | None
    new_value: str | None
    created_at: str


class FollowUpRow(NamedTuple):
    """How far a lead has come; the columns of `Leads` that the dashboard writes."""

    lead_id: str
    status: str
    status_at: str | None
    first_contact_at: str | None
    owner_id: int | None
    revision: int
    updated_at: str


SeedRow = (
    SessionRow
    | PageViewRow
    | VisitorEventRow
    | FingerprintRow
    | DeliveryRow
    | AttemptRow
    | EventLogRow
    | PausedDestinationRow
    | ChangeRow
    | FollowUpRow
)

_UPSERT_FINGERPRINT = """
ON CONFLICT (client_id, visitor_id) DO UPDATE SET visit_count = excluded.visit_count,
  last_seen_at = excluded.last_seen_at"""

_FOLLOW_UP = """
UPDATE Leads SET Status = j.value ->> 1, StatusAt = j.value ->> 2, FirstContactAt = j.value ->> 3,
  OwnerId = j.value ->> 4, Revision = j.value ->> 5, UpdatedAt = j.value ->> 6
FROM json_each(?) AS j WHERE Leads.PublicId = j.value ->> 0"""


def _insert(table: str, row: type[SeedRow], conflict: str = "") -> str:
    return f"{insertion(table, row._fields)} WHERE true{conflict}"


_NOTHING = " ON CONFLICT DO NOTHING"

_STATEMENTS: Mapping[type[SeedRow], str] = {
    SessionRow: _insert("sessions", SessionRow),
    PageViewRow: _insert("page_views", PageViewRow),
    VisitorEventRow: _insert("events", VisitorEventRow),
    FingerprintRow: _insert("fingerprints", FingerprintRow, _UPSERT_FINGERPRINT),
    DeliveryRow: _insert("deliveries", DeliveryRow),
    AttemptRow: _insert("delivery_attempts", AttemptRow),
    EventLogRow: _insert("facebook_capi_event_log", EventLogRow),
    PausedDestinationRow: _insert("paused_destinations", PausedDestinationRow, _NOTHING),
    ChangeRow: _insert("lead_changes", ChangeRow),
    FollowUpRow: _FOLLOW_UP,
}
"""In the order in which rows depend on each other."""

_VISITED = (SessionRow, PageViewRow, VisitorEventRow, FingerprintRow)
"""What stands before the leads, which take landing page, device and campaign from it."""

_COUNT_LEADS = "SELECT COUNT(*) AS leads FROM Leads WHERE ClientId = ?"

_SALESPEOPLE = """
SELECT u.id, u.email FROM users AS u JOIN user_clients AS c ON c.user_id = u.id
WHERE c.client_id = ? AND u.role = 'sales' AND u.disabled_at IS NULL ORDER BY u.id"""

_NOTE_ERRORS = """
UPDATE form_responses SET last_error = j.value ->> 1
FROM json_each(?) AS j WHERE client_id = ? AND event_id = j.value ->> 0"""


def statements(rows: Iterable[SeedRow], leads: Iterable[Statement]) -> list[Statement]:
    """The rows as few statements, one for each kind that occurs, around those of the leads."""
    by_kind: dict[type[SeedRow], list[SeedRow]] = {}
    for row in rows:
        by_kind.setdefault(type(row), []).append(row)
    made = {
        kind: Statement(sql, (to_json(by_kind[kind]).decode(),))
        for kind, sql in _STATEMENTS.items()
        if kind in by_kind
    }
    visits = [statement for kind, statement in made.items() if kind in _VISITED]
    others = [statement for kind, statement in made.items() if kind not in _VISITED]
    return [*visits, *leads, *others]


def error_statement(client_id: ClientId, event_id: str, error: str) -> Statement:
    """Say why a response could not be scored."""
    return Statement(_NOTE_ERRORS, (json.dumps([[event_id, error]]), client_id))


async def count_leads(store: Store, client_id: ClientId) -> int:
    """How many leads the client has."""
    return int((await store.query(_COUNT_LEADS, (client_id,)))[0]["leads"])


class Salesperson(NamedTuple):
    """Somebody who may own leads."""

    user_id: int
    email: str


async def salespeople(store: Store, client_id: ClientId) -> list[Salesperson]:
    """The users of role sales who may see the client, by id."""
    rows = await store.query(_SALESPEOPLE, (client_id,))
    return [Salesperson(row["id"], row["email"]) for row in rows]


def moment_text(moment: datetime | None) -> str | None:
    """A time as rows hold it; None stays None."""
    return to_text(moment) if moment else None
