"""The logs: JSON lines on standard error, without secrets and personal data."""

from __future__ import annotations

import io
import json
import logging
import signal
from contextlib import closing
from pathlib import Path
from socket import create_connection
from typing import Any

import httpx
import pytest

from server.logs import JsonFormatter, Redactor
from tests.beacons import view
from tests.integration.http_fixtures import eventually
from tests.integration.test_cli import Installation
from tests.integration.test_lifecycle import serving
from tests.receiver import Receiver

HOOK_PATH = "/hidden-hook-path"
WEBHOOK_SECRET = "hidden-webhook-secret"
SECRET_KEY = "hidden-secret-key-of-forty-characters-xy"


@pytest.fixture
def everywhere(tmp_path: Path, receiver: Receiver) -> tuple[str, list[str], dict[str, str]]:
    """Everything a server wrote at LOG_LEVEL=debug while much went wrong, and what it must hide."""
    hook = receiver.url.replace("/hook", HOOK_PATH)
    settings = {
        "LOG_LEVEL": "debug",
        "MAKE_WEBHOOK_URL": hook,
        "MAKE_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "SECRET_KEY": SECRET_KEY,
        "ALLOW_PRIVATE_TARGETS": "on",
        "TRUSTED_PROXIES": "127.0.0.1",
        "DEMO": "off",
    }
    run = Installation(tmp_path / "one" / "data")
    own_hook = f"{hook}-of-client-2"
    run.done("client", "add", "Acme", "--webhook-url", own_hook, SECRET_KEY=SECRET_KEY)
    keys = [
        run.done("key", "create", "Make", "--scope", "write", "--client", client)[-1]
        for client in ("1", "2")
    ]
    # A receiver that echoes what it was sent, as careless ones do.
    receiver.status = 500
    receiver.answer_headers = {
        "location": own_hook,
        "x-echo": f"{HOOK_PATH} ana@example.com +442079460123",
    }
    with serving(tmp_path / "one", settings) as server:
        with httpx.Client(base_url=server.url, trust_env=False) as client:
            make_trouble(client, keys)
        make_more_trouble(int(server.url.rpartition(":")[2]))
        receiver.wait_for(2)
        eventually(lambda: True if server.errors.read_text().count(": retry (") >= 2 else None)
        server.end(signal.SIGTERM)
        written = server.errors.read_text()
    hidden = {
        "e-mail": "@example.com",
        "name": "Hidden Name",
        "phone": "2079460123",
        "spaced phone": "7946 0123",
        "key 1": keys[0],
        "key 2": keys[1],
        "unknown key": "pg_unknown-key-0123456789",
        "webhook": HOOK_PATH,
        "webhook secret": WEBHOOK_SECRET,
        "secret key": SECRET_KEY,
        "address": "203.0.113.77",
    }
    return written, server.banner, hidden


def make_trouble(client: httpx.Client, keys: list[str]) -> None:
    """Send leads and beacons, good ones and bad."""
    lead: dict[str, Any] = {
        "name": "Hidden Name",
        "email": "ana@example.com",
        "phone": "+442079460123",
        "message": "Call me: +44 20 7946 0123, hidden@example.com",
    }
    forwarded = {"x-forwarded-for": "203.0.113.77"}
    client.post("/api/track", json=view("ana"), headers=forwarded)
    client.post("/api/track", content=b'{"visitor_id": "ana@example.com"}')
    for key in keys:
        answer = client.post("/api/lead", json=lead, headers={"authorization": f"Bearer {key}"})
        assert answer.status_code == 201
    for token in ("pg_unknown-key-0123456789", keys[0] + "x"):
        client.post("/api/lead", json=lead, headers={"authorization": f"Bearer {token}"})
    client.post("/api/lead", content=b'{"email": "ana@example.com"')
    client.post("/api/lead", json={"name": "Hidden Name", "message": "no contact"})
    client.post("/api/lead", json={"email": "ana@example.com", "extra": "x" * 70_000})
    client.post(
        "/api/lead",
        content=b"--b\r\nContent-Disposition: form-data; name=ana@example.com\r\n",
        headers={"content-type": "multipart/form-data; boundary=b"},
    )
    client.post("/api/lead", files={"email": (None, "ana@example.com"), "phone": (None, "1")})
    client.get("/nowhere/ana@example.com?phone=+442079460123&key=pg_unknown-key-0123456789")


def make_more_trouble(port: int) -> None:
    """Send what is no HTTP, and hang up in the middle."""
    for sent in (
        b"GET /ana@example.com +442079460123\r\n\r\n",
        b"POST /api/lead HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n{ana@example.com",
        b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: ana@example.com\r\n\r\n",
    ):
        with closing(create_connection(("127.0.0.1", port))) as client:
            client.sendall(sent)
            client.settimeout(0.2)
            try:
                client.recv(1_000)
            except TimeoutError:
                continue


def test_log_of_a_server_in_trouble_is_json_lines_and_gives_nobody_away(
    everywhere: tuple[str, list[str], dict[str, str]],
) -> None:
    written, banner, hidden = everywhere
    lines = [json.loads(line) for line in written.splitlines()]
    assert len(lines) >= 2
    for line in lines:
        assert line.keys() - {"trace"} == {"time", "level", "logger", "message"}
        assert line["level"] in ("debug", "info", "warning", "error", "critical")
        assert line["time"].endswith("+00:00")
    assert {name for name, text in hidden.items() if text in written + "".join(banner)} == set()
    (warning, *_more) = [line for line in lines if line["logger"].endswith("deliver_outbox")]
    assert warning["level"] == "warning"
    assert "to make_webhook: retry (the webhook answered 500)" in warning["message"]
    assert "msg_" in warning["message"]
    assert [line for line in lines if line["level"] in ("error", "critical")] == []


def logged(message: str, *args: object, secrets: tuple[str, ...] = (), **more: Any) -> str:
    """A line as it would stand on standard error."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter(Redactor(secrets)))
    logger = logging.Logger("test.logger")  # noqa: LOG001  must not reach the others
    logger.addHandler(handler)
    logger.warning(message, *args, **more)
    return stream.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1",
        "from 203.0.113.77 port 51234",
        "('127.0.0.1', 8787)",
        "http://127.0.0.1:8787/demo/",
        "10.0.0.1, 10.0.0.2,192.168.100.200",
        "10.0.0.0/8 192.168.0.0/16",
        "2001:db8::1",
        "2001:0db8:85a3:0000:0000:8a2e:0370:7334",
        "fd00:1234:5678:9012:3456:7890:1234:5678",
        "[::ffff:203.0.113.77]:51234",
        "2026-11-22T01:44:16.838+00:00",
        "2026-11-22T01:44:16.838Z",
        "due 2026-11-22T01:44:16.838Z, then 2026-11-22T01:44:21.838Z",
        "2026-11-22 01:44:16",
        "2026-11-22 01:44:16,838",
        "since 2026-11-22",
        "2026-11-22 2026-11-23",
        "Sun, 22 Nov 2026 01:48:13 GMT",
        "msg_1a200ed02e1c3352832e42912cd2b",
        "lead_01987654321012345678901234567",
        "7b0c1d2e-1234-5678-9012-345678901234",
        "in 0.123456789 s",
        "after 6.737912345 s and 12.3456789 s",
        "took 12.5 ms, 1.25e-05 s",
        "Started server process [1234567]",
        "HTTP/1.1 404 0",
        "SQLite 3.50.4, Python 3.11.7",
        "status 500 attempts 10 in 86400 s",
        "line 1 column 12 (char 11)",
        "user@host",
    ],
)
def test_log_when_it_holds_addresses_times_and_numbers_leaves_them(text: str) -> None:
    assert json.loads(logged("%s", text))["message"] == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ana@example.com", "[email]"),
        ("mail <ana.b+c@mail.example.co.uk>, please", "mail <[email]>, please"),
        ("{'email': 'ana@example.com'}", "{'email': '[email]'}"),
        ('"ANA@EXAMPLE.COM"', '"[email]"'),
        ("zoë@exämple.com", "[email]"),
        ("анна@пример.рф", "[email]"),
        ("mailto:ana@example.com?x", "[email]?x"),
        ("/u/ana%40example.com/x", "[email]/x"),
        ("+442079460123", "[phone]"),
        ("call +44 20 7946 0123 now", "call [phone] now"),
        ("+44 (0)20 7946-0123", "[phone]"),
        ("(020) 7946 0123", "([phone]"),
        ("020 7946 0123", "[phone]"),
        ("02079460123", "[phone]"),
        ("0044 20 7946 0123", "[phone]"),
        ("+971 50 123 4567", "[phone]"),
        ("050-123-4567", "[phone]"),
        ("{'phone': '+971501234567'}", "{'phone': '[phone]'}"),
        ("phone=+971501234567&x", "phone=[phone]&x"),
        ("phone:+971501234567", "phone:[phone]"),
        ("tel:0501234567", "tel:[phone]"),
        ("Authorization: Bearer pg_AbCdEf0123456789-_AbCdEf", "Authorization: Bearer [secret]"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "[secret]"),
    ],
)
def test_log_when_it_holds_personal_data_or_keys_hides_them(text: str, shown: str) -> None:
    assert json.loads(logged("%s", text))["message"] == shown


def test_log_when_it_holds_a_given_secret_hides_the_whole_of_it() -> None:
    secrets = ("https://hook.example.com/abc", "https://hook.example.com/abc/longer", "")
    line = logged("to %s and %s", *secrets[1::-1], secrets=secrets)
    assert json.loads(line)["message"] == "to [secret] and [secret]"


def test_log_when_something_crashed_holds_its_redacted_trace_in_the_same_line() -> None:
    crash = ValueError("cannot reach ana@example.com\nor +442079460123 with topsecret")
    line = logged("crashed", exc_info=crash, secrets=("topsecret",))
    assert line.count("\n") == 1
    entry = json.loads(line)
    assert entry["message"] == "crashed"
    assert entry["trace"].startswith("ValueError: ")
    assert "cannot reach [email]\nor [phone] with [secret]" in entry["trace"]


@pytest.mark.parametrize("text", ["two\nlines", "\x00\x1b[31m", '"quoted" \\', "Zoë \u2028 \ud800"])
def test_log_when_the_text_is_odd_is_still_one_line_of_json(text: str) -> None:
    line = logged("%s", text)
    assert line.count("\n") == 1
    assert len(line.splitlines()) == 1 or "\u2028" in line
    entry = json.loads(line)
    assert entry["message"] == text
    assert (entry["level"], entry["logger"]) == ("warning", "test.logger")
