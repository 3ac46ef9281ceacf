"""Leads: the time to 201, while beacons come at half of what the server can take."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.measured import CONNECTIONS, Process, baseline, propgauge, start_wrk, wrk

LEAD_CONNECTIONS = (1, 16, 64)


def run(seconds: int) -> None:
    """Print p50 and p99 per number of connections, with beacons beside them."""
    with tempfile.TemporaryDirectory() as folder, propgauge(Path(folder), {}) as server:
        beacons_per_second = wrk(server, "beacons.lua", seconds).per_second
    print(f"\nleads, with beacons at half load ({beacons_per_second / 2:.0f}/s)")
    print(f"{'connections':>11}{'leads/s':>9}{'p50 ms':>8}{'p99 ms':>8}{'failed':>8}")
    for connections in LEAD_CONNECTIONS:
        with tempfile.TemporaryDirectory() as folder, baseline("bare") as receiver:
            settings = {"MAKE_WEBHOOK_URL": receiver.url, "ALLOW_PRIVATE_TARGETS": "on"}
            with propgauge(Path(folder), settings) as server:
                _one(server, seconds, connections, beacons_per_second)


def _one(server: Process, seconds: int, connections: int, beacons_per_second: float) -> None:
    delay_ms = max(1, round(CONNECTIONS / (beacons_per_second / 2) * 1000))
    with start_wrk(server, "beacons.lua", seconds + 2, delay_ms=delay_ms) as beacons:
        load = wrk(server, "leads.lua", seconds, connections=connections, run=f"c{connections}")
        beacons.communicate()
    print(
        f"{connections:11}{load.per_second:9.0f}{load.p50_ms:8.1f}{load.p99_ms:8.1f}"
        f"{load.failed:8}   ({server.resident_mb():.0f} MB resident)"
    )
