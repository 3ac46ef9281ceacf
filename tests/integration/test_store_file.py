"""What the file driver promises beyond the contract: the file, shared commits, faults."""

from __future__ import annotations

import asyncio
import os
import resource
import stat
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import apsw
import pytest

from server.store.contract import (
    BusyError,
    ConstraintError,
    Result,
    Statement,
    Store,
    StoreError,
    UnavailableError,
)
from server.store.file import QUEUE_LIMIT, FileStore
from tests.privacy_rows import bytes_of

CREATE = Statement("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, body BLOB)")
SHORT_MS = 300
"""A busy time-out that a test can wait for."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[FileStore]:
    """A store with one table, which refuses a locked file after SHORT_MS."""
    opened = FileStore.open(path, busy_timeout_ms=SHORT_MS)
    await opened.write([CREATE])
    yield opened
    await opened.close()


def add(name: str, size: int = 0) -> Statement:
    return Statement("INSERT INTO items (name, body) VALUES (?, zeroblob(?))", (name, size))


async def names(store: Store) -> list[str]:
    return [row["name"] for row in await store.query("SELECT name FROM items ORDER BY id")]


async def pragma(store: Store, name: str) -> object:
    """As the writer's connection has it."""
    (result,) = await store.write([Statement(f"PRAGMA {name}")])
    return next(iter(result.rows[0].values()))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """By apsw, not sqlite3: closing a file through a second SQLite drops the first one's locks."""
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


def outcome(answer: list[Result] | BaseException) -> object:
    """An error's type, or how many rows were changed."""
    return type(answer) if isinstance(answer, BaseException) else answer[0].changes


async def write_each(store: Store, *batches: list[Statement]) -> list[object]:
    answers = await asyncio.gather(*map(store.write, batches), return_exceptions=True)
    return [outcome(answer) for answer in answers]


# ---- the file


def files_in(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_open_of_a_new_path_makes_files_that_only_the_owner_reads(tmp_path: Path) -> None:
    path = tmp_path / "made" / "here" / "store.db"
    before = os.umask(0)
    try:
        store = FileStore.open(path)
        await store.write([CREATE])
    finally:
        os.umask(before)
    modes = {each.name: mode_of(each) for each in path.parent.iterdir()}
    await store.close()
    assert modes == {"store.db": 0o600, "store.db-wal": 0o600, "store.db-shm": 0o600}


@pytest.mark.parametrize("name", ["a b.db", "50%.db", "what?mode=ro.db", "file:x.db", "é#1.db"])
async def test_open_takes_a_path_as_it_is(tmp_path: Path, name: str) -> None:
    store = FileStore.open(tmp_path / name)
    await store.write([CREATE, add("a")])
    assert await names(store) == ["a"]
    await store.close()
    assert files_in(tmp_path) == [name]


@pytest.mark.parametrize(
    ("name", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)]
)
async def test_writer_is_set_to_lose_nothing(store: FileStore, name: str, value: object) -> None:
    assert await pragma(store, name) == value


async def test_sqlite_is_one_without_the_wal_reset_race() -> None:
    assert apsw.sqlite_lib_version() >= "3.51.3"


async def test_close_leaves_one_whole_file_and_no_thread(path: Path) -> None:
    store = FileStore.open(path)
    await store.write([CREATE, add("a")])
    await store.query("SELECT 1")
    await store.close()
    assert files_in(path.parent) == ["store.db"]
    ours = [each.name for each in threading.enumerate() if each.name.startswith("store-")]
    assert ours == []


def make_folder(path: Path) -> None:
    path.mkdir()


def make_text(path: Path) -> None:
    path.write_text("this is no database " * 100)


def make_parent_a_file(path: Path) -> None:
    path.parent.rmdir()
    path.parent.write_text("")


@pytest.mark.parametrize("spoil", [make_folder, make_text, make_parent_a_file])
async def test_open_of_what_is_no_database_is_refused_by_its_path(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    path = tmp_path / "folder" / "store.db"
    path.parent.mkdir()
    spoil(path)
    with pytest.raises(UnavailableError, match=r"^cannot open .*store\.db") as refused:
        FileStore.open(path)
    assert "\n" not in str(refused.value)


async def test_query_that_would_write_is_refused(store: FileStore) -> None:
    with pytest.raises(StoreError):
        await store.query("INSERT INTO items (name) VALUES ('a')")
    assert await names(store) == []


def test_process_whose_store_was_never_closed_still_ends(path: Path) -> None:
    program = (
        "import asyncio, sys; from pathlib import Path; from server.store.file import FileStore\n"
        "async def main():\n"
        "    store = FileStore.open(Path(sys.argv[1])); await store.query('SELECT 1')\n"
        "    raise SystemExit(3)\n"
        "asyncio.run(main())"
    )
    ended = subprocess.run([sys.executable, "-c", program, path], timeout=30, check=False)
    assert ended.returncode == 3


# ---- shared commits


def commits_in_wal(path: Path) -> int:
    """Commits since the log was last begun: frames that give the size of the database after it."""
    log = Path(f"{path}-wal").read_bytes()
    page_size = int.from_bytes(log[8:12], "big")
    salt = log[16:24]
    frames = [log[at : at + 24] for at in range(32, len(log), 24 + page_size)]
    current = [frame for frame in frames if frame[8:16] == salt]
    return sum(frame[4:8] != bytes(4) for frame in current)


async def test_commits_are_one_per_write_when_writes_come_one_by_one(
    store: FileStore, path: Path
) -> None:
    before = commits_in_wal(path)
    for number in range(5):
        await store.write([add(f"n{number}")])
    assert commits_in_wal(path) - before == 5


async def test_writes_that_wait_together_share_a_commit(store: FileStore, path: Path) -> None:
    before = commits_in_wal(path)
    with locked(path):
        waiting = [asyncio.ensure_future(store.write([add(f"n{n}")])) for n in range(100)]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert await names(store) == [f"n{number}" for number in range(100)]
    assert commits_in_wal(path) - before <= 2


# ---- a queue that is full


async def test_write_when_the_queue_is_full_is_refused_at_once_and_later_taken(
    path: Path,
) -> None:
    store = FileStore.open(path)
    await store.write([CREATE])
    with locked(path):
        waiting = [asyncio.ensure_future(store.write([add("n")])) for _ in range(QUEUE_LIMIT)]
        await asyncio.sleep(0)
        for _often in range(3):
            with pytest.raises(BusyError, match="too many"):
                await store.write([add("refused")])
        assert not any(each.done() for each in waiting)
        assert await names(store) == []
    await asyncio.gather(*waiting)
    await store.write([add("taken")])
    stored = await names(store)
    assert len(stored) == QUEUE_LIMIT + 1
    assert "refused" not in stored
    await store.close()


# ---- a file that another keeps locked


async def test_write_when_another_keeps_the_lock_is_refused_and_leaves_nothing(
    store: FileStore, path: Path
) -> None:
    with locked(path):
        assert await write_each(store, [add("a")], [add("b")]) == [BusyError, BusyError]
        with pytest.raises(BusyError):
            await store.health()
        assert await names(store) == []
    assert await write_each(store, [add("c")], [add("d")]) == [1, 1]
    await store.health()
    assert await names(store) == ["c", "d"]


async def test_write_when_the_lock_is_given_up_in_time_is_stored(path: Path) -> None:
    store = FileStore.open(path, busy_timeout_ms=30_000)
    await store.write([CREATE])
    with locked(path):
        waiting = asyncio.ensure_future(store.write([add("a")]))
        done, _pending = await asyncio.wait([waiting], timeout=0.4)
        assert not done
    assert outcome(await waiting) == 1
    await store.close()


async def test_writes_when_many_wait_for_the_lock_are_all_refused_by_their_own_time(
    path: Path,
) -> None:
    """Not one group after the other: the last of ten groups would wait ten times as long."""
    busy_seconds = 1.0
    store = FileStore.open(path, busy_timeout_ms=int(busy_seconds * 1000))
    await store.write([CREATE])
    began = time.monotonic()
    with locked(path):
        answers = await write_each(store, *([add("n")] for _number in range(QUEUE_LIMIT)))
    assert set(answers) == {BusyError}
    assert time.monotonic() - began < busy_seconds * 6
    await store.write([add("after")])
    assert await names(store) == ["after"]
    await store.close()


async def test_write_when_a_neighbour_is_at_fault_and_the_file_locked_fares_by_itself(
    store: FileStore, path: Path
) -> None:
    await store.write([add("a")])
    twice = Statement("INSERT INTO items (id) VALUES (1)")
    with locked(path):
        waiting = [asyncio.ensure_future(store.write([one])) for one in (add("b"), twice, add("c"))]
        await asyncio.sleep(0)
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert [outcome(answer) for answer in answers] == [1, ConstraintError, 1]


async def longest_stall_seconds(stop: asyncio.Event) -> float:
    """The longest time for which the event loop did not come round until it was told to stop."""
    longest, last = 0.0, time.monotonic()
    while not stop.is_set():
        await asyncio.sleep(0.005)
        now = time.monotonic()
        longest, last = max(longest, now - last), now
    return longest


async def stall_while_locked(store: Store, path: Path) -> float:
    async def refused_writes() -> None:
        assert set(await write_each(store, *([add("n")] for _ in range(50)))) == {BusyError}
        done.set()

    done = asyncio.Event()
    with locked(path):
        stall, _nothing = await asyncio.gather(longest_stall_seconds(done), refused_writes())
    return stall


async def test_event_loop_when_the_file_is_locked_goes_on(store: FileStore, path: Path) -> None:
    """The best of five: on a busy machine the whole process may stand still for a while."""
    for _attempt in range(5):
        if await stall_while_locked(store, path) < 0.1:
            return
    raise AssertionError("the event loop stood still for 100 ms in each of five attempts")


async def test_two_stores_on_one_file_lose_no_write(path: Path) -> None:
    one, other = FileStore.open(path), FileStore.open(path)
    await one.write([CREATE])
    batches = [[add(f"n{number}")] for number in range(100)]
    first, second = await asyncio.gather(write_each(one, *batches), write_each(other, *batches))
    assert first + second == [1] * 200
    assert len(await names(one)) == len(await names(other)) == 200
    await one.close()
    await other.close()


async def create_and_write(path: Path) -> None:
    store = FileStore.open(path)
    await store.write([Statement("CREATE TABLE IF NOT EXISTS items (name)")])
    await store.write([Statement("INSERT INTO items VALUES ('a')")])
    await store.close()


@pytest.mark.parametrize("attempt", range(20))
def test_stores_that_open_one_new_file_together_all_succeed(path: Path, attempt: int) -> None:
    errors: list[Exception] = []
    together = threading.Barrier(4)

    def run() -> None:
        together.wait()
        try:
            asyncio.run(create_and_write(path))
        except Exception as error:  # noqa: BLE001  told below
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == [], f"attempt {attempt}"
    with closing(apsw.Connection(str(path))) as database:
        assert database.execute("SELECT COUNT(*) FROM items").get == 4


# ---- a full disk


async def fill(store: Store) -> None:
    """Write until no more fits."""
    for number in range(10_000):
        await store.write([add(f"n{number}", 20_000)])


async def test_write_when_the_database_may_not_grow_is_unavailable_until_it_may(
    store: FileStore,
) -> None:
    await store.write([add("a"), Statement("PRAGMA max_page_count = 20")])
    with pytest.raises(UnavailableError, match="full"):
        await fill(store)
    stored = await names(store)
    assert await write_each(store, [add("b"), add("big", 100_000)]) == [UnavailableError]
    assert await names(store) == stored
    await store.write([Statement("PRAGMA max_page_count = 4294967294")])
    await store.write([add("c", 100_000)])
    assert await names(store) == [*stored, "c"]
    await store.health()


def leave_no_room(folder: Path) -> Path:
    """Fill the disk to its last byte; remove the file to make room again."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(512)):
                pass
        except OSError:
            return ballast
    raise AssertionError("the disk does not end")


async def test_store_when_the_disk_is_full_reads_on_and_resumes_by_itself(
    small_disk: Path,
) -> None:
    store = FileStore.open(small_disk / "store.db")
    await store.write([CREATE, add("before")])
    ballast = leave_no_room(small_disk)
    for _often in range(3):
        big = [[add(f"n{number}", 4_000)] for number in range(8)]
        assert set(await write_each(store, *big)) == {UnavailableError}
        with pytest.raises(UnavailableError):
            await store.health()
        assert await names(store) == ["before"]
    ballast.unlink()
    await store.health()
    await store.write([add("after", 4_000)])
    assert await names(store) == ["before", "after"]
    (check,) = await store.query("PRAGMA integrity_check")
    assert list(check.values()) == ["ok"]
    await store.close()


async def test_copy_that_does_not_fit_says_that_the_disk_is_full(
    store: FileStore, small_disk: Path
) -> None:
    await store.write([add(f"n{number}", 20_000) for number in range(80)])
    copy = small_disk / "copy.db"
    copy.touch()
    with pytest.raises(UnavailableError, match="disk is full"):
        await store.copy_to(copy, lambda _done, _total: None)


# ---- many readers


async def test_many_queries_beside_many_writes_all_see_whole_batches(store: FileStore) -> None:
    odd = "SELECT COUNT(*) % 2 AS odd FROM items"
    reads = asyncio.gather(*(store.query(odd) for _ in range(400)))
    assert await write_each(store, *([add("left"), add("right")] for _ in range(100))) == [1] * 100
    assert await reads == [[{"odd": 0}]] * 400


async def test_query_when_files_are_short_still_works(path: Path) -> None:
    """Readers are opened at the start, not when a flood of connections has used up all files."""
    store = FileStore.open(path)
    await store.write([CREATE, add("a")])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            os.dup(0)
        stored = await asyncio.gather(*(names(store) for _ in range(8)))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert stored == [["a"]] * 8
    await store.close()


# ---- compacting


async def test_compact_takes_deleted_content_out_of_the_file(path: Path) -> None:
    store = FileStore.open(path)
    await store.write([CREATE, add("a canary"), add("kept")])
    await store.write([Statement("DELETE FROM items WHERE name = 'a canary'")])
    await store.compact()
    assert await names(store) == ["kept"]
    await store.close()
    assert b"a canary" not in bytes_of(path)


async def test_compact_while_another_keeps_the_lock_is_busy_and_works_afterwards(
    store: FileStore, path: Path
) -> None:
    with locked(path), pytest.raises(BusyError):
        await store.compact()
    await store.write([add("a")])
    await store.compact()
    assert await names(store) == ["a"]


async def test_store_closed_while_it_is_compacted_keeps_everything(path: Path) -> None:
    store = FileStore.open(path)
    await store.write([CREATE, *(add(f"n{number}", 100_000) for number in range(100))])
    compacting = asyncio.create_task(store.compact())
    while store._compacting is None and not compacting.done():  # noqa: ASYNC110  no event tells it
        await asyncio.sleep(0)
    await store.close()
    with suppress(StoreError):
        await compacting
    again = FileStore.open(path)
    assert len(await names(again)) == 100
    await again.close()
