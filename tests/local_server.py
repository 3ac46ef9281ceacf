"""Local HTTP servers that stand for the world outside: on 127.0.0.1, from `with` to its end."""

from __future__ import annotations

import json
import socket
import struct
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self


@contextmanager
def serving(httpd: ThreadingHTTPServer) -> Iterator[None]:
    """Serve in a thread; closed when it ends."""
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


@dataclass(frozen=True)
class Posted:
    """A request as it was kept: headers by lower-case name, and the body as sent."""

    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.raw)
        return parsed


class LocalServer(ABC):
    """A real HTTP server that is asked by POST; a context manager."""

    protocol: ClassVar[str] = "HTTP/1.0"
    """HTTP/1.1 keeps connections open."""

    def __enter__(self) -> Self:
        httpd = ThreadingHTTPServer(("127.0.0.1", 0), partial(Asked, self))
        httpd.daemon_threads = True
        self.origin = f"http://127.0.0.1:{httpd.server_port}"
        self.closing = threading.Event()
        self._connections, self._connections_changed = 0, threading.Condition()
        self._running = ExitStack()
        self._running.enter_context(serving(httpd))
        return self

    def __exit__(self, *_thrown: object) -> None:
        self.closing.set()
        self._running.close()

    @abstractmethod
    def take(self, asked: Asked) -> None:
        """Answer a request, or do not; one that is to hang waits for `closing`."""

    def connected(self, change: int) -> None:
        """A connection was opened (1) or closed (-1)."""
        with self._connections_changed:
            self._connections += change
            self._connections_changed.notify_all()

    def has_connections(self, count: int, timeout_seconds: float = 10) -> bool:
        """Whether so many connections are open, or will be in that time."""
        with self._connections_changed:
            return self._connections_changed.wait_for(
                lambda: self._connections == count, timeout_seconds
            )


class Asked(BaseHTTPRequestHandler):
    """A connection of a LocalServer, and the request that stands on it."""

    def __init__(self, local: LocalServer, *of_the_server: Any) -> None:
        self._local = local
        self.protocol_version = local.protocol
        self.raw = b""
        super().__init__(*of_the_server)

    def setup(self) -> None:
        self._local.connected(1)
        super().setup()

    def finish(self) -> None:
        super().finish()
        self._local.connected(-1)

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        self.raw = self.rfile.read(length)
        if len(self.raw) == length:  # else the client gave up
            self._local.take(self)

    @property
    def fields(self) -> dict[str, str]:
        """The headers by lower-case name."""
        return {name.lower(): value for name, value in self.headers.items()}

    def answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        """Answer whole, if the client still waits for it."""
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except ConnectionError:
            self.close_connection = True

    def reset(self) -> None:
        """Cut the connection: closing with nothing to linger for sends RST instead of FIN."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        socket.close(self.connection.detach())
        self.close_connection = True

    def log_message(self, *_args: object) -> None:
        """Tests speak for themselves."""
