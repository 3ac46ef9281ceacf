"""Whom tracker.js leaves alone: filters, and what the visitor consents to."""

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.recorder import Site, minified
from tests.browser.visitor import (
    NO_STORAGE,
    hide,
    open_page,
    open_spa,
    set_focus,
    show,
    state,
    stop_clock,
    stored,
    wait_outbox,
    wait_until_sent,
)

PRIVACY_CONTROL = 'Object.defineProperty(navigator, "globalPrivacyControl", {get: () => true});'
DO_NOT_TRACK = 'Object.defineProperty(navigator, "doNotTrack", {get: () => "1"});'


def act(page: Page) -> None:
    """Does everything there is to do."""
    page.click("#plan")
    page.evaluate("propgauge('event', 'brochure_download')")
    page.evaluate("history.pushState({}, '', '/elsewhere')")
    set_focus(page, focused=False)
    set_focus(page, focused=True)
    hide(page)
    show(page)
    page.evaluate("dispatchEvent(new Event('online'))")
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")


def assert_untracked(page: Page, site: Site, reason: str, name: str = "long.html") -> None:
    """Nothing is sent or stored, whatever the visitor does."""
    page.goto(site.page(name))
    act(page)
    wait_until_sent(page, site)
    assert site.tracked == []
    assert [key for key in storage(page) if key not in {"_pg_ignore", "_pg_consent"}] == []
    assert page.evaluate("propgauge('state')") is None
    assert page.evaluate("propgauge('reason')") == reason


def storage(page: Page) -> dict[str, str]:
    found: dict[str, str] = page.evaluate("({...localStorage})")
    return found


def decide(page: Page, *, consent: bool) -> None:
    page.evaluate("given => propgauge('consent', given)", consent)


# --- filters ---------------------------------------------------------------------


def test_visitor_when_privacy_control_is_on_is_not_tracked(page: Page, site: Site) -> None:
    page.add_init_script(PRIVACY_CONTROL)
    assert_untracked(page, site, "gpc")


def test_visitor_when_privacy_control_is_on_cannot_be_made_to_consent(
    page: Page, site: Site
) -> None:
    page.add_init_script(PRIVACY_CONTROL + "localStorage._pg_consent = '1';")
    assert_untracked(page, site, "gpc", "consent.html")


def test_visitor_when_self_excluded_is_not_tracked(page: Page, site: Site) -> None:
    page.add_init_script("localStorage.setItem('_pg_ignore', '1')")
    assert_untracked(page, site, "ignored")


def test_visitor_when_asking_not_to_be_tracked_is_not_where_the_site_heeds_it(
    page: Page, site: Site
) -> None:
    page.add_init_script(DO_NOT_TRACK)
    assert_untracked(page, site, "dnt", "dnt.html")


def test_visitor_when_asking_not_to_be_tracked_is_where_the_site_does_not_heed_it(
    page: Page, site: Site
) -> None:
    page.add_init_script(DO_NOT_TRACK)
    open_page(page, site)


def test_visitor_when_not_asking_is_tracked_where_the_site_would_heed_it(
    page: Page, site: Site
) -> None:
    open_page(page, site, "dnt.html")


def test_local_file_when_opened_sends_nothing(page: Page, tmp_path: Path) -> None:
    (tmp_path / "tracker.js").write_text(minified("tracker.js"), encoding="utf-8")
    local = tmp_path / "page.html"
    local.write_text('<script defer src="tracker.js"></script>', encoding="utf-8")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(local.as_uri())
    assert page.evaluate("propgauge('state')") is None
    assert all(url.startswith("file:") for url in requests)


# --- before an answer ----------------------------------------------------------------


def test_visitor_when_not_asked_yet_is_not_tracked_behind_the_gate(page: Page, site: Site) -> None:
    assert_untracked(page, site, "consent", "consent.html")
    assert storage(page) == {}


def test_consent_when_not_given_yet_is_undefined(page: Page, site: Site) -> None:
    page.goto(site.page("consent.html"))
    assert page.evaluate("propgauge('consent') === undefined")


def test_beacons_when_consent_was_never_told_do_not_speak_of_it(page: Page, site: Site) -> None:
    open_page(page, site)
    page.click("#plan")
    page.evaluate("propgauge('event', 'favourite')")
    hide(page)
    site.wait(lambda: site.engages and site.events)
    assert all("consent" not in beacon for beacon in site.beacons)


@pytest.mark.parametrize("answer", ["true", 1, "denied", {}, []])
def test_consent_when_it_is_neither_true_nor_false_changes_nothing(
    page: Page, site: Site, answer: object
) -> None:
    page.goto(site.page("consent.html"))
    page.evaluate("answer => propgauge('consent', answer)", answer)
    act(page)
    wait_until_sent(page, site)
    assert site.tracked == []
    assert storage(page) == {}


# --- given ---------------------------------------------------------------------------


def test_consent_when_given_starts_the_view_then(page: Page, site: Site) -> None:
    stop_clock(page)
    page.goto(site.page("consent.html"))
    page.clock.run_for(20_000)
    decide(page, consent=True)
    view = site.wait_posts(1).beacons[0]
    assert (view["type"], view["seq"], view["consent"]) == ("view", 0, True)
    assert (view["age_ms"], view["duration_ms"]) == (0, 0)
    assert stored(page, "_pg_consent") == "1"
    assert page.evaluate("propgauge('consent')") is True


def test_consent_when_given_holds_on_later_pages(page: Page, site: Site) -> None:
    page.goto(site.page("consent.html"))
    decide(page, consent=True)
    first = site.wait_posts(1).beacons[0]
    second = open_page(page, site, "consent.html")
    assert second["consent"] is True
    assert second["visitor_id"] == first["visitor_id"]


def test_consent_when_given_before_the_script_has_loaded_starts_one_view(
    page: Page, site: Site
) -> None:
    page.add_init_script("window.propgauge = () => 0; propgauge.q = [['consent', true]];")
    view = open_page(page, site, "consent.html")
    hide(page)
    wait_until_sent(page, site)
    assert view["consent"] is True
    assert len(site.views) == 1


def test_consent_when_given_in_a_hidden_tab_waits_until_it_is_shown(page: Page, site: Site) -> None:
    page.goto(site.page("consent.html"))
    hide(page)
    decide(page, consent=True)
    wait_until_sent(page, site)
    assert site.tracked == []
    show(page)
    assert site.wait_posts(1).beacons[0]["consent"] is True


def test_consent_when_given_to_a_site_without_gate_is_told_at_once(page: Page, site: Site) -> None:
    stop_clock(page)
    view = open_page(page, site)
    decide(page, consent=True)
    (engage,) = site.wait_posts(2).beacons
    assert "consent" not in view
    assert (engage["type"], engage["consent"]) == ("engage", True)
    assert engage["page_view_id"] == view["page_view_id"]


def test_consent_when_given_again_sends_nothing(page: Page, site: Site) -> None:
    page.goto(site.page("consent.html"))
    decide(page, consent=True)
    site.wait_posts(1)
    decide(page, consent=True)
    wait_until_sent(page, site)
    assert len(site.tracked) == 1


def test_consent_when_storage_is_blocked_holds_for_the_page(page: Page, site: Site) -> None:
    page.add_init_script(NO_STORAGE)
    page.goto(site.page("consent.html"))
    decide(page, consent=True)
    assert site.wait_posts(1).beacons[0]["consent"] is True
    decide(page, consent=False)
    site.wait_posts(2)
    assert page.evaluate("propgauge('consent')") is False
    assert page.evaluate("propgauge('state')") is None


# --- refused and withdrawn ---------------------------------------------------------------


def test_consent_when_refused_at_the_gate_keeps_the_answer_only(page: Page, site: Site) -> None:
    page.goto(site.page("consent.html"))
    decide(page, consent=False)
    assert page.evaluate("propgauge('consent')") is False
    assert_untracked(page, site, "consent", "consent.html")
    assert storage(page) == {"_pg_consent": "0"}


def test_consent_when_withdrawn_is_told_by_one_last_beacon(page: Page, site: Site) -> None:
    stop_clock(page)
    view = open_page(page, site)
    page.clock.run_for(3000)
    page.click("#plan")
    decide(page, consent=False)
    (last,) = site.wait_posts(2).beacons
    assert (last["type"], last["consent"]) == ("engage", False)
    assert last["page_view_id"] == view["page_view_id"]
    assert (last["duration_ms"], last["clicks"]) == (3000, 1)
    act(page)
    wait_until_sent(page, site)
    assert len(site.tracked) == 2


def test_consent_when_withdrawn_at_once_is_told_though_nothing_changed(
    page: Page, site: Site
) -> None:
    stop_clock(page)
    open_page(page, site)
    decide(page, consent=False)
    assert site.wait_posts(2).beacons[0]["consent"] is False


def test_consent_when_withdrawn_before_the_view_was_acknowledged_sends_both(
    page: Page, site: Site
) -> None:
    site.answering.clear()
    page.goto(site.page("long.html"))
    site.wait_posts(1)
    decide(page, consent=False)
    last = site.wait_posts(2).beacons
    assert [(beacon["type"], beacon["consent"]) for beacon in last] == [
        ("view", False),
        ("engage", False),
    ]


def test_consent_when_withdrawn_leaves_the_answer_only(page: Page, site: Site) -> None:
    open_page(page, site)
    site.track_status = 503
    page.click("#plan")
    hide(page)
    show(page)
    site.wait_posts(2)
    wait_outbox(page, 1)
    decide(page, consent=False)
    assert storage(page) == {"_pg_consent": "0"}
    assert page.evaluate("propgauge('state')") is None
    assert page.evaluate("propgauge('reason')") == "consent"


def test_consent_when_withdrawn_stays_forgotten_whatever_is_answered(
    page: Page, site: Site
) -> None:
    open_page(page, site)
    site.track_status = 503
    decide(page, consent=False)
    site.wait_posts(2)
    page.wait_for_function(
        "() => performance.getEntriesByType('resource')"
        ".filter(entry => entry.name.endsWith('/api/track')).length >= 2"
    )
    hide(page)
    show(page)
    wait_until_sent(page, site)
    assert len(site.tracked) == 2
    assert storage(page) == {"_pg_consent": "0"}


def test_consent_when_withdrawn_holds_on_later_pages(page: Page, site: Site) -> None:
    open_page(page, site)
    decide(page, consent=False)
    site.wait_posts(2)
    page.goto(site.page("long.html"))
    act(page)
    wait_until_sent(page, site)
    assert len(site.tracked) == 2
    assert storage(page) == {"_pg_consent": "0"}


def test_consent_when_withdrawn_in_one_tab_ends_the_view_of_another(
    context: BrowserContext, page: Page, site: Site
) -> None:
    open_page(page, site)
    other = context.new_page()
    open_page(other, site)
    decide(other, consent=False)
    site.wait_posts(3)
    act(page)
    wait_until_sent(page, site)
    assert len(site.tracked) == 3
    assert storage(page) == {"_pg_consent": "0"}


def test_consent_when_given_after_a_refusal_starts_as_a_new_visitor(page: Page, site: Site) -> None:
    first = open_page(page, site)
    decide(page, consent=False)
    site.wait_posts(2)
    decide(page, consent=True)
    site.wait(lambda: len(site.views) == 2)
    second = site.views[1]
    assert second["consent"] is True
    assert second["visitor_id"] != first["visitor_id"]
    assert second["session_id"] != first["session_id"]
    assert second["page_view_id"] != first["page_view_id"]
    assert (second["seq"], state(page)["visitor_id"]) == (0, second["visitor_id"])


def test_consent_when_refused_before_the_script_has_loaded_sends_nothing(
    page: Page, site: Site
) -> None:
    page.add_init_script("window.propgauge = () => 0; propgauge.q = [['consent', false]];")
    assert_untracked(page, site, "consent")
    assert storage(page) == {"_pg_consent": "0"}


def test_consent_when_withdrawn_on_a_route_that_settles_forgets_that_view(
    page: Page, site: Site
) -> None:
    open_spa(page, site)
    page.evaluate("go('/spa/villas', 'Villas')")
    decide(page, consent=False)
    site.wait(lambda: len(site.views) == 2)
    before = len(site.tracked)
    page.clock.run_for(1000)
    wait_until_sent(page, site)
    assert site.views[1]["consent"] is False
    assert len(site.tracked) == before
