"""What tracker.js counts as one page view and one session: routes, tabs, returns."""

import pytest
from playwright.sync_api import Page

from tests.browser.recorder import Site
from tests.browser.visitor import (
    HIDDEN,
    MINUTE_MS,
    hide,
    open_page,
    open_spa,
    scroll_to,
    show,
    state,
    stop_clock,
    stored,
)

# --- single-page sites ---------------------------------------------------------------


def test_route_when_its_path_changes_is_a_new_view(page: Page, site: Site) -> None:
    open_spa(page, site)
    page.clock.run_for(3000)
    page.click("#plan")
    page.evaluate("go('/spa/villas', 'Villas')")
    page.clock.run_for(1000)
    site.wait(lambda: len(site.views) == 2)
    towers, villas = site.views
    (left,) = site.engages
    assert (left["page_view_id"], left["duration_ms"]) == (towers["page_view_id"], 3000)
    assert left["clicks"] == 1
    assert villas["url"] == site.origin + "/spa/villas"
    assert villas["referrer"] == site.origin + "/spa/towers"
    assert villas["title"] == "Villas"
    assert (villas["seq"], villas["clicks"], villas["scroll_percent"]) == (0, 0, 0)
    assert villas["duration_ms"] < 1000
    assert villas["session_id"] == towers["session_id"]


@pytest.mark.parametrize(
    "change",
    [
        "history.pushState({}, '', '?beds=2')",
        "history.replaceState({}, '', '#plans')",
        "history.pushState({}, '')",
        "location.hash = '#map'",
    ],
)
def test_route_when_only_query_or_hash_changes_is_the_same_view(
    page: Page, site: Site, change: str
) -> None:
    open_spa(page, site)
    page.evaluate(change)
    page.clock.run_for(1000)
    page.click("#plan")
    hide(page)
    site.wait_posts(2)
    assert len(site.views) == 1
    assert site.engages[0]["page_view_id"] == site.views[0]["page_view_id"]


def test_route_when_replaced_is_a_new_view(page: Page, site: Site) -> None:
    open_spa(page, site)
    page.evaluate("history.replaceState({}, '', '/spa/villas')")
    page.clock.run_for(1000)
    site.wait(lambda: len(site.views) == 2)


def test_route_when_gone_back_is_a_new_view(page: Page, site: Site) -> None:
    open_spa(page, site)
    page.evaluate("go('/spa/villas', 'Villas')")
    page.clock.run_for(1000)
    site.wait(lambda: len(site.views) == 2)
    page.evaluate("history.back()")
    page.wait_for_function("location.pathname == '/spa/towers'", polling=20)
    page.clock.run_for(1000)
    site.wait(lambda: len(site.views) == 3)
    assert site.views[2]["url"] == site.origin + "/spa/towers"
    assert site.views[2]["referrer"] == site.origin + "/spa/villas"


def test_route_when_redirected_at_once_is_not_a_view(page: Page, site: Site) -> None:
    open_spa(page, site)
    page.evaluate("go('/spa/old', 'Old'); history.replaceState({}, '', '/spa/new')")
    page.clock.run_for(1000)
    site.wait(lambda: len(site.views) == 2)
    assert [view["url"].rsplit("/", 1)[1] for view in site.views] == ["towers", "new"]


def test_route_when_left_before_it_settled_is_sent_on_leaving(page: Page, site: Site) -> None:
    open_spa(page, site)
    page.evaluate("go('/spa/villas', 'Villas')")
    hide(page)
    site.wait(lambda: len(site.views) == 2)
    assert site.views[1]["title"] == "Villas"


def test_route_when_it_scrolls_to_the_top_earns_no_depth(page: Page, site: Site) -> None:
    open_spa(page, site)
    scroll_to(page, 1080)
    page.evaluate("go('/spa/villas', 'Villas')")
    page.wait_for_function("scrollY == 0", polling=20)
    page.evaluate("scrollTo(0, 300)")
    page.wait_for_function("scrollY == 300", polling=20)
    page.clock.run_for(1000)
    assert state(page)["scroll_percent"] == 0


def test_route_when_changed_in_a_hidden_tab_waits_until_shown(page: Page, site: Site) -> None:
    open_spa(page, site)
    hide(page)
    page.evaluate("go('/spa/villas', 'Villas')")
    page.clock.run_for(1000)
    page.evaluate("go('/spa/homes', 'Homes')")
    page.clock.run_for(1000)
    show(page)
    site.wait(lambda: len(site.views) == 2)
    assert site.views[1]["url"] == site.origin + "/spa/homes"
    assert site.views[1]["referrer"] == site.origin + "/spa/towers"


def test_history_when_wrapped_throws_what_it_threw(page: Page, site: Site) -> None:
    open_spa(page, site)
    name = page.evaluate(
        "() => { try { history.pushState({}, '', 'https://example.com/'); }"
        " catch (thrown) { return thrown.name; } }"
    )
    assert name == "SecurityError"


# --- coming and going ----------------------------------------------------------------


def test_tab_when_never_shown_sends_nothing_until_it_is(page: Page, site: Site) -> None:
    page.add_init_script(HIDDEN)
    stop_clock(page)
    page.goto(site.page("long.html"))
    page.clock.run_for(20_000)
    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")
    assert stored(page, "_pg_vid") is None
    assert page.evaluate("propgauge('state')") is None
    assert page.evaluate("propgauge('reason')") == "hidden"
    show(page)
    view = site.wait_posts(1).beacons[0]
    assert (view["type"], view["duration_ms"], view["age_ms"]) == ("view", 0, 0)


def test_prerendered_page_when_shown_is_a_view_and_not_before(page: Page, site: Site) -> None:
    page.add_init_script(
        HIDDEN
        + "Object.defineProperty(document, 'prerendering', {value: true, configurable: true})"
    )
    page.goto(site.page("long.html"))
    # Chromium's order: visible while still prerendering, then shown.
    show(page)
    assert page.evaluate("propgauge('reason')") == "prerender"
    assert stored(page, "_pg_vid") is None
    page.evaluate(
        "Object.defineProperty(document, 'prerendering', {value: false});"
        "document.dispatchEvent(new Event('prerenderingchange'))"
    )
    site.wait_posts(1)
    page.click("#plan")
    hide(page)
    site.wait_posts(2)
    assert len(site.views) == 1


@pytest.mark.parametrize(("minutes", "views"), [(29, 1), (31, 2)])
def test_tab_when_shown_again_is_a_new_view_after_half_an_hour(
    page: Page, site: Site, minutes: int, views: int
) -> None:
    stop_clock(page)
    open_page(page, site)
    hide(page)
    page.clock.run_for(minutes * MINUTE_MS)
    show(page)
    page.click("#plan")
    hide(page)
    site.wait(lambda: site.engages)
    assert len(site.views) == views
    assert len({view["session_id"] for view in site.views}) == views
    assert len({view["visitor_id"] for view in site.views}) == 1


def test_input_when_nobody_moved_for_half_an_hour_is_a_new_view(page: Page, site: Site) -> None:
    stop_clock(page)
    open_page(page, site)
    page.clock.run_for(45 * MINUTE_MS)
    page.mouse.move(200, 200)
    site.wait(lambda: len(site.views) == 2)
    assert site.views[0]["session_id"] != site.views[1]["session_id"]
    assert site.engages[-1]["page_view_id"] == site.views[0]["page_view_id"]


def test_session_when_another_tab_went_on_is_shared(page: Page, site: Site) -> None:
    stop_clock(page)
    first = open_page(page, site)
    hide(page)
    page.clock.run_for(31 * MINUTE_MS)
    now = page.evaluate("Date.now()")
    page.evaluate("at => localStorage.setItem('_pg_sid', 'other:' + at)", now - 1000)
    show(page)
    site.wait(lambda: len(site.views) == 2)
    assert first["session_id"] != "other"
    assert site.views[1]["session_id"] == "other"


def test_session_when_an_idle_tab_closes_stays_with_the_active_one(page: Page, site: Site) -> None:
    stop_clock(page)
    open_page(page, site)
    page.clock.run_for(5000)
    later = f"other:{page.evaluate('Date.now()')}"
    page.evaluate("value => localStorage.setItem('_pg_sid', value)", later)
    hide(page)
    site.wait_posts(2)
    assert stored(page, "_pg_sid") == later
