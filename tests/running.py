"""A real server: the program of `make serve` in a process of its own, on a free port."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from server.config import CONFIG_FILE, ROOT
from server.settings import SETTINGS
from server.store.contract import Statement
from tests.databases import database_at
from tests.forked import Forked

BROWSER_AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/140.0.0.0 Safari/537.36"
)
START_SECONDS = 60.0


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def clean_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without settings of ours, plus the given ones."""
    ours = {setting.name for setting in SETTINGS}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return {**kept, "PYTHONPATH": str(ROOT), **settings}


@cache
def workplace() -> Path:
    """A folder with an empty settings file.

    A developer's own `.dev.vars` must not reach the tests: it may name a webhook that is real.
    """
    folder = Path(tempfile.mkdtemp(prefix="propgauge-tests-"))
    (folder / CONFIG_FILE).touch()
    return folder


def propgauge(*words: str, settings: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "server", *words],
        cwd=workplace(),
        env=clean_environment(settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class RunningServer:
    """`propgauge serve` on 127.0.0.1; a context manager, or `start` and `stop` by hand."""

    def __init__(self, data_dir: Path, settings: Mapping[str, str] | None = None) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.settings = {
            "DATA_DIR": str(data_dir),
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "RATE_LIMIT": "off",
            **(settings or {}),
        }
        self.url = f"http://127.0.0.1:{self.port}"
        self.database = database_at(self.settings.get("DATABASE_URL", ""), data_dir)
        self.output: list[str] = []

    def start(self) -> Self:
        """Start and wait until it answers."""
        self.process = Forked(["serve"], env=clean_environment(self.settings), cwd=workplace())
        self._reader = threading.Thread(target=self._read_output)
        self._reader.start()
        self.client = httpx.Client(
            base_url=self.url, headers={"user-agent": BROWSER_AGENT}, timeout=30, trust_env=False
        )
        self._wait_until_ready()
        return self

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it by a signal and wait; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(timeout=20)
        self._reader.join()
        self.client.close()
        return status

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def query(self, sql: str, args: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Read the server's database."""
        return self.database.query(sql, args)

    def execute(self, sql: str, *args: Any) -> None:
        """Change the server's database behind its back."""
        self.database.write(Statement(sql, args))

    def lead(self, **fields: Any) -> httpx.Response:
        """Send a lead as JSON."""
        return self.client.post("/api/lead", json=fields)

    def track(self, *beacons: Mapping[str, Any], **headers: str) -> httpx.Response:
        """Send beacons as tracker.js does."""
        body: Any = beacons[0] if len(beacons) == 1 else list(beacons)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post("/api/track", json=body, headers=named)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                if self.client.get("/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                threading.Event().wait(0.01)
        self.process.kill()
        self.process.wait()
        self._reader.join()
        raise AssertionError("the server did not start:\n" + "".join(self.output))

    def _read_output(self) -> None:
        with self.process.output as stream:
            self.output.extend(stream)
