"""A proxy before a database server that loses answers: the write stands, and nobody hears of it."""

from __future__ import annotations

import threading

import httpx

from tests.local_server import Asked, LocalServer


class LossyProxy(LocalServer):
    """A real HTTP server on 127.0.0.1; a context manager.

    `lost` is set once an answer was lost, `repeated` once such a request came again and was
    answered.
    """

    protocol = "HTTP/1.1"

    def __init__(self, target_url: str) -> None:
        self._target_url = target_url
        self._text = b""
        self.lost, self.repeated = threading.Event(), threading.Event()

    def lose_answer_to(self, text: bytes) -> None:
        """Cut the connection instead of answering the next request that holds a text."""
        self.lost.clear()
        self.repeated.clear()
        self._text = text

    def take(self, asked: Asked) -> None:
        url = self._target_url + asked.path
        answer = httpx.post(url, content=asked.raw, timeout=20, trust_env=False)
        meant = bool(self._text) and self._text in asked.raw
        if meant and not self.lost.is_set():
            self.lost.set()
            asked.close_connection = True
            return
        asked.answer(answer.status_code, answer.content, {})
        if meant:
            self.repeated.set()
