"""A proxy before a database server that loses answers: the write stands, and nobody hears of it."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

import httpx


class LossyProxy:
    """A real HTTP server on 127.0.0.1; a context manager.

    `lost` is set once an answer was lost, `repeated` once such a request came again and was
    answered.
    """

    def __init__(self, target_url: str) -> None:
        self._target_url = target_url
        self._text = b""
        self.lost, self.repeated = threading.Event(), threading.Event()

    def lose_answer_to(self, text: bytes) -> None:
        """Cut the connection instead of answering the next request that holds a text."""
        self.lost.clear()
        self.repeated.clear()
        self._text = text

    def __enter__(self) -> Self:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                answer = httpx.post(
                    proxy._target_url + self.path, content=body, timeout=20, trust_env=False
                )
                meant = bool(proxy._text) and proxy._text in body
                if meant and not proxy.lost.is_set():
                    proxy.lost.set()
                    self.close_connection = True
                    return
                self.send_response(answer.status_code)
                self.send_header("content-length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)
                if meant:
                    proxy.repeated.set()

            def log_message(self, *_args: object) -> None:
                """Tests speak for themselves."""

        self._httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._httpd.daemon_threads = True
        self._thread = threading.Thread(target=self._httpd.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._httpd.shutdown()
        self._thread.join()
        self._httpd.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._httpd.server_port}"
