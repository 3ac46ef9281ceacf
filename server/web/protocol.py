"""uvicorn's HTTP protocol, with deadlines for slow clients and a short way for beacons.

A beacon is answered without an ASGI cycle of its own: that cycle costs more than storing it
(facts/performance.md). Whatever is not a plain beacon goes the ordinary way, to the same endpoint.
"""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from server.web import bodies
from server.web.track import RawResponse, TrackEndpoint

REQUEST_SECONDS = 10.0
"""For the headers of a request, and for a beacon's body; slower clients are cut off."""

MAX_HEAD_BYTES = 512 * 1024
"""Of a request whose headers are not in yet: twice what one read may bring (uvloop: 256 KiB), so
that what came before it in the same read does no harm. uvicorn itself sets no bound."""

logger = logging.getLogger(__name__)

_STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}


class _BeaconCycle:
    """What uvicorn's protocol looks at of a request under way."""

    __slots__ = ("body", "disconnected", "keep_alive", "message_event", "response_complete")

    def __init__(self, *, keep_alive: bool) -> None:
        self.body = b""
        self.keep_alive = keep_alive
        self.response_complete = False
        self.disconnected = False
        self.message_event = _NOBODY_WAITS


class _NobodyWaits:
    """In place of an asyncio.Event."""

    def set(self) -> None:
        """Nothing to wake."""


_NOBODY_WAITS = _NobodyWaits()


class BeaconProtocol(HttpToolsProtocol):
    """One connection. `track` and its paths are set on a subclass by `protocol_for`."""

    track: ClassVar[TrackEndpoint]
    track_paths: ClassVar[frozenset[bytes]]
    waiting_since: float | None = None
    waiting_bytes: int = 0
    cycle: Any  # uvicorn's RequestResponseCycle, or a _BeaconCycle
    running: Any = None

    def connection_made(self, transport: Any) -> None:
        """A client connected: its headers are due."""
        super().connection_made(transport)
        self.waiting_since = self.loop.time()

    def data_received(self, data: bytes) -> None:
        """Bytes came; a client whose headers have no end is cut off."""
        super().data_received(data)
        if self.waiting_since is None or self.transport.is_closing():
            return
        self.waiting_bytes += len(data)
        if self.waiting_bytes > MAX_HEAD_BYTES:
            closing = b"connection: close\r\ncontent-length: 0\r\n\r\n"
            self.transport.write(_STATUS_LINES[431] + closing)
            self.transport.close()

    def on_message_begin(self) -> None:
        """A request begins: its headers are due."""
        super().on_message_begin()
        self.waiting_bytes = 0
        self.waiting_since = self.loop.time()

    def on_headers_complete(self) -> None:
        """The headers are in: choose the way."""
        if self._is_plain_beacon():
            self.cycle = _BeaconCycle(keep_alive=self.parser.should_keep_alive())
        else:
            self.waiting_since = None
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of a body; a plain beacon's is bounded by its Content-Length."""
        if type(self.cycle) is _BeaconCycle:
            self.cycle.body += body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is in."""
        cycle = self.cycle
        if type(cycle) is _BeaconCycle:
            self.waiting_since = None
            try:
                self.track.take(
                    self.client,
                    self.headers,
                    cycle.body,
                    lambda answer: self._answer(cycle, answer),
                )
            except Exception:
                logger.exception("unexpected error")
                self._answer(cycle, (500, {}, b""))
        else:
            super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone: the request under way is told, also when others wait behind it.

        uvicorn tells the last that came, and the answer to an earlier one breaks on the connection.
        """
        if self.running is not None and not self.running.response_complete:
            self.running.disconnected = True
            self.running.message_event.set()
        super().connection_lost(exc)

    def close_if_slow(self) -> None:
        """Cut a client off whose headers, or beacon, did not come in time."""
        if self.waiting_since is None and self._is_unguarded():
            self.waiting_since = self.loop.time()
        since = self.waiting_since
        if since is not None and self.loop.time() - since > REQUEST_SECONDS:
            self.transport.close()

    def close_if_receiving(self) -> None:
        """Cut a client off that still sends: the server ends."""
        if self.waiting_since is not None or getattr(self.cycle, "more_body", False):
            self.transport.close()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self.running = cycle
        super()._start_asgi_task(cycle, app)

    def _is_unguarded(self) -> bool:
        """Whether bytes came after an answer that begin no request.

        They end uvicorn's keep-alive timer, which the next answer would start again.
        """
        answered = self.cycle is not None and self.cycle.response_complete
        return answered and self.timeout_keep_alive_task is None

    def _is_plain_beacon(self) -> bool:
        """POST on a beacon path with a small body of known length, nothing else under way."""
        if (
            self.url not in self.track_paths
            or self.parser.get_method() != b"POST"
            or self.expect_100_continue
        ):
            return False
        if self.cycle is not None and not self.cycle.response_complete:
            return False
        for name, value in self.headers:
            if name == b"content-length":
                return value.isdigit() and int(value) <= bodies.MAX_BODY_BYTES
        return False

    def _answer(self, cycle: _BeaconCycle, answer: RawResponse) -> None:
        if cycle.disconnected or self.transport.is_closing():
            return
        status, headers, body = answer
        ours = self.server_state.default_headers
        lines = [_STATUS_LINES[status], *(b"%s: %s\r\n" % header for header in ours)]
        lines += [f"{name}: {value}\r\n".encode("latin-1") for name, value in headers.items()]
        if not cycle.keep_alive:
            lines.append(b"connection: close\r\n")
        lines.append(b"content-length: %d\r\n\r\n%s" % (len(body), body))
        self.transport.write(b"".join(lines))
        cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()


def protocol_for(endpoint: TrackEndpoint) -> type[asyncio.Protocol]:
    """The protocol class that answers beacons through `endpoint`."""
    paths = frozenset(path.encode() for path in endpoint.paths)
    return type("PropgaugeProtocol", (BeaconProtocol,), {"track": endpoint, "track_paths": paths})
