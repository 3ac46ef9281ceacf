"""form.js in a real browser: what a form tells of its submission and of its visitor."""

import pytest
from playwright.sync_api import Page

from server.domain.conversion import event_id_of
from tests.browser.form_fixtures import (
    FIELDS,
    NO_STORAGE,
    WHO,
    append,
    form_data,
    handle_submit,
    open_form,
)
from tests.browser.recorder import Site

PRIVACY_CONTROL = 'Object.defineProperty(navigator, "globalPrivacyControl", {get: () => true});'


# --- one submission, one id -----------------------------------------------------------


def submission_ids(site: Site, count: int) -> list[str]:
    site.wait_leads(count)
    return [lead.fields["__submission_id"] for lead in site.leads]


def test_submission_id_when_double_clicked_is_the_same(page: Page, site: Site) -> None:
    open_form(page, site)
    handle_submit(page)
    page.fill("[name=email]", "ada@example.com")
    page.dblclick("#send")
    one, two = submission_ids(site, 2)
    assert one == two


def test_submission_id_when_sent_natively_twice_is_the_same(page: Page, site: Site) -> None:
    open_form(page, site)
    page.eval_on_selector("#lead", "form => form.setAttribute('target', 'nowhere')")
    append(page, '<iframe name="nowhere"></iframe>')
    page.fill("[name=email]", "ada@example.com")
    page.click("#send")
    site.wait_leads(1)
    page.click("#send")
    one, two = submission_ids(site, 2)
    assert one == two


def test_submission_id_when_two_forms_are_sent_differs(page: Page, site: Site) -> None:
    open_form(page, site, "markup.html")
    assert (
        form_data(page, "#own")["__submission_id"] != form_data(page, "#upload")["__submission_id"]
    )


@pytest.mark.parametrize(
    "change",
    [
        "form.email.value = 'eve@example.com'",
        "form.project.value = 'Palm Villas'",
        "form.beds.options[1].selected = true",
        "form.brochure.checked = true",
    ],
)
def test_submission_id_when_content_changed_is_new(page: Page, site: Site, change: str) -> None:
    open_form(page, site)
    handle_submit(page)
    page.select_option("[name=beds]", "1")
    page.fill("[name=email]", "ada@example.com")
    page.click("#send")
    page.eval_on_selector("#lead", f"form => {{ {change} }}")
    page.click("#send")
    one, two = submission_ids(site, 2)
    assert one != two


def test_submission_id_when_only_a_token_or_a_button_changed_is_the_same(
    page: Page, site: Site
) -> None:
    open_form(page, site)
    handle_submit(page)
    page.eval_on_selector(
        "#lead",
        """form => form.insertAdjacentHTML("afterbegin",
          '<textarea name="g-recaptcha-response" hidden></textarea>' +
          '<input type="submit" name="go" value="Send now">')""",
    )
    page.click("#send")
    page.eval_on_selector(
        "#lead",
        """form => {
          form["g-recaptcha-response"].value = "fresh";
          form.go.value = "Sending";
          form.querySelector("#send").textContent = "Sending";
        }""",
    )
    page.click("#send")
    one, two = submission_ids(site, 2)
    assert one == two


def test_submission_id_when_the_site_rewrites_a_value_on_submit_is_the_same(
    page: Page, site: Site
) -> None:
    open_form(page, site)
    handle_submit(
        page, "event => { event.target.email.value = event.target.email.value.toLowerCase(); }"
    )
    handle_submit(page)
    page.fill("[name=email]", "Ada@Example.com")
    page.dblclick("#send")
    one, two = submission_ids(site, 2)
    assert one == two


def test_submission_id_when_fields_are_added_in_between_is_the_same(page: Page, site: Site) -> None:
    site.answering.clear()
    page.goto(site.page("slow.html"), wait_until="domcontentloaded")
    handle_submit(
        page,
        """event => {
          event.preventDefault();
          window.read = event.target.querySelector("[name=__submission_id]").value;
        }""",
    )
    page.eval_on_selector("#lead", "form => form.requestSubmit()")
    assert form_data(page)["__submission_id"] == page.evaluate("read")


# --- who it was -----------------------------------------------------------------------


def test_fields_when_tracker_is_blocked_come_from_storage(page: Page, site: Site) -> None:
    page.route("**/tracker.js", lambda route: route.abort())
    page.add_init_script(
        "localStorage.setItem('_pg_vid', 'v1'); localStorage.setItem('_pg_sid', 's1:' + Date.now())"
    )
    page.goto(site.page("lead.html"))
    page.click("#send")
    fields = site.wait_leads(1).fields
    assert fields.keys() == (FIELDS - {"__pg_state"}) | {"name", "email", "project"}
    assert (fields["__visitor_id"], fields["__session_id"]) == ("v1", "s1")


def test_session_id_when_it_ended_long_ago_is_left_out(page: Page, site: Site) -> None:
    page.route("**/tracker.js", lambda route: route.abort())
    page.add_init_script(
        "localStorage.setItem('_pg_vid', 'v1');"
        "localStorage.setItem('_pg_sid', 's1:' + (Date.now() - 31 * 60e3))"
    )
    page.goto(site.page("lead.html"))
    assert "__session_id" not in form_data(page)


def test_fields_when_visitor_was_never_tracked_leave_the_ids_out(page: Page, site: Site) -> None:
    page.route("**/tracker.js", lambda route: route.abort())
    page.goto(site.page("lead.html"))
    page.click("#send")
    fields = site.wait_leads(1).fields
    assert fields.keys() == (FIELDS - WHO) | {"name", "email", "project"}


@pytest.mark.parametrize("refuse", [PRIVACY_CONTROL, "localStorage.setItem('_pg_ignore', '1');"])
def test_fields_when_visitor_is_not_tracked_leave_the_ids_out(
    page: Page, site: Site, refuse: str
) -> None:
    page.add_init_script(refuse + "localStorage.setItem('_pg_vid', 'v1')")
    page.goto(site.page("lead.html"))
    fields = form_data(page)
    assert not fields.keys() & WHO
    assert site.tracked == []


def test_fields_when_storage_is_blocked_come_from_the_tracker(page: Page, site: Site) -> None:
    page.add_init_script(NO_STORAGE)
    open_form(page, site)
    page.click("#send")
    fields = site.wait_leads(1).fields
    assert fields["__visitor_id"] == site.views[0]["visitor_id"]
    assert fields["__session_id"] == site.views[0]["session_id"]


def test_fields_when_everything_is_blocked_are_what_is_left(page: Page, site: Site) -> None:
    page.route("**/tracker.js", lambda route: route.abort())
    page.add_init_script(NO_STORAGE)
    page.goto(site.page("lead.html"))
    assert {"__site", "__submission_id", "timeToSubmit", "page_url"} <= form_data(page).keys()


# --- Typeform ------------------------------------------------------------------------------


def test_typeform_embeds_when_on_the_page_get_the_visitor_id(page: Page, site: Site) -> None:
    open_form(page, site, "typeform.html")
    mine = "visitor_id=" + site.views[0]["visitor_id"]
    for embed in ("live", "popup", "slider", "sidetab", "popover"):
        assert page.get_attribute("#" + embed, "data-tf-hidden") == mine
    assert page.get_attribute("#widget", "data-tf-hidden") == "project=Marina," + mine
    assert page.get_attribute("#filled", "data-tf-hidden") == "visitor_id=theirs"
    assert page.get_attribute("#other", "data-tf-hidden") == "project=Marina"


def test_typeform_embed_when_added_later_gets_the_visitor_id_once(page: Page, site: Site) -> None:
    open_form(page, site, "typeform.html")
    append(page, '<div id="late" data-tf-live="01AB"></div>')
    page.click("#popup")
    mine = "visitor_id=" + site.views[0]["visitor_id"]
    assert page.get_attribute("#late", "data-tf-hidden") == mine


def test_typeform_embed_when_visitor_is_unknown_is_left_alone(page: Page, site: Site) -> None:
    page.route("**/tracker.js", lambda route: route.abort())
    page.goto(site.page("typeform.html"))
    page.click("#popup")
    assert page.get_attribute("#live", "data-tf-hidden") is None


def test_typeform_embed_when_sent_tells_the_page_the_ids_of_its_events(
    page: Page, site: Site
) -> None:
    open_form(page, site, "typeform.html")
    page.evaluate(
        "document.addEventListener('propgauge:conversion', (event) => { told = event.detail });"
        "told = null;"
        "for (const data of [null, 'x', {type: 'form-ready'},"
        " {type: 'form-submit', formId: '01AB', responseId: 'tok1'}]) postMessage(data, '*')"
    )
    page.wait_for_function("told")
    assert page.evaluate("told") == {
        event_name: event_id_of(event_name, "01AB", token="tok1")
        for event_name in ("Lead", "SubmitApplication")
    }
