"""Jobs: work that outlives a request and the process, leased by one server at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from server.domain.clock import to_text
from server.store.contract import Row, Statement, Store

_ADD = """
INSERT INTO jobs (kind, subject, due_at, created_at) VALUES (?, ?, ?, ?)
ON CONFLICT (kind, subject) DO UPDATE SET
  state = 'pending', attempts = 0, due_at = excluded.due_at, last_error = NULL
WHERE leased_until IS NULL OR leased_until <= excluded.due_at"""

_LEASE = """
UPDATE jobs SET lease_owner = ?, leased_until = ?, attempts = attempts + 1
WHERE id IN (SELECT id FROM jobs WHERE state = 'pending' AND due_at <= ?
  AND (leased_until IS NULL OR leased_until <= ?) ORDER BY due_at LIMIT ?)
RETURNING id, kind, subject, attempts"""

# Nothing, or a row that NOT NULL refuses.
_HELD = """
INSERT INTO jobs (kind, subject, due_at, created_at)
SELECT NULL, NULL, NULL, NULL
WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE id = ? AND (lease_owner = ? OR state = 'done'))"""

_FINISH = """
UPDATE jobs SET state = 'done', lease_owner = NULL, leased_until = NULL, last_error = NULL
WHERE id = ? AND lease_owner = ?"""

_PUT_OFF = """
UPDATE jobs SET state = ?, due_at = ?, lease_owner = NULL, leased_until = NULL, last_error = ?
WHERE id = ? AND lease_owner = ?"""

_RELEASE = """
UPDATE jobs SET lease_owner = NULL, leased_until = NULL, attempts = attempts - 1
WHERE lease_owner = ? AND state = 'pending'"""

_OF_KIND = """
SELECT state, COUNT(*) AS jobs, MIN(created_at) AS oldest, MAX(last_error) AS last_error FROM jobs
WHERE kind = ? GROUP BY state"""


@dataclass(frozen=True, slots=True)
class Job:
    """A job under a lease; `attempts` counts this one too."""

    job_id: int
    kind: str
    subject: str
    attempts: int
    owner: str


def job_statement(kind: str, subject: str, now: datetime) -> Statement:
    """Ask for a job, due at once; one that waits or ended begins anew, one under way goes on."""
    moment = to_text(now)
    return Statement(_ADD, (kind, subject, moment, moment))


async def lease(store: Store, owner: str, now: datetime, until: datetime, limit: int) -> list[Job]:
    """Take due jobs for this server; another may take them once the lease is over."""
    moment = to_text(now)
    args = (owner, to_text(until), moment, moment, limit)
    (result,) = await store.write([Statement(_LEASE, args)])
    return [
        Job(row["id"], row["kind"], row["subject"], row["attempts"], owner) for row in result.rows
    ]


def held_statement(job: Job) -> Statement:
    """Break the batch (ConstraintError) when the job is gone or another server's.

    First in the batch that holds what a job made: an erased person must not come back. A job
    that is done stands: the batch may be repeated when its commit was not heard of.
    """
    return Statement(_HELD, (job.job_id, job.owner))


def finish_statement(job: Job) -> Statement:
    """End a job; part of the batch that holds what it made."""
    return Statement(_FINISH, (job.job_id, job.owner))


async def put_off(store: Store, job: Job, due_at: datetime, error: str) -> None:
    """Let a job wait for its next try."""
    args = ("pending", to_text(due_at), error, job.job_id, job.owner)
    await store.write([Statement(_PUT_OFF, args)])


async def give_up(store: Store, job: Job, now: datetime, error: str) -> None:
    """End a job that failed too often; asking for it again begins anew."""
    args = ("failed", to_text(now), error, job.job_id, job.owner)
    await store.write([Statement(_PUT_OFF, args)])


async def release(store: Store, owner: str) -> None:
    """Give back what a server that ends has not finished."""
    await store.write([Statement(_RELEASE, (owner,))])


async def count(store: Store, kind: str) -> Iterable[Row]:
    """Per state: how many jobs, since when, and one of the last errors."""
    return await store.query(_OF_KIND, (kind,))
