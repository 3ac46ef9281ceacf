"""tracker.js on pages that make it hard, and what it must never do to them."""

import pytest
from playwright.sync_api import Page

from tests.browser.recorder import Site, gzipped_bytes, minified
from tests.browser.visitor import (
    ID,
    NO_STORAGE,
    hide,
    open_page,
    outbox,
    show,
    stop_clock,
    wait_until_sent,
)

INJECT = """src => {
  const script = document.createElement("script");
  script.src = src;
  script.dataset.site = "demo";
  document.head.append(script);
}"""
"""As tag managers do."""

ENUMERABLE = """for (const type of [Object, Array, Function, String, Number])
  type.prototype.extended = function () { return this; };"""

PROTOTYPE_JS = """
Array.prototype.toJSON = function () { return '[' + this.map(Object.toJSON).join(', ') + ']'; };
String.prototype.toJSON = function () { return '"' + this + '"'; };
Object.toJSON = value => '"' + value + '"';
Array.prototype.reduce = function () { return this.length > 1 ? this : this[0]; };
Array.prototype.find = function (iterator) { return this.filter(iterator)[0]; };
Array.prototype.entries = Array.prototype.toArray = function () { return this.slice(); };
"""
"""What prototype.js 1.6 did to arrays and texts."""


# --- ways to be loaded ---------------------------------------------------------------


def test_script_when_loaded_twice_counts_once(page: Page, site: Site) -> None:
    open_page(page, site, "twice.html")
    page.click("#plan")
    hide(page)
    site.wait_posts(2)
    assert (len(site.views), len(site.engages)) == (1, 1)
    assert site.engages[0]["clicks"] == 1


def test_script_when_injected_by_a_tag_manager_tracks(page: Page, site: Site) -> None:
    page.goto(site.page("blank.html"))
    page.evaluate(INJECT, "/tracker.js")
    view = site.wait_posts(1).beacons[0]
    assert (view["site"], view["url"]) == ("demo", site.page("blank.html"))


def test_script_when_injected_twice_counts_once(page: Page, site: Site) -> None:
    page.goto(site.page("blank.html"))
    page.evaluate(INJECT, "/tracker.js")
    page.evaluate(INJECT, "/tracker.js?again")
    site.wait(lambda: site.gets.count("/tracker.js") == 2)
    page.wait_for_function("performance.getEntriesByName(location.origin + '/tracker.js?again')[0]")
    wait_until_sent(page, site)
    assert len(site.views) == 1


def test_script_when_loaded_async_tracks(page: Page, site: Site) -> None:
    assert open_page(page, site, "async.html")["site"] == "demo"


def test_script_when_under_a_strict_policy_violates_nothing(page: Page, site: Site) -> None:
    page.add_init_script(
        "window.violations = []; document.addEventListener('securitypolicyviolation',"
        " event => violations.push(event.blockedURI));"
    )
    open_page(page, site, "csp.html")
    page.evaluate("propgauge('event', 'favourite')")
    hide(page)
    site.wait(lambda: site.events)
    assert page.evaluate("violations") == []


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


# --- hostile pages -------------------------------------------------------------------


@pytest.mark.parametrize("pollution", [ENUMERABLE, PROTOTYPE_JS])
def test_beacons_when_prototypes_are_polluted_are_as_ever(
    page: Page, site: Site, pollution: str
) -> None:
    page.add_init_script(pollution)
    view = open_page(page, site)
    site.track_status = 503
    page.evaluate("propgauge('event', 'favourite', {id: 'MH-12'})")
    page.click("#plan")
    hide(page)
    site.wait(lambda: site.engages and site.events)
    assert (view["site"], view["title"]) == ("demo", "Marina Heights")
    assert ID.fullmatch(view["visitor_id"])
    assert site.events[0]["props"] == {"id": "MH-12"}
    assert site.engages[0]["clicks"] == 1
    assert {one["type"] for one in outbox(page)} == {"event", "engage"}


@pytest.mark.parametrize(
    "hostile",
    [
        "window.fetch = () => { throw new Error('no'); };",
        "window.fetch = () => undefined;",
        "window.fetch = () => Promise.reject();",
        "window.fetch = () => Promise.resolve();",
        "Object.freeze(history);",
        "Object.defineProperty(window, 'crypto', {value: undefined});",
        "Object.defineProperty(window, 'propgauge', {value: 1});",
        "Object.defineProperty(window, 'localStorage', {value: null});",
        "Intl.DateTimeFormat = () => { throw new Error('no'); };",
        "window.Blob = undefined;",
        "JSON.stringify = () => { throw new Error('no'); };",
        "Object.defineProperty(performance, 'navigation', {value: undefined});",
        "Object.defineProperty(document, 'cookie', {get() { throw new Error('no'); }});",
        NO_STORAGE,
    ],
)
def test_page_when_hostile_sees_no_error(page: Page, site: Site, hostile: str) -> None:
    page.add_init_script(hostile)
    page.goto(site.page("long.html"))
    page.click("#plan")
    page.evaluate("typeof propgauge == 'function' && propgauge('event', 'favourite')")
    page.evaluate("typeof propgauge == 'function' && propgauge('consent', true)")
    page.evaluate("history.pushState({}, '', '/elsewhere')")
    hide(page)
    show(page)
    page.evaluate("dispatchEvent(new Event('online'))")
    page.evaluate("() => new Promise(done => setTimeout(done, 50))")
    assert page.evaluate("typeof propgauge") in {"function", "number"}


def test_page_when_it_has_an_element_of_our_name_is_tracked(page: Page, site: Site) -> None:
    page.goto(site.page("blank.html"))
    page.evaluate("document.body.innerHTML = '<form id=propgauge><input name=q></form>'")
    page.evaluate(INJECT, "/tracker.js")
    site.wait_posts(1)


# --- what it never does --------------------------------------------------------------


OUR_LISTENERS = """{
  window.spent = [];
  window.active = [];
  const add = EventTarget.prototype.addEventListener;
  EventTarget.prototype.addEventListener = function (type, handler, options) {
    if (!document.currentScript?.src.includes("tracker.js"))
      return add.call(this, type, handler, options);
    if (!options.passive) active.push(type);
    add.call(this, type, event => {
      const start = performance.now();
      handler(event);
      if (/click|pointerdown/.test(type)) spent.push(performance.now() - start);
    }, options);
  };
}"""
"""Notes which of the tracker's listeners could hold a page up, and for how many ms they do."""


def test_click_when_made_is_not_delayed(page: Page, site: Site) -> None:
    page.add_init_script(OUR_LISTENERS)
    open_page(page, site)
    for _ in range(20):
        page.click("#plan")
    spent = sorted(page.evaluate("spent"))
    assert len(spent) == 40
    assert spent[20] < 1


def test_listeners_when_added_are_passive(page: Page, site: Site) -> None:
    page.add_init_script(OUR_LISTENERS)
    open_page(page, site)
    assert page.evaluate("active") == []


def test_script_when_served_is_within_its_size() -> None:
    assert gzipped_bytes("tracker.js") <= 2560


def test_script_when_read_has_nothing_that_harms_its_page() -> None:
    text = minified("tracker.js")
    for word in ("unload", "preventDefault", "stopPropagation", "eval(", "innerHTML", "canvas"):
        assert word not in text


def test_script_when_read_names_its_endpoint_once() -> None:
    assert minified("tracker.js").count('"/api/track"') == 1
