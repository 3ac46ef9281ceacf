"""A Graph API for tests: keeps what it was sent, and takes events as Meta does or as told."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

VERSION = "v26.0"
TRACE_ID = "AbCdEfGhIjKlMnOpQrStUvW"


@dataclass(frozen=True)
class GraphRequest:
    """One request: path without query, headers by lower-case name, and the body as sent."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.raw)
        return parsed

    @property
    def event(self) -> dict[str, Any]:
        """The only event of the body."""
        (event,) = self.body["data"]
        only: dict[str, Any] = event
        return only


@dataclass(frozen=True)
class GraphAnswer:
    """What to answer, whole."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


class NoAnswer(Enum):
    """What else may become of a request."""

    HANG = auto()
    RESET = auto()


def accepted(
    events_received: int = 1, messages: Sequence[str] = (), trace_id: str = TRACE_ID
) -> GraphAnswer:
    """Meta's answer to events it took."""
    fields = {
        "events_received": events_received,
        "messages": list(messages),
        "fbtrace_id": trace_id,
    }
    return GraphAnswer(200, json.dumps(fields).encode())


def refused(
    code: int,
    subcode: int | None = None,
    *,
    status: int = 400,
    is_transient: bool = False,
    message: str = "Invalid parameter",
) -> GraphAnswer:
    """Meta's answer to what it does not take."""
    error: dict[str, Any] = {
        "message": message,
        "type": "OAuthException",
        "code": code,
        "is_transient": is_transient,
        "fbtrace_id": TRACE_ID,
    }
    if subcode is not None:
        error |= {"error_subcode": subcode, "error_user_title": "A title", "error_user_msg": "Why"}
    return GraphAnswer(status, json.dumps({"error": error}).encode())


def page(status: int) -> GraphAnswer:
    """A page for people, as proxies answer when Meta is down."""
    return GraphAnswer(status, b"<!DOCTYPE html><title>Sorry</title>", "text/html; charset=utf-8")


@dataclass
class GraphServer:
    """A real HTTP server on 127.0.0.1 that takes every event until `answer_with` says otherwise."""

    requests: list[GraphRequest] = field(default_factory=list)
    _answers: list[GraphAnswer | NoAnswer] = field(default_factory=lambda: [accepted()])
    _closing: threading.Event = field(default_factory=threading.Event)

    def answer_with(self, *answers: GraphAnswer | NoAnswer) -> None:
        """Give these answers in turn, and the last one ever after."""
        self._answers = list(answers)

    @property
    def url(self) -> str:
        """The address with its version, as META_GRAPH_URL takes it."""
        return f"http://127.0.0.1:{self._httpd.server_port}/{VERSION}"

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every event received, whatever was answered."""
        return [event for request in self.requests for event in request.body["data"]]

    def __enter__(self) -> Self:
        graph = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                graph._keep(self)
                graph._answer(self)

            def log_message(self, *_args: object) -> None:
                """Tests speak for themselves."""

        self._httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._httpd.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._httpd.shutdown()
        self._thread.join()
        self._httpd.server_close()

    def _keep(self, handler: BaseHTTPRequestHandler) -> None:
        address = urlsplit(handler.path)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        raw = handler.rfile.read(int(headers["content-length"]))
        query = dict(parse_qsl(address.query))
        self.requests.append(GraphRequest(address.path, query, headers, raw))

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        handler.close_connection = True
        if answer is NoAnswer.HANG:
            self._closing.wait()
        elif answer is NoAnswer.RESET:
            # Closing with nothing to linger for sends RST instead of FIN.
            linger = struct.pack("ii", 1, 0)
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            handler.connection.close()
        elif isinstance(answer, GraphAnswer):
            _write(handler, answer)


def _write(handler: BaseHTTPRequestHandler, answer: GraphAnswer) -> None:
    handler.send_response(answer.status)
    for name, value in answer.headers.items():
        handler.send_header(name, value)
    handler.send_header("content-type", answer.content_type)
    handler.send_header("content-length", str(len(answer.body)))
    handler.end_headers()
    handler.wfile.write(answer.body)
