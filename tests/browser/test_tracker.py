"""tracker.js in a real browser: which beacons arrive, what they say, and which never do."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.recorder import (
    Beacon,
    Site,
    gzipped_bytes,
    minified,
    running_chromium,
    running_site,
)

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
MINUTE_MS = 60_000
ID = re.compile(r"[A-Za-z0-9._-]{16,40}")

VIEW_FIELDS = {
    "v",
    "site",
    "visitor_id",
    "session_id",
    "page_view_id",
    "seq",
    "type",
    "url",
    "referrer",
    "title",
    "screen",
    "language",
    "timezone",
    "fingerprint",
    "duration_ms",
    "scroll_percent",
    "scrollable",
    "clicks",
    "automation",
    "age_ms",
}
SAID_ONCE = {"url", "referrer", "title", "screen", "language", "timezone", "fingerprint"}

NO_STORAGE = """Object.defineProperty(window, "localStorage", {
  get() { throw new DOMException("denied", "SecurityError"); },
});"""
HIDDEN = """Object.defineProperty(document, "visibilityState", {
  get: () => "hidden", configurable: true,
});"""
PRIVACY_CONTROL = 'Object.defineProperty(navigator, "globalPrivacyControl", {get: () => true});'


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_chromium() as browser:
        yield browser


@pytest.fixture
def site() -> Iterator[Site]:
    with running_site() as site:
        yield site


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A visitor of their own; whatever the script throws fails the test."""
    context = browser.new_context(locale="en-GB", timezone_id="Asia/Dubai")
    context.set_default_timeout(10_000)
    errors: list[str] = []
    context.on("weberror", lambda thrown: errors.append(str(thrown.error)))
    yield context
    context.close()
    assert errors == []


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def set_visible(page: Page, *, visible: bool) -> None:
    state = "visible" if visible else "hidden"
    page.evaluate(
        """state => {
          Object.defineProperty(document, "visibilityState",
            {get: () => state, configurable: true});
          document.dispatchEvent(new Event("visibilitychange", {bubbles: true}));
        }""",
        state,
    )


def hide(page: Page) -> None:
    set_visible(page, visible=False)


def show(page: Page) -> None:
    set_visible(page, visible=True)


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


# --- the view ------------------------------------------------------------------


def test_view_when_page_opens_says_everything(page: Page, site: Site) -> None:
    page.goto(site.page("long.html") + "?utm_source=news&gclid=abc#top")
    view = site.wait_posts(1).beacons[0]
    assert set(view) == VIEW_FIELDS
    assert (view["v"], view["site"], view["type"], view["seq"]) == (1, "demo", "view", 0)
    assert view["url"] == site.page("long.html") + "?utm_source=news&gclid=abc#top"
    assert view["title"] == "Marina Heights"
    assert view["screen"] == "1280x720"
    assert (view["language"], view["timezone"]) == ("en-GB", "Asia/Dubai")
    assert (view["scroll_percent"], view["clicks"], view["scrollable"]) == (0, 0, True)
    assert 0 <= view["duration_ms"] < 2000
    assert view["automation"] is True
    assert 0 <= view["age_ms"] < 2000


def test_view_when_sent_is_plain_text_without_credentials(
    context: BrowserContext, page: Page, site: Site
) -> None:
    context.add_cookies([{"name": "secret", "value": "1", "url": site.origin}])
    page.goto(site.page("long.html"))
    post = site.wait_posts(1)
    assert post.path == "/api/track"
    assert post.headers["Content-Type"].startswith("text/plain")
    assert post.headers["Cookie"] is None


def test_ids_when_made_are_short_and_ordered_by_time(page: Page, site: Site) -> None:
    stop_clock(page)
    first = open_page(page, site)
    page.clock.run_for(1000)
    second = open_page(page, site)
    for beacon in (first, second):
        for name in ("visitor_id", "session_id", "page_view_id"):
            assert ID.fullmatch(beacon[name])
    assert first["page_view_id"] < second["page_view_id"]


def test_ids_when_page_is_reloaded_are_kept_but_the_view_is_new(page: Page, site: Site) -> None:
    first, second = open_page(page, site), open_page(page, site)
    assert first["visitor_id"] == second["visitor_id"] == stored(page, "_pg_vid")
    assert first["session_id"] == second["session_id"]
    assert first["page_view_id"] != second["page_view_id"]
    assert first["fingerprint"] == second["fingerprint"]


def test_visitor_id_when_already_stored_is_taken(page: Page, site: Site) -> None:
    page.add_init_script("localStorage.setItem('_pg_vid', 'abc-123.X_y')")
    assert open_page(page, site)["visitor_id"] == "abc-123.X_y"


def test_visitor_id_when_stored_one_is_malformed_is_made_anew(page: Page, site: Site) -> None:
    page.add_init_script("localStorage._pg_vid ||= 'a b'")
    view = open_page(page, site)
    assert ID.fullmatch(view["visitor_id"])
    assert stored(page, "_pg_vid") == view["visitor_id"]


def test_referrer_when_page_was_linked_is_the_page_before(page: Page, site: Site) -> None:
    open_page(page, site)
    page.click("#next")
    site.wait(lambda: len(site.views) == 2)
    assert site.views[1]["referrer"] == site.page("long.html")


def test_long_values_when_sent_are_cut_to_well_formed_text(page: Page, site: Site) -> None:
    title = "'\\ud800' + 'x'.repeat(298) + '😀😀'"
    page.add_init_script(f"Object.defineProperty(document, 'title', {{get: () => {title}}})")
    page.goto(site.page("long.html") + "?q=" + "y" * 3000)
    view = site.wait_posts(1).beacons[0]
    assert len(view["url"]) == 2000
    assert view["title"] == "x" * 298


def test_meta_cookies_when_set_later_are_in_the_next_beacon(page: Page, site: Site) -> None:
    view = open_page(page, site)
    page.evaluate("document.cookie = '_fbp=fb.1.17.42'; document.cookie = '_fbc=fb.1.17.Click'")
    page.click("#plan")
    hide(page)
    engage = site.wait_posts(2).beacons[0]
    assert "fbp" not in view
    assert (engage["fbp"], engage["fbc"]) == ("fb.1.17.42", "fb.1.17.Click")


def test_endpoint_when_given_on_the_script_is_used(page: Page, site: Site) -> None:
    page.goto(site.page("endpoint.html"))
    assert site.wait_posts(1).path == "/s/t?x=1"


def test_view_when_script_is_of_another_origin_goes_there(page: Page, site: Site) -> None:
    page.goto(site.page("blank.html"))
    page.evaluate(
        """src => {
          const script = document.createElement("script");
          script.src = src;
          script.dataset.site = "demo";
          document.head.append(script);
        }""",
        site.other_origin + "/tracker.js",
    )
    post = site.wait_posts(1)
    assert post.headers["Host"] == site.other_origin.removeprefix("http://")
    page.wait_for_function("propgauge('state').type == 'engage'")


# --- acknowledgement -------------------------------------------------------------


def test_view_when_refused_is_sent_again_with_the_engagement(page: Page, site: Site) -> None:
    stop_clock(page)
    site.track_status = 503
    page.goto(site.page("long.html"))
    first = site.wait_posts(1).beacons
    page.clock.run_for(4000)
    site.track_status = 202
    hide(page)
    again = site.wait_posts(2).beacons
    assert [beacon["type"] for beacon in first] == ["view"]
    assert [(beacon["type"], beacon["seq"]) for beacon in again] == [("view", 0), ("engage", 1)]
    assert again[0]["page_view_id"] == again[1]["page_view_id"] == first[0]["page_view_id"]
    assert again[0]["url"] == first[0]["url"]
    assert again[0]["age_ms"] == 4000
    assert again[0]["duration_ms"] == again[1]["duration_ms"] == 4000
    assert again[1]["age_ms"] == 0


def test_view_when_unanswered_is_sent_again_with_the_engagement(page: Page, site: Site) -> None:
    site.answering.clear()
    page.goto(site.page("long.html"))
    site.wait_posts(1)
    page.click("#plan")
    hide(page)
    assert [beacon["type"] for beacon in site.wait_posts(2).beacons] == ["view", "engage"]


def test_view_when_acknowledged_is_not_sent_again(page: Page, site: Site) -> None:
    open_page(page, site)
    page.click("#plan")
    hide(page)
    engage = site.wait_posts(2).beacons
    assert [beacon["type"] for beacon in engage] == ["engage"]
    assert set(engage[0]) == VIEW_FIELDS - SAID_ONCE


def test_engagement_when_refused_is_sent_at_the_next_occasion(page: Page, site: Site) -> None:
    open_page(page, site)
    site.track_status = 503
    page.click("#plan")
    set_focus(page, focused=False)
    site.wait_posts(2)
    site.track_status = 202
    page.wait_for_function(
        "() => { dispatchEvent(new Event('blur')); return performance.getEntriesByType('resource')"
        ".filter(entry => entry.name.endsWith('/api/track')).length >= 3; }"
    )
    assert site.wait_posts(3).beacons[0]["clicks"] == 1


def test_beacons_when_keepalive_is_unknown_go_by_send_beacon(page: Page, site: Site) -> None:
    page.add_init_script("delete Request.prototype.keepalive; window.fetch = undefined;")
    page.goto(site.page("long.html"))
    site.wait_posts(1)
    page.click("#plan")
    hide(page)
    post = site.wait_posts(2)
    assert post.headers["Content-Type"].startswith("text/plain")
    assert [beacon["type"] for beacon in post.beacons] == ["view", "engage"]


# --- when to send --------------------------------------------------------------


def test_engagement_when_nothing_changed_is_not_sent(page: Page, site: Site) -> None:
    stop_clock(page)
    open_page(page, site)
    set_focus(page, focused=False)
    hide(page)
    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")
    show(page)
    set_focus(page, focused=True)
    page.click("#plan")
    hide(page)
    assert site.wait_posts(2).beacons[0]["clicks"] == 1
    assert len(site.tracked) == 2


def test_totals_when_sent_twice_are_cumulative(page: Page, site: Site) -> None:
    stop_clock(page)
    open_page(page, site)
    for number in (2, 3):
        page.clock.run_for(5000)
        page.click("#plan")
        hide(page)
        site.wait_posts(number)
        show(page)
    one, two = site.engages
    assert (one["duration_ms"], one["clicks"]) == (5000, 1)
    assert (two["duration_ms"], two["clicks"]) == (10_000, 2)
    assert one["seq"] < two["seq"]
    assert one["page_view_id"] == two["page_view_id"]


def test_engagement_when_page_is_left_by_a_link_arrives(page: Page, site: Site) -> None:
    open_page(page, site)
    page.click("#plan")
    page.click("#next")
    site.wait(lambda: site.engages and len(site.views) == 2)
    assert site.engages[0]["page_view_id"] == site.views[0]["page_view_id"]
    assert site.engages[0]["clicks"] == 2
    assert len(site.tracked) == 3


def test_engagement_when_a_form_is_submitted_is_sent(page: Page, site: Site) -> None:
    open_page(page, site)
    page.evaluate(
        "document.querySelector('#search').addEventListener('submit', event => {"
        "  event.preventDefault(); event.stopImmediatePropagation(); }, true)"
    )
    page.click("#plan")
    page.press("#query", "Enter")
    assert site.wait_posts(2).beacons[0]["clicks"] == 1


def test_checkpoints_when_reading_come_at_15_45_120_and_each_minute(page: Page, site: Site) -> None:
    stop_clock(page)
    open_page(page, site)
    for count, seconds in enumerate((15, 30, 75, 60, 60), start=2):
        page.mouse.move(100, 100 + count)
        page.clock.run_for((seconds - 1) * 1000)
        assert len(site.tracked) == count - 1
        page.mouse.move(200, 100 + count)
        page.clock.run_for(1000)
        site.wait_posts(count)
    assert [beacon["duration_ms"] for beacon in site.engages] == [
        15_000,
        45_000,
        120_000,
        180_000,
        240_000,
    ]


def test_checkpoints_when_nobody_moves_are_left_out(page: Page, site: Site) -> None:
    stop_clock(page)
    open_page(page, site)
    page.mouse.move(100, 100)
    page.clock.run_for(200_000)
    hide(page)
    site.wait_posts(4)
    assert sorted(beacon["duration_ms"] for beacon in site.engages) == [15_000, 45_000, 200_000]


def test_checkpoints_when_not_focused_are_left_out(page: Page, site: Site) -> None:
    stop_clock(page)
    open_page(page, site)
    page.clock.run_for(10_000)
    set_focus(page, focused=False)
    site.wait_posts(2)
    page.mouse.move(100, 100)
    page.clock.run_for(50_000)
    page.click("#plan")
    hide(page)
    assert site.wait_posts(3).beacons[0]["duration_ms"] == 10_000
    assert len(site.tracked) == 3


# --- engaged time ----------------------------------------------------------------


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


# --- scroll depth ----------------------------------------------------------------


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


# --- clicks ----------------------------------------------------------------------


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


# --- single-page sites -------------------------------------------------------------


def open_spa(page: Page, site: Site) -> None:
    stop_clock(page)
    page.goto(site.origin + "/spa/towers")
    site.wait_posts(1)
    page.wait_for_function("propgauge('state').type == 'engage'", polling=20)


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


# --- filters ---------------------------------------------------------------------


def assert_untracked(page: Page, site: Site, reason: str) -> None:
    """Nothing is sent or stored, though the visitor does everything there is to do."""
    page.goto(site.page("long.html"))
    page.click("#plan")
    page.evaluate("history.pushState({}, '', '/elsewhere')")
    hide(page)
    show(page)
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    page.evaluate("fetch('/lead-barrier', {method: 'POST', body: ''})")
    site.wait_leads(1)
    assert site.tracked == []
    assert (stored(page, "_pg_vid"), stored(page, "_pg_sid")) == (None, None)
    assert page.evaluate("propgauge('state')") is None
    assert page.evaluate("propgauge('reason')") == reason


def test_visitor_when_privacy_control_is_on_is_not_tracked(page: Page, site: Site) -> None:
    page.add_init_script(PRIVACY_CONTROL)
    assert_untracked(page, site, "gpc")


def test_visitor_when_self_excluded_is_not_tracked(page: Page, site: Site) -> None:
    page.add_init_script("localStorage.setItem('_pg_ignore', '1')")
    assert_untracked(page, site, "ignored")


def test_local_file_when_opened_sends_nothing(page: Page, tmp_path: Path) -> None:
    (tmp_path / "tracker.js").write_text(minified("tracker.js"), encoding="utf-8")
    local = tmp_path / "page.html"
    local.write_text('<script defer src="tracker.js"></script>', encoding="utf-8")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(local.as_uri())
    assert page.evaluate("propgauge('state')") is None
    assert all(url.startswith("file:") for url in requests)


def test_ids_when_storage_is_blocked_live_as_long_as_the_page(page: Page, site: Site) -> None:
    page.add_init_script(NO_STORAGE)
    stop_clock(page)
    page.goto(site.origin + "/spa/towers")
    site.wait_posts(1)
    page.evaluate("go('/spa/villas', 'Villas')")
    page.clock.run_for(1000)
    site.wait(lambda: len(site.views) == 2)
    one, two = site.views
    assert ID.fullmatch(one["visitor_id"])
    assert (one["visitor_id"], one["session_id"]) == (two["visitor_id"], two["session_id"])


def test_view_when_in_a_sandboxed_frame_is_sent(page: Page, site: Site) -> None:
    page.goto(site.page("sandbox.html"))
    view = site.wait_posts(1).beacons[0]
    assert view["url"] == site.page("long.html")
    assert ID.fullmatch(view["visitor_id"])


# --- the page's side ----------------------------------------------------------------


def test_script_when_loaded_twice_counts_once(page: Page, site: Site) -> None:
    open_page(page, site, "twice.html")
    page.click("#plan")
    hide(page)
    site.wait_posts(2)
    assert (len(site.views), len(site.engages)) == (1, 1)
    assert site.engages[0]["clicks"] == 1


def test_state_when_unacknowledged_is_the_view_with_fresh_totals(page: Page, site: Site) -> None:
    stop_clock(page)
    site.track_status = 503
    page.goto(site.page("long.html"))
    site.wait_posts(1)
    page.click("#plan")
    page.clock.run_for(2000)
    first, second = state(page), state(page)
    assert set(first) == VIEW_FIELDS
    assert (first["type"], first["age_ms"]) == ("view", 2000)
    assert (first["duration_ms"], first["clicks"]) == (2000, 1)
    assert (first["seq"], second["seq"]) == (1, 2)


def test_state_when_acknowledged_is_an_engagement(page: Page, site: Site) -> None:
    open_page(page, site)
    found = state(page)
    assert found["type"] == "engage"
    assert set(found) == VIEW_FIELDS - SAID_ONCE


@pytest.mark.parametrize("command", ["event", "constructor", "__proto__", "", None, 7])
def test_command_when_unknown_is_ignored(page: Page, site: Site, command: object) -> None:
    open_page(page, site)
    assert page.evaluate("command => propgauge(command, 1) === undefined", command)


@pytest.mark.parametrize(
    "hostile",
    [
        "window.fetch = () => { throw new Error('no'); };",
        "Object.freeze(history);",
        "Object.defineProperty(window, 'crypto', {value: undefined});",
        "Intl.DateTimeFormat = () => { throw new Error('no'); };",
        "performance.getEntriesByType = undefined;",
        "Object.defineProperty(document, 'cookie', {get() { throw new Error('no'); }});",
    ],
)
def test_page_when_hostile_sees_no_error(page: Page, site: Site, hostile: str) -> None:
    page.add_init_script(hostile)
    page.goto(site.page("long.html"))
    page.click("#plan")
    page.evaluate("history.pushState({}, '', '/elsewhere')")
    hide(page)
    show(page)
    assert page.evaluate("typeof propgauge") == "function"


def test_script_when_served_is_within_its_size() -> None:
    assert gzipped_bytes("tracker.js") <= 2560


def test_script_when_read_has_nothing_that_harms_its_page() -> None:
    text = minified("tracker.js")
    for word in ("unload", "preventDefault", "stopPropagation", "eval(", "innerHTML", "canvas"):
        assert word not in text
