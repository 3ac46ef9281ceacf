"""The way out, over real sockets: what is refused, what is cut, and what becomes of each answer."""

from __future__ import annotations

import asyncio
import gzip
import logging
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from standardwebhooks.webhooks import Webhook

from server.destinations.egress import (
    MAX_BODY_BYTES,
    Egress,
    EgressError,
    PrivateTargetError,
    Resolve,
    TargetRefusedError,
    is_public,
    system_resolve,
)
from server.destinations.make_webhook import NAME, MakeWebhook, WebhookTarget
from server.domain.delivery import Delivery, Outcome, Verdict
from server.domain.ids import ClientId, DeliveryId

NOW = datetime(2026, 11, 3, 10, 20, 30, tzinfo=UTC)
BODY = '{"name":"Zoë"}'
SECRET_PATH = "/kept-secret?token=kept-secret"
SHORT_SECONDS = 0.2
NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts nobody; loading the real authorities for every test takes its time."""


@dataclass
class Received:
    """A request as it came over the wire; header names in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes


Respond = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Receiver:
    """A server under test control: its port and what it got."""

    port: int = 0
    connections: int = 0
    received: list[Received] = field(default_factory=list)
    closed: int = 0

    async def until(self, done: Callable[[Receiver], bool]) -> None:
        """Wait until `done`, for at most 5 s."""
        async with asyncio.timeout(5):
            while not done(self):  # noqa: ASYNC110 # the sockets signal nothing else
                await asyncio.sleep(0.001)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{SECRET_PATH}"


async def read_request(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *fields = head.strip().split("\r\n")
    headers = {name.lower(): value for name, value in (text.split(": ", 1) for text in fields)}
    return Received(line, headers, await reader.readexactly(int(headers["content-length"])))


@asynccontextmanager
async def receiving(
    respond: Respond,
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
    *,
    greets: bool = False,
) -> AsyncIterator[Receiver]:
    """Serve: each request is read and kept, then `respond` writes whatever it likes.

    One that `greets` responds at once, before any request.
    """
    this = Receiver()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        this.connections += 1
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            if greets:
                await respond(reader, writer)
            while not writer.is_closing():
                this.received.append(await read_request(reader))
                await respond(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client hung up, as it may, or the test is over
        finally:
            this.closed += 1
            writer.transport.abort()
            tasks.discard(task)

    server = await asyncio.start_server(serve, host, 0, ssl=tls)
    this.port = server.sockets[0].getsockname()[1]
    try:
        yield this
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


@asynccontextmanager
async def closing(egress: Egress) -> AsyncIterator[Egress]:
    try:
        yield egress
    finally:
        await egress.close()


def local_egress(timeout_seconds: float = 10.0) -> Egress:
    return Egress(allow_private=True, timeout_seconds=timeout_seconds, ssl_context=NO_AUTHORITIES)


def strict_egress(resolve: Resolve = system_resolve, timeout_seconds: float = 5.0) -> Egress:
    """Private addresses refused, as by default."""
    return Egress(timeout_seconds=timeout_seconds, resolve=resolve, ssl_context=NO_AUTHORITIES)


def answering(raw: str | bytes) -> Respond:
    data = raw.encode() if isinstance(raw, str) else raw

    async def respond(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return respond


def plain(status: int, *fields: str, body: str = "") -> Respond:
    lines = [f"HTTP/1.1 {status} Whatever", f"content-length: {len(body.encode())}", *fields]
    return answering("\r\n".join([*lines, "", body]))


def resolving(*addresses: str) -> Resolve:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return addresses

    return resolve


async def post(egress: Egress, url: str) -> tuple[int, bytes]:
    answer = await egress.post(url, headers={"content-type": "x/y"}, content=BODY.encode())
    return answer.status, answer.body


async def delivered_to(
    respond: Respond, *, secret: str = "", timeout_seconds: float = 10.0
) -> tuple[Outcome, Receiver]:
    """One delivery to a local receiver: how it ended and what the receiver saw."""
    async with (
        receiving(respond) as target,
        closing(local_egress(timeout_seconds)) as egress,
    ):
        destination = MakeWebhook(egress, lambda _client: WebhookTarget(target.url, secret))
        delivery = Delivery(DeliveryId("dl_1"), ClientId(1), NAME, "ld_1", BODY)
        return await destination.send(delivery, NOW), target


# ---- answers and their outcomes


async def test_delivery_when_answered_200_is_delivered_with_the_stored_bytes() -> None:
    outcome, target = await delivered_to(plain(200, body="Accepted"), secret="sëcret")

    assert outcome == Outcome(Verdict.DELIVERED, status=200, response="Accepted")
    (request,) = target.received
    signature = Webhook("sëcret".encode()).sign("dl_1", NOW, BODY)
    assert request.line == f"POST {SECRET_PATH} HTTP/1.1"
    assert request.body == BODY.encode()
    assert request.headers.pop("user-agent").startswith("propgauge")
    assert request.headers == {
        "host": f"127.0.0.1:{target.port}",
        "accept": "*/*",
        "accept-encoding": "identity",
        "connection": "close",
        "content-type": "application/json",
        "content-length": str(len(BODY.encode())),
        "webhook-id": "dl_1",
        "webhook-timestamp": str(int(NOW.timestamp())),
        "webhook-signature": signature,
    }


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (204, Verdict.DELIVERED),
        (400, Verdict.FAIL),
        (404, Verdict.PAUSE),
        (410, Verdict.PAUSE),
        (500, Verdict.RETRY),
        (503, Verdict.RETRY),
    ],
)
async def test_delivery_when_answered_is_judged_by_its_status(
    status: int, verdict: Verdict
) -> None:
    outcome, _target = await delivered_to(plain(status))
    assert (outcome.verdict, outcome.status) == (verdict, status)


async def test_delivery_when_redirected_follows_nothing_and_is_retried() -> None:
    async with receiving(plain(200)) as elsewhere:
        outcome, target = await delivered_to(plain(302, f"location: {elsewhere.url}"))
    assert (outcome.verdict, outcome.status) == (Verdict.RETRY, 302)
    assert (len(target.received), elsewhere.connections) == (1, 0)


async def test_delivery_when_told_to_wait_keeps_the_seconds() -> None:
    outcome, _target = await delivered_to(plain(429, "Retry-After: 77"))
    assert (outcome.verdict, outcome.retry_after_seconds) == (Verdict.RETRY, 77)


async def test_delivery_when_told_to_wait_until_a_date_keeps_the_seconds() -> None:
    date = format_datetime(NOW + timedelta(minutes=2), usegmt=True)
    outcome, _target = await delivered_to(plain(429, f"retry-after: {date}"))
    assert outcome.retry_after_seconds == 120


async def test_delivery_when_the_connection_is_reset_is_retried() -> None:
    async def reset(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    outcome, _target = await delivered_to(reset)
    assert outcome == Outcome(Verdict.RETRY, error="127.0.0.1 broke the connection off")


async def test_delivery_when_reset_in_mid_body_is_retried() -> None:
    async def half(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
        await writer.drain()
        writer.close()

    outcome, _target = await delivered_to(half)
    assert outcome.verdict is Verdict.RETRY


async def test_delivery_when_hung_up_on_is_retried() -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    outcome, _target = await delivered_to(hang_up)
    assert outcome == Outcome(Verdict.RETRY, error="127.0.0.1 hung up or did not speak HTTP")


async def test_delivery_when_nobody_listens_is_retried() -> None:
    async with receiving(plain(200)) as gone:
        pass
    async with closing(local_egress()) as egress:
        with pytest.raises(EgressError, match=r"^127\.0\.0\.1 could not be connected to$"):
            await post(egress, gone.url)


async def test_delivery_when_the_answer_echoes_the_request_tells_no_secret() -> None:
    async def echo(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"POST {SECRET_PATH} HTTP/1.1\r\n\r\n".encode())
        await writer.drain()

    outcome, _target = await delivered_to(echo)
    assert outcome == Outcome(Verdict.RETRY, error="127.0.0.1 hung up or did not speak HTTP")


async def test_delivery_when_logged_at_any_level_tells_no_secret(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name in (None, "httpx", "httpcore"):
        caplog.set_level(logging.DEBUG, logger=name)
    await delivered_to(plain(200))
    assert caplog.records
    assert "kept-secret" not in caplog.text


# ---- time and size


async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
    while True:
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.01)


async def drip_headers(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"x: y\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


async def interim_for_ever(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


async def silence(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("slow", [drip, drip_headers, interim_for_ever, silence])
async def test_delivery_when_the_answer_is_slow_is_cut_and_retried(slow: Respond) -> None:
    outcome, _target = await delivered_to(slow, timeout_seconds=SHORT_SECONDS)
    assert outcome == Outcome(Verdict.RETRY, error="127.0.0.1 gave no complete answer within 0.2 s")


async def test_post_when_the_resolver_hangs_is_cut() -> None:
    async def never(_host: str, _port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    async with closing(strict_egress(never, timeout_seconds=0.05)) as egress:
        with pytest.raises(EgressError, match=r"^hook\.example gave no complete answer"):
            await post(egress, "https://hook.example/")


async def test_post_when_cancelled_is_cancelled() -> None:
    async with receiving(silence) as target, closing(local_egress()) as egress:
        task = asyncio.create_task(post(egress, target.url))
        await target.until(lambda this: bool(this.received))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_post_when_one_receiver_hangs_serves_the_others() -> None:
    async with (
        receiving(silence) as dead,
        receiving(plain(200)) as alive,
        closing(local_egress()) as egress,
    ):
        stuck = [asyncio.create_task(post(egress, dead.url)) for _number in range(50)]
        await dead.until(lambda this: len(this.received) == len(stuck))
        assert await post(egress, alive.url) == (200, b"")
        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)


@pytest.mark.parametrize("framing", ["transfer-encoding: chunked", "content-length: 1000000000"])
async def test_post_when_the_body_has_no_end_keeps_status_and_64_kib(framing: str) -> None:
    block = b"x" * 0x1000
    piece = b"1000\r\n" + block + b"\r\n" if "chunked" in framing else block

    async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 410 Gone\r\n{framing}\r\n\r\n".encode())
        while True:
            writer.write(piece)
            await writer.drain()

    async with receiving(endless) as target, closing(local_egress()) as egress:
        assert await post(egress, target.url) == (410, b"x" * MAX_BODY_BYTES)


async def test_post_when_the_headers_have_no_end_is_cut() -> None:
    async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"x: " + b"y" * 4096 + b"\r\n")
            await writer.drain()

    outcome, _target = await delivered_to(endless)
    assert outcome == Outcome(Verdict.RETRY, error="127.0.0.1 hung up or did not speak HTTP")


async def test_post_when_the_body_is_a_gzip_bomb_does_not_unpack_it() -> None:
    bomb = gzip.compress(bytes(20_000_000))
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(bomb)}\r\n\r\n"
    async with (
        receiving(answering(head.encode() + bomb)) as target,
        closing(local_egress()) as egress,
    ):
        assert await post(egress, target.url) == (200, bomb[:MAX_BODY_BYTES])


# ---- connections


async def test_post_when_repeated_opens_a_checked_connection_each() -> None:
    asked: list[str] = []

    async def resolve(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]

    async with (
        receiving(plain(200, body="ok")) as target,
        closing(Egress(allow_private=True, resolve=resolve)) as egress,
    ):
        for _number in range(3):
            assert await post(egress, f"http://hook.example:{target.port}/") == (200, b"ok")
        assert (target.connections, asked) == (3, ["hook.example"] * 3)


async def test_post_when_the_last_answer_ran_over_is_not_answered_by_the_rest() -> None:
    forged = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged"
    async with (
        receiving(answering("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n" + forged)) as target,
        closing(local_egress()) as egress,
    ):
        assert (await post(egress, target.url))[0] == 500
        assert (await post(egress, target.url))[0] == 500


async def test_post_when_a_proxy_is_in_the_environment_ignores_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with (
        receiving(plain(502)) as proxy,
        receiving(plain(200)) as target,
    ):
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        async with closing(local_egress()) as egress:
            assert (await post(egress, target.url))[0] == 200
        assert proxy.connections == 0


async def test_post_when_the_first_address_is_dead_dials_the_next() -> None:
    async with receiving(plain(200)) as target:
        egress = Egress(allow_private=True, resolve=resolving("127.0.0.2", "127.0.0.1"))
        async with closing(egress):
            assert await post(egress, f"http://hook.example:{target.port}/") == (200, b"")


def has_ipv6() -> bool:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
    return True


async def test_post_to_an_ipv6_host_brackets_the_host_header() -> None:
    if not has_ipv6():
        pytest.skip("this machine has no IPv6")
    async with receiving(plain(200), host="::1") as target, closing(local_egress()) as egress:
        assert (await post(egress, f"http://[::1]:{target.port}/"))[0] == 200
        assert target.received[0].headers["host"] == f"[::1]:{target.port}"


# ---- names and certificates


@dataclass(frozen=True)
class Authority:
    """A certificate authority for tests, with the key that signs."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def trusting(self) -> ssl.SSLContext:
        pem = self.certificate.public_bytes(serialization.Encoding.PEM).decode()
        return ssl.create_default_context(cadata=pem)

    def serving(self, name: str, folder: Path, seen: list[str]) -> ssl.SSLContext:
        """A server context for `name`; `seen` gets each SNI name a client asks for."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = a_certificate(name, key, self)
        path = folder / f"{name}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        context.sni_callback = lambda _socket, sni, _context: seen.append(sni or "")
        return context


SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def a_certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: Authority | None
) -> x509.Certificate:
    now, signer = datetime.now(UTC), issuer.key if issuer else key
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if issuer is None:
        builder = builder.add_extension(SIGNS_CERTIFICATES, critical=True)
    return builder.sign(signer, hashes.SHA256())


@pytest.fixture(scope="module")
def authority() -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    return Authority(key, a_certificate("Test CA", key, None))


def tls_egress(authority: Authority) -> Egress:
    return Egress(
        allow_private=True, resolve=resolving("127.0.0.1"), ssl_context=authority.trusting()
    )


async def test_post_over_tls_asks_for_the_name_and_sends_it_with_the_port(
    authority: Authority, tmp_path: Path
) -> None:
    seen: list[str] = []
    tls = authority.serving("hook.example", tmp_path, seen)
    async with receiving(plain(200), tls) as target, closing(tls_egress(authority)) as egress:
        assert (await post(egress, f"https://Hook.Example:{target.port}/x"))[0] == 200
        assert seen == ["hook.example"]
        assert target.received[0].headers["host"] == f"hook.example:{target.port}"


async def test_post_over_tls_when_the_name_is_another_is_not_sent(
    authority: Authority, tmp_path: Path
) -> None:
    tls = authority.serving("evil.example", tmp_path, [])
    async with receiving(plain(200), tls) as target, closing(tls_egress(authority)) as egress:
        with pytest.raises(EgressError, match=r"certificate that is not accepted: Hostname mism"):
            await post(egress, f"https://hook.example:{target.port}/")
        assert target.received == []


async def test_post_over_tls_when_a_connection_to_the_address_is_open_verifies_the_new_name(
    authority: Authority, tmp_path: Path
) -> None:
    tls = authority.serving("evil.example", tmp_path, [])
    async with receiving(plain(200), tls) as target, closing(tls_egress(authority)) as egress:
        assert (await post(egress, f"https://evil.example:{target.port}/"))[0] == 200
        with pytest.raises(EgressError, match=r"^hook\.example showed a certificate"):
            await post(egress, f"https://hook.example:{target.port}/")
        assert len(target.received) == 1


async def test_post_over_tls_when_nobody_vouches_for_the_receiver_is_not_sent(
    authority: Authority, tmp_path: Path
) -> None:
    tls = authority.serving("hook.example", tmp_path, [])
    egress = Egress(allow_private=True, resolve=resolving("127.0.0.1"))
    async with receiving(plain(200), tls) as target, closing(egress):
        with pytest.raises(EgressError, match="certificate that is not accepted"):
            await post(egress, f"https://hook.example:{target.port}/")
        assert target.received == []


async def test_post_over_tls_when_the_receiver_speaks_plain_http_fails(
    authority: Authority,
) -> None:
    async with (
        receiving(plain(200), greets=True) as target,
        closing(tls_egress(authority)) as egress,
    ):
        with pytest.raises(EgressError, match=r"^hook\.example failed the TLS handshake: "):
            await post(egress, f"https://hook.example:{target.port}/")


async def test_post_over_tls_when_the_handshake_stalls_is_cut_and_the_connection_closed(
    authority: Authority,
) -> None:
    egress = Egress(
        allow_private=True, timeout_seconds=SHORT_SECONDS, ssl_context=authority.trusting()
    )
    async with receiving(silence) as target, closing(egress):
        with pytest.raises(EgressError, match="gave no complete answer"):
            await post(egress, f"https://127.0.0.1:{target.port}/")
        await target.until(lambda this: this.closed == this.connections == 1)


# ---- what is refused


NOT_PUBLIC = (
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::8.8.8.8",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:10::1",
    "2001:20::1",
    "2001:4:112::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%lo",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
)

PUBLIC = (
    "1.1.1.1",
    "8.8.8.8",
    "172.32.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2606:4700:4700::1111",
    "2a00:1450:4001::1",
)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_is_public_of_an_address_inside_says_no(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_is_public_of_an_address_outside_says_yes(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("address", NOT_PUBLIC)
async def test_post_when_one_of_the_addresses_is_inside_is_refused(address: str) -> None:
    async with closing(strict_egress(resolving("8.8.8.8", address))) as egress:
        with pytest.raises(PrivateTargetError) as refusal:
            await post(egress, f"https://hook.example{SECRET_PATH}")
    assert str(refusal.value) == "hook.example has an address that is not public"


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "0177.0.0.1",
        "127。0。0。1",
        "0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fec0::1]",
        "224.0.0.1",
        "192.0.0.8",
        "169.254.169.254",
    ],
)
async def test_post_to_any_spelling_of_an_inner_address_is_refused(host: str) -> None:
    async with receiving(plain(200)) as target, closing(strict_egress()) as egress:
        with pytest.raises(TargetRefusedError):
            await post(egress, f"http://{host}:{target.port}{SECRET_PATH}")
        assert target.connections == 0


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://hook.example/kept-secret", "does not begin with"),
        ("file:///kept-secret", "does not begin with"),
        ("hook.example/kept-secret", "does not begin with"),
        ("https:///kept-secret", "does not begin with"),
        ("", "does not begin with"),
        ("https://ann:kept-secret@hook.example/", "of hook.example carries credentials"),
        ("https://ann@hook.example/", "of hook.example carries credentials"),
        ("https://hook.example:99999/kept-secret", "has no possible port"),
        ("https://hook.example:0/kept-secret", "has no possible port"),
        ("https://hook.example:x/kept-secret", "is not a URL"),
        ("https://[::1/kept-secret", "is not a URL"),
        ("https://hook.example/\x00kept-secret", "is not a URL"),
        ("https://hook.example/\ud800kept-secret", "is not a URL"),
    ],
)
async def test_post_to_an_odd_address_is_refused_and_tells_no_secret(
    url: str, message: str
) -> None:
    async with closing(strict_egress(resolving("8.8.8.8"))) as egress:
        with pytest.raises(TargetRefusedError, match=message) as refusal:
            await post(egress, url)
    assert not isinstance(refusal.value, PrivateTargetError)
    assert "kept-secret" not in str(refusal.value)


@pytest.mark.parametrize("host", [f"{'x' * 64}.example", "a..example", ".example"])
async def test_post_to_a_name_that_cannot_exist_is_an_error_not_a_crash(host: str) -> None:
    async with closing(strict_egress()) as egress:
        with pytest.raises((EgressError, TargetRefusedError)):
            await post(egress, f"https://{host}/")


async def test_post_when_the_name_is_unknown_is_an_error_to_retry() -> None:
    async def unknown(_host: str, _port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async with closing(strict_egress(unknown)) as egress:
        with pytest.raises(EgressError, match=r"^hook\.example could not be resolved$"):
            await post(egress, "https://hook.example/")


async def test_post_when_the_name_has_no_address_is_an_error_to_retry() -> None:
    async with closing(strict_egress(resolving())) as egress:
        with pytest.raises(EgressError, match=r"^hook\.example could not be connected to$"):
            await post(egress, "https://hook.example/")


async def test_system_resolve_of_a_numeric_host_names_each_address_once() -> None:
    assert await system_resolve("127.0.0.1", 80) == ["127.0.0.1"]
