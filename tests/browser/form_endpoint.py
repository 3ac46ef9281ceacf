"""A path of the site that answers as the test says, where the recorder's answer would not do."""

from __future__ import annotations

import time
from collections import Counter
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl

from playwright.sync_api import Page, Request, Route

from tests.browser.recorder import WAIT_SECONDS, Post

Answer = dict[str, Any]

STORED: Answer = {"status": 201, "json": {"ok": True, "lead_id": "lead_1"}}
BUSY: Answer = {"status": 503, "json": {"status": 503, "detail": "The store is busy"}}
UNREACHABLE: Answer = {}
"""The connection breaks."""


class Endpoint:
    """Answers posts to a path in turn, the last answer for good; keeps what was posted."""

    def __init__(self, page: Page, path: str, *answers: Answer) -> None:
        self.page = page
        self.path = path
        self.answers = list(answers)
        self.posts: list[Post] = []
        self.held: list[Route] = []
        page.route(f"**{path}", self._take)

    def hold(self) -> None:
        """Answer nothing until `release`."""
        self.answers = []

    def release(self, answer: Answer) -> None:
        """Answer what was held, and everything from now on."""
        self.answers = [answer]
        for route in self.held:
            _give(route, answer)

    def wait(self, count: int) -> None:
        """Return once there are `count` posts."""
        deadline = time.monotonic() + WAIT_SECONDS
        while len(self.posts) < count:
            assert time.monotonic() < deadline, f"{len(self.posts)} of {count} posts came"
            # What is routed is handed over during calls of Playwright only.
            self.page.wait_for_timeout(5)

    def fields(self, number: int) -> dict[str, str]:
        """The fields of the number-th post, counted from 1; fails where a name came twice."""
        pairs = pairs_of(self.posts[number - 1])
        repeated = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
        assert not repeated
        return dict(pairs)

    def _take(self, route: Route) -> None:
        self.posts.append(_post(route.request))
        if not self.answers:
            self.held.append(route)
        else:
            _give(route, self.answers[0] if len(self.answers) == 1 else self.answers.pop(0))


def pairs_of(post: Post) -> list[tuple[str, str]]:
    """Name and value of each field of a form post, repeated ones too; a file as its file name."""
    kind = post.headers.get("Content-Type", "")
    if not kind.startswith("multipart/"):
        return parse_qsl(post.body.decode(), keep_blank_values=True)
    head = f"Content-Type: {kind}\r\n\r\n".encode()
    return [
        (
            str(part.get_param("name", header="content-disposition")),
            part.get_filename() or bytes(part.get_payload(decode=True)).decode(),
        )
        for part in BytesParser(policy=HTTP).parsebytes(head + post.body).iter_parts()
    ]


def _post(request: Request) -> Post:
    headers = Message()
    for name, value in request.headers.items():
        headers[name] = value
    return Post(request.url, headers, request.post_data_buffer or b"")


def _give(route: Route, answer: Answer) -> None:
    if answer:
        route.fulfill(**answer)
    else:
        route.abort()
