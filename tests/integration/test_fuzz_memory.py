"""The server's memory stays flat, whatever comes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests import beacons
from tests.integration import fuzzing
from tests.integration.fuzzing import Target
from tests.integration.hostile import JSON, MULTIPART, URLENCODED, part

KIB, MIB = 1024, 1024**2
BODY_BYTES = 60 * KIB
BOUND_BYTES = 6 * MIB
"""Growth that caches and a fragmented heap may cause (1 MiB was measured); what each test sends
is several times as much, so that keeping it would show."""

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with fuzzing.target(tmp_path_factory.mktemp("fuzz")) as running:
        yield running


def resident_bytes(target: Target) -> int:
    """The memory that the server's process holds (Linux)."""
    status = Path(f"/proc/{target.server.process.pid}/status").read_text(encoding="ascii")
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * KIB


def filler() -> str:
    """Text of a large body that no other body holds."""
    return f"{next(_numbers):08}" * (BODY_BYTES // 8)


def storm(target: Target, rounds: int) -> None:
    """Large bodies of every kind, taken and refused, and refused ones of 1 to 3 MiB."""
    for number in range(rounds):
        text = filler()
        lead = json.dumps({"email": "ana@example.com", "message": text}).encode()
        visitor = f"visitor-{number}-{text[:8]}"
        beacon = json.dumps(beacons.view(visitor, extra=text)).encode()
        answers = [
            target.post("/api/lead", lead, JSON),
            target.post("/api/lead", json.dumps({"message": text}).encode(), JSON),
            target.post("/api/lead", f"message={text}".encode(), URLENCODED),
            target.post("/api/lead", part("email", text.encode())[:-9], MULTIPART),
            target.post("/api/track", beacon),
            target.post("/api/track", beacon[:-1]),
        ]
        assert [answer.status_code for answer in answers] == [201, 422, 422, 400, 202, 400]
    for size in (MIB, 3 * MIB) * (rounds // 10):
        body = filler().encode() * (size // BODY_BYTES)
        for path in ("/api/lead", "/api/track"):
            with httpx.Client(base_url=target.server.url, trust_env=False, timeout=30) as http:
                assert http.post(path, content=body).status_code == 413


def growth(target: Target, send: Callable[[int], None]) -> int:
    """By how much the server's memory grows from many requests, once it is warm from some."""
    send(20)
    before = resident_bytes(target)
    send(400)
    return resident_bytes(target) - before


def test_memory_after_a_storm_of_large_bodies_is_as_before(target: Target) -> None:
    """Each connection of the store fills its cache once (2 MiB), whenever it is first asked."""
    storm(target, 15)
    growths = []
    for _storm in range(2):
        before = resident_bytes(target)
        storm(target, 50)
        growths.append(resident_bytes(target) - before)
    assert min(growths) < BOUND_BYTES


def test_memory_after_charsets_that_nobody_knows_is_as_before(target: Target) -> None:
    def send(count: int) -> None:
        for _request in range(count):
            kind = f"{URLENCODED}; charset={filler()[: 30 * KIB]}"
            assert target.post("/api/lead", b"email=a%40b", kind).status_code == 415

    assert growth(target, send) < BOUND_BYTES


def test_memory_after_senders_that_all_differ_is_as_before(target: Target) -> None:
    def send(count: int) -> None:
        for _request in range(count):
            text = filler()[: 30 * KIB]
            headers = {"x-forwarded-for": f"198.18.0.1, {text}", "user-agent": text, "origin": text}
            body = json.dumps(beacons.view(f"sender-{text[:8]}", site=text[:100])).encode()
            assert target.post("/api/track", body, **headers).status_code == 202

    assert growth(target, send) < BOUND_BYTES
