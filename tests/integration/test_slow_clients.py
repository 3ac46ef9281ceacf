"""Clients that dawdle are cut off in time, and nobody else waits for them.

All kinds run side by side, so that the whole costs one deadline.
"""

from __future__ import annotations

import asyncio
import math
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

import httpx
import pytest

from server.launcher import KEEP_ALIVE_SECONDS
from server.web.bodies import BODY_SECONDS
from server.web.protocol import REQUEST_SECONDS
from tests.integration.http_fixtures import SharedServer
from tests.running import RunningServer

OF_EACH_KIND = 3
LIMIT_SECONDS = 20.0
"""When every slow client must be gone: the longest deadline, and what a busy machine adds."""

PATIENCE_SECONDS = 24.0
DRIP_SECONDS = 0.5
MAX_SENT_BYTES = 40_000_000
"""Far more than the buffers between a client and the server hold."""


@dataclass(frozen=True)
class Kind:
    """A slow client: what it sends at once, after the first answer, and then now and again."""

    name: str
    first: bytes = b""
    after_answer: bytes = b""
    drip: bytes = b""


@dataclass
class Observed:
    """When each client was cut off (or never: infinity), and how others fared meanwhile."""

    closed_after: dict[str, list[float]] = field(default_factory=dict)
    answers: dict[str, set[bytes]] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)
    slowest_seconds: float = 0.0


GET = b"GET /healthz HTTP/1.1\r\nhost: x\r\n"
LEAD = b"POST /api/lead HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
BEACON = b"POST /api/track HTTP/1.1\r\nhost: x\r\n"

KINDS = (
    Kind("nothing"),
    Kind("line breaks only", drip=b"\r\n"),
    Kind("half headers", GET),
    Kind("dripping headers", GET + b"x-long: ", drip=b"x"),
    Kind("half lead", LEAD + b"content-length: 100\r\n\r\n{"),
    Kind("dripping lead", LEAD + b"content-length: 100\r\n\r\n{", drip=b" "),
    Kind("half chunked lead", LEAD + b"transfer-encoding: chunked\r\n\r\n5\r\n{"),
    Kind("half lead after 100", LEAD + b"content-length: 100\r\nexpect: 100-continue\r\n\r\n"),
    Kind("half beacon", BEACON + b"content-length: 100\r\n\r\n{"),
    Kind("dripping beacon", BEACON + b"content-length: 100\r\n\r\n{", drip=b" "),
    Kind("half chunked beacon", BEACON + b"transfer-encoding: chunked\r\n\r\n5\r\n{"),
    Kind("idle after an answer", GET + b"\r\n"),
    Kind("half headers after an answer", GET + b"\r\n", after_answer=GET),
    Kind("line break after an answer", GET + b"\r\n", after_answer=b"\r\n"),
    Kind("dripping line breaks after an answer", GET + b"\r\n", drip=b"\r\n"),
    Kind("half body after an answer", GET + b"content-length: 9\r\n\r\n", after_answer=b"x"),
    Kind("dripping body after an answer", GET + b"content-length: 999\r\n\r\n", drip=b"x"),
)


async def closed_after(port: int, kind: Kind, observed: Observed) -> float:
    """Be such a client; the seconds until the server hangs up, or infinity."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    started, unsent = time.monotonic(), kind.after_answer
    try:
        writer.write(kind.first)
        while time.monotonic() - started < PATIENCE_SECONDS:
            try:
                async with asyncio.timeout(DRIP_SECONDS):
                    answer = await reader.read(65_536)
            except TimeoutError:
                writer.write(kind.drip)
                continue
            if not answer:
                return time.monotonic() - started
            if answer.startswith(b"HTTP/"):
                observed.answers.setdefault(kind.name, set()).add(answer.split(b"\r\n", 1)[0])
            writer.write(unsent)
            unsent = b""
    except ConnectionError:
        return time.monotonic() - started
    else:
        return math.inf
    finally:
        writer.transport.abort()


async def go_on_as_usual(url: str, observed: Observed, until: asyncio.Event) -> None:
    """Send what every visitor sends, twice a second."""
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as client:
        while not until.is_set():
            started = time.monotonic()
            for answer in (
                await client.get("/healthz"),
                await client.post("/api/lead", json={"email": "usual@example.com"}),
            ):
                observed.statuses.append(answer.status_code)
            observed.slowest_seconds = max(observed.slowest_seconds, time.monotonic() - started)
            try:
                async with asyncio.timeout(0.5):
                    await until.wait()
            except TimeoutError:
                continue


async def observe(server: RunningServer) -> Observed:
    observed, over = Observed(), asyncio.Event()
    usual = asyncio.create_task(go_on_as_usual(server.url, observed, over))
    clients = [kind for kind in KINDS for _ in range(OF_EACH_KIND)]
    times = await asyncio.gather(*(closed_after(server.port, kind, observed) for kind in clients))
    over.set()
    await usual
    for kind, seconds in zip(clients, times, strict=True):
        observed.closed_after.setdefault(kind.name, []).append(seconds)
    return observed


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    """What became of all the clients."""
    data_dir = tmp_path_factory.mktemp("slow") / "data"
    with RunningServer(data_dir, {"DEMO": "off"}) as server:
        yield asyncio.run(observe(server))


def test_deadlines_of_the_server_are_within_the_limit() -> None:
    assert 5 <= REQUEST_SECONDS <= 15
    assert 5 <= BODY_SECONDS <= 15
    assert 5 <= KEEP_ALIVE_SECONDS <= 15


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_client_when_it_dawdles_is_cut_off_in_time(observed: Observed, kind: Kind) -> None:
    assert max(observed.closed_after[kind.name]) < LIMIT_SECONDS


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_client_when_it_dawdles_has_some_seconds_first(observed: Observed, kind: Kind) -> None:
    assert min(observed.closed_after[kind.name]) > 5


@pytest.mark.parametrize("name", ["half lead", "dripping lead", "half chunked lead"])
def test_client_when_its_body_does_not_come_is_told(observed: Observed, name: str) -> None:
    assert observed.answers[name] == {b"HTTP/1.1 408 Request Timeout"}


def test_others_when_many_clients_dawdle_go_on_as_usual(observed: Observed) -> None:
    assert len(observed.statuses) >= 20
    assert set(observed.statuses) == {200, 201}
    assert observed.slowest_seconds < 2


def send_without_end(client: socket.socket, piece: bytes) -> None:
    for _ in range(MAX_SENT_BYTES // len(piece)):
        client.sendall(piece)


@pytest.mark.parametrize(
    ("first", "endless"),
    [
        (GET + b"x-long: ", b"x" * 65_536),
        (GET, b"x-one-of-many: x\r\n" * 4_096),
        (b"GET /", b"x" * 65_536),
        (b"POST /api/track HTTP/1.1\r\nhost: x\r\nuser-agent: ", b"x" * 65_536),
    ],
    ids=["one header", "many headers", "address", "header of a beacon"],
)
def test_client_when_its_headers_never_end_is_cut_off_long_before_the_deadline(
    shared: SharedServer, first: bytes, endless: bytes
) -> None:
    with closing(socket.create_connection(("127.0.0.1", shared.server.port))) as client:
        client.sendall(first)
        with pytest.raises(ConnectionError):
            send_without_end(client, endless)
    assert shared.http.get("/healthz").status_code == 200


def test_client_when_it_is_slow_but_in_time_is_answered(shared: SharedServer) -> None:
    async def send_in_three_parts() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", shared.server.port)
        body = b'{"email": "slow@example.com"}'
        head = LEAD + b"content-length: %d\r\n\r\n" % len(body)
        for part in (head[:20], head[20:] + body[:5]):
            writer.write(part)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await reader.read(1)
        writer.write(body[5:])
        answer = await reader.readuntil(b"\r\n")
        writer.transport.abort()
        return answer

    assert asyncio.run(send_in_three_parts()) == b"HTTP/1.1 201 Created\r\n"
