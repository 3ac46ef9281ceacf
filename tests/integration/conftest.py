"""Fixtures of the HTTP tests: one server for all that do not break it."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dashboard import Dashboard, running_dashboard
from tests.integration.http_fixtures import Person, SharedServer, running_shared
from tests.settings_desk import SettingsDesk, running_settings


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedServer]:
    """A running server with two clients, behind a trusted proxy, that knows countries."""
    with running_shared(tmp_path_factory.mktemp("shared") / "data") as shared:
        yield shared


@pytest.fixture
def person(shared: SharedServer) -> Person:
    """A visitor of the shared server whom no other test knows."""
    return Person(shared)


@pytest.fixture(scope="session")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """A server with two clients and four users, for all tests of the dashboard over HTTP."""
    with running_dashboard(tmp_path_factory.mktemp("dashboard") / "data") as dashboard:
        yield dashboard


@pytest.fixture(scope="session")
def settings_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SettingsDesk]:
    """A dashboard whose client 1 sends to local peers, for all tests of its settings over HTTP."""
    with running_settings(tmp_path_factory.mktemp("settings") / "data") as desk:
        yield desk


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A real file system of 1 MiB, apart from pytest's folders: a killed run leaves it mounted."""
    folder = Path(tempfile.mkdtemp(prefix="propgauge-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
    folder.rmdir()
