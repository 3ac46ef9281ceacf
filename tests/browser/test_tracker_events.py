"""The site's own events in tracker.js: what is sent for them, when, and what is ignored."""

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.recorder import Site
from tests.browser.visitor import (
    HIDDEN,
    ID,
    hide,
    open_page,
    open_spa,
    show,
    state,
    stop_clock,
    wait_until_sent,
)

STUB = """window.propgauge = window.propgauge || function () {
  (propgauge.q = propgauge.q || []).push(arguments);
};"""


def tell(page: Page, name: object, props: object = None) -> None:
    page.evaluate("([name, props]) => propgauge('event', name, props ?? undefined)", [name, props])


def test_event_when_told_is_sent_at_once_with_the_ids_of_the_view(page: Page, site: Site) -> None:
    view = open_page(page, site)
    tell(page, "brochure_download", {"plan": "2BR", "floor": 12, "saved": True, "agent": None})
    event = site.wait_posts(2).beacons[0]
    ids = ("v", "site", "visitor_id", "session_id", "page_view_id", "automation")
    assert event == {name: view[name] for name in ids} | {
        "type": "event",
        "event_id": event["event_id"],
        "name": "brochure_download",
        "props": {"plan": "2BR", "floor": 12, "saved": True, "agent": None},
        "age_ms": event["age_ms"],
    }
    assert ID.fullmatch(event["event_id"])
    assert 0 <= event["age_ms"] < 100
    assert site.tracked[1].body.startswith(b"{")


def test_event_when_told_twice_is_two_events(page: Page, site: Site) -> None:
    open_page(page, site)
    tell(page, "favourite")
    tell(page, "favourite")
    site.wait(lambda: len(site.events) == 2)


def test_event_when_consent_is_known_carries_it(page: Page, site: Site) -> None:
    page.goto(site.page("consent.html"))
    page.evaluate("propgauge('consent', true); propgauge('event', 'favourite')")
    site.wait(lambda: site.events)
    assert site.events[0]["consent"] is True


def test_event_when_view_is_unacknowledged_comes_after_it(page: Page, site: Site) -> None:
    site.answering.clear()
    page.goto(site.page("long.html"))
    first = site.wait_posts(1).beacons[0]
    tell(page, "floor_plan_view")
    view, event = site.wait_posts(2).beacons
    assert (view["type"], view["seq"], event["type"]) == ("view", 0, "event")
    assert view["page_view_id"] == event["page_view_id"] == first["page_view_id"]


def test_event_when_told_takes_no_sequence_number(page: Page, site: Site) -> None:
    open_page(page, site)
    before = state(page)["seq"]
    tell(page, "favourite")
    site.wait_posts(2)
    assert state(page)["seq"] == before + 1


@pytest.mark.parametrize("name", ["", "x" * 65, 7, None, True, ["favourite"], {"length": 3}])
def test_event_when_its_name_is_no_name_is_ignored(page: Page, site: Site, name: object) -> None:
    open_page(page, site)
    tell(page, name)
    wait_until_sent(page, site)
    assert len(site.tracked) == 1


@pytest.mark.parametrize("name", ["f", "x" * 64, "Grundriss geöffnet", "مفضلة"])
def test_event_when_its_name_is_any_text_up_to_64_is_sent(
    page: Page, site: Site, name: str
) -> None:
    open_page(page, site)
    tell(page, name)
    assert site.wait_posts(2).beacons[0]["name"] == name


@pytest.mark.parametrize("props", [[1, 2], "plan", 7, True])
def test_event_when_its_props_are_no_object_is_sent_without(
    page: Page, site: Site, props: Any
) -> None:
    open_page(page, site)
    tell(page, "favourite", props)
    event = site.wait_posts(2).beacons[0]
    assert event["name"] == "favourite"
    assert "props" not in event


@pytest.mark.parametrize(
    "props",
    [
        "(() => { const loop = {}; loop.loop = loop; return loop; })()",
        "{count: 10n}",
        "{get plan() { throw new Error('no'); }}",
    ],
)
def test_event_when_its_props_are_no_json_harms_nothing(page: Page, site: Site, props: str) -> None:
    open_page(page, site)
    page.evaluate(f"propgauge('event', 'favourite', {props})")
    tell(page, "brochure_download")
    assert site.wait_posts(2).beacons[0]["name"] == "brochure_download"


def test_event_when_refused_by_the_server_does_not_lose_the_view(page: Page, site: Site) -> None:
    stop_clock(page)
    site.answering.clear()
    page.goto(site.page("long.html"))
    site.wait_posts(1)
    site.track_status = 422
    tell(page, "favourite", {"nested": {"no": 1}})
    site.wait_posts(2)
    site.track_status = 503
    site.answering.set()
    page.wait_for_function("!localStorage._pg_outbox?.includes('favourite')", polling=20)
    page.clock.run_for(4000)
    hide(page)
    page.wait_for_function("localStorage._pg_outbox?.includes('engage')", polling=20)
    assert site.wait_posts(3).beacons[-1]["type"] == "engage"


def test_event_when_called_before_the_script_has_loaded_goes_with_the_view(
    page: Page, site: Site
) -> None:
    page.add_init_script(STUB + "propgauge('event', 'listing_view', {id: 'MH-12'});")
    page.goto(site.page("long.html"))
    view, event = site.wait_posts(1).beacons
    assert (view["type"], event["name"], event["props"]) == (
        "view",
        "listing_view",
        {"id": "MH-12"},
    )
    assert view["page_view_id"] == event["page_view_id"]


@pytest.mark.parametrize("queue", ["[null, 7, ['constructor']]", "7", "{length: 1}", "'event'"])
def test_queue_when_it_is_no_queue_does_not_stop_the_view(
    page: Page, site: Site, queue: str
) -> None:
    page.add_init_script(f"window.propgauge = {{q: {queue}}};")
    open_page(page, site)


def test_event_when_tab_was_never_shown_waits_for_the_view(page: Page, site: Site) -> None:
    page.add_init_script(HIDDEN)
    stop_clock(page)
    page.goto(site.page("long.html"))
    tell(page, "listing_view")
    page.clock.run_for(20_000)
    page.evaluate("dispatchEvent(new Event('online'))")
    wait_until_sent(page, site)
    assert site.tracked == []
    show(page)
    view, event = site.wait_posts(1).beacons
    assert (view["type"], event["name"], event["age_ms"]) == ("view", "listing_view", 0)


def test_events_when_many_wait_go_in_bodies_of_twenty(page: Page, site: Site) -> None:
    page.add_init_script(HIDDEN)
    page.goto(site.page("long.html"))
    for _ in range(30):
        tell(page, "listing_view")
    show(page)
    site.wait_posts(1)
    page.click("#plan")
    hide(page)
    site.wait(lambda: len(site.events) == 30 and site.engages)
    assert all(len(post.beacons) <= 20 for post in site.tracked)
    assert len(site.views) == 1


def test_event_when_route_just_changed_belongs_to_the_new_view(page: Page, site: Site) -> None:
    open_spa(page, site)
    page.evaluate("go('/spa/villas', 'Villas'); propgauge('event', 'listing_view')")
    page.clock.run_for(1000)
    site.wait(lambda: len(site.views) == 2 and site.events)
    assert site.views[1]["title"] == "Villas"
    assert site.events[0]["page_view_id"] == site.views[1]["page_view_id"]


def test_event_when_told_behind_the_gate_is_not_remembered(page: Page, site: Site) -> None:
    page.goto(site.page("consent.html"))
    tell(page, "favourite")
    page.evaluate("propgauge('consent', true)")
    site.wait_posts(1)
    hide(page)
    wait_until_sent(page, site)
    assert site.events == []


def test_event_when_consent_was_withdrawn_while_it_waited_is_forgotten(
    page: Page, site: Site
) -> None:
    page.add_init_script(HIDDEN)
    page.goto(site.page("long.html"))
    tell(page, "favourite")
    page.evaluate("propgauge('consent', false); propgauge('consent', true)")
    show(page)
    site.wait_posts(1)
    wait_until_sent(page, site)
    assert site.events == []
