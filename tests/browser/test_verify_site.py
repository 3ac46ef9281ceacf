"""Verifying a site: a real page of another origin, whose steps are told as they are reached."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.desk import axe_findings, open_desk
from tests.dashboard import Dashboard, unique

FORM = '<form data-pg-lead><input name="email" aria-label="E-mail"><button>Send</button></form>'


@contextmanager
def towers(dashboard: Dashboard, key: str, body: str) -> Iterator[str]:
    """A page of another origin that carries the scripts; its origin."""
    names = ("tracker.js", "form.js")
    tags = (
        f'<script defer src="{dashboard.server.url}/{n}" data-site="{key}"></script>' for n in names
    )
    html = f"<!doctype html><title>Towers</title>{''.join(tags)}{body}".encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(html)))
            self.end_headers()
            self.wfile.write(html)

        def log_message(self, *_: object) -> None:
            """Stays silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def add_site(dashboard: Dashboard, origins: str = "") -> str:
    key = unique("verify")
    answer = dashboard.desk().post("/clients/1/add-site", {"site_key": key, "origins": origins})
    assert answer.status_code == 303, answer.text
    return key


def open_marked(desk: Page, dashboard: Dashboard, key: str, url: str) -> Page:
    """Start a verification and open its page."""
    desk.goto(f"{dashboard.server.url}/clients/1/sites/{key}/verify")
    assert axe_findings(desk) == []
    desk.get_by_label("Page with the scripts").fill(url)
    desk.get_by_role("button", name="Start").click()
    expect(desk.get_by_role("heading", name="0 of 4 steps reached")).to_be_visible()
    assert axe_findings(desk) == []
    with desk.expect_popup() as opened:
        desk.get_by_role("button", name="Open the page").click()
    return opened.value


@pytest.mark.both_stores
def test_site_when_its_page_is_opened_is_verified_live_and_its_origin_allowed(
    desk: Page, dashboard: Dashboard
) -> None:
    key = add_site(dashboard)
    with towers(dashboard, key, FORM) as origin:
        opened = open_marked(desk, dashboard, key, f"{origin}/towers?plan=2#top")
        expect(desk.get_by_role("heading", name="3 of 4 steps reached")).to_be_visible()
        assert opened.url.endswith("#top")
        expect(desk.locator("#live")).to_contain_text("steps reached")
        expect(desk.get_by_role("heading", name="Origin allowed fails")).to_be_visible()
        assert axe_findings(desk) == []
        desk.get_by_role("button", name=f"Allow {origin}").click()
        expect(desk.get_by_role("heading", name="the site is set up")).to_be_visible()
        assert axe_findings(desk) == []
        opened.close()


def test_page_with_the_key_of_another_site_is_told_on_a_phone_in_the_dark(
    browser: Browser, dashboard: Dashboard
) -> None:
    key = add_site(dashboard)
    phone = open_desk(
        browser, dashboard, color_scheme="dark", viewport={"width": 390, "height": 800}
    )
    with towers(dashboard, "demo", "") as origin, phone as desk:
        opened = open_marked(desk, dashboard, key, f"{origin}/towers")
        expect(desk.get_by_text("does not count for this site")).to_be_visible()
        assert axe_findings(desk) == []
        opened.close()
