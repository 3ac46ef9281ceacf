"""Requests whose heads lie: headers of any bytes, lengths and encodings that are not true."""

from __future__ import annotations

import gzip
import json
import re
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import beacons
from tests.integration import fuzzing
from tests.integration.fuzzing import Target, fuzz
from tests.integration.http_fixtures import WAIT_SECONDS
from tests.running import RunningServer

STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
LEAD = b'{"email":"ana@example.com","message":"A head that lies"}'
VIEW = json.dumps(beacons.view("fuzz")).encode()
BODIES = {"/api/lead": LEAD, "/api/track": VIEW}
PATHS = st.sampled_from(sorted(BODIES))


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with fuzzing.target(tmp_path_factory.mktemp("fuzz")) as running:
        yield running


def statuses(server: RunningServer, sent: bytes, *, hang_up: bool = False) -> list[int]:
    """The statuses of all answers to what is sent over one connection, until it is closed.

    Who hangs up gets no answer.
    """
    answer = b""
    with closing(socket.create_connection(("127.0.0.1", server.port), WAIT_SECONDS)) as client:
        try:
            client.sendall(sent)
            if hang_up:
                client.shutdown(socket.SHUT_WR)
            while received := client.recv(65_536):
                answer += received
        except ConnectionError:
            pass  # the server may close on what is no HTTP
    return [int(status) for status in STATUS.findall(answer)]


def request(path: str, lines: list[bytes], body: bytes) -> bytes:
    """A request with these header lines as they are, the last of its connection."""
    start = [f"POST {path} HTTP/1.1".encode(), b"Host: x", b"Connection: close"]
    return b"\r\n".join([*start, *lines, b"", body])


# --- header values -------------------------------------------------------------

VALUES = st.binary(max_size=40).filter(lambda value: not set(value) & set(b"\r\n\x00"))
ODD_VALUES = st.sampled_from(
    [
        b"http://[",
        b"http://[::1",
        b"null",
        b"https://www.example.com:99999999",
        b"1.2.3.4, ::1, [::ffff:1.2.3.4]:80, unknown, 999.9.9.9",
        b"fe80::1%eth0",
        b"," * 2_000,
        b"%ff%00",
        b"\xff\xfe",
        b"gzip, zstd, identity;q=0",
        b"Bearer",
        b"Bearer \xff\xfe",
        b"Basic YTpi",
        b"multipart/form-data; boundary=\xff",
        b"application/json; charset=\xff",
        b"1" * 300,
        b"-1",
        b"*/*",
    ]
)
NAMES = st.sampled_from(
    [
        b"Accept",
        b"Authorization",
        b"CF-IPCountry",
        b"Content-Encoding",
        b"Content-Type",
        b"Cookie",
        b"Forwarded",
        b"Host",
        b"Idempotency-Key",
        b"Origin",
        b"Referer",
        b"Sec-Fetch-Mode",
        b"Sec-GPC",
        b"User-Agent",
        b"X-Forwarded-For",
        b"X-Forwarded-Proto",
        b"X-Requested-With",
    ]
)


@fuzz(120)
@given(path=PATHS, headers=st.lists(st.tuples(NAMES, VALUES | ODD_VALUES), max_size=6))
def test_request_with_any_header_values_is_answered_and_stored_whole_or_not(
    target: Target, path: str, headers: list[tuple[bytes, bytes]]
) -> None:
    before = target.counts()
    lines = [name + b": " + value for name, value in headers]
    body = BODIES[path]
    length = b"Content-Length: %d" % len(body)
    (status,) = statuses(target.server, request(path, [*lines, length], body))
    assert status in (201, 202, 303, 400, 401, 403, 415, 422)
    grown = target.grown(before)
    assert grown.get("Leads", 0) == grown.get("deliveries", 0) <= (status in (201, 303))
    if status >= 400:
        assert grown == {}


@pytest.mark.parametrize("agent", [b"\xff" * 600, b"a\tb", b"\x80Mozilla/5.0", b"x" * 30_000, b""])
def test_beacon_from_an_agent_of_any_bytes_is_stored_readably(target: Target, agent: bytes) -> None:
    visitor = f"agent-{len(agent)}-{agent[:2].hex()}"
    body = json.dumps(beacons.view(visitor)).encode()
    lines = [b"User-Agent: " + agent, b"Content-Length: %d" % len(body)]
    assert statuses(target.server, request("/api/track", lines, body)) == [202]
    (row,) = target.server.query("SELECT * FROM sessions WHERE visitor_id = ?", (visitor,))
    assert row["user_agent"] == agent.decode("latin-1")[:512]


@pytest.mark.parametrize("encoding", [b"gzip", b"br", b"deflate", b"zstd", b"x" * 9_000])
@pytest.mark.parametrize("path", sorted(BODIES))
def test_body_that_claims_to_be_compressed_is_read_as_it_is(
    target: Target, path: str, encoding: bytes
) -> None:
    body = BODIES[path]
    lines = [b"Content-Encoding: " + encoding, b"Content-Length: %d" % len(body)]
    (status,) = statuses(target.server, request(path, lines, body))
    assert status in (201, 202)


@pytest.mark.parametrize("kind", [b"application/json", b"text/plain"])
@pytest.mark.parametrize("path", sorted(BODIES))
def test_body_that_is_compressed_is_refused(target: Target, path: str, kind: bytes) -> None:
    packed = gzip.compress(BODIES[path] + b" " * 10_000_000)
    before = target.counts()
    lines = [b"Content-Encoding: gzip", b"Content-Type: " + kind]
    sent = request(path, [*lines, b"Content-Length: %d" % len(packed)], packed)
    assert statuses(target.server, sent) == [400]
    assert target.grown(before) == {}


# --- lengths that lie -----------------------------------------------------------


@fuzz(60)
@given(path=PATHS, claimed=st.integers(0, 200) | st.integers(60_000, 70_000))
def test_body_of_another_length_than_claimed_stores_what_came_whole_or_nothing(
    target: Target, path: str, claimed: int
) -> None:
    body = BODIES[path]
    before = target.counts()
    sent = request(path, [b"Content-Length: %d" % claimed], body)
    answered = statuses(target.server, sent, hang_up=claimed > len(body))
    assert all(status < 500 for status in answered)
    if claimed != len(body):
        assert target.grown(before) == {}
        assert not {201, 202} & set(answered)


@pytest.mark.parametrize("path", sorted(BODIES))
def test_body_of_the_length_claimed_is_taken(target: Target, path: str) -> None:
    body = BODIES[path]
    sent = request(path, [b"Content-Length: %d" % len(body)], body)
    assert set(statuses(target.server, sent)) <= {201, 202}


CHUNKED = [b"Transfer-Encoding: chunked"]
WHOLE_CHUNK = b"%x\r\n%s\r\n" % (len(LEAD), LEAD)


@fuzz(60)
@given(
    path=PATHS,
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=8),
    extension=st.sampled_from([b"", b";a=b", b';a="b;c"']),
    trailer=st.sampled_from([b"", b"Trailer: x\r\n"]),
)
def test_body_in_chunks_of_any_size_is_taken(
    target: Target, path: str, sizes: list[int], extension: bytes, trailer: bytes
) -> None:
    rest, chunks = BODIES[path], b""
    for size in [*sizes, len(rest)]:
        piece, rest = rest[:size], rest[size:]
        if piece:
            chunks += b"%x%s\r\n%s\r\n" % (len(piece), extension, piece)
    sent = request(path, CHUNKED, chunks + b"0\r\n" + trailer + b"\r\n")
    assert set(statuses(target.server, sent)) <= {201, 202}


@pytest.mark.parametrize(
    ("chunks", "answers"),
    [
        (b"zz\r\nx\r\n0\r\n\r\n", [400]),
        (b"-1\r\nx\r\n0\r\n\r\n", [400]),
        (b"5\r\n1234567\r\n0\r\n\r\n", [400]),
        (b"ffffffffffffffffff\r\n", [400]),
        (b"\r\n0\r\n\r\n", [400]),
        (b"ffffffff\r\n" + LEAD, []),
        (WHOLE_CHUNK, []),
        (WHOLE_CHUNK + b"0\r\n", []),
        (WHOLE_CHUNK + b"0\r\nTrailer: x\r\n", []),
        (b"", []),
    ],
)
@pytest.mark.parametrize("path", sorted(BODIES))
def test_chunks_that_are_no_body_store_nothing(
    target: Target, path: str, chunks: bytes, answers: list[int]
) -> None:
    before = target.counts()
    sent = request(path, CHUNKED, chunks)
    assert statuses(target.server, sent, hang_up=not answers) == answers
    assert target.grown(before) == {}


@fuzz(60)
@given(sent=st.binary(max_size=100), start=st.sampled_from([b"", b"POST /api/lead HTTP/1.1\r\n"]))
def test_bytes_that_are_no_request_store_nothing(target: Target, sent: bytes, start: bytes) -> None:
    before = target.counts()
    answered = statuses(target.server, start + sent, hang_up=True)
    assert all(400 <= status < 500 for status in answered)
    assert target.grown(before) == {}


def test_beacons_in_one_burst_are_all_answered(target: Target) -> None:
    bodies = [json.dumps(beacons.view(f"burst-{number}")).encode() for number in range(50)]
    requests = [request("/api/track", [b"Content-Length: %d" % len(body)], body) for body in bodies]
    kept_alive = [one.replace(b"Connection: close\r\n", b"") for one in requests[:-1]]
    sent = b"".join([*kept_alive, requests[-1]])
    assert statuses(target.server, sent) == [202] * 50


def test_requests_in_one_burst_whose_sender_hangs_up_leave_no_error(tmp_path: Path) -> None:
    bursts = []
    for paths in (["/api/lead"] * 10, ["/api/track"] * 10, ["/api/lead", "/api/track"]):
        requests = [
            request(path, [b"Content-Length: %d" % len(BODIES[path])], BODIES[path])
            for path in paths
        ]
        bursts.append(b"".join(requests).replace(b"Connection: close\r\n", b""))
    with fuzzing.target(tmp_path) as target:  # whose log is looked at when it has ended
        for burst in bursts * 10:
            statuses(target.server, burst, hang_up=True)
