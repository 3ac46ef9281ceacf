"""What the remote drivers promise beyond the contract: shared commits, faults, tokens, replicas."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from server.app import prepare_store
from server.store.contract import (
    AuthError,
    BusyError,
    ConstraintError,
    CrowdedError,
    Row,
    StalledError,
    Statement,
    StoreError,
    TooBigError,
    UnavailableError,
    UnreachableError,
)
from server.store.group_commit import QUEUE_LIMIT
from server.store.hrana import HttpTransport
from server.store.kept_streams import STREAM_SECONDS
from server.store.migrate import SchemaError
from server.store.remote import RemoteStore, connect
from server.store.snapshot import Snapshot
from server.store.ws import SocketTransport
from tests.receiver import Receiver
from tests.running import free_port
from tests.sqld import Keys, Sqld

SHORT_SECONDS = 0.6
"""A patience that a test can wait for."""

CREATE = Statement("CREATE TABLE IF NOT EXISTS items (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
COUNT = "SELECT COUNT(*) AS items FROM items"


def add(name: str) -> Statement:
    return Statement("INSERT INTO items (name) VALUES (?)", (name,))


async def count(store: RemoteStore) -> int:
    number: int = (await store.query(COUNT))[0]["items"]
    return number


class Opener:
    """Opens stores by HTTP or WebSocket, and closes them at the end of the test."""

    def __init__(self, scheme: str) -> None:
        self.scheme = scheme
        self.opened: list[RemoteStore] = []

    def __call__(self, sqld: Sqld) -> RemoteStore:
        return self.at(sqld.port, sqld.token)

    def at(self, port: int | str, token: str = "") -> RemoteStore:
        self.opened.append(connect(f"{self.scheme}://127.0.0.1:{port}", token))
        return self.opened[-1]

    def impatient(self, sqld: Sqld) -> RemoteStore:
        """A store that waits no longer than a moment."""
        transport = SocketTransport if self.scheme == "ws" else HttpTransport
        url = f"{self.scheme}://127.0.0.1:{sqld.port}"
        self.opened.append(RemoteStore(transport(url, ""), patience_seconds=SHORT_SECONDS))
        return self.opened[-1]


@pytest.fixture(params=["http", "ws"])
async def opener(request: pytest.FixtureRequest) -> AsyncIterator[Opener]:
    opener = Opener(request.param)
    yield opener
    for store in opener.opened:
        await store.close()


@pytest.fixture
def own_sqld(tmp_path: Path) -> Iterator[Sqld]:
    """A server to be ended."""
    with Sqld(tmp_path / "sqld") as started:
        yield started


# ---- shared commits


async def test_writes_that_wait_together_share_a_transaction(sqld: Sqld, opener: Opener) -> None:
    sqld.clear()
    store = opener(sqld)
    await store.write([CREATE])
    before = store._replication_index or 0
    await asyncio.gather(*(store.write([add(f"n{number}")]) for number in range(200)))
    frames = (store._replication_index or 0) - before
    assert frames < 60
    assert await count(store) == 200


async def test_write_when_the_queue_is_full_is_refused_at_once_and_later_taken(
    sqld: Sqld, opener: Opener
) -> None:
    sqld.clear()
    store = opener(sqld)
    await store.write([CREATE])
    writes = [asyncio.ensure_future(store.write([CREATE])) for _ in range(QUEUE_LIMIT)]
    await asyncio.sleep(0)
    writes += [asyncio.ensure_future(store.write([CREATE])) for _ in range(QUEUE_LIMIT)]
    answers = await asyncio.gather(*writes, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, BusyError)]
    assert 0 < len(refused) < QUEUE_LIMIT + 1
    assert len(answers) - len(refused) >= QUEUE_LIMIT
    await store.write([add("later")])


# ---- large results


async def test_result_of_several_megabytes_comes_whole(sqld: Sqld, opener: Opener) -> None:
    """By itself the package's socket dies of 4 MiB."""
    store = opener(sqld)
    rows = await store.query("SELECT hex(zeroblob(1500000)) AS large FROM json_each('[1, 2]')")
    assert [len(row["large"]) for row in rows] == [3_000_000] * 2


async def test_result_over_the_servers_limit_is_too_big_and_the_store_goes_on(
    sqld: Sqld, opener: Opener
) -> None:
    store = opener(sqld)
    with pytest.raises(TooBigError):
        await store.query(
            "SELECT hex(zeroblob(1500000)) AS large FROM json_each('[1, 2, 3, 4, 5]')"
        )
    assert await store.query("SELECT 1 AS one") == [{"one": 1}]


# ---- faults


async def test_store_when_the_server_is_killed_and_back_goes_on_by_itself(
    own_sqld: Sqld, opener: Opener
) -> None:
    store = opener(own_sqld)
    await store.write([CREATE, add("before")])
    assert await count(store) == 1
    own_sqld.end(signal.SIGKILL)
    began = time.monotonic()
    for refused in (store.write([add("lost")]), store.query(COUNT), store.health()):
        with pytest.raises(UnavailableError):
            await refused
    with pytest.raises(UnreachableError) as unreachable:
        await store.health()
    assert time.monotonic() - began < 5
    assert "start sqld" in unreachable.value.advice
    own_sqld.start()
    assert await count(store) == 1
    await store.write([add("after")])
    assert await count(store) == 2


async def test_write_when_the_server_was_restarted_meanwhile_is_stored_at_once(
    own_sqld: Sqld, opener: Opener
) -> None:
    store = opener(own_sqld)
    await store.write([CREATE])
    await asyncio.to_thread(own_sqld.end, signal.SIGTERM)
    await asyncio.to_thread(own_sqld.start)
    await store.write([add("after")])
    assert await count(store) == 1


async def test_reads_when_the_server_was_restarted_meanwhile_are_all_answered(
    own_sqld: Sqld, opener: Opener
) -> None:
    store = opener(own_sqld)
    await store.write([CREATE, add("before")])
    assert await asyncio.gather(*(count(store) for _ in range(20))) == [1] * 20
    await asyncio.to_thread(own_sqld.end, signal.SIGKILL)
    await asyncio.to_thread(own_sqld.start)
    assert await asyncio.gather(*(count(store) for _ in range(20))) == [1] * 20


async def test_streams_that_reads_have_left_are_no_connections_of_the_server_any_more(
    own_sqld: Sqld,
) -> None:
    later = itertools.count(step=2 * STREAM_SECONDS)
    transport = HttpTransport(own_sqld.http_url, "", now=lambda: next(later))
    store = RemoteStore(transport)
    for _more_than_sqld_has in range(200):
        assert await store.query("SELECT 1 AS one") == [{"one": 1}]
    await store.close()


async def test_store_when_the_server_has_no_connection_left_says_so(
    tmp_path: Path,
) -> None:
    with Sqld(tmp_path / "small", connections=1) as small:
        store = connect(small.http_url, "")
        async with Snapshot(small.http_url, ""):
            with pytest.raises(CrowdedError) as refused:
                await store.query("SELECT 1")
            assert "max-concurrent-connections" in refused.value.advice
            with pytest.raises(CrowdedError):
                await store.write([CREATE])
        assert await store.query("SELECT 1 AS one") == [{"one": 1}]
        await store.close()


async def test_reads_one_after_the_other_see_what_another_program_writes(
    sqld: Sqld, opener: Opener
) -> None:
    sqld.clear()
    store = opener(sqld)
    await store.write([CREATE])
    for number in range(5):
        sqld.query(f"INSERT INTO items (name) VALUES ('n{number}')")
        assert await count(store) == number + 1


async def test_store_when_the_server_is_frozen_answers_in_time_and_recovers(
    own_sqld: Sqld, opener: Opener
) -> None:
    store = opener.impatient(own_sqld)
    await store.write([CREATE])
    own_sqld.freeze()
    began = time.monotonic()
    writes = [store.write([add(f"frozen{number}")]) for number in range(20)]
    reads = [store.query(COUNT) for _reader in range(20)]
    answers = await asyncio.gather(*writes, *reads, return_exceptions=True)
    assert time.monotonic() - began < 3 * SHORT_SECONDS
    assert all(isinstance(answer, UnavailableError) for answer in answers)
    with pytest.raises(StalledError) as stalled:
        await store.health()
    assert "restart sqld" in stalled.value.advice
    own_sqld.thaw()
    assert (await store.query("SELECT 1 AS one")) == [{"one": 1}]
    await store.write([add("after")])
    assert {"name": "after"} in await store.query("SELECT name FROM items")


async def test_write_that_is_known_to_take_long_is_waited_for(
    own_sqld: Sqld, opener: Opener
) -> None:
    store = opener.impatient(own_sqld)
    began = time.monotonic()
    counting = Statement(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 6000000)"
        " SELECT COUNT(*) AS counted FROM n"
    )
    (result,) = await store.write([counting], patience_seconds=60)
    assert time.monotonic() - began > SHORT_SECONDS
    assert result.rows == [{"counted": 6_000_000}]


@pytest.mark.parametrize("answer", ["webhook receiver", "nobody"])
async def test_store_when_the_address_is_no_database_says_so_in_one_line(
    opener: Opener, answer: str
) -> None:
    with Receiver() as receiver:
        port = receiver.url.split(":")[2].split("/")[0] if answer != "nobody" else free_port()
        store = opener.at(port)
        with pytest.raises(UnavailableError) as refused:
            await prepare_store(store)
        assert "\n" not in refused.value.advice
    assert f"{opener.scheme}://127.0.0.1:{port}" in refused.value.advice


async def test_store_when_a_proxy_stands_before_a_dead_server_names_the_cure() -> None:
    with Receiver(status=502) as proxy:
        store = connect(proxy.origin, "")
        with pytest.raises(StalledError) as unanswered:
            await store.query("SELECT 1")
        assert "HTTP 502; restart sqld" in unanswered.value.advice
        with pytest.raises(StalledError) as unhealthy:
            await store.health()
        assert "restart sqld" in unhealthy.value.advice
        await store.close()


# ---- tokens


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys.make(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[Sqld]:
    folder = tmp_path_factory.mktemp("guarded") / "sqld"
    with Sqld(folder, key_file=keys.public_file) as started:
        started.token = keys.token()
        yield started


TOKENS: dict[str, Callable[[Keys], str]] = {
    "missing": lambda _keys: "",
    "rubbish": lambda _keys: "rubbish",
    "expired": lambda keys: keys.token(-3600),
}


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS.keys())
async def test_store_when_its_token_is_refused_names_the_setting(
    guarded: Sqld, keys: Keys, opener: Opener, token: Callable[[Keys], str]
) -> None:
    store = opener.at(guarded.port, token(keys))
    for refused in (store.write([CREATE]), store.query("SELECT 1"), store.health()):
        with pytest.raises(AuthError) as error:
            await refused
        assert "LIBSQL_AUTH_TOKEN" in error.value.advice
    assert guarded.query("SELECT name FROM sqlite_master WHERE name = 'items'") == []


async def test_store_when_its_token_is_in_force_works(guarded: Sqld, opener: Opener) -> None:
    store = opener(guarded)
    await store.health()
    assert await store.query("SELECT 1 AS one") == [{"one": 1}]


# ---- schema


async def test_schema_from_the_future_is_refused_and_left_alone(sqld: Sqld, opener: Opener) -> None:
    sqld.clear()
    store = opener(sqld)
    await prepare_store(store)
    sqld.query("INSERT INTO d1_migrations (name) VALUES ('999_from_the_future.sql')")
    before = sqld.query("SELECT name, sql FROM sqlite_master")
    with pytest.raises(SchemaError, match=r"999_from_the_future\.sql"):
        await prepare_store(store)
    assert sqld.query("SELECT name, sql FROM sqlite_master") == before


async def test_stores_that_migrate_together_all_succeed(sqld: Sqld, opener: Opener) -> None:
    sqld.clear()
    stores = [opener(sqld) for _ in range(2)]
    applied = await asyncio.gather(*map(prepare_store, stores))
    names = [name for of_one in applied for name in of_one]
    assert len(names) == len(set(names)) > 5


# ---- replicas


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Sqld, Sqld]]:
    """A primary and its replica."""
    with (
        Sqld(tmp_path / "primary") as primary,
        Sqld(tmp_path / "replica", primary=primary) as replica,
    ):
        yield primary, replica


async def test_replica_serves_reads_that_see_each_write_and_tells_broken_rules(
    pair: tuple[Sqld, Sqld], opener: Opener
) -> None:
    store = opener(pair[1])
    await store.write([CREATE])
    for number in range(40):
        await store.write([add(f"n{number}")])
        assert await count(store) == number + 1
    with pytest.raises(ConstraintError):
        await store.write([add("n1")])
    with pytest.raises(StoreError) as failed:
        await store.write([Statement("INSERT INTO nowhere VALUES (1)")])
    assert not isinstance(failed.value, UnavailableError | ConstraintError)


async def test_replica_when_its_primary_is_down_reads_on_and_tells_that_nothing_is_committed(
    pair: tuple[Sqld, Sqld], opener: Opener
) -> None:
    primary, replica = pair
    store = opener.impatient(replica)
    await store.write([CREATE])
    assert await count(store) == 0
    primary.end()
    with pytest.raises(UnavailableError):
        await store.write([add("lost")])
    assert await count(store) == 0
    with pytest.raises(StalledError, match="reads work") as stalled:
        await store.health()
    assert "primary" in stalled.value.advice
    primary.start()
    await _until_caught_up(store)


async def _until_caught_up(store: RemoteStore) -> None:
    """A replica looks for its primary again from time to time."""
    write = Statement("INSERT OR IGNORE INTO items (name) VALUES ('after')")
    deadline = time.monotonic() + 30
    found: list[Row] = []
    while {"name": "after"} not in found:
        assert time.monotonic() < deadline
        with contextlib.suppress(UnavailableError):
            await store.write([write])
            found = await store.query("SELECT name FROM items")
