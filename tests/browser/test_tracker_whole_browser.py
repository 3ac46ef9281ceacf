"""tracker.js where a whole browser matters: pages kept for going back, windows without focus."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.recorder import Site, running_chromium
from tests.browser.visitor import open_page, state


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_chromium(whole=True) as browser:
        yield browser


def test_page_when_back_from_the_cache_is_a_new_view(page: Page, site: Site) -> None:
    first = open_page(page, site)
    page.evaluate("window.kept = true")
    page.click("#plan")
    page.click("#next")
    site.wait(lambda: len(site.views) == 2)
    page.evaluate("history.back()")
    site.wait(lambda: len(site.views) == 3)
    assert page.evaluate("window.kept") is True
    back = site.views[2]
    assert back["url"] == first["url"]
    assert back["page_view_id"] != first["page_view_id"]
    assert back["session_id"] == first["session_id"]
    assert (back["seq"], back["clicks"]) == (0, 0)
    assert back["duration_ms"] < 1000


def test_page_when_left_while_an_answer_is_out_is_kept_in_the_cache(page: Page, site: Site) -> None:
    page.add_init_script(
        "addEventListener('pageshow', event => { window.restored = event.persisted; });"
    )
    open_page(page, site)
    site.answering.clear()
    page.click("#plan")
    page.evaluate("propgauge('event', 'favourite')")
    page.click("#next")
    site.wait(lambda: len(site.views) == 2)
    page.evaluate("history.back()")
    site.wait(lambda: len(site.views) == 3)
    assert page.evaluate("restored") is True
    assert page.evaluate("performance.getEntriesByType('navigation')[0].notRestoredReasons") is None


def test_duration_when_another_window_has_the_focus_stands_still(
    context: BrowserContext, page: Page, site: Site
) -> None:
    open_page(page, site)
    session = context.new_cdp_session(page)
    session.send("Emulation.setFocusEmulationEnabled", {"enabled": False})
    page.bring_to_front()
    page.wait_for_function("document.hasFocus()")
    page.click("#plan")
    context.new_page().bring_to_front()
    site.wait_posts(2)
    page.wait_for_function("!document.hasFocus()")
    before = state(page)["duration_ms"]
    page.wait_for_function(
        "start => performance.now() > start + 1100", arg=page.evaluate("performance.now()")
    )
    assert state(page)["duration_ms"] == before
