"""How tracker.js measures engagement: time, scroll depth, clicks."""

import pytest
from playwright.sync_api import Page

from tests.browser.recorder import Site
from tests.browser.visitor import (
    MINUTE_MS,
    hide,
    next_frame,
    open_page,
    scroll_to,
    set_focus,
    show,
    state,
    stop_clock,
)

# --- engaged time --------------------------------------------------------------------


def test_duration_when_not_focused_stands_still(page: Page, site: Site) -> None:
    stop_clock(page)
    open_page(page, site)
    page.clock.run_for(2500)
    set_focus(page, focused=False)
    page.clock.run_for(9000)
    set_focus(page, focused=True)
    page.clock.run_for(1700)
    assert state(page)["duration_ms"] == 4200


def test_duration_when_hidden_stands_still(page: Page, site: Site) -> None:
    stop_clock(page)
    open_page(page, site)
    page.clock.run_for(2500)
    hide(page)
    page.clock.run_for(9000)
    show(page)
    page.clock.run_for(1700)
    assert state(page)["duration_ms"] == 4200


def test_duration_when_never_focused_is_nothing(page: Page, site: Site) -> None:
    page.add_init_script("document.hasFocus = () => false")
    stop_clock(page)
    open_page(page, site)
    page.clock.run_for(20_000)
    assert state(page)["duration_ms"] == 0


def test_duration_when_the_machine_sleeps_leaves_it_out(page: Page, site: Site) -> None:
    stop_clock(page)
    open_page(page, site)
    page.clock.run_for(5000)
    page.clock.fast_forward(20 * MINUTE_MS)
    page.clock.run_for(5000)
    assert state(page)["duration_ms"] <= 13_000


def test_duration_when_nobody_moves_for_half_an_hour_ends(page: Page, site: Site) -> None:
    stop_clock(page)
    open_page(page, site)
    page.clock.run_for(40 * MINUTE_MS)
    assert state(page)["duration_ms"] <= 30 * MINUTE_MS + 1000


# --- scroll depth --------------------------------------------------------------------


def test_depth_when_not_scrolled_is_nothing(page: Page, site: Site) -> None:
    open_page(page, site)
    page.click("#plan")
    assert (state(page)["scrollable"], state(page)["scroll_percent"]) == (True, 0)


def test_depth_when_scrolled_is_the_lowest_point_reached(page: Page, site: Site) -> None:
    open_page(page, site)
    scroll_to(page, 1080)
    scroll_to(page, 360)
    assert state(page)["scroll_percent"] == 50


def test_depth_when_scrolled_to_the_end_is_100(page: Page, site: Site) -> None:
    open_page(page, site)
    scroll_to(page, 2880)
    assert state(page)["scroll_percent"] == 100


def test_depth_when_a_script_scrolls_a_fresh_page_counts(page: Page, site: Site) -> None:
    open_page(page, site)
    page.evaluate("scrollTo(0, 1080)")
    next_frame(page)
    assert state(page)["scroll_percent"] == 50


def test_depth_when_page_is_too_short_is_nothing(page: Page, site: Site) -> None:
    open_page(page, site, "short.html")
    page.mouse.wheel(0, 500)
    next_frame(page)
    assert (state(page)["scrollable"], state(page)["scroll_percent"]) == (False, 0)


def test_depth_when_images_load_late_is_lowered(page: Page, site: Site) -> None:
    open_page(page, site)
    scroll_to(page, 2880)
    page.evaluate("document.querySelector('main').style.height = '7200px'")
    assert state(page)["scroll_percent"] == 50


def test_depth_when_a_picture_comes_late_is_lowered_by_it(page: Page, site: Site) -> None:
    site.answering.clear()
    page.goto(site.page("late.html"), wait_until="commit")
    site.wait_posts(1)
    scroll_to(page, 2880)
    assert state(page)["scroll_percent"] == 100
    site.answering.set()
    page.wait_for_load_state("load")
    assert state(page)["scroll_percent"] == 50


def test_depth_when_a_short_page_grows_counts_from_then(page: Page, site: Site) -> None:
    open_page(page, site, "short.html")
    page.evaluate("document.body.style.cssText = 'margin: 0; height: 1440px'")
    scroll_to(page, 720)
    assert (state(page)["scrollable"], state(page)["scroll_percent"]) == (True, 100)


def test_depth_when_landed_at_a_fragment_waits_for_the_visitor(page: Page, site: Site) -> None:
    page.goto(site.page("long.html") + "#prices")
    page.wait_for_function("scrollY > 2000")
    next_frame(page)
    assert state(page)["scroll_percent"] == 0
    scroll_to(page, page.evaluate("scrollY") - 100)
    assert state(page)["scroll_percent"] > 90


def test_depth_when_page_is_reloaded_waits_for_the_visitor(page: Page, site: Site) -> None:
    open_page(page, site)
    scroll_to(page, 1080)
    page.reload()
    page.wait_for_function("scrollY == 1080")
    next_frame(page)
    assert state(page)["scroll_percent"] == 0


def test_depth_when_an_anchor_is_clicked_counts(page: Page, site: Site) -> None:
    open_page(page, site)
    page.click("#prices-link")
    page.wait_for_function("scrollY > 2000")
    next_frame(page)
    assert state(page)["scroll_percent"] > 90


@pytest.mark.parametrize("name", ["inner-selector.html", "inner-attribute.html"])
def test_depth_when_an_inner_element_scrolls_is_its_own(page: Page, site: Site, name: str) -> None:
    open_page(page, site, name)
    page.mouse.move(300, 300)
    page.mouse.wheel(0, 360)
    page.wait_for_function("propgauge('state').scroll_percent == 50")
    assert state(page)["scrollable"] is True


# --- clicks --------------------------------------------------------------------------


def test_clicks_when_real_are_counted(page: Page, site: Site) -> None:
    open_page(page, site)
    page.evaluate("addEventListener('click', event => event.stopPropagation(), true)")
    page.click("#plan")
    page.click("h1")
    assert state(page)["clicks"] == 0
    page.reload()
    page.click("#plan")
    page.click("h1")
    assert state(page)["clicks"] == 2


def test_clicks_when_made_by_a_script_are_not_counted(page: Page, site: Site) -> None:
    open_page(page, site)
    page.evaluate("document.querySelector('#plan').click()")
    page.dispatch_event("#plan", "click", {"detail": 1})
    assert state(page)["clicks"] == 0


def test_clicks_when_on_a_label_count_once(page: Page, site: Site) -> None:
    open_page(page, site)
    box = page.locator("#label").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] - 5, box["y"] + 5)
    assert page.is_checked("#box")
    assert state(page)["clicks"] == 1


def test_clicks_when_made_by_keys_are_not_counted(page: Page, site: Site) -> None:
    open_page(page, site)
    page.press("#plan", "Enter")
    assert state(page)["clicks"] == 0


def test_host_handlers_when_clicked_find_nothing_prevented(page: Page, site: Site) -> None:
    open_page(page, site)
    page.evaluate(
        "addEventListener('click', event => { window.prevented = event.defaultPrevented; })"
    )
    page.click("#plan")
    assert page.evaluate("prevented") is False
