"""A property site on a real port: serves fixture pages and the scripts, records what they send.

Knows nothing of the propgauge server: what it answers is told to it by the tests.
"""

import gzip
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import minify
from playwright.sync_api import Browser, sync_playwright

from tests.local_server import serving

STATIC = Path(__file__).parents[2] / "static"
PAGES = Path(__file__).parent / "pages"
WAIT_SECONDS = 10.0
HEADLESS_SHELL = "chromium-headless-shell"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

TALL_IMAGE = '<svg xmlns="http://www.w3.org/2000/svg" width="100" height="3600"/>'

Beacon = dict[str, Any]


@cache
def minified(name: str) -> str:
    """The script as the server serves it."""
    text: str = minify.string("application/javascript", (STATIC / name).read_text(encoding="utf-8"))
    return text


def gzipped_bytes(name: str) -> int:
    """Size of the script on the wire."""
    return len(gzip.compress(minified(name).encode(), 9))


class Post:
    """One recorded request."""

    def __init__(self, path: str, headers: Message, body: bytes) -> None:
        self.path = path
        self.headers = headers
        self.body = body

    @property
    def beacons(self) -> list[Beacon]:
        parsed = json.loads(self.body)
        return parsed if isinstance(parsed, list) else [parsed]

    @property
    def fields(self) -> dict[str, str]:
        """The fields of a form post, urlencoded or multipart; a file as its file name."""
        kind = self.headers.get("Content-Type", "")
        if not kind.startswith("multipart/"):
            return dict(parse_qsl(self.body.decode(), keep_blank_values=True))
        head = f"Content-Type: {kind}\r\n\r\n".encode()
        parts = BytesParser(policy=HTTP).parsebytes(head + self.body).iter_parts()
        return {
            str(part.get_param("name", header="content-disposition")): part.get_filename()
            or bytes(part.get_payload(decode=True)).decode()
            for part in parts
        }


class Site:
    """What a test sees of the running site."""

    def __init__(self, port: int) -> None:
        self.origin = f"http://127.0.0.1:{port}"
        self.other_origin = f"http://localhost:{port}"
        self.track_status = 202
        """Of each beacon request that arrives from now on."""
        self.answering = threading.Event()
        self.answering.set()
        self.posts: list[Post] = []
        self.gets: list[str] = []
        self._changed = threading.Condition()

    def page(self, name: str) -> str:
        return f"{self.origin}/pages/{name}"

    def record(self, post: Post) -> None:
        with self._changed:
            self.posts.append(post)
            self._changed.notify_all()

    def note(self, path: str) -> None:
        with self._changed:
            self.gets.append(path)
            self._changed.notify_all()

    @property
    def tracked(self) -> list[Post]:
        return [post for post in self.posts if "/lead" not in post.path]

    @property
    def leads(self) -> list[Post]:
        return [post for post in self.posts if "/lead" in post.path]

    @property
    def beacons(self) -> list[Beacon]:
        return [beacon for post in self.tracked for beacon in post.beacons]

    @property
    def views(self) -> list[Beacon]:
        """The first beacon of each page view, in order of arrival."""
        firsts: dict[str, Beacon] = {}
        for beacon in self.beacons:
            if beacon["type"] == "view":
                firsts.setdefault(beacon["page_view_id"], beacon)
        return list(firsts.values())

    @property
    def engages(self) -> list[Beacon]:
        """Each engagement once, in order of arrival."""
        firsts: dict[tuple[str, int], Beacon] = {}
        for beacon in self.beacons:
            if beacon["type"] == "engage":
                firsts.setdefault((beacon["page_view_id"], beacon["seq"]), beacon)
        return list(firsts.values())

    @property
    def events(self) -> list[Beacon]:
        """Each of the site's own events once, in order of arrival."""
        firsts = {
            beacon["event_id"]: beacon for beacon in reversed(self.beacons) if "event_id" in beacon
        }
        return list(reversed(firsts.values()))

    def wait(self, condition: Callable[[], object]) -> None:
        """Returns once the condition holds of what was recorded."""
        with self._changed:
            if not self._changed.wait_for(condition, WAIT_SECONDS):
                seen = [(post.path, post.body[:300]) for post in self.posts]
                raise AssertionError(f"never happened; recorded: {seen}")

    def wait_posts(self, count: int) -> Post:
        """The count-th beacon request, counted from 1."""
        self.wait(lambda: len(self.tracked) >= count)
        return self.tracked[count - 1]

    def wait_leads(self, count: int) -> Post:
        """The count-th lead, counted from 1."""
        self.wait(lambda: len(self.leads) >= count)
        return self.leads[count - 1]


class _Server(ThreadingHTTPServer):
    site: Site

    def handle_error(self, *_: object) -> None:
        """A page that is closed leaves its connections broken."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, *_: object) -> None:
        """Stays silent."""

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.server.site.note(path)
        if path.endswith((".js", ".mjs")):
            self._answer(200, minified(path.rsplit("/", 1)[-1]), "text/javascript")
        elif path.startswith("/slow"):
            self.server.site.answering.wait(WAIT_SECONDS)
            if path.endswith(".svg"):
                self._answer(200, TALL_IMAGE, "image/svg+xml")
            else:
                self._answer(204)
        elif path.startswith("/spa/"):
            self._answer(200, (PAGES / "spa.html").read_text(encoding="utf-8"))
        elif path.startswith("/pages/"):
            self._answer(200, (PAGES / path[7:]).read_text(encoding="utf-8"))
        else:
            self._answer(204)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        site = self.server.site
        status = site.track_status
        site.record(Post(self.path, self.headers, body))
        site.answering.wait(WAIT_SECONDS)
        if "/lead" in self.path:
            self._answer(201, "<!doctype html><title>Thank you</title>")
        else:
            self._answer(status)

    def _answer(self, status: int, text: str = "", kind: str = "text/html") -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Access-Control-Allow-Origin", "*")
        if status != 204:
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def running_site() -> Iterator[Site]:
    """A site of its own for one test."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.site = Site(server.server_port)
    with serving(server):
        try:
            yield server.site
        finally:
            server.site.answering.set()


@contextmanager
def running_chromium(*, whole: bool = False) -> Iterator[Browser]:
    """The system's Chromium, with the back/forward cache that Playwright turns off.

    Its headless shell, where there is one, takes half the processor time: it draws no window of
    its own. Only the `whole` one has the back/forward cache.
    """
    names = CHROMIUM_NAMES if whole else (HEADLESS_SHELL, *CHROMIUM_NAMES)
    installed = filter(None, map(shutil.which, names))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or next(installed, None),
            args=CHROMIUM_ARGS,
            ignore_default_args=["--disable-back-forward-cache"],
        )
        try:
            yield browser
        finally:
            browser.close()
