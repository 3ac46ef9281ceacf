"""Server processes under load: starting them, and reading what they cost."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.running import clean_environment, free_port

HERE = Path(__file__).parent
CONNECTIONS = 64


@dataclass(frozen=True)
class Process:
    """A server under test."""

    url: str
    pid: int

    def cpu_seconds(self) -> float:
        """User and system time of the process so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mb(self) -> float:
        """Resident memory now, in MB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@contextmanager
def baseline(application: str) -> Iterator[Process]:
    """`bench.baseline:<application>` on uvicorn, tuned as propgauge is."""
    port = free_port()
    options = ["--log-level", "error", "--no-access-log", "--loop", "uvloop", "--http", "httptools"]
    words = ["-m", "uvicorn", f"bench.baseline:{application}", "--port", str(port), *options]
    with _running([sys.executable, *words], {}, port) as process:
        yield process


@contextmanager
def propgauge(data_dir: Path, settings: Mapping[str, str]) -> Iterator[Process]:
    """The real server."""
    port = free_port()
    own = {"DATA_DIR": str(data_dir), "PORT": str(port), "HOST": "127.0.0.1"}
    words = [sys.executable, "-m", "server", "serve"]
    with _running(
        words, {**own, "LOG_LEVEL": "error", "RATE_LIMIT": "off", **settings}, port
    ) as process:
        yield process


@contextmanager
def _running(words: list[str], settings: Mapping[str, str], port: int) -> Iterator[Process]:
    popen = subprocess.Popen(words, env=clean_environment(settings), stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_it_answers(url)
        yield Process(url, popen.pid)
    finally:
        popen.terminate()
        popen.wait(timeout=30)


def _wait_until_it_answers(url: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            httpx.get(url, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"{url} does not answer")


@dataclass(frozen=True)
class Load:
    """What wrk saw, and what the server spent on it. Latencies in milliseconds."""

    requests: int
    failed: int
    seconds: float
    cpu_seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        """Requests answered per second."""
        return self.requests / self.seconds

    @property
    def per_cpu_second(self) -> float:
        """Requests answered per second of the server's processor time."""
        return self.requests / self.cpu_seconds


def wrk(
    process: Process, script: str, seconds: int, *, connections: int = CONNECTIONS, run: str = "a"
) -> Load:
    """Load a server with a Lua script of this folder; `run` keeps its ids apart from others."""
    with start_wrk(process, script, seconds, connections=connections, run=run) as load:
        before = process.cpu_seconds()
        output, _ = load.communicate()
        return _parse(output, process.cpu_seconds() - before)


def start_wrk(
    process: Process,
    script: str,
    seconds: int,
    *,
    connections: int = CONNECTIONS,
    run: str = "a",
    delay_ms: int = 0,
) -> subprocess.Popen[str]:
    """Begin a load and leave it running."""
    words = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--latency", "--timeout", "10"]
    return subprocess.Popen(
        [*words, "-s", str(HERE / script), process.url, "--", run, str(delay_ms)],
        stdout=subprocess.PIPE,
        text=True,
    )


_UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


def _parse(output: str, cpu_seconds: float) -> Load:
    done = re.search(r"(\d+) requests in ([\d.]+)(\w+)", output)
    if done is None:
        raise RuntimeError(f"wrk said:\n{output}")
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    return Load(
        requests=int(done[1]),
        failed=int(failed[1]) if failed else 0,
        seconds=float(done[2]) * _UNITS_MS[done[3]] / 1000,
        cpu_seconds=cpu_seconds,
        p50_ms=_latency(output, "50%"),
        p99_ms=_latency(output, "99%"),
    )


def _latency(output: str, share: str) -> float:
    found = re.search(rf"{share}\s+([\d.]+)(us|ms|s|m)", output)
    return float(found[1]) * _UNITS_MS[found[2]] if found else float("nan")
