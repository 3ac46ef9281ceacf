"""Beacons: /api/track, acknowledged after commit, against bare uvicorn and bare Starlette."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median

from bench.measured import CONNECTIONS, Load, Process, baseline, propgauge, wrk

ROUNDS = 3
NAMES = ("bare uvicorn 204", "uvicorn + Starlette 204", "/api/track after commit")


def run(seconds: int) -> None:
    """Measure in turn, three rounds; prints medians."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        data_dir = Path(folder)
        servers = (
            stack.enter_context(baseline("bare")),
            stack.enter_context(baseline("starlette")),
            stack.enter_context(propgauge(data_dir, {})),
        )
        track = servers[-1]
        idle_mb = track.resident_mb()
        rounds = [_round(servers, seconds, number) for number in range(ROUNDS)]
        _print_speed(rounds)
        _print_rows(data_dir, sum(loads[-1].requests - loads[-1].failed for loads in rounds))
        print(
            f"resident memory: {idle_mb:.0f} MB idle, {track.resident_mb():.0f} MB after the load"
        )


def _round(servers: tuple[Process, ...], seconds: int, number: int) -> list[Load]:
    return [wrk(server, "beacons.lua", seconds, run="abc"[number]) for server in servers]


def _print_speed(rounds: list[list[Load]]) -> None:
    print(f"\nbeacons, {CONNECTIONS} connections, median of {ROUNDS} rounds in turn")
    print(f"{'':26}{'req/s':>9}{'ratio':>7}{'req/CPU s':>11}{'ratio':>7}{'p50 ms':>8}{'p99 ms':>8}")
    for position, name in enumerate(NAMES):
        loads = [each[position] for each in rounds]
        wall = median(each[position].per_second / each[0].per_second for each in rounds)
        cpu = median(each[position].per_cpu_second / each[0].per_cpu_second for each in rounds)
        print(
            f"{name:26}{median(load.per_second for load in loads):9.0f}{wall:7.2f}"
            f"{median(load.per_cpu_second for load in loads):11.0f}{cpu:7.2f}"
            f"{median(load.p50_ms for load in loads):8.1f}"
            f"{median(load.p99_ms for load in loads):8.1f}"
        )


def _print_rows(data_dir: Path, acknowledged: int) -> None:
    with closing(sqlite3.connect(data_dir / "propgauge.db")) as database:
        (stored,) = database.execute("SELECT SUM(seq + 1) FROM page_views").fetchone()
        (sessions,) = database.execute("SELECT COUNT(*) FROM sessions").fetchone()
    verdict = "ok" if stored >= acknowledged else "LOST"
    print(
        f"beacons acknowledged {acknowledged}, stored {stored} ({verdict}; those in flight at the"
        f" end may be stored unacknowledged), sessions {sessions}"
    )
