"""What every driver of the store promises: a file, and a real sqld over HTTP and WebSocket."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw
import pytest

from server.store.contract import (
    BusyError,
    ConstraintError,
    Result,
    Statement,
    Store,
    StoreError,
    TooBigError,
    UnavailableError,
)
from server.store.file import FileStore
from server.store.remote import connect
from tests.sqld import Sqld


@dataclass(frozen=True)
class Driver:
    """How to open a store whose data stand below a folder, and how to keep others from writing."""

    open: Callable[[Path], Store]
    hold_write_lock: Callable[[Path], AbstractContextManager[None]]
    clear: Callable[[], None] = lambda: None


def open_file(folder: Path) -> Store:
    return FileStore.open(folder / "contract.db")


@contextmanager
def hold_file_lock(folder: Path) -> Iterator[None]:
    """By apsw, not sqlite3: closing a file through a second SQLite drops the first one's locks."""
    other = apsw.Connection(str(folder / "contract.db"))
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


def remote(url: str, sqld: Sqld) -> Driver:
    @contextmanager
    def hold_lock(_folder: Path) -> Iterator[None]:
        with sqld.transaction():
            yield

    return Driver(lambda _folder: connect(url, sqld.token), hold_lock, sqld.clear)


def driver_of(name: str, request: pytest.FixtureRequest) -> Driver:
    if name == "file":
        return Driver(open_file, hold_file_lock)
    scheme, _, locked = name.partition(" with ")
    sqld: Sqld = request.getfixturevalue("locked_sqld" if locked else "sqld")
    return remote(sqld.ws_url if scheme == "ws" else sqld.http_url, sqld)


@pytest.fixture(params=["file", "hrana", "ws with JWT"])
def driver(request: pytest.FixtureRequest) -> Driver:
    return driver_of(request.param, request)


@pytest.fixture
async def store(driver: Driver, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store for each test, with two tables."""
    driver.clear()
    opened = driver.open(tmp_path)
    await opened.write(
        [
            Statement(
                "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT UNIQUE,"
                " size INTEGER NOT NULL DEFAULT 0 CHECK (size >= 0))"
            ),
            Statement("CREATE TABLE parts (item INTEGER NOT NULL REFERENCES items (id))"),
        ]
    )
    yield opened
    await opened.close()


def add(name: Any, size: Any = 0) -> Statement:
    return Statement("INSERT INTO items (name, size) VALUES (?, ?)", (name, size))


async def names(store: Store) -> list[str]:
    return [row["name"] for row in await store.query("SELECT name FROM items ORDER BY id")]


# ---- batches


async def test_write_of_a_batch_stores_all_of_it(store: Store) -> None:
    await store.write([add("a"), add("b"), add("c")])
    assert await names(store) == ["a", "b", "c"]


BROKEN_RULES = {
    "unique": add("a"),
    "check": add("b", -1),
    "not null": add("b", None),
    "foreign key": Statement("INSERT INTO parts (item) VALUES (77)"),
}


@pytest.mark.parametrize("broken", BROKEN_RULES.values(), ids=BROKEN_RULES.keys())
async def test_write_when_a_rule_is_broken_stores_none_of_the_batch(
    store: Store, broken: Statement
) -> None:
    await store.write([add("a")])
    update = Statement("UPDATE items SET size = 9")
    with pytest.raises(ConstraintError):
        await store.write([add("first"), update, broken, add("last")])
    assert await store.query("SELECT name, size FROM items") == [{"name": "a", "size": 0}]


async def test_write_when_sql_is_wrong_stores_none_of_the_batch(store: Store) -> None:
    with pytest.raises(StoreError) as failed:
        await store.write([add("first"), Statement("INSERT INTO nowhere VALUES (1)")])
    assert not isinstance(failed.value, ConstraintError | BusyError | UnavailableError)
    assert await names(store) == []


async def test_write_when_it_fails_takes_back_schema_changes_too(store: Store) -> None:
    batch = [Statement("CREATE TABLE extra (x)"), Statement("ALTER TABLE items ADD COLUMN y")]
    with pytest.raises(StoreError):
        await store.write([*batch, Statement("INSERT INTO nowhere VALUES (1)")])
    assert await store.query("SELECT 1 FROM sqlite_master WHERE name = 'extra'") == []
    with pytest.raises(StoreError):
        await store.query("SELECT y FROM items")


async def test_write_of_an_empty_batch_gives_no_results(store: Store) -> None:
    assert await store.write([]) == []


# ---- results


async def test_write_gives_a_result_for_each_statement_in_their_order(store: Store) -> None:
    results = await store.write(
        [
            add("a", 1),
            Statement("SELECT name FROM items"),
            Statement("INSERT INTO items (name, size) VALUES ('b', 2), ('c', 3), ('d', 4)"),
            Statement("UPDATE items SET size = size + 10 WHERE size > 1"),
            Statement("SELECT COUNT(*) AS rows FROM items"),
            Statement("DELETE FROM items WHERE name IN ('c', 'd') RETURNING name"),
            Statement("DELETE FROM items WHERE name = 'nobody'"),
        ]
    )
    assert [result.changes for result in results] == [1, 0, 3, 3, 0, 2, 0]
    assert [result.rows for result in results] == [
        [],
        [{"name": "a"}],
        [],
        [],
        [{"rows": 4}],
        [{"name": "c"}, {"name": "d"}],
        [],
    ]


async def test_write_with_returning_gives_the_rows_by_column_name(store: Store) -> None:
    sql = "INSERT INTO items (name, size) VALUES (?, ?) RETURNING id, name, size * 2 AS doubled"
    assert await store.write([Statement(sql, ("a", 4))]) == [
        Result([{"id": 1, "name": "a", "doubled": 8}], 1)
    ]


async def test_write_of_an_upsert_counts_what_it_changed(store: Store) -> None:
    ignore = "INSERT INTO items (name) VALUES (?) ON CONFLICT (name) DO NOTHING"
    update = (
        "INSERT INTO items (name) VALUES (?) ON CONFLICT (name) DO UPDATE SET size = size + 1"
        " RETURNING size"
    )
    first, again, updated = await store.write(
        [Statement(ignore, ("a",)), Statement(ignore, ("a",)), Statement(update, ("a",))]
    )
    assert (first.changes, again.changes) == (1, 0)
    assert updated == Result([{"size": 1}], 1)


async def test_write_fed_by_one_json_parameter_stores_its_rows(store: Store) -> None:
    sql = "INSERT INTO items (name, size) SELECT value ->> 0, value ->> 1 FROM json_each(?)"
    (result,) = await store.write([Statement(sql, ('[["a", 1], ["b", 2]]',))])
    assert result.changes == 2
    assert await names(store) == ["a", "b"]


async def test_query_without_rows_gives_an_empty_list(store: Store) -> None:
    assert await store.query("SELECT name FROM items") == []


# ---- values


VALUES = {
    "null": None,
    "zero": 0,
    "largest integer": 2**63 - 1,
    "smallest integer": -(2**63),
    "real": 0.1,
    "whole real": 3.0,
    "empty text": "",
    "text of digits": "0123",
    "unicode": "Zoë Ñandú 東京 العربية \U0001f3e0\u200d\u2028",
    "quotes": "a'b\"c\\d;--",
    "bytes": bytes(range(256)),
    "no bytes": b"",
    "long text": "é" * 300_000,
    "long bytes": b"\x00\xff" * 300_000,
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
async def test_value_comes_back_as_it_was_given(store: Store, value: Any) -> None:
    batch = [
        Statement("CREATE TABLE kept (value)"),
        Statement("INSERT INTO kept (value) VALUES (?) RETURNING value", (value,)),
    ]
    returned = (await store.write(batch))[1].rows[0]["value"]
    (row,) = await store.query("SELECT value FROM kept")
    assert (returned, row["value"]) == (value, value)
    assert type(row["value"]) is type(value)
    found = await store.query("SELECT 1 AS found FROM kept WHERE value IS ?", (value,))
    assert found == [{"found": 1}]


async def test_truth_value_is_kept_as_a_number(store: Store) -> None:
    await store.write([add("yes", size=True), add("no", size=False)])
    rows = await store.query("SELECT size FROM items ORDER BY id")
    assert [row["size"] for row in rows] == [1, 0]


UNBINDABLE = {
    "object": object(),
    "list": [1, 2],
    "time": datetime(2026, 11, 3, tzinfo=UTC),
    "integer beyond 64 bits": 2**63,
    "half a surrogate pair": "\ud800",
    "not a number": math.nan,
    "infinity": -math.inf,
}


@pytest.mark.parametrize("value", UNBINDABLE.values(), ids=UNBINDABLE.keys())
async def test_value_that_cannot_be_kept_is_an_error_and_the_store_goes_on(
    store: Store, value: Any
) -> None:
    with pytest.raises(StoreError):
        await store.write([add("first"), add(value)])
    with pytest.raises(StoreError):
        await store.query("SELECT 1 FROM items WHERE name = ?", (value,))
    await store.write([add("after")])
    assert await names(store) == ["after"]


@pytest.mark.parametrize("args", [(), (1, 2)])
async def test_wrong_number_of_values_is_an_error(store: Store, args: tuple[Any, ...]) -> None:
    with pytest.raises(StoreError):
        await store.query("SELECT 1 FROM items WHERE size = ?", args)
    with pytest.raises(StoreError):
        await store.write([Statement("UPDATE items SET size = ?", args)])


async def test_value_over_the_stores_limit_is_too_big_and_leaves_nothing(store: Store) -> None:
    huge = Statement("INSERT INTO items (name) VALUES (zeroblob(2000000000))")
    with pytest.raises(TooBigError):
        await store.write([add("first"), huge])
    assert await names(store) == []


async def test_query_with_wrong_sql_is_an_error_and_the_store_goes_on(store: Store) -> None:
    for _often in range(5):
        with pytest.raises(StoreError):
            await store.query("SELECT nothing FROM nowhere")
    assert await names(store) == []


# ---- concurrency


async def test_query_sees_every_write_that_has_returned(store: Store) -> None:
    for number in range(50):
        await store.write([add(f"n{number}")])
        rows = await asyncio.gather(
            *(store.query("SELECT COUNT(*) AS rows FROM items") for _reader in range(3))
        )
        assert [row[0]["rows"] for row in rows] == [number + 1] * 3


async def test_concurrent_writes_each_get_their_own_results(store: Store) -> None:
    sql = "INSERT INTO items (name) VALUES (?) RETURNING name"
    wanted = [f"n{number}" for number in range(100)]
    results = await asyncio.gather(*(store.write([Statement(sql, (name,))]) for name in wanted))
    assert [result[0].rows[0]["name"] for result in results] == wanted


GUILTY = {
    "constraint": (add("taken"), ConstraintError),
    "sql": (Statement("INSERT INTO nowhere VALUES (1)"), StoreError),
    "value": (add(object()), StoreError),
    "size": (Statement("INSERT INTO items (name) VALUES (zeroblob(2000000000))"), TooBigError),
}


@pytest.mark.parametrize(("guilty", "kind"), GUILTY.values(), ids=GUILTY.keys())
async def test_concurrent_writes_when_one_is_at_fault_fail_only_that_one(
    store: Store, guilty: Statement, kind: type[StoreError]
) -> None:
    await store.write([add("taken")])
    batches = [[add(f"n{number}"), add(f"m{number}")] for number in range(50)]
    batches[20] = [add("beside"), guilty]
    answers = await asyncio.gather(*map(store.write, batches), return_exceptions=True)
    failed = [answer for answer in answers if isinstance(answer, Exception)]
    assert failed == [answers[20]]
    assert isinstance(answers[20], kind)
    stored = await names(store)
    assert len(stored) == 1 + 2 * 49
    assert "beside" not in stored


async def test_concurrent_batches_never_mix(store: Store) -> None:
    """Each batch reads what it will write: another's statements between would show."""
    batch = [
        Statement("INSERT INTO items (name, size) SELECT NULL, COUNT(*) FROM items"),
        Statement("INSERT INTO items (name, size) SELECT NULL, COUNT(*) FROM items"),
        Statement("SELECT size FROM items ORDER BY id DESC LIMIT 2"),
    ]
    answers = await asyncio.gather(*(store.write(batch) for _writer in range(40)))
    pairs = [[row["size"] for row in answer[2].rows] for answer in answers]
    assert all(last == before + 1 for last, before in pairs)
    assert sorted(size for pair in pairs for size in pair) == list(range(80))


async def test_write_when_its_caller_gives_up_does_not_harm_the_next(store: Store) -> None:
    waiting = asyncio.ensure_future(store.write([add("given up")]))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await store.write([add("next")])
    assert "next" in await names(store)


async def test_query_when_another_holds_the_write_lock_does_not_wait(
    store: Store, driver: Driver, tmp_path: Path
) -> None:
    await store.write([add("a")])
    with driver.hold_write_lock(tmp_path):
        waiting = asyncio.ensure_future(store.write([add("b")]))
        for _often in range(20):
            assert await names(store) == ["a"]
        assert not waiting.done()
    await waiting
    assert await names(store) == ["a", "b"]


# ---- health and end


async def test_health_of_a_store_that_can_write_is_silent_and_changes_nothing(
    store: Store,
) -> None:
    await store.write([add("a")])
    before = await store.query("SELECT name, sql FROM sqlite_master")
    await asyncio.gather(store.health(), store.health())
    assert await store.query("SELECT name, sql FROM sqlite_master") == before
    assert await names(store) == ["a"]


async def test_close_finishes_what_was_accepted(
    store: Store, driver: Driver, tmp_path: Path
) -> None:
    accepted = [asyncio.ensure_future(store.write([add(f"n{number}")])) for number in range(200)]
    await asyncio.sleep(0)
    await store.close()
    results = await asyncio.gather(*accepted)
    assert [result[0].changes for result in results] == [1] * 200
    reopened = driver.open(tmp_path)
    assert len(await names(reopened)) == 200
    await reopened.close()


async def test_store_when_closed_refuses_everything_and_closes_again(store: Store) -> None:
    await store.close()
    for refused in (store.write([add("late")]), store.query("SELECT 1"), store.health()):
        with pytest.raises(UnavailableError):
            await refused
    await store.close()
