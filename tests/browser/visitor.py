"""What a visitor does in a page with tracker.js, and what the page then says of them.

Knows nothing of the propgauge server.
"""

import re
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Page

from tests.browser.recorder import Beacon, Site

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
MINUTE_MS = 60_000
ID = re.compile(r"[A-Za-z0-9._-]{16,40}")

NO_STORAGE = """Object.defineProperty(window, "localStorage", {
  get() { throw new DOMException("denied", "SecurityError"); },
});"""
HIDDEN = 'Object.defineProperty(document, "hidden", {get: () => true, configurable: true});'


def set_hidden(page: Page, *, hidden: bool) -> None:
    page.evaluate(
        """hidden => {
          Object.defineProperty(document, "hidden", {get: () => hidden, configurable: true});
          document.dispatchEvent(new Event("visibilitychange", {bubbles: true}));
        }""",
        hidden,
    )


def hide(page: Page) -> None:
    set_hidden(page, hidden=True)


def show(page: Page) -> None:
    set_hidden(page, hidden=False)


def set_focus(page: Page, *, focused: bool) -> None:
    page.evaluate(
        """focused => {
          document.hasFocus = () => focused;
          dispatchEvent(new Event(focused ? "focus" : "blur"));
        }""",
        focused,
    )


def stop_clock(page: Page) -> None:
    """Time passes only when the test says so."""
    page.clock.install(time=START)
    page.clock.pause_at(START + timedelta(minutes=1))


def state(page: Page) -> Beacon:
    found: Beacon = page.evaluate("JSON.parse(JSON.stringify(propgauge('state')))")
    return found


def stored(page: Page, key: str) -> str | None:
    found: str | None = page.evaluate("key => localStorage.getItem(key)", key)
    return found


def outbox(page: Page) -> list[Beacon]:
    """What the page's origin keeps for another try."""
    found: list[Beacon] = page.evaluate("JSON.parse(localStorage._pg_outbox || '[]')")
    return found


def wait_outbox(page: Page, count: int) -> None:
    """Returns once so many beacons are kept."""
    page.wait_for_function(
        "count => JSON.parse(localStorage._pg_outbox || '[]').length == count",
        arg=count,
        polling=20,
    )


def wait_until_sent(page: Page, site: Site) -> None:
    """Returns once every request that the page has begun is recorded."""
    before = len(site.leads)
    page.evaluate("fetch('/lead-barrier', {method: 'POST', body: ''})")
    site.wait_leads(before + 1)


def open_page(page: Page, site: Site, name: str = "long.html") -> Beacon:
    """Opens a page whose view is acknowledged when this returns; gives that view."""
    before = len(site.views)
    page.goto(site.page(name))
    site.wait(lambda: len(site.views) > before)
    page.wait_for_function("propgauge('state').type == 'engage'")
    return site.views[-1]


def scroll_to(page: Page, top: int) -> None:
    """Turns the mouse wheel until the page stands there."""
    page.mouse.move(300, 300)
    page.mouse.wheel(0, top - page.evaluate("scrollY"))
    page.wait_for_function("top => Math.abs(scrollY - top) < 1", arg=top)
    next_frame(page)


def next_frame(page: Page) -> None:
    """Lets the browser deliver the scroll events of what was scrolled."""
    page.evaluate(
        "() => new Promise(done => new IntersectionObserver(done).observe(document.body))"
    )


def open_spa(page: Page, site: Site) -> None:
    stop_clock(page)
    page.goto(site.origin + "/spa/towers")
    site.wait_posts(1)
    page.wait_for_function("propgauge('state').type == 'engage'", polling=20)
