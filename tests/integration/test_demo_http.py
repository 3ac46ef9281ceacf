"""The demo: a property site under a strict policy, and a receiver for this machine's eyes only."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag, urljoin

import pytest

from server.web import demo
from server.web.demo import KEPT
from tests.beacons import engage, view
from tests.integration.http_fixtures import SharedServer, eventually, exchange, problem_of
from tests.running import RunningServer

FEED = "/demo/deliveries.json"
PAGES = ("", "brochure/", "contact/", "deliveries/", "gallery/", "privacy/", "residences/")
FORWARDED = ("x-forwarded-for", "forwarded", "cf-connecting-ip", "x-real-ip", "via")


@pytest.fixture(scope="module")
def demo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server as `make serve` starts it: no setting but its place."""
    with RunningServer(tmp_path_factory.mktemp("demo") / "data") as started:
        yield started


@pytest.fixture(scope="module")
def bare_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server without the demo."""
    with RunningServer(tmp_path_factory.mktemp("bare") / "data", {"DEMO": "off"}) as started:
        yield started


class _Links(HTMLParser):
    """What a page links to or loads, and what its policy would not let it do."""

    def __init__(self) -> None:
        super().__init__()
        self.base = ""
        self.links: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "base":
            self.base = named["href"] or ""
        else:
            self.links += [named[name] or "" for name in ("href", "src") if name in named]
        self.inline += [name for name in named if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in named):
            self.inline.append(tag)


def read_page(server: RunningServer, path: str) -> _Links:
    answer = server.client.get(path)
    assert answer.status_code == 200, path
    parsed = _Links()
    parsed.feed(answer.text)
    parsed.close()
    return parsed


@pytest.mark.parametrize("page", PAGES)
def test_page_of_the_demo_is_served_under_a_strict_policy(
    demo_server: RunningServer, page: str
) -> None:
    answer = demo_server.client.get(f"/demo/{page}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(
        rule.strip().split(" ", 1) for rule in answer.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert read_page(demo_server, f"/demo/{page}").inline == []


def test_demo_when_all_its_links_are_followed_has_no_dead_end(demo_server: RunningServer) -> None:
    seen, waiting = set[str](), ["/demo/"]
    while waiting:
        path = waiting.pop()
        seen.add(path)
        if not path.endswith("/"):
            assert demo_server.client.get(path).status_code == 200, path
            continue
        page = read_page(demo_server, path)
        for link in page.links:
            target = urldefrag(urljoin(urljoin(path, page.base), link)).url
            if target.startswith("/") and target not in seen:
                waiting.append(target)
    assert {f"/demo/{page}" for page in PAGES} <= seen
    assert {"/tracker.js", "/form.js"} <= seen


def test_address_when_it_stops_short_of_the_demo_leads_there(demo_server: RunningServer) -> None:
    answer = demo_server.client.get("/demo")
    assert answer.status_code == 307
    assert urljoin(demo_server.url, answer.headers["location"]) == demo_server.url + "/demo/"


@pytest.mark.parametrize("page", [page.rstrip("/") for page in PAGES if page])
def test_page_when_its_slash_is_missing_leads_to_itself(
    demo_server: RunningServer, page: str
) -> None:
    answer = demo_server.client.get(f"/demo/{page}")
    assert answer.status_code == 307
    assert answer.headers["location"] == f"{demo_server.url}/demo/{page}/"


def test_page_when_there_is_none_is_the_demos_own_not_found(demo_server: RunningServer) -> None:
    answer = demo_server.client.get("/demo/nowhere")
    assert answer.status_code == 404
    assert "Page not found" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/demo/../server/app.py",
        "/demo/../../etc/passwd",
        "/demo/%2e%2e/server/app.py",
        "/demo/..%2fserver%2fapp.py",
        "/demo/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/demo/..\\server\\app.py",
        "/demo//etc/passwd",
        "/demo/%2fetc/passwd",
        "/demo/gallery/../../server/app.py",
        "/demo/.%00./server/app.py",
        "/demo/" + "a" * 5_000,
    ],
)
def test_path_when_it_leaves_the_demo_is_not_found(demo_server: RunningServer, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    answer = exchange(demo_server, request.encode())
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"root:" not in answer
    assert b"composition root" not in answer


def feed_of(server: RunningServer) -> dict[str, Any]:
    answer = server.client.get(FEED)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    feed: dict[str, Any] = answer.json()
    return feed


def received_lead(server: RunningServer, lead_id: str) -> dict[str, Any]:
    """What the demo's receiver shows of a lead, once it came."""

    def look() -> dict[str, Any] | None:
        shown = feed_of(server)["deliveries"]
        return next((one for one in shown if one["body"].get("lead_id") == lead_id), None)

    return eventually(look)


def test_lead_when_no_webhook_is_set_is_shown_scored_by_the_demo(
    demo_server: RunningServer,
) -> None:
    assert demo_server.track(view("dora", age_ms=60_000)).status_code == 202
    read = engage("dora", duration_ms=50_000, scroll_percent=50, clicks=3)
    assert demo_server.track(read).status_code == 202
    answer = demo_server.lead(
        name="Dora <b>", email="dora@example.com", __visitor_id="dora", __site="demo"
    )

    shown = received_lead(demo_server, answer.json()["lead_id"])

    assert shown["received_at"].endswith("Z")
    assert shown["headers"]["webhook-id"].startswith("msg_")
    assert shown["headers"]["content-type"] == "application/json"
    body = shown["body"]
    assert (body["name"], body["engagement_score"]) == ("Dora <b>", 5 + 15 + 3)
    breakdown = {
        name: body[f"engagement_{name}_points"]
        for name in ("duration", "scroll_depth", "clicks", "return_visits")
    }
    assert breakdown == {"duration": 5, "scroll_depth": 15, "clicks": 3, "return_visits": 0}
    assert body["engagement_duration_value"] == 50
    assert isinstance(body["suspicion_reasons"], list)


def test_feed_in_demo_mode_names_the_receiver(demo_server: RunningServer) -> None:
    feed = feed_of(demo_server)
    assert feed["mode"] == "demo"
    assert feed["webhook_url"] == demo_server.url + demo.WEBHOOK_PATH


def test_receiver_when_more_come_than_it_keeps_shows_the_newest_first(
    demo_server: RunningServer,
) -> None:
    for number in range(KEPT + 3):
        assert demo_server.client.post(demo.WEBHOOK_PATH, json={"n": number}).status_code == 200
    shown = [delivery["body"]["n"] for delivery in feed_of(demo_server)["deliveries"]]
    assert shown == list(range(KEPT + 2, 2, -1))


@pytest.mark.parametrize(
    "body",
    [b"", b"junk", b"[1, 2]", b"3", b'"text"', b"{", b"\xff\xfe", b"[" * 100_000, b'{"a": NaN}'],
)
def test_receiver_when_the_body_is_no_json_object_refuses_it(
    demo_server: RunningServer, body: bytes
) -> None:
    before = feed_of(demo_server)["deliveries"]
    answer = demo_server.client.post(demo.WEBHOOK_PATH, content=body)
    assert answer.status_code in (400, 422)
    problem_of(answer, answer.status_code)
    assert feed_of(demo_server)["deliveries"] == before


def test_receiver_when_the_body_is_too_large_refuses_it(demo_server: RunningServer) -> None:
    body = b'{"a": "' + b"x" * 1_048_576 + b'"}'
    problem_of(demo_server.client.post(demo.WEBHOOK_PATH, content=body), 413)


@pytest.mark.parametrize("header", FORWARDED)
def test_feed_when_it_is_asked_for_through_a_proxy_is_refused(
    demo_server: RunningServer, header: str
) -> None:
    answer = demo_server.client.get(FEED, headers={header: "203.0.113.9"})
    problem_of(answer, 403)
    assert "deliveries" not in answer.text


@pytest.mark.parametrize("header", FORWARDED)
def test_receiver_when_it_is_called_through_a_proxy_refuses(
    demo_server: RunningServer, header: str
) -> None:
    headers = {header: "203.0.113.9"}
    problem_of(demo_server.client.post(demo.WEBHOOK_PATH, json={}, headers=headers), 403)


def test_feed_when_another_site_asks_for_it_is_not_readable(demo_server: RunningServer) -> None:
    answer = demo_server.client.get(FEED, headers={"origin": "https://www.other.example"})
    assert not any(name.startswith("access-control-") for name in answer.headers)


def test_feed_when_leads_go_to_a_webhook_of_the_users_own_shows_none(shared: SharedServer) -> None:
    answer = shared.server.lead(name="Eve", email="eve-external@example.com", __site="demo")
    shared.webhook(answer)
    assert feed_of(shared.server) == {"webhook_url": "", "mode": "external", "deliveries": []}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/demo"),
        ("GET", "/demo/"),
        ("GET", "/demo/gallery/"),
        ("GET", "/demo/site.js"),
        ("GET", "/demo/deliveries/"),
        ("GET", FEED),
        ("POST", demo.WEBHOOK_PATH),
    ],
)
def test_demo_when_it_is_off_is_not_found(
    bare_server: RunningServer, method: str, path: str
) -> None:
    problem_of(bare_server.client.request(method, path), 404)


def test_server_without_the_demo_keeps_the_leads_that_have_no_webhook(
    bare_server: RunningServer,
) -> None:
    assert bare_server.lead(name="Finn", email="finn@example.com").status_code == 201
    (delivery,) = bare_server.query("SELECT state, attempts FROM deliveries")
    assert delivery == {"state": "not_configured", "attempts": 0}
    assert not any("demo" in line for line in bare_server.output)


def address_in_the_network() -> str:
    """An address of this machine that is not loopback, or "" when it has none."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            probe.connect(("198.51.100.1", 9))
        except OSError:
            return ""
        address: str = probe.getsockname()[0]
        return "" if address.startswith("127.") else address


def test_lead_when_the_server_listens_on_the_network_is_shown_by_the_demo(tmp_path: Path) -> None:
    host = address_in_the_network()
    if not host:
        pytest.skip("this machine is in no network")
    server = RunningServer(tmp_path / "data", {"HOST": host})
    server.url = f"http://{host}:{server.port}"
    with server:
        answer = server.lead(name="Gil", email="gil@example.com", __site="demo")
        received_lead(server, answer.json()["lead_id"])
        assert server.query("SELECT reason FROM paused_destinations") == []
