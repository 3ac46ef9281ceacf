"""A Graph API for tests: keeps what it was sent, and takes events as Meta does or as told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.local_server import Asked, LocalServer, Posted

VERSION = "v26.0"
TRACE_ID = "AbCdEfGhIjKlMnOpQrStUvW"


@dataclass(frozen=True)
class GraphRequest(Posted):
    """One request; its path without query."""

    path: str
    query: dict[str, str]

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
class GraphServer(LocalServer):
    """A real HTTP server on 127.0.0.1 that takes every event until `answer_with` says otherwise."""

    requests: list[GraphRequest] = field(default_factory=list)
    _answers: list[GraphAnswer | NoAnswer] = field(default_factory=lambda: [accepted()])

    def answer_with(self, *answers: GraphAnswer | NoAnswer) -> None:
        """Give these answers in turn, and the last one ever after."""
        self._answers = list(answers)

    @property
    def url(self) -> str:
        """The address with its version, as META_GRAPH_URL takes it."""
        return f"{self.origin}/{VERSION}"

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every event received, whatever was answered."""
        return [event for request in self.requests for event in request.body["data"]]

    def take(self, asked: Asked) -> None:
        address = urlsplit(asked.path)
        query = dict(parse_qsl(address.query))
        self.requests.append(GraphRequest(asked.fields, asked.raw, address.path, query))
        self._answer(asked)

    def _answer(self, asked: Asked) -> None:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if answer is NoAnswer.HANG:
            self.closing.wait()
        elif answer is NoAnswer.RESET:
            asked.reset()
        elif isinstance(answer, GraphAnswer):
            headers = {**answer.headers, "content-type": answer.content_type}
            asked.answer(answer.status, answer.body, headers)
