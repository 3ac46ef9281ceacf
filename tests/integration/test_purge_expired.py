"""Retention: what is past its time goes with all that hangs on it, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from server.domain.clock import to_text
from server.domain.directory import Client
from server.domain.ids import ClientId
from server.domain.retention import Kept, Retention
from server.store import retention
from server.store.contract import Statement
from server.store.file import FileStore
from server.store.retention import Task
from server.usecases.purge_expired import PurgePlan, PurgeWorker, count_expired, purge
from tests.privacy_rows import TABLES, plant, tables_with

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CLIENT = ClientId(1)
OF_VISITS = {"sessions", "page_views", "events", "fingerprints"}
OF_LEADS = {
    "Leads",
    "deliveries",
    "delivery_attempts",
    "facebook_capi_event_log",
    "lead_changes",
    "leadscoring_results",
}
OF_RESPONSES = {"form_responses", "prediction_runs", "jobs"}
STAY = {"saved_views"}
TIMES: Mapping[str, Sequence[str]] = {
    "sessions": ("started_at", "last_seen_at"),
    "fingerprints": ("last_seen_at",),
    "Leads": ("CreatedAt",),
    "leadscoring_results": ("updated_at",),
    "form_responses": ("received_at",),
    "rejected": ("received_at",),
}


@pytest.fixture
async def aged(store: FileStore) -> FileStore:
    """An old and a young row in every table, 100 and 10 days before NOW."""
    for word, number, days in (("oldxq", 1001, 100), ("youngzk", 1002, 10)):
        await plant(store, word, number)
        moment = to_text(NOW - timedelta(days=days))
        await store.write(_dated(word, number, moment))
    return store


def _dated(word: str, number: int, moment: str) -> list[Statement]:
    return [
        Statement(f"UPDATE {table} SET {column} = ? WHERE {key}", (moment, name))
        for table, columns in TIMES.items()
        for key, name in [
            ("visitor_id = ?", f"{word}-visitor") if table == "fingerprints" else ("id = ?", number)
        ]
        for column in columns
    ]


async def left(store: FileStore, word: str) -> set[str]:
    """The tables that still hold a word."""
    return (await tables_with(store, word)).keys() - {"audit_trail"}


def due(kept: Retention) -> PurgePlan:
    return PurgePlan({CLIENT: kept}, NOW)


@pytest.mark.parametrize(
    ("kept", "gone"),
    [
        (Retention(visits=30), OF_VISITS),
        (Retention(leads=30), OF_LEADS),
        (Retention(responses=30), OF_RESPONSES),
        (Retention(30, 30, 30), OF_VISITS | OF_LEADS | OF_RESPONSES),
        (Retention(120, 120, 120), set()),
        (Retention(), set()),
    ],
)
async def test_purge_takes_what_is_past_its_time_and_nothing_else(
    aged: FileStore, kept: Retention, gone: set[str]
) -> None:
    await purge(aged, due(kept))
    # Rejected requests go after 30 days in any case.
    assert await left(aged, "oldxq") == set(TABLES) - gone - {"rejected"}
    assert await left(aged, "youngzk") == set(TABLES)


async def test_purge_tells_what_it_will_take_and_how_far_it_is(
    aged: FileStore,
) -> None:
    everything = due(Retention(30, 30, 30))
    assert set((await count_expired(aged, everything)).values()) == {1}
    told: list[int] = []
    assert await purge(aged, everything, told.append) == 3
    assert sum(told) == 3
    assert await count_expired(aged, everything) == {}
    assert await left(aged, "youngzk") == set(TABLES)


async def test_purge_of_more_than_a_batch_takes_all(store: FileStore) -> None:
    old = to_text(NOW - timedelta(days=100))
    many = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 450)
INSERT INTO sessions (client_id, session_id, visitor_id, started_at, last_seen_at)
SELECT 1, 's' || i, 'v' || i, ?1, ?1 FROM n"""
    await store.write([Statement(many, (old,))])
    assert await purge(store, due(Retention(visits=30))) == 450
    assert await retention.count_old(store, CLIENT, Kept.VISITS, NOW) == 0


async def test_purge_by_two_servers_at_once_is_as_by_one(aged: FileStore) -> None:
    plan = due(Retention(30, 30, 30))
    await asyncio.gather(purge(aged, plan), purge(aged, plan))
    assert await left(aged, "oldxq") == STAY
    assert await left(aged, "youngzk") == set(TABLES)


async def test_purge_ends_dashboard_sessions_that_are_over(store: FileStore) -> None:
    user = "INSERT INTO users (id, email, password_hash, role, created_at) VALUES (1,'a','','','')"
    session = "INSERT INTO dashboard_sessions VALUES (?, 1, ?, ?)"
    old, young = to_text(NOW - timedelta(days=15)), to_text(NOW - timedelta(hours=1))
    await store.write(
        [
            Statement(user),
            Statement(session, ("over", old, young)),
            Statement(session, ("left", young, to_text(NOW - timedelta(days=2)))),
            Statement(session, ("used", young, young)),
        ]
    )
    await purge(store, due(Retention()))
    rows = await store.query("SELECT token_hash FROM dashboard_sessions")
    assert [row["token_hash"] for row in rows] == ["used"]


async def test_night_is_claimed_by_one_server_until_it_is_done_or_late(store: FileStore) -> None:
    lease = NOW + timedelta(hours=2)
    assert await retention.claim(store, Task.PURGE, NOW, NOW, lease)
    assert not await retention.claim(store, Task.PURGE, NOW, NOW, lease)
    assert await retention.claim(store, Task.PURGE, NOW, lease, lease + timedelta(hours=2))
    await retention.done(store, Task.PURGE, lease)
    assert not await retention.claim(store, Task.PURGE, NOW, lease, lease)
    tomorrow = NOW + timedelta(days=1)
    assert await retention.claim(store, Task.PURGE, tomorrow, tomorrow, tomorrow)


async def test_worker_purges_once_and_compacts_when_asked(aged: FileStore) -> None:
    await aged.write([retention.ask_statement(Task.COMPACT, NOW - timedelta(hours=1))])
    client = Client(CLIENT, "One", retention=Retention(30, 30, 30))
    worker = PurgeWorker(aged, lambda: [client], None, lambda: NOW, first_look_seconds=0)
    await worker.purge_due()
    assert not await retention.is_asked(aged, Task.COMPACT)
    assert await left(aged, "oldxq") == STAY
    assert not await retention.claim(aged, Task.PURGE, NOW - timedelta(hours=9), NOW, NOW)


async def test_worker_that_has_just_started_leaves_the_purge_for_later(store: FileStore) -> None:
    worker = PurgeWorker(store, list, None, lambda: NOW)
    worker.start()
    worker.wake()
    await worker.stop()
    assert await retention.claim(store, Task.PURGE, NOW, NOW, NOW)
