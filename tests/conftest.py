"""Fixtures of all tests: real stores, real servers in processes of their own, a real receiver."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from server.app import prepare_store
from server.store.file import FileStore
from tests.receiver import Receiver
from tests.running import RunningServer
from tests.sqld import Keys, Sqld

FILE, LIBSQL = pytest.param("file", id=pytest.HIDDEN_PARAM), pytest.param("sqld")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test marked `both_stores` on a file and on a libSQL server, any other on a file."""
    is_marked = metafunc.definition.get_closest_marker("both_stores") is not None
    if "database_url" in metafunc.fixturenames:
        stores = [FILE, LIBSQL] if is_marked else [FILE]
        metafunc.parametrize("database_url", stores, indirect=True)
    else:
        assert not is_marked, f"{metafunc.definition.nodeid} starts no server on `database_url`"


@pytest.fixture(scope="module")
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """DATABASE_URL for a server of the tests: none, so that it keeps a file, or an empty sqld's."""
    if request.param == "file":
        yield ""
        return
    sqld: Sqld = request.getfixturevalue("sqld")
    sqld.clear()
    yield sqld.http_url
    assert sqld.query("SELECT name FROM d1_migrations"), "nobody gave it to a server"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[FileStore]:
    """A migrated and seeded store of its own for each test."""
    opened = FileStore.open(tmp_path / "propgauge.db")
    await prepare_store(opened)
    yield opened
    await opened.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A webhook receiver on a free port."""
    with Receiver() as started:
        yield started


@pytest.fixture
def server(tmp_path: Path, receiver: Receiver) -> Iterator[RunningServer]:
    """A server of its own, whose leads go to `receiver`."""
    settings = {"MAKE_WEBHOOK_URL": receiver.url, "ALLOW_PRIVATE_TARGETS": "on"}
    with RunningServer(tmp_path / "data", settings) as started:
        yield started


@pytest.fixture(scope="session")
def sqld(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sqld]:
    """A libSQL server for all who clear it before they begin."""
    with Sqld(tmp_path_factory.mktemp("sqld") / "data") as started:
        yield started


@pytest.fixture(scope="session")
def locked_sqld(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sqld]:
    """As `sqld`, and it asks for tokens; `token` is in force."""
    folder = tmp_path_factory.mktemp("locked-sqld")
    keys = Keys.make(folder)
    with Sqld(folder / "data", key_file=keys.public_file) as started:
        started.token = keys.token()
        yield started
