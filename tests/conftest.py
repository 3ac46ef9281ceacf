"""Fixtures of all tests: real stores, real servers in processes of their own, a real receiver."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from server.app import prepare_store
from server.store.file import FileStore
from tests.receiver import Receiver
from tests.running import RunningServer


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
