"""form.js in a real browser: which forms it takes, and what their submissions carry."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.recorder import (
    Site,
    gzipped_bytes,
    minified,
    running_chromium,
    running_site,
)

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)

FIELDS = {
    "__visitor_id",
    "__session_id",
    "__site",
    "__submission_id",
    "__pg_state",
    "timeToSubmit",
    "page_url",
    "honeypot",
}
"""What a lead form of a tracked visitor gets."""

NO_STORAGE = """Object.defineProperty(window, "localStorage", {
  get() { throw new DOMException("denied", "SecurityError"); },
});"""
PRIVACY_CONTROL = 'Object.defineProperty(navigator, "globalPrivacyControl", {get: () => true});'

AJAX = """event => {
  event.preventDefault();
  const form = event.target;
  const body = new URLSearchParams(new FormData(form));
  fetch(form.getAttribute("action"), {method: "POST", body});
}"""
"""A site's own submit handler."""


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
    """A visitor of their own; whatever the scripts throw fails the test."""
    context = browser.new_context()
    context.set_default_timeout(10_000)
    errors: list[str] = []
    context.on("weberror", lambda thrown: errors.append(str(thrown.error)))
    yield context
    context.close()
    assert errors == []


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def open_form(page: Page, site: Site, name: str = "lead.html") -> None:
    """Opens a page of a tracked visitor."""
    page.goto(site.page(name))
    site.wait_posts(1)


def values(page: Page, form: str = "#lead") -> dict[str, str]:
    """The form's controls as they stand in the document, without asking for its data."""
    found: dict[str, str] = page.eval_on_selector(
        form, "form => Object.fromEntries([...form.elements].map(c => [c.name, c.value]))"
    )
    return found


def form_data(page: Page, form: str = "#lead") -> dict[str, str]:
    found: dict[str, str] = page.eval_on_selector(
        form, "form => Object.fromEntries(new FormData(form))"
    )
    return found


def handle_submit(page: Page, handler: str = AJAX, form: str = "#lead") -> None:
    page.eval_on_selector(form, f"form => form.addEventListener('submit', {handler})")


def next_task(page: Page) -> None:
    """Lets observers of the document see what changed."""
    page.evaluate("() => new Promise(done => setTimeout(done))")


def append(page: Page, html: str) -> None:
    page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", html)
    next_task(page)


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
    open_form(page, site)
    append(page, '<div><form id="late" action="/api/lead"><input name="email"></form></div>')
    assert values(page, "#late").keys() == FIELDS | {"email"}


@pytest.mark.parametrize(
    "change", ["form.setAttribute('action', '/api/lead')", "form.dataset.pgLead = ''"]
)
def test_form_when_made_a_lead_form_later_is_taken(page: Page, site: Site, change: str) -> None:
    open_form(page, site)
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
    open_form(page, site, "markup.html")
    assert page.get_attribute("#wordpress", "action") == "/wp-admin/admin-ajax.php"
    assert values(page, "#wordpress").keys() == FIELDS | {"action", "email", ""}


def test_form_when_a_field_is_named_action_is_taken(page: Page, site: Site) -> None:
    open_form(page, site, "markup.html")
    assert form_data(page, "#named-action").keys() == FIELDS | {"action", "email"}


def test_form_when_endpoint_is_given_on_the_script_is_matched_by_it(page: Page, site: Site) -> None:
    open_form(page, site, "endpoint.html")
    assert form_data(page).keys() == FIELDS | {"email"}
    assert form_data(page, "#plain").keys() == {"email"}


def test_form_when_script_is_loaded_twice_gets_each_field_once(page: Page, site: Site) -> None:
    open_form(page, site, "twice.html")
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
    assert dict(page.evaluate("serialized"))["timeToSubmit"] == "7000"


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


def test_submission_id_when_back_from_the_cache_is_new(page: Page, site: Site) -> None:
    open_form(page, site)
    page.evaluate("window.kept = true")
    page.fill("[name=email]", "ada@example.com")
    page.click("#send")
    (first,) = submission_ids(site, 1)
    page.wait_for_function("document.title == 'Thank you'")
    page.evaluate("history.back()")
    site.wait(lambda: len(site.views) == 2)
    assert page.evaluate("window.kept") is True
    fields = form_data(page)
    assert fields["email"] == "ada@example.com"
    assert fields["__submission_id"] != first


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
    unknown = {"__visitor_id", "__session_id", "__pg_state"}
    assert fields.keys() == (FIELDS - unknown) | {"name", "email", "project"}


@pytest.mark.parametrize("refuse", [PRIVACY_CONTROL, "localStorage.setItem('_pg_ignore', '1');"])
def test_fields_when_visitor_is_not_tracked_leave_the_ids_out(
    page: Page, site: Site, refuse: str
) -> None:
    page.add_init_script(refuse + "localStorage.setItem('_pg_vid', 'v1')")
    page.goto(site.page("lead.html"))
    fields = form_data(page)
    assert not fields.keys() & {"__visitor_id", "__session_id", "__pg_state"}
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


# --- the page's side --------------------------------------------------------------------


def test_honeypot_when_added_is_out_of_sight_and_reach(page: Page, site: Site) -> None:
    open_form(page, site)
    honeypot = page.locator("#lead [name=honeypot]")
    assert honeypot.get_attribute("type") == "text"
    assert honeypot.get_attribute("tabindex") == "-1"
    assert honeypot.get_attribute("aria-hidden") == "true"
    assert honeypot.get_attribute("autocomplete") == "off"
    assert honeypot.input_value() == ""
    assert honeypot.evaluate(
        "({offsetWidth: width, offsetHeight: height}) => width <= 1 && height <= 1"
    )
    assert honeypot.evaluate("input => getComputedStyle(input).opacity") == "0"


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_layout_when_fields_are_added_stays(page: Page, site: Site, direction: str) -> None:
    open_form(page, site)
    page.evaluate("direction => { document.dir = direction; }", direction)
    size = "[document.documentElement.scrollWidth, document.querySelector('#lead').offsetHeight]"
    with_fields = page.evaluate(size)
    page.evaluate("document.querySelector('#lead [name=honeypot]').style.display = 'none'")
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
    open_form(page, site)
    page.eval_on_selector("#lead", "form => { form.innerHTML = '<input name=email>'; }")
    next_task(page)
    assert values(page).keys() == FIELDS | {"email"}


def test_fields_when_the_site_removes_them_do_not_start_a_fight(page: Page, site: Site) -> None:
    open_form(page, site)
    page.eval_on_selector(
        "#lead",
        """form => {
          const clean = () => form.querySelectorAll("[data-pg-field]").forEach(f => f.remove());
          new MutationObserver(clean).observe(form, {childList: true});
          setTimeout(clean);
        }""",
    )
    page.wait_for_function("!document.querySelector('#lead [data-pg-field]')")
    assert "__site" not in values(page)
    assert "__site" in form_data(page)


def test_form_when_cloned_carries_its_own_fields(page: Page, site: Site) -> None:
    open_form(page, site)
    page.eval_on_selector(
        "#lead",
        "form => document.body.append(Object.assign(form.cloneNode(true), {id: 'clone'}))",
    )
    original, clone = form_data(page), form_data(page, "#clone")
    assert clone.keys() == original.keys()
    assert clone["__submission_id"] != original["__submission_id"]


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


# --- the script itself ---------------------------------------------------------------------


def test_script_when_served_is_within_its_size() -> None:
    assert gzipped_bytes("form.js") <= 2048


def test_script_when_read_has_nothing_that_changes_submitting() -> None:
    text = minified("form.js")
    for word in ("unload", "preventDefault", "Propagation", "eval(", "innerHTML", ".submit("):
        assert word not in text
