"""What is past its retention: found by reads, deleted in small batches; and who does it when.

The rows of a batch are found before it, so that the writer only deletes by key.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from server.domain.clock import to_text
from server.domain.ids import ClientId
from server.domain.retention import Kept, Retention
from server.store.contract import Row, Statement, Store
from server.store.privacy import Reach, erase_statements

_SAVE = """
UPDATE clients SET keep_visits_days = ?, keep_leads_days = ?, keep_responses_days = ?,
  truncate_ip = ? WHERE id = ?"""

# What began late also ended late: the first condition lets an index by begin serve.
_OLD_SESSIONS = """
SELECT session_id FROM sessions
WHERE client_id = ?1 AND started_at < ?2 AND last_seen_at < ?2 LIMIT ?3"""

_OLD_VISITORS = """
SELECT visitor_id FROM fingerprints WHERE client_id = ?1 AND last_seen_at < ?2 LIMIT ?3"""

_OLD_LEADS = "SELECT PublicId FROM Leads WHERE ClientId = ?1 AND CreatedAt < ?2 LIMIT ?3"

_DELIVERIES_OF_LEADS = """
SELECT delivery_id FROM deliveries
WHERE client_id = ? AND lead_id IN (SELECT value FROM json_each(?))"""

# The results of people whose last lead is gone; they carry no lead's id.
_OLD_RESULTS = """
SELECT email FROM leadscoring_results AS r WHERE client_id = ?1 AND updated_at < ?2
  AND NOT EXISTS (SELECT 1 FROM Leads AS l WHERE l.ClientId = r.client_id AND l.Email = r.email)
LIMIT ?3"""

_OLD_RESPONSES = """
SELECT id, event_id FROM form_responses WHERE client_id = ?1 AND received_at < ?2 LIMIT ?3"""

_COUNTS = {
    Kept.VISITS: """
SELECT COUNT(*) AS rows FROM sessions
WHERE client_id = ?1 AND started_at < ?2 AND last_seen_at < ?2""",
    Kept.LEADS: "SELECT COUNT(*) AS rows FROM Leads WHERE ClientId = ?1 AND CreatedAt < ?2",
    Kept.RESPONSES: """
SELECT COUNT(*) AS rows FROM form_responses WHERE client_id = ?1 AND received_at < ?2""",
}

_DROP_REJECTED = "DELETE FROM rejected WHERE client_id IS ? AND received_at < ?"

_END_SESSIONS = "DELETE FROM dashboard_sessions WHERE created_at < ? OR last_seen_at < ?"

_FORGET_FAILURES = "DELETE FROM sign_in_failures WHERE last_failed_at < ?"

_CLAIM = """
UPDATE upkeep SET leased_until = ? WHERE task = ? AND (done_at IS NULL OR done_at < ?)
  AND (leased_until IS NULL OR leased_until <= ?) RETURNING task"""

_DONE = "UPDATE upkeep SET done_at = ?, leased_until = NULL WHERE task = ?"

_ASK = "UPDATE upkeep SET asked_at = ? WHERE task = ?"

_ASKED = """
SELECT asked_at FROM upkeep WHERE task = ? AND asked_at > COALESCE(done_at, '')"""


class Task(StrEnum):
    """What is done for all clients together, by one server at a time."""

    PURGE = "purge"
    COMPACT = "compact"


def save_statement(client_id: ClientId, retention: Retention, *, truncate_ip: bool) -> Statement:
    """Store a client's privacy settings."""
    days = (retention.visits, retention.leads, retention.responses)
    return Statement(_SAVE, (*days, int(truncate_ip), client_id))


async def count_old(store: Store, client_id: ClientId, kind: Kept, before: datetime) -> int:
    """How many sessions, leads or responses are past their time."""
    rows = await store.query(_COUNTS[kind], (client_id, to_text(before)))
    found: int = rows[0]["rows"]
    return found


@dataclass(frozen=True, slots=True)
class Old:
    """Some of what is past its time; `more` tells that there may be others."""

    reach: Reach
    rows: int
    more: bool


async def find_old(
    store: Store, client_id: ClientId, kind: Kept, before: datetime, limit: int
) -> Old:
    """The next so many of a kind, with the keys of all that goes with them."""
    return await _FINDERS[kind](_Search(store, client_id, to_text(before), limit))


@dataclass(frozen=True, slots=True)
class _Search:
    store: Store
    client_id: ClientId
    before: str
    limit: int

    async def rows(self, sql: str) -> list[Row]:
        return await self.store.query(sql, (self.client_id, self.before, self.limit))


async def _old_visits(search: _Search) -> Old:
    sessions = await search.rows(_OLD_SESSIONS)
    visitors = await search.rows(_OLD_VISITORS)
    reach = Reach(
        search.client_id,
        visitors=tuple(row["visitor_id"] for row in visitors),
        sessions=tuple(row["session_id"] for row in sessions),
    )
    return Old(reach, len(sessions), search.limit in (len(sessions), len(visitors)))


async def _old_leads(search: _Search) -> Old:
    leads = tuple(row["PublicId"] for row in await search.rows(_OLD_LEADS))
    args = (search.client_id, json.dumps(leads))
    deliveries = await search.store.query(_DELIVERIES_OF_LEADS, args)
    emails = () if leads else tuple(row["email"] for row in await search.rows(_OLD_RESULTS))
    reach = Reach(
        search.client_id,
        emails=emails,
        leads=leads,
        deliveries=tuple(row["delivery_id"] for row in deliveries),
    )
    return Old(reach, len(leads), bool(leads) or len(emails) == search.limit)


async def _old_responses(search: _Search) -> Old:
    responses = await search.rows(_OLD_RESPONSES)
    reach = Reach(
        search.client_id,
        responses=tuple(row["id"] for row in responses),
        jobs=tuple(f"{search.client_id}:{row['event_id']}" for row in responses),
    )
    return Old(reach, len(responses), len(responses) == search.limit)


_FINDERS: dict[Kept, Callable[[_Search], Awaitable[Old]]] = {
    Kept.VISITS: _old_visits,
    Kept.LEADS: _old_leads,
    Kept.RESPONSES: _old_responses,
}


async def drop(store: Store, old: Old) -> None:
    """Delete what was found; harmless when another server did it already."""
    if not old.reach.is_empty:
        await store.write(erase_statements(old.reach))


async def drop_rejected(store: Store, client_id: ClientId | None, before: datetime) -> None:
    """Delete what was refused and kept to be looked at; None for what is no client's."""
    await store.write([Statement(_DROP_REJECTED, (client_id, to_text(before)))])


async def drop_sign_ins(
    store: Store, begun_before: datetime, seen_before: datetime, failed_before: datetime
) -> None:
    """Delete dashboard sessions that are over, and tries to sign in that nobody counts."""
    await store.write(
        [
            Statement(_END_SESSIONS, (to_text(begun_before), to_text(seen_before))),
            Statement(_FORGET_FAILURES, (to_text(failed_before),)),
        ]
    )


async def claim(store: Store, task: Task, due_at: datetime, now: datetime, until: datetime) -> bool:
    """Whether this server is to do what was due then; another may once the lease is over."""
    args = (to_text(until), task, to_text(due_at), to_text(now))
    (result,) = await store.write([Statement(_CLAIM, args)])
    return bool(result.rows)


def ask_statement(task: Task, now: datetime) -> Statement:
    """Let a task be done with the next purge; part of the batch that makes it needed."""
    return Statement(_ASK, (to_text(now), task))


async def is_asked(store: Store, task: Task) -> bool:
    """Whether a task was asked for and not done since."""
    return bool(await store.query(_ASKED, (task,)))


async def done(store: Store, task: Task, now: datetime) -> None:
    """Note that a task is done."""
    await store.write([Statement(_DONE, (to_text(now), task))])
