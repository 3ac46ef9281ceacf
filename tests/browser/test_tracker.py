"""tracker.js in a real browser: which beacons arrive, when, and what they say."""

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.recorder import Site
from tests.browser.visitor import (
    ID,
    hide,
    open_page,
    set_focus,
    show,
    state,
    stop_clock,
    stored,
    wait_until_sent,
)

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

# --- the view ------------------------------------------------------------------------


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


# --- acknowledgement -----------------------------------------------------------------


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


# --- when to send --------------------------------------------------------------------


def test_engagement_when_nothing_changed_is_not_sent(page: Page, site: Site) -> None:
    stop_clock(page)
    open_page(page, site)
    set_focus(page, focused=False)
    hide(page)
    show(page)
    set_focus(page, focused=True)
    page.click("#plan")
    hide(page)
    assert site.wait_posts(2).beacons[0]["clicks"] == 1
    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")
    wait_until_sent(page, site)
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
    site.wait_posts(3)
    wait_until_sent(page, site)
    assert len(site.tracked) == 3
    assert len(site.views) == 2
    assert site.engages[0]["page_view_id"] == site.views[0]["page_view_id"]
    assert site.engages[0]["clicks"] == 2


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


# --- commands ------------------------------------------------------------------


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
