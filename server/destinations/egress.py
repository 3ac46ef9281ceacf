"""Egress: the only way out to addresses that users configure. It knows no destination.

It stands on httpcore and not on httpx, which takes proxies from the environment, keeps cookies,
unpacks what it reads and logs whole addresses.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import cast

import httpcore
import httpx

TOTAL_SECONDS = 15.0
"""For everything: name, connection, request, answer (facts/reliability-and-security.md)."""

CONNECT_SECONDS = 5.0
"""For one address of a host, so that a dead first one leaves time for the next."""

MAX_BODY_BYTES = 64 * 1024
KEPT_HEADERS = ("retry-after",)

REQUEST_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "Connection": "close"}
"""One connection a post: each is checked afresh, never stale, and what a receiver sends too much
is never taken for its answer to the next."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to addresses; raises OSError or ValueError for a name that has none."""

Address = IPv4Address | IPv6Address

_GLOBAL_UNICAST = ip_network("2000::/3")
_NAT64 = ip_network("64:ff9b::/96")
_NEVER_PUBLIC = tuple(
    ip_network(network)
    for network in (
        "192.0.0.0/24",  # protocol assignments; older Pythons call 192.0.0.8 global
        "192.88.99.0/24",  # 6to4 relays
        "168.63.129.16/32",  # Azure's host, seen from its virtual machines
        "224.0.0.0/4",  # multicast, of which is_global lets most pass
        "2001::/23",  # protocol assignments: Teredo, ORCHID, AMT
        "2002::/16",  # 6to4 carries any IPv4 address
        "3fff::/20",  # documentation; older Pythons do not know it
    )
)


class TargetRefusedError(Exception):
    """An address that must not be called, whatever it may answer. Names the host only."""


class PrivateTargetError(TargetRefusedError):
    """A host with an address inside some network, which only `allow_private` opens."""


class EgressError(Exception):
    """No whole answer came. Names the host and the cause, never path or query: they are secret."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as far as it was read: `body` raw and cut at 64 KiB, only `KEPT_HEADERS`."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def is_public(address: Address) -> bool:
    """Whether an address is out on the internet; carried IPv4 addresses are judged themselves."""
    if isinstance(address, IPv6Address):
        carried = _carried_ipv4(address)
        if carried is not None:
            return is_public(carried)
        if address not in _GLOBAL_UNICAST:
            return False
    return address.is_global and not any(address in network for network in _NEVER_PUBLIC)


def _carried_ipv4(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a mapped or NAT64 one leads to.

    NAT64 is not refused outright, as it is all that a server on an IPv6-only network sees of
    the IPv4 internet.
    """
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped


async def system_resolve(host: str, port: int) -> list[str]:
    """Every address the system knows of a host, numeric forms of any kind included."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_kind, sockaddr in found))


def trusted_authorities() -> ssl.SSLContext:
    """certifi's, whatever the environment says; reading them takes some 16 ms."""
    return httpx.create_ssl_context(trust_env=False)


class Egress:
    """Posts to addresses from outside. Hold one for the life of the process, then `close` it.

    `allow_private` opens the networks this server stands in; `resolve` and `ssl_context`
    (default: certifi's authorities) replace the system's.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        timeout_seconds: float = TOTAL_SECONDS,
        resolve: Resolve = system_resolve,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._timeout_seconds = timeout_seconds
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl_context or trusted_authorities(),
            max_connections=None,  # the outbox worker bounds them, so that none waits for another
            network_backend=_CheckedNetwork(resolve, allow_private=allow_private),
        )

    async def post(self, url: str, *, headers: Mapping[str, str], content: bytes) -> Answer:
        """Post once, following nothing; raises TargetRefusedError or EgressError."""
        target = _target(url)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._exchange(target, headers, content)
        except TimeoutError:
            reason = f"gave no complete answer within {self._timeout_seconds:g} s"
            raise EgressError(f"{target.host} {reason}") from None
        except _FAILURES as error:
            # An echo of the request can stand in the text of a protocol error.
            raise EgressError(f"{target.host} {_reason(error)}") from None

    async def close(self) -> None:
        """Drop every connection; what is under way fails."""
        await self._pool.aclose()

    async def _exchange(
        self, target: httpx.URL, headers: Mapping[str, str], content: bytes
    ) -> Answer:
        async with self._pool.stream(
            "POST",
            httpcore.URL(
                scheme=target.raw_scheme,
                host=target.raw_host,
                port=target.port,
                target=target.raw_path,
            ),
            headers=[("Host", target.netloc.decode()), *REQUEST_HEADERS.items(), *headers.items()],
            content=content,
        ) as response:
            return Answer(response.status, _kept(response.headers), await _body(response))


class _CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Where sockets are opened: only ever to an address that was checked just before."""

    def __init__(self, resolve: Resolve, *, allow_private: bool) -> None:
        self._resolve = resolve
        self._allow_private = allow_private
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 # httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Dial the host's addresses in turn; raises PrivateTargetError when one is not public."""
        failure: Exception = httpcore.ConnectError("no address")
        for address in await self._checked_addresses(host, port):
            try:
                return _Connection(
                    await self._network.connect_tcp(
                        str(address), port, CONNECT_SECONDS, local_address, socket_options
                    )
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def _checked_addresses(self, host: str, port: int) -> list[Address]:
        try:
            addresses = [ip_address(text) for text in await self._resolve(host, port)]
        except (OSError, ValueError):
            raise _UnresolvedError from None
        if not self._allow_private and not all(map(is_public, addresses)):
            raise PrivateTargetError(f"{host} has an address that is not public")
        return addresses


class _Connection(httpcore.AsyncNetworkStream):
    """A connection that closes when its TLS handshake is cancelled, which httpcore leaves open."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        try:
            return await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            await self._stream.aclose()
            raise


class _UnresolvedError(Exception):
    """The resolver knows no usable address."""


_REASONS: Mapping[type[Exception], str] = {
    _UnresolvedError: "could not be resolved",
    httpcore.ConnectError: "could not be connected to",
    httpcore.ConnectTimeout: "could not be connected to in time",
    httpcore.NetworkError: "broke the connection off",
    httpcore.ProtocolError: "hung up or did not speak HTTP",
}
"""The first type that fits tells the cause."""

_FAILURES: tuple[type[Exception], ...] = (*_REASONS, OSError, ValueError)
"""TLS in mid-answer fails with OSError, a host that no certificate can name with ValueError."""


def _reason(error: Exception) -> str:
    cause = error.args[0] if error.args else None
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"showed a certificate that is not accepted: {cause.verify_message}"
    if isinstance(cause, ssl.SSLError):
        return f"failed the TLS handshake: {cause.reason}"
    return next(
        (text for kind, text in _REASONS.items() if isinstance(error, kind)),
        "could not be talked to",
    )


def _target(url: str) -> httpx.URL:
    try:
        target = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise TargetRefusedError("the address is not a URL") from None
    if target.scheme not in ("http", "https") or not target.host:
        raise TargetRefusedError("the address does not begin with https:// or http:// and a host")
    if target.port is not None and not 0 < target.port < 65_536:
        raise TargetRefusedError(f"the address of {target.host} has no possible port")
    if target.userinfo:
        raise TargetRefusedError(f"the address of {target.host} carries credentials")
    return target


def _kept(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    named = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
    return {name: named[name] for name in KEPT_HEADERS if name in named}


async def _body(response: httpcore.Response) -> bytes:
    """The body as sent, cut at `MAX_BODY_BYTES`."""
    body = bytearray()
    stream = cast("AsyncGenerator[bytes]", response.aiter_stream())  # typed as its base only
    async with aclosing(stream) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) >= MAX_BODY_BYTES:
                break
    return bytes(body[:MAX_BODY_BYTES])
