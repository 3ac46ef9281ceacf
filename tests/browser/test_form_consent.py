"""form.js in a real browser: what consent and Do Not Track let a form tell."""

import pytest
from playwright.sync_api import Page

from tests.browser.form_fixtures import (
    FIELDS,
    NO_STORAGE,
    WHO,
    form_data,
    open_settled,
    values,
    wait_for_fields,
)
from tests.browser.recorder import Site

KNOWN = (
    "localStorage.setItem('_pg_vid', 'v1'); localStorage.setItem('_pg_sid', 's1:' + Date.now());"
)
"""A visitor whom an earlier page met."""

DO_NOT_TRACK = 'Object.defineProperty(navigator, "doNotTrack", {get: () => "1"});'


def consent(value: str) -> str:
    return f"localStorage.setItem('_pg_consent', '{value}');"


def tracker_saying(consent: str) -> str:
    """A page whose tracker knows what storage does not."""
    return f"""{{
      const state = {{visitor_id: "v2", session_id: "s2"}};
      const answers = {{consent: {consent}, state}};
      window.propgauge = Object.assign(command => answers[command], {{v: 1}});
    }}"""


def open_known(page: Page, site: Site, name: str, *scripts: str) -> None:
    """Opens a page without the tracker."""
    page.route("**/tracker.js", lambda route: route.abort())
    page.add_init_script(KNOWN + "".join(scripts))
    page.goto(site.page(name))
    wait_for_fields(page)


def add_form_js(page: Page, **data: str) -> None:
    """Adds the script as a tag manager does."""
    page.evaluate(
        """data => {
          const script = Object.assign(document.createElement("script"), {src: "/form.js"});
          Object.assign(script.dataset, data);
          document.head.append(script);
        }""",
        data,
    )
    wait_for_fields(page)


def test_consent_when_given_is_told_with_the_visitor(page: Page, site: Site) -> None:
    open_known(page, site, "form-consent.html", consent("1"))
    fields = form_data(page)
    assert (fields["__consent"], fields["__visitor_id"]) == ("true", "v1")
    assert fields["__session_id"] == "s1"


def test_consent_when_refused_is_told_and_nothing_of_the_visitor(page: Page, site: Site) -> None:
    open_known(page, site, "lead.html", consent("0"))
    page.click("#send")
    fields = site.wait_leads(1).fields
    assert fields["__consent"] == "false"
    assert fields.keys() == (FIELDS - WHO) | {"__consent", "name", "email", "project"}


@pytest.mark.parametrize("say", [consent("0"), tracker_saying("false")])
def test_visitor_when_the_tracker_still_knows_them_but_they_refused_is_not_told(
    page: Page, site: Site, say: str
) -> None:
    open_known(page, site, "lead.html", tracker_saying("undefined") + say)
    fields = form_data(page)
    assert fields["__consent"] == "false"
    assert not fields.keys() & WHO


def test_consent_when_only_the_tracker_knows_it_is_told(page: Page, site: Site) -> None:
    page.route("**/tracker.js", lambda route: route.abort())
    page.add_init_script(NO_STORAGE + tracker_saying("true"))
    page.goto(site.page("form-consent.html"))
    wait_for_fields(page)
    fields = form_data(page)
    assert (fields["__consent"], fields["__visitor_id"]) == ("true", "v2")


def test_consent_when_nobody_asked_is_not_told(page: Page, site: Site) -> None:
    open_settled(page, site)
    fields = form_data(page)
    assert "__consent" not in fields
    assert fields.keys() >= WHO


def test_visitor_when_consent_is_required_and_not_given_is_not_told(page: Page, site: Site) -> None:
    open_known(page, site, "form-consent.html")
    fields = form_data(page)
    assert fields.keys() == (FIELDS - WHO) | {"email"}
    assert page.get_attribute("#embed", "data-tf-hidden") is None


def test_consent_field_when_it_is_of_the_site_wins(page: Page, site: Site) -> None:
    open_known(page, site, "form-consent.html", consent("1"))
    names = page.eval_on_selector("#own", "form => [...new FormData(form).keys()]")
    assert names.count("__consent") == 1
    assert form_data(page, "#own")["__consent"] == "granted"


def test_visitor_when_consent_is_withdrawn_is_taken_out(page: Page, site: Site) -> None:
    open_known(page, site, "form-consent.html", consent("1"))
    assert values(page)["__visitor_id"] == values(page, "#own")["__visitor_id"] == "v1"
    page.evaluate(consent("0"))
    assert not form_data(page).keys() & WHO
    assert not values(page).keys() & WHO
    assert "__visitor_id" not in form_data(page, "#own")
    own = values(page, "#own")
    assert (own["__visitor_id"], own["__site"]) == ("", "demo")


def test_visitor_when_consent_is_given_later_is_told(page: Page, site: Site) -> None:
    open_known(page, site, "form-consent.html")
    page.eval_on_selector(
        "#accept", f"button => button.addEventListener('click', () => {{ {consent('1')} }})"
    )
    page.click("#accept")
    page.wait_for_selector("#embed[data-tf-hidden='visitor_id=v1']", state="attached")
    page.click("#lead button")
    fields = site.wait_leads(1).fields
    assert (fields["__consent"], fields["__visitor_id"]) == ("true", "v1")


def test_calls_when_only_a_queue_stands_in_for_the_tracker_are_not_queued(
    page: Page, site: Site
) -> None:
    stub = "window.propgauge = function () { (propgauge.q = propgauge.q || []).push(arguments) };"
    open_known(page, site, "lead.html", stub)
    assert form_data(page)["__visitor_id"] == "v1"
    assert page.evaluate("propgauge.q") is None


@pytest.mark.parametrize(("data", "told"), [({}, True), ({"dnt": ""}, False)])
def test_do_not_track_when_the_script_respects_it_keeps_the_visitor_back(
    page: Page, site: Site, data: dict[str, str], *, told: bool
) -> None:
    page.add_init_script(KNOWN + DO_NOT_TRACK)
    page.goto(site.page("form-bare.html"))
    add_form_js(page, **data)
    assert ("__visitor_id" in form_data(page)) is told


def test_do_not_track_when_not_asked_for_changes_nothing(page: Page, site: Site) -> None:
    page.add_init_script(KNOWN)
    page.goto(site.page("form-bare.html"))
    add_form_js(page, dnt="", site="demo")
    assert form_data(page)["__visitor_id"] == "v1"
