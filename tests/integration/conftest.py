"""Fixtures of the HTTP tests: one server for all that do not break it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.dashboard import Dashboard, running_dashboard
from tests.integration.http_fixtures import (
    COUNTRY_DB,
    RANGES,
    SECRET_KEY,
    Keys,
    Person,
    SharedServer,
    furnish,
)
from tests.receiver import Receiver
from tests.running import RunningServer
from tests.settings_desk import SettingsDesk, running_settings


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedServer]:
    """A running server with two clients, behind a trusted proxy, that knows countries."""
    data_dir, keys = tmp_path_factory.mktemp("shared") / "data", Keys()
    with Receiver() as receiver, Receiver() as others_receiver:
        asyncio.run(furnish(data_dir / "propgauge.db", keys, others_receiver.url))
        ranges = {name: data_dir / name.lower() for name in RANGES}
        for name, path in ranges.items():
            path.write_text(f"# {name}\n{RANGES[name]} # documentation\n")
        settings = {
            **{name: str(path) for name, path in ranges.items()},
            "ALLOW_PRIVATE_TARGETS": "on",
            "COUNTRY_DB": str(COUNTRY_DB),
            "MAKE_WEBHOOK_URL": receiver.url,
            "SECRET_KEY": SECRET_KEY,
            "TRUSTED_PROXIES": "127.0.0.1",
        }
        with RunningServer(data_dir, settings) as server:
            yield SharedServer(server, receiver, others_receiver, keys)


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
