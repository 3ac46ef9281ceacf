"""form.js in a real browser: which forms it takes, and what their submissions carry."""

import json
from datetime import timedelta

import pytest
from playwright.sync_api import Page

from tests.browser.form_fixtures import (
    AJAX,
    FIELDS,
    START,
    append,
    form_data,
    handle_submit,
    next_task,
    open_form,
    open_settled,
    values,
)
from tests.browser.recorder import Site, gzipped_bytes, minified

# --- which forms ----------------------------------------------------------------


def test_lead_form_when_submitted_carries_every_field(page: Page, site: Site) -> None:
    open_form(page, site)
    page.fill("[name=email]", "ada@example.com")
    page.click("#send")
    fields = site.wait_leads(1).fields
    assert fields.keys() == FIELDS | {"name", "email", "project"}
    assert fields["email"] == "ada@example.com"
    assert fields["__visitor_id"] == site.views[0]["visitor_id"]
    assert fields["__session_id"] == site.views[0]["session_id"]
    assert fields["__site"] == "demo"
    assert fields["page_url"] == site.page("lead.html")
    assert fields["honeypot"] == ""
    assert 0 <= int(fields["timeToSubmit"]) < 20_000
    state = json.loads(fields["__pg_state"])
    assert state["page_view_id"] == site.views[0]["page_view_id"]
    assert state["clicks"] == 1


def test_other_forms_when_used_are_left_as_they_are(page: Page, site: Site) -> None:
    open_form(page, site)
    page.click("[name=user]")
    page.evaluate("document.body.append(document.createElement('p'))")
    for form in ("#login", "#search"):
        handle_submit(page, "event => event.preventDefault()", form)
    page.press("[name=password]", "Enter")
    page.press("[name=q]", "Enter")
    assert form_data(page, "#login").keys() == {"user", "password"}
    assert form_data(page, "#search").keys() == {"q"}
    assert page.evaluate(
        """async () => {
          const source = await (await fetch(location.href)).text();
          const served = new DOMParser().parseFromString(source, "text/html");
          const html = root => [...root.querySelectorAll("#login, #search")].map(f => f.outerHTML);
          return html(document).join() == html(served).join();
        }"""
    )
    assert "__visitor_id" in values(page)


def test_form_when_added_later_is_taken(page: Page, site: Site) -> None:
    open_settled(page, site)
    append(page, '<div><form id="late" action="/api/lead"><input name="email"></form></div>')
    assert values(page, "#late").keys() == FIELDS | {"email"}


@pytest.mark.parametrize(
    "change", ["form.setAttribute('action', '/api/lead')", "form.dataset.pgLead = ''"]
)
def test_form_when_made_a_lead_form_later_is_taken(page: Page, site: Site, change: str) -> None:
    open_settled(page, site)
    page.eval_on_selector("#search", f"form => {{ {change} }}")
    next_task(page)
    assert values(page, "#search").keys() == FIELDS | {"q"}


def test_form_when_marked_and_without_action_gets_endpoint_and_post(page: Page, site: Site) -> None:
    open_form(page, site, "markup.html")
    page.fill("#webflow input", "ada@example.com")
    page.click("#webflow button")
    lead = site.wait_leads(1)
    assert lead.path == "/api/lead"
    assert lead.fields.keys() == FIELDS | {"Email"}


def test_form_when_marked_and_with_action_keeps_it(page: Page, site: Site) -> None:
    open_settled(page, site, "markup.html", "#wordpress")
    assert page.get_attribute("#wordpress", "action") == "/wp-admin/admin-ajax.php"
    assert values(page, "#wordpress").keys() == FIELDS | {"action", "email", ""}


def test_form_when_a_field_is_named_action_is_taken(page: Page, site: Site) -> None:
    open_settled(page, site, "markup.html", "#named-action")
    assert form_data(page, "#named-action").keys() == FIELDS | {"action", "email"}


def test_form_when_endpoint_is_given_on_the_script_is_matched_by_it(page: Page, site: Site) -> None:
    open_settled(page, site, "endpoint.html")
    assert form_data(page).keys() == FIELDS | {"email"}
    assert form_data(page, "#plain").keys() == {"email"}


def test_form_when_script_is_loaded_twice_gets_each_field_once(page: Page, site: Site) -> None:
    open_settled(page, site, "twice.html")
    names = page.eval_on_selector("#lead", "form => [...new FormData(form).keys()]")
    assert sorted(names) == sorted(FIELDS | {"email"})


def test_fields_of_the_site_when_present_are_kept(page: Page, site: Site) -> None:
    open_form(page, site, "markup.html")
    fields = form_data(page, "#own")
    assert fields["Page_URL"] == "https://example.com/own"
    assert fields["timeToSubmit"] == "12345"
    assert fields["__visitor_id"] == site.views[0]["visitor_id"]
    assert fields.keys() == FIELDS - {"page_url"} | {"email", "Page_URL"}
    assert page.locator("#own [name=honeypot]").count() == 1


# --- ways to submit ----------------------------------------------------------------


def test_lead_when_submitted_by_a_script_carries_fresh_fields(page: Page, site: Site) -> None:
    page.clock.install(time=START)
    page.clock.pause_at(START + timedelta(minutes=1))
    open_form(page, site)
    page.clock.run_for(7000)
    page.eval_on_selector("#lead", "form => form.submit()")
    fields = site.wait_leads(1).fields
    assert fields.keys() == FIELDS | {"name", "email", "project"}
    assert fields["timeToSubmit"] == "7000"
    assert json.loads(fields["__pg_state"])["duration_ms"] == 7000


def test_lead_when_read_as_form_data_carries_fresh_fields(page: Page, site: Site) -> None:
    page.clock.install(time=START)
    page.clock.pause_at(START + timedelta(minutes=1))
    open_form(page, site)
    page.clock.run_for(7000)
    fields = form_data(page)
    assert fields.keys() == FIELDS | {"name", "email", "project"}
    assert fields["timeToSubmit"] == "7000"


def test_lead_when_read_in_a_submit_handler_carries_fresh_fields(page: Page, site: Site) -> None:
    page.clock.install(time=START)
    page.clock.pause_at(START + timedelta(minutes=1))
    open_form(page, site)
    handle_submit(
        page,
        """event => {
          event.preventDefault();
          window.serialized = [...event.target.elements].map(c => [c.name, c.value]);
        }""",
    )
    page.focus("[name=email]")
    page.clock.run_for(7000)
    page.eval_on_selector("#lead", "form => form.requestSubmit()")
    serialized = dict(page.evaluate("serialized"))
    assert serialized["timeToSubmit"] == "7000"
    assert json.loads(serialized["__pg_state"])["duration_ms"] == 7000


def test_lead_when_read_in_a_click_handler_carries_fresh_fields(page: Page, site: Site) -> None:
    page.clock.install(time=START)
    page.clock.pause_at(START + timedelta(minutes=1))
    open_form(page, site)
    page.evaluate(
        """() => {
          const button = document.querySelector("#send");
          button.type = "button";
          button.onclick = () => {
            window.serialized = [...button.form.elements].map(c => [c.name, c.value]);
          };
        }"""
    )
    page.clock.run_for(7000)
    page.click("#send")
    serialized = dict(page.evaluate("serialized"))
    assert serialized["timeToSubmit"] == "7000"
    assert json.loads(serialized["__pg_state"])["clicks"] == 1


def test_lead_when_the_site_stops_the_event_first_carries_its_fields(
    page: Page, site: Site
) -> None:
    page.add_init_script(
        f"""addEventListener("submit", event => {{
          event.stopImmediatePropagation();
          ({AJAX})(event);
        }}, true);"""
    )
    open_form(page, site)
    page.click("#send")
    assert site.wait_leads(1).fields.keys() == FIELDS | {"name", "email", "project"}


def test_site_handlers_when_submitting_find_the_event_untouched(page: Page, site: Site) -> None:
    open_form(page, site)
    handle_submit(
        page,
        "event => { window.prevented = event.defaultPrevented; event.preventDefault(); }",
    )
    page.click("#send")
    assert page.evaluate("prevented") is False
    assert site.leads == []


def test_site_values_when_set_on_formdata_win(page: Page, site: Site) -> None:
    open_form(page, site)
    page.eval_on_selector(
        "#lead",
        "form => form.addEventListener('formdata', e => e.formData.set('page_url', 'theirs'))",
    )
    assert form_data(page)["page_url"] == "theirs"


def test_files_when_submitted_arrive(page: Page, site: Site) -> None:
    open_form(page, site, "markup.html")
    page.set_input_files(
        "[name=plan]", {"name": "plan.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-"}
    )
    page.click("#upload button")
    fields = site.wait_leads(1).fields
    assert fields.keys() == FIELDS | {"email", "plan"}
    assert fields["plan"] == "plan.pdf"


def test_lead_when_page_is_still_loading_carries_its_fields(page: Page, site: Site) -> None:
    site.answering.clear()
    page.goto(site.page("slow.html"), wait_until="domcontentloaded")
    assert values(page).keys() == {"email", ""}
    page.eval_on_selector("#lead", "form => form.requestSubmit()")
    assert site.wait_leads(1).fields.keys() == FIELDS | {"email"}


def test_fields_when_page_is_still_loading_come_with_the_first_focus(
    page: Page, site: Site
) -> None:
    site.answering.clear()
    page.goto(site.page("slow.html"), wait_until="domcontentloaded")
    page.focus("[name=email]")
    assert values(page).keys() == FIELDS | {"email", ""}


# --- the page's side --------------------------------------------------------------------


def test_honeypot_when_added_is_out_of_sight_and_reach(page: Page, site: Site) -> None:
    open_settled(page, site)
    honeypot = page.locator("#lead [name=honeypot]")
    assert honeypot.evaluate("control => control.type") == "textarea"
    assert honeypot.input_value() == ""
    assert not honeypot.is_visible()
    assert honeypot.evaluate("input => getComputedStyle(input).display") != "none"
    assert page.locator("#lead").get_by_role("textbox").count() == 2
    assert honeypot.evaluate("input => { input.focus(); return document.activeElement != input; }")


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_layout_when_fields_are_added_stays(page: Page, site: Site, direction: str) -> None:
    open_settled(page, site)
    page.evaluate("direction => { document.dir = direction; }", direction)
    size = "[document.documentElement.scrollWidth, document.querySelector('#lead').offsetHeight]"
    with_fields = page.evaluate(size)
    page.evaluate("document.querySelector('#lead propgauge-form').style.display = 'none'")
    assert page.evaluate(size) == with_fields


def test_policy_when_strict_is_not_violated(page: Page, site: Site) -> None:
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    open_form(page, site, "csp.html")
    page.fill("[name=email]", "ada@example.com")
    page.click("button")
    assert site.wait_leads(1).fields.keys() == FIELDS | {"email"}
    assert not [text for text in messages if "style" in text.lower()]


def test_fields_when_a_framework_draws_the_form_anew_come_back(page: Page, site: Site) -> None:
    open_settled(page, site)
    page.eval_on_selector("#lead", "form => { form.innerHTML = '<input name=email>'; }")
    next_task(page)
    assert values(page).keys() == FIELDS | {"email"}


def test_fields_when_the_site_removes_them_do_not_start_a_fight(page: Page, site: Site) -> None:
    open_settled(page, site)
    page.eval_on_selector(
        "#lead",
        """form => {
          const clean = () => form.querySelector("propgauge-form")?.remove();
          new MutationObserver(clean).observe(form, {childList: true});
          setTimeout(clean);
        }""",
    )
    page.wait_for_function("!document.querySelector('#lead propgauge-form')")
    assert "__site" not in values(page)
    assert "__site" in form_data(page)


def test_form_when_cloned_carries_its_own_fields(page: Page, site: Site) -> None:
    open_settled(page, site)
    page.eval_on_selector(
        "#lead",
        "form => document.body.append(Object.assign(form.cloneNode(true), {id: 'clone'}))",
    )
    original, clone = form_data(page), form_data(page, "#clone")
    assert clone.keys() == original.keys()
    assert clone["__submission_id"] != original["__submission_id"]


# --- the script itself ---------------------------------------------------------------------


def test_script_when_served_is_within_its_size() -> None:
    assert gzipped_bytes("form.js") <= 2688


def test_script_when_read_has_nothing_that_changes_submitting() -> None:
    text = minified("form.js")
    for word in ("unload", "Propagation", "eval(", "innerHTML", ".submit("):
        assert word not in text
    assert text.count("preventDefault") == 1
