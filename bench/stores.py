"""One load on every store: a file, and a libSQL server by HTTP and by WebSocket."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.measured import Load, Process, baseline, propgauge, wrk
from tests.sqld import Sqld

PROCESSES = (1, 2)
LEAD_CONNECTIONS = 8
SECRET_KEY = "one secret key for all servers of this bench"  # noqa: S105  of a database thrown away


def run(seconds: int) -> None:
    """Print beacons/s and the time of leads side by side, with one and two server processes."""
    print(f"\nstores, beacons by 64 connections a process, then leads by {LEAD_CONNECTIONS}")
    print(
        f"{'':24}{'servers':>8}{'beacons/s':>11}{'p99 ms':>8}{'leads/s':>9}{'p50 ms':>8}"
        f"{'p99 ms':>8}{'failed':>8}{'ready s':>9}"
    )
    for processes in PROCESSES:
        for name in ("file", "libSQL, HTTP", "libSQL, WebSocket"):
            with tempfile.TemporaryDirectory() as folder:
                _print(name, processes, *_measure(name, Path(folder), processes, seconds))


def _measure(
    name: str, folder: Path, processes: int, seconds: int
) -> tuple[list[Load], list[Load], float]:
    """The loads of beacons, those of leads, and how long the servers took to start."""
    with ExitStack() as stack:
        receiver = stack.enter_context(baseline("bare"))
        settings = {
            "ALLOW_PRIVATE_TARGETS": "on",
            "DATABASE_URL": stack.enter_context(_database(name, folder)),
            "MAKE_WEBHOOK_URL": receiver.url,
            "SECRET_KEY": SECRET_KEY,
        }
        began = time.perf_counter()
        servers = [
            stack.enter_context(propgauge(folder / f"server{number}", settings))
            for number in range(processes)
        ]
        ready_seconds = time.perf_counter() - began
        beacons = _together(servers, "beacons.lua", seconds)
        leads = _together(servers, "leads.lua", seconds, connections=LEAD_CONNECTIONS)
        return beacons, leads, ready_seconds


@contextmanager
def _database(name: str, folder: Path) -> Iterator[str]:
    if name == "file":
        yield f"file:{folder / 'shared.db'}"
        return
    with Sqld(folder / "sqld") as sqld:
        yield sqld.ws_url if "WebSocket" in name else sqld.http_url


def _together(
    servers: Sequence[Process], script: str, seconds: int, *, connections: int = 64
) -> list[Load]:
    def load(number: int) -> Load:
        return wrk(servers[number], script, seconds, connections=connections, run=f"s{number}")

    with ThreadPoolExecutor(len(servers)) as loads:
        return list(loads.map(load, range(len(servers))))


def _print(
    name: str, processes: int, beacons: list[Load], leads: list[Load], ready_seconds: float
) -> None:
    failed = sum(load.failed for load in (*beacons, *leads))
    print(
        f"{name:24}{processes:8}"
        f"{sum(load.per_second for load in beacons):11.0f}"
        f"{max(load.p99_ms for load in beacons):8.0f}"
        f"{sum(load.per_second for load in leads):9.0f}"
        f"{max(load.p50_ms for load in leads):8.1f}"
        f"{max(load.p99_ms for load in leads):8.1f}"
        f"{failed:8}{ready_seconds:9.1f}"
    )
