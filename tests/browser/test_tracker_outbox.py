"""What tracker.js could not send: what it keeps, for how long, and when it sends it again."""

import json
from datetime import timedelta

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.recorder import Beacon, Site
from tests.browser.visitor import (
    NO_STORAGE,
    START,
    hide,
    open_page,
    outbox,
    set_focus,
    show,
    stop_clock,
    stored,
    wait_outbox,
    wait_until_sent,
)

DAY_MS = 24 * 3600 * 1000


def hide_unsent(page: Page, site: Site) -> None:
    """Clicks once and hides the page, while the server takes nothing."""
    site.track_status = 503
    page.click("#plan")
    hide(page)
    page.wait_for_function("localStorage._pg_outbox?.includes('engage')", polling=20)


def named(beacons: list[Beacon]) -> list[tuple[str, str, int | None]]:
    return [(one["type"], one["page_view_id"], one.get("seq")) for one in beacons]


def keep(page: Page, *kept: Beacon) -> None:
    """Puts into the outbox what an earlier page would have left there."""
    page.evaluate("text => localStorage.setItem('_pg_outbox', text)", json.dumps(kept))


def an_engagement(at: int, **fields: object) -> Beacon:
    return {
        "v": 1,
        "type": "engage",
        "visitor_id": "visitor-of-a-test",
        "session_id": "session-of-a-test",
        "page_view_id": "view-of-a-test",
        "seq": 1,
        "at": at,
    } | fields


def wait_until_answered(page: Page, site: Site, count: int) -> None:
    """Returns once the page has dealt with so many answers."""
    page.wait_for_function(
        "count => performance.getEntriesByType('resource')"
        ".filter(entry => entry.name.endsWith('/api/track')).length >= count",
        arg=count,
        polling=20,
    )
    wait_until_sent(page, site)


# --- kept and sent again ----------------------------------------------------------------


def test_engagement_when_not_taken_is_sent_with_the_next_view_under_the_same_ids(
    page: Page, site: Site
) -> None:
    stop_clock(page)
    view = open_page(page, site)
    site.track_status = 503
    page.click("#plan")
    page.goto(site.page("blank.html"))
    left = site.wait_posts(2).beacons[0]
    page.clock.run_for(60_000)
    page.goto(site.page("short.html"))
    again, second = site.wait_posts(3).beacons
    assert named([again]) == named([left])
    assert again["page_view_id"] == view["page_view_id"]
    assert (again["visitor_id"], again["session_id"]) == (view["visitor_id"], view["session_id"])
    assert (left["clicks"], left["age_ms"]) == (1, 0)
    assert (again["clicks"], again["age_ms"]) == (1, 60_000)
    assert (second["type"], second["url"]) == ("view", site.page("short.html"))
    assert "at" not in again


def test_view_when_not_taken_is_sent_with_the_next_under_the_same_ids(
    page: Page, site: Site
) -> None:
    site.track_status = 503
    page.goto(site.page("long.html"))
    first = site.wait_posts(1).beacons[0]
    site.track_status = 202
    page.goto(site.page("short.html"))
    again = site.wait_posts(2).beacons[0]
    assert named([again]) == named([first])
    assert (again["url"], again["session_id"]) == (first["url"], first["session_id"])


def test_event_when_offline_is_sent_with_the_next_view_under_the_same_id(
    context: BrowserContext, page: Page, site: Site
) -> None:
    open_page(page, site)
    context.set_offline(True)
    page.evaluate("propgauge('event', 'favourite', {id: 'MH-12'})")
    (kept,) = outbox(page)
    context.set_offline(False)
    page.goto(site.page("short.html"))
    site.wait(lambda: site.events)
    assert site.events[0]["event_id"] == kept["event_id"]
    assert site.events[0]["props"] == {"id": "MH-12"}


def test_outbox_when_the_network_is_back_is_sent_at_once(
    context: BrowserContext, page: Page, site: Site
) -> None:
    open_page(page, site)
    keep(page, an_engagement(page.evaluate("Date.now()")))
    context.set_offline(True)
    page.click("#plan")
    hide(page)
    page.wait_for_function("JSON.parse(localStorage._pg_outbox).length == 2")
    context.set_offline(False)
    site.wait(lambda: len(site.engages) == 2)
    assert site.engages[0]["page_view_id"] == "view-of-a-test"
    assert site.engages[1]["clicks"] == 1


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 599])
def test_beacon_when_the_answer_asks_for_another_try_is_kept(
    page: Page, site: Site, status: int
) -> None:
    open_page(page, site)
    site.track_status = status
    page.click("#plan")
    set_focus(page, focused=False)
    site.wait_posts(2)
    set_focus(page, focused=True)
    wait_until_answered(page, site, 2)
    assert [kept["clicks"] for kept in outbox(page)] == [1]


@pytest.mark.parametrize("status", [200, 204, 400, 403, 404, 413, 422, 431])
def test_beacon_when_answered_for_good_is_not_kept(page: Page, site: Site, status: int) -> None:
    open_page(page, site)
    site.track_status = status
    page.click("#plan")
    set_focus(page, focused=False)
    site.wait_posts(2)
    wait_outbox(page, 0)


def test_engagement_when_its_answer_was_never_read_is_sent_again(page: Page, site: Site) -> None:
    open_page(page, site)
    page.click("#plan")
    site.answering.clear()
    page.evaluate("location.href = '/pages/short.html'")
    left = site.wait_posts(2).beacons[0]
    again, view = site.wait_posts(3).beacons
    assert named([again]) == named([left])
    assert view["type"] == "view"
    site.answering.set()
    wait_outbox(page, 0)


def test_outbox_when_everything_is_acknowledged_is_empty(page: Page, site: Site) -> None:
    open_page(page, site)
    page.click("#plan")
    hide(page)
    site.wait_posts(2)
    wait_outbox(page, 0)
    assert stored(page, "_pg_outbox") is None


def test_engagement_when_an_earlier_one_is_acknowledged_stays(page: Page, site: Site) -> None:
    open_page(page, site)
    site.answering.clear()
    page.click("#plan")
    hide(page)
    site.wait_posts(2)
    show(page)
    page.click("#plan")
    site.track_status = 503
    hide(page)
    site.wait_posts(3)
    site.answering.set()
    wait_until_answered(page, site, 3)
    assert [kept["clicks"] for kept in outbox(page)] == [2]


def test_outbox_when_storage_is_blocked_lasts_as_long_as_the_page(page: Page, site: Site) -> None:
    page.add_init_script(NO_STORAGE)
    site.track_status = 503
    page.goto(site.origin + "/spa/towers")
    first = site.wait_posts(1).beacons[0]
    site.track_status = 202
    page.evaluate("go('/spa/villas', 'Villas')")
    site.wait(lambda: len(site.views) == 2)
    assert named(site.beacons).count(named([first])[0]) >= 2


def test_outbox_when_storage_is_full_lasts_as_long_as_the_page(page: Page, site: Site) -> None:
    open_page(page, site)
    page.evaluate(
        """() => {
          let text = "x".repeat(1 << 20);
          while (text) try { localStorage.filler = (localStorage.filler || "") + text; }
            catch { text = text.slice(text.length / 2 + 1); }
        }"""
    )
    site.track_status = 503
    page.click("#plan")
    hide(page)
    site.wait_posts(2)
    site.track_status = 202
    page.evaluate("dispatchEvent(new Event('online'))")
    assert site.wait_posts(3).beacons[-1]["clicks"] == 1


# --- limits -------------------------------------------------------------------------------


def test_totals_when_sent_in_vain_many_times_are_kept_once_a_view(page: Page, site: Site) -> None:
    stop_clock(page)
    site.track_status = 503
    page.goto(site.page("long.html"))
    for count in range(2, 6):
        page.clock.run_for(3000)
        page.click("#plan")
        hide(page)
        site.wait_posts(count)
        show(page)
    kept = outbox(page)
    assert sorted(one["type"] for one in kept) == ["engage", "view"]
    assert next(one["clicks"] for one in kept if one["type"] == "engage") == 4


def test_outbox_when_full_lets_the_oldest_go(page: Page, site: Site) -> None:
    page.goto(site.page("blank.html"))
    now = page.evaluate("Date.now()")
    keep(page, *(an_engagement(now - 1000 + n, page_view_id=f"view-{n}") for n in range(30)))
    site.track_status = 503
    page.goto(site.page("long.html"))
    sent = site.wait_posts(1).beacons
    assert len(sent) == 20
    assert sent[0]["page_view_id"] == "view-11"
    assert sent[-1]["type"] == "view"
    wait_outbox(page, 20)


def test_outbox_when_not_taken_goes_with_the_first_of_a_view_only(page: Page, site: Site) -> None:
    page.goto(site.page("blank.html"))
    keep(page, an_engagement(page.evaluate("Date.now()")))
    site.track_status = 503
    page.goto(site.page("long.html"))
    assert [one["type"] for one in site.wait_posts(1).beacons] == ["engage", "view"]
    page.click("#plan")
    hide(page)
    assert [one["type"] for one in site.wait_posts(2).beacons] == ["view", "engage"]
    assert "view-of-a-test" in {one["page_view_id"] for one in outbox(page)}


def test_outbox_when_a_day_old_is_dropped(page: Page, site: Site) -> None:
    stop_clock(page)
    page.goto(site.page("blank.html"))
    now = int((START + timedelta(minutes=1)).timestamp() * 1000)
    young = an_engagement(now - DAY_MS + 1000, page_view_id="young")
    keep(page, an_engagement(now - DAY_MS, page_view_id="old"), young)
    page.goto(site.page("long.html"))
    assert [one["page_view_id"] for one in site.wait_posts(1).beacons[:-1]] == ["young"]


def test_outbox_when_its_items_are_large_stays_below_40_kilobytes(
    context: BrowserContext, page: Page, site: Site
) -> None:
    open_page(page, site)
    context.set_offline(True)
    for number in range(12):
        page.evaluate(
            "number => propgauge('event', 'long', Object.fromEntries("
            "Array.from({length: 20}, (_, index) => [index + 'x', 'مساحة'.repeat(90) + number])))",
            number,
        )
    size = page.evaluate("new Blob([localStorage._pg_outbox]).size")
    assert 10_000 < size <= 40_000
    context.set_offline(False)
    page.goto(site.page("short.html"))
    site.wait(lambda: site.events and len(site.views) == 2)
    assert all(len(post.body) < 48_000 for post in site.tracked)
    assert site.events[-1]["props"]["0x"].endswith("11")


@pytest.mark.parametrize("bad", ["{", "null", "7", '"abc"', "{}", "[null]", "[[1]]", '[{"at": 9}]'])
def test_outbox_when_broken_harms_nothing(page: Page, site: Site, bad: str) -> None:
    page.goto(site.page("blank.html"))
    page.evaluate("bad => localStorage.setItem('_pg_outbox', bad)", bad)
    page.goto(site.page("long.html"))
    assert [one["type"] for one in site.wait_posts(1).beacons] == ["view"]
    wait_outbox(page, 0)


def test_outbox_when_one_of_its_items_is_refused_blocks_nothing(page: Page, site: Site) -> None:
    page.goto(site.page("blank.html"))
    keep(page, an_engagement(page.evaluate("Date.now()"), visitor_id="no id"))
    site.track_status = 422
    page.goto(site.page("long.html"))
    assert len(site.wait_posts(1).beacons) == 2
    wait_outbox(page, 0)
    site.track_status = 202
    page.click("#plan")
    hide(page)
    assert [one["type"] for one in site.wait_posts(2).beacons] == ["view", "engage"]


# --- two tabs -----------------------------------------------------------------------------


def test_outbox_when_two_tabs_share_it_loses_nothing_and_comes_to_rest(
    context: BrowserContext, page: Page, site: Site
) -> None:
    other = context.new_page()
    open_page(page, site)
    open_page(other, site)
    hide_unsent(page, site)
    hide_unsent(other, site)
    wait_outbox(page, 2)
    site.track_status = 202
    for tab in (page, other):
        tab.evaluate("dispatchEvent(new Event('online'))")
        wait_outbox(tab, 0)
    taken = [one for post in site.tracked[4:] for one in post.beacons]
    assert {one["page_view_id"] for one in taken} == {one["page_view_id"] for one in site.views}
    for tab in (page, other):
        wait_until_sent(tab, site)
    assert len(site.tracked) == 6


def test_outbox_when_offline_and_hidden_again_is_not_sent_without_end(
    context: BrowserContext, page: Page, site: Site
) -> None:
    open_page(page, site)
    context.set_offline(True)
    page.click("#plan")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    hide(page)
    page.wait_for_function("localStorage._pg_outbox?.includes('engage')")
    page.evaluate("() => new Promise(done => setTimeout(done, 100))")
    assert len(requests) == 1
