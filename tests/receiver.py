"""A webhook receiver: keeps what it was sent, and answers as it is told."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from tests.local_server import Asked, LocalServer, Posted


@dataclass
class Receiver(LocalServer):
    """A real HTTP server on 127.0.0.1; `status` and `answer_headers` may be set at any time.

    While `gate` is cleared, requests are kept and wait for their answers.
    """

    status: int = 200
    answer_headers: dict[str, str] = field(default_factory=dict)
    requests: list[Posted] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def take(self, asked: Asked) -> None:
        self.requests.append(Posted(asked.fields, asked.raw))
        self.gate.wait()
        asked.answer(self.status, b"ok", self.answer_headers)

    def __exit__(self, *thrown: object) -> None:
        self.gate.set()
        super().__exit__(*thrown)

    @property
    def url(self) -> str:
        return f"{self.origin}/hook"

    def wait_for(self, count: int = 1, timeout_seconds: float = 10) -> list[Posted]:
        """Everything received, once there are `count` requests."""
        deadline = time.monotonic() + timeout_seconds
        while len(self.requests) < count:
            if time.monotonic() > deadline:
                raise AssertionError(f"{len(self.requests)} of {count} webhooks came")
            threading.Event().wait(0.02)
        return list(self.requests)
