"""What `propgauge site show` prints, pasted into pages of another origin, in a real browser."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import pytest
from playwright.sync_api import Browser, Page, Request, Response

from server.config import ROOT
from server.web.builds import TRACKER
from tests.browser.recorder import running_chromium
from tests.integration.http_fixtures import eventually
from tests.running import BROWSER_AGENT, RunningServer, propgauge
from tests.shown import shown_snippets

SITE = "marina"
ALIASES = {
    "TRACKER_PATH": "/assets/pg.js",
    "FORM_PATH": "/assets/pg-form.js",
    "TRACK_PATH": "/assets/pg",
}
ROW_KEYS = {"page_views": "page_view_id", "sessions": "session_id", "Leads": "Id"}
NOTE_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  violations.push(event.effectiveDirective));
"""


@dataclass
class PropertySite:
    """A site of its own origin; `pages` are bodies of HTML by path, `policy` stands on each."""

    origin: str
    pages: dict[str, str] = field(default_factory=dict)
    policy: str = ""


class _Server(ThreadingHTTPServer):
    site: PropertySite

    def handle_error(self, *_: object) -> None:
        """A page that is closed leaves its connections broken."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, *_: object) -> None:
        """Stays silent."""

    def do_GET(self) -> None:
        site = self.server.site
        page = site.pages.get(self.path)
        body = f"<!doctype html><title>Marina</title>{page}".encode()
        self.send_response(404 if page is None else 200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if site.policy:
            self.send_header("Content-Security-Policy", site.policy)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def property_site() -> Iterator[PropertySite]:
    """Pages on a port of their own."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.site = PropertySite(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Embedded:
    """A property site, the server that it is listed on, and what is to be pasted."""

    site: PropertySite
    server: RunningServer
    texts: Mapping[str, str]
    former: dict[str, set[Any]] = field(default_factory=dict)
    """The rows that were there when the test began, by table."""

    def begin(self) -> Self:
        """Forget what a former test left on the site and the server."""
        self.site.pages, self.site.policy = {}, ""
        self.former = {table: {row["key"] for row in self._rows(table)} for table in ROW_KEYS}
        return self

    def stored(self, table: str, *columns: str) -> list[dict[str, Any]]:
        """These columns of what the test has stored so far."""
        former = self.former.get(table, set())
        new = [row for row in self._rows(table) if row["key"] not in former]
        return [{name: row[name] for name in columns} for row in new]

    def _rows(self, table: str) -> list[dict[str, Any]]:
        return self.server.query(f"SELECT {ROW_KEYS[table]} AS key, * FROM {table}")

    def stored_pages(self) -> list[str]:
        """The addresses of the page views stored."""
        return [row["url"] for row in self.stored("page_views", "url")]


@contextmanager
def embedded(data_dir: Path, **settings: str) -> Iterator[Embedded]:
    """Do what the documentation says: add the site, show it, run the server."""
    with property_site() as site:
        server = RunningServer(data_dir, {"DEMO": "off", **settings})
        told = {**server.settings, "PUBLIC_URL": server.url}
        added = propgauge("site", "add", SITE, "--origin", site.origin, settings=told)
        assert added.returncode == 0, added.stderr
        shown = propgauge("site", "show", SITE, settings=told)
        assert shown.returncode == 0, shown.stderr
        with server:
            yield Embedded(site, server, shown_snippets(shown.stdout))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(user_agent=BROWSER_AGENT)
    context.add_init_script(NOTE_VIOLATIONS)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def plain_server(tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Iterator[Embedded]:
    with embedded(tmp_path_factory.mktemp("plain"), DATABASE_URL=database_url) as started:
        yield started


@pytest.fixture(scope="module")
def aliased_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    with embedded(tmp_path_factory.mktemp("aliased"), **ALIASES) as started:
        yield started


@pytest.fixture
def plain(plain_server: Embedded) -> Embedded:
    """A site on a server without aliases."""
    return plain_server.begin()


@pytest.fixture
def aliased(aliased_server: Embedded) -> Embedded:
    """A site on a server with all aliases."""
    return aliased_server.begin()


def is_beacon(response: Response) -> bool:
    return response.request.method == "POST"


def visit(page: Page, on: Embedded, body: str, path: str = "/residences") -> Response:
    """Open a page with this body; the answer to its first beacon."""
    on.site.pages[path] = body
    with page.expect_response(is_beacon) as answered:
        page.goto(on.site.origin + path)
    return answered.value


def assert_stored(answer: Response, on: Embedded, path: str = "/residences") -> None:
    assert answer.status == 202
    assert "x-propgauge-dropped" not in answer.headers
    assert on.stored_pages() == [on.site.origin + path]
    assert on.stored("sessions", "site_key") == [{"site_key": SITE}]


@pytest.mark.parametrize("title", ["Scripts", "Scripts, frozen", "Google Tag Manager"])
def test_text_that_site_show_prints_when_pasted_stores_the_visit(
    page: Page, plain: Embedded, title: str
) -> None:
    answer = visit(page, plain, plain.texts[title])
    assert_stored(answer, plain)
    assert answer.url == f"{plain.server.url}/api/track"


@pytest.mark.both_stores
@pytest.mark.parametrize("title", ["Scripts", "Scripts, frozen", "Google Tag Manager"])
def test_form_with_the_pasted_scripts_when_sent_becomes_a_lead_of_the_visit(
    page: Page, plain: Embedded, title: str
) -> None:
    plain.site.pages["/thank-you/"] = "<h1>Thank you</h1>"
    visit(page, plain, plain.texts[title] + plain.texts["Form"])
    page.locator("input[name=__visitor_id]").wait_for(state="attached")
    send_enquiry(page)
    assert page.url == plain.site.origin + "/thank-you/"
    assert plain.stored("Leads", "Email", "SiteKey", "MatchKind") == [
        {"Email": "ana@example.com", "SiteKey": SITE, "MatchKind": "visitor_id"}
    ]


def send_enquiry(page: Page) -> None:
    page.fill("[name=name]", "Ana Example")
    page.fill("[name=email]", "ana@example.com")
    page.click("button")
    page.wait_for_url("**/thank-you/")


def test_frozen_script_when_its_text_is_another_is_refused_by_the_browser(
    page: Page, plain: Embedded
) -> None:
    tracker, form = plain.texts["Scripts, frozen"].splitlines()
    integrity = re.compile('integrity="[^"]+"')
    (others,) = integrity.findall(form)
    plain.site.pages["/"] = integrity.sub(others, tracker)
    with page.expect_console_message(lambda message: "integrity" in message.text):
        page.goto(plain.site.origin)
    assert page.evaluate("typeof propgauge") == "undefined"


def test_frozen_script_after_an_upgrade_of_the_server_still_stores_the_visit(
    page: Page, tmp_path: Path
) -> None:
    with embedded(tmp_path) as own:
        own.server.stop()
        own.server.settings.update(ALIASES)
        own.server.start()
        answer = visit(page, own, own.texts["Scripts, frozen"])
        assert_stored(answer, own)
        assert answer.url == f"{own.server.url}/api/track"


def requests_of(page: Page) -> list[Request]:
    """Fills up with all that the page asks for."""
    seen: list[Request] = []

    def note(request: Request) -> None:
        seen.append(request)

    page.on("request", note)
    return seen


@pytest.mark.parametrize("title", ["Scripts", "Scripts, frozen", "Google Tag Manager"])
def test_site_with_aliases_when_visited_asks_for_no_name_that_lists_carry(
    page: Page, aliased: Embedded, title: str
) -> None:
    seen = requests_of(page)
    aliased.site.pages["/thank-you/"] = "<h1>Thank you</h1>"
    answer = visit(page, aliased, aliased.texts[title] + aliased.texts["Form"])
    assert_stored(answer, aliased)
    assert answer.url == f"{aliased.server.url}{ALIASES['TRACK_PATH']}"
    page.locator("input[name=__visitor_id]").wait_for(state="attached")
    send_enquiry(page)
    assert not [one.url for one in seen if re.search(r"tracker|/form|/api/track", one.url)]
    scripts = {one.url for one in seen if one.resource_type == "script"}
    assert len(scripts) == 2
    assert all(url.startswith(f"{aliased.server.url}/assets/pg") for url in scripts)


def documented_policy(on: Embedded) -> str:
    """The policy of docs/embedding.md with this server's address, and nothing else allowed."""
    document = (ROOT / "docs" / "embedding.md").read_text("utf-8")
    section = document.split("\n## Content-Security-Policy\n")[1]
    lines = section.split("```\n")[1].replace("https://leads.example.com", on.server.url)
    return "default-src 'none'; " + " ".join(lines.split("\n"))


def shown_policy(on: Embedded) -> str:
    """The policy that `site show` prints, and nothing else allowed."""
    return "default-src 'none'; " + on.texts["Content-Security-Policy"].replace("\n", " ")


@pytest.mark.parametrize("policy", [documented_policy, shown_policy])
@pytest.mark.parametrize("title", ["Scripts", "Scripts, frozen"])
def test_policy_that_is_documented_is_enough_for_scripts_beacons_and_forms(
    page: Page, plain: Embedded, title: str, policy: Callable[[Embedded], str]
) -> None:
    plain.site.policy = policy(plain)
    plain.site.pages["/thank-you/"] = "<h1>Thank you</h1>"
    assert_stored(visit(page, plain, plain.texts[title] + plain.texts["Form"]), plain)
    page.locator("input[name=__visitor_id]").wait_for(state="attached")
    assert page.evaluate("violations") == []
    send_enquiry(page)
    assert plain.stored("Leads", "MatchKind") == [{"MatchKind": "visitor_id"}]


def await_violation(page: Page, directive: str) -> None:
    """Wait for it from here: a page that waits would evaluate text, which its policy forbids."""
    eventually(lambda: directive in page.evaluate("violations") or None)


@pytest.mark.parametrize(
    ("without", "refused"),
    [(r"script-src [^;]+;", "script-src-elem"), (r"connect-src [^;]+;", "connect-src")],
)
def test_policy_without_one_of_its_sources_refuses_the_tracker(
    page: Page, plain: Embedded, without: str, refused: str
) -> None:
    plain.site.policy = re.sub(without, "", documented_policy(plain))
    plain.site.pages["/"] = plain.texts["Scripts"]
    page.goto(plain.site.origin)
    await_violation(page, refused)
    assert plain.stored_pages() == []


def test_policy_without_the_server_as_a_form_target_refuses_the_form(
    page: Page, plain: Embedded
) -> None:
    plain.site.policy = re.sub(r"form-action [^;]+", "form-action 'self'", documented_policy(plain))
    visit(page, plain, plain.texts["Scripts"] + plain.texts["Form"], "/")
    page.evaluate("document.forms[0].requestSubmit()")
    await_violation(page, "form-action")
    assert plain.stored("Leads", "Id") == []


def test_site_under_a_policy_of_its_own_when_aliases_are_shown_needs_no_other_source(
    page: Page, aliased: Embedded
) -> None:
    aliased.site.policy = shown_policy(aliased)
    assert_stored(visit(page, aliased, aliased.texts["Scripts"]), aliased)
    assert TRACKER not in aliased.site.pages["/residences"]
    assert page.evaluate("violations") == []
