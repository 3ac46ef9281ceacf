"""Forms with data-pg-ajax in a real browser: sent once, tried again, and told to the visitor."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.form_endpoint import BUSY, STORED, UNREACHABLE, Answer, Endpoint
from tests.browser.form_fixtures import (
    AJAX,
    FIELDS,
    FIXTURES,
    START,
    append,
    handle_submit,
    open_form,
)
from tests.browser.recorder import Site
from tests.running import RunningServer

browser, site, context, page = FIXTURES

LEAD = "/api/lead"
INVALID: Answer = {
    "status": 422,
    "content_type": "application/problem+json",
    "json": {
        "status": 422,
        "detail": "A lead needs an e-mail address or a phone number",
        "errors": [{"field": "Phone", "message": "x"}, {"field": "email", "message": "y"}],
    },
}
ANSWERS = """window.answers = [];
for (const name of ["lead", "error"])
  addEventListener("propgauge:" + name, e => answers.push([name, e.target.id, e.detail]));"""
"""What the page hears."""
LOG_PAUSES = """() => {
  window.pauses = [];
  const wait = window.setTimeout;
  window.setTimeout = (resume, ms) => {
    if (ms) pauses.push(ms);
    return wait(resume, ms);
  };
}"""
"""Tells when a retry waits, so that the paused clock is moved then and not before."""


@pytest.fixture
def endpoint(page: Page) -> Endpoint:
    """The lead endpoint, which stores everything until a test says otherwise."""
    return Endpoint(page, LEAD, STORED)


def open_ajax(page: Page, site: Site) -> None:
    page.add_init_script(ANSWERS)
    open_form(page, site, "form-ajax.html")
    page.fill("#lead [name=email]", "ada@example.com")


def open_with_clock(page: Page, site: Site) -> None:
    page.clock.install(time=START)
    page.clock.pause_at(START.replace(minute=1))
    open_ajax(page, site)
    page.evaluate(LOG_PAUSES)


def message(page: Page, kind: str, form: str = "#lead") -> Locator:
    return page.locator(f"{form} [data-pg-{kind}]")


def pause_before(endpoint: Endpoint, post: int) -> int:
    """Runs the clock through the pause before a post; the pause, in ms."""
    page = endpoint.page
    while len(page.evaluate("pauses")) < post - 1:
        page.wait_for_timeout(5)
    pause: int = page.evaluate("pauses.at(-1)")
    page.clock.run_for(pause - 1)
    assert len(endpoint.posts) == post - 1
    page.clock.run_for(1)
    endpoint.wait(post)
    return pause


def answers(page: Page) -> list[list[Any]]:
    found: list[list[Any]] = page.evaluate("answers")
    return found


# --- what is sent -----------------------------------------------------------------


def test_form_when_submitted_is_posted_with_fields_and_button(
    page: Page, site: Site, endpoint: Endpoint
) -> None:
    open_ajax(page, site)
    page.click("#send")
    endpoint.wait(1)
    fields = endpoint.fields(1)
    assert fields.keys() == FIELDS | {"email", "phone", "plan", "wish"}
    assert (fields["email"], fields["wish"]) == ("ada@example.com", "visit")
    assert fields["__visitor_id"] == site.views[0]["visitor_id"]
    assert endpoint.posts[0].headers["accept"] == "application/json"
    assert page.url == site.page("form-ajax.html")


def test_form_when_submitted_by_a_script_is_posted_without_a_button(
    page: Page, site: Site, endpoint: Endpoint
) -> None:
    open_ajax(page, site)
    page.eval_on_selector("#lead", "form => form.requestSubmit()")
    endpoint.wait(1)
    assert "wish" not in endpoint.fields(1)


def test_files_when_posted_arrive(page: Page, site: Site) -> None:
    open_ajax(page, site)
    plan = {"name": "plan.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-"}
    page.set_input_files("[name=plan]", plan)  # type: ignore[arg-type] # a literal is no TypedDict
    page.click("#send")
    assert site.wait_leads(1).fields["plan"] == "plan.pdf"


def test_form_when_invalid_is_not_posted(page: Page, site: Site, endpoint: Endpoint) -> None:
    open_ajax(page, site)
    page.fill("#lead [name=email]", "")
    page.click("#send")
    assert page.eval_on_selector("#lead", "form => form.matches(':invalid')")
    page.fill("#lead [name=email]", "ada@example.com")
    page.click("#send")
    endpoint.wait(1)
    assert endpoint.fields(1)["email"] == "ada@example.com"


def test_form_when_invalid_and_novalidate_is_posted(
    page: Page, site: Site, endpoint: Endpoint
) -> None:
    open_ajax(page, site)
    page.fill("#lead [name=email]", "")
    page.eval_on_selector("#lead", "form => { form.noValidate = true; }")
    page.click("#send")
    endpoint.wait(1)
    assert endpoint.fields(1)["email"] == ""


def test_form_when_submit_is_called_leaves_the_page(page: Page, site: Site) -> None:
    open_ajax(page, site)
    page.eval_on_selector("#lead", "form => form.submit()")
    page.wait_for_function("document.title == 'Thank you'")
    assert site.wait_leads(1).fields["email"] == "ada@example.com"


@pytest.mark.parametrize("form", ["#plain", "#other"])
def test_form_when_it_is_no_such_lead_form_leaves_the_page(
    page: Page, site: Site, form: str
) -> None:
    open_ajax(page, site)
    with page.expect_navigation():
        page.eval_on_selector(form, "form => form.requestSubmit()")


@pytest.mark.parametrize("target", ["form", "document", "window"])
def test_form_when_the_site_prevents_the_submit_is_left_to_it(
    page: Page, site: Site, target: str
) -> None:
    open_ajax(page, site)
    page.eval_on_selector("#lead", f"form => {target}.addEventListener('submit', {AJAX})")
    page.click("#send")
    kind = site.wait_leads(1).headers["Content-Type"]
    assert kind.startswith("application/x-www-form-urlencoded")
    assert page.get_attribute("#lead", "aria-busy") is None
    page.click("#send")
    site.wait_leads(2)
    assert len(site.leads) == 2


def test_form_when_the_site_takes_over_later_is_left_to_it(
    page: Page, site: Site, endpoint: Endpoint
) -> None:
    open_ajax(page, site)
    page.click("#send")
    endpoint.wait(1)
    page.evaluate("addEventListener('submit', event => event.preventDefault())")
    page.fill("#lead [name=email]", "eve@example.com")
    page.click("#send")
    expect(page.locator("#lead [name=email]")).to_have_value("eve@example.com")
    assert page.get_attribute("#lead", "aria-busy") is None
    assert len(endpoint.posts) == 1


def test_form_when_the_site_submits_it_after_a_while_is_posted_once(
    page: Page, site: Site, endpoint: Endpoint
) -> None:
    open_ajax(page, site)
    handle_submit(
        page,
        """event => {
          if (window.checked) return;
          event.preventDefault();
          fetch("/slow-check").then(() => {
            window.checked = true;
            event.target.requestSubmit(event.submitter);
          });
        }""",
    )
    page.click("#send")
    expect(message(page, "success")).to_be_visible()
    assert len(endpoint.posts) == 1


# --- while it is sent ---------------------------------------------------------------


def test_form_while_sending_is_busy_and_keeps_the_focus(
    page: Page, site: Site, endpoint: Endpoint
) -> None:
    endpoint.hold()
    open_ajax(page, site)
    page.click("#send")
    endpoint.wait(1)
    assert page.get_attribute("#lead", "aria-busy") == "true"
    assert page.get_attribute("#send", "aria-disabled") == "true"
    assert page.evaluate("document.activeElement.id") == "send"
    endpoint.release(STORED)
    expect(page.locator("#lead")).not_to_have_attribute("aria-busy", re.compile(""))
    expect(page.locator("#send")).not_to_have_attribute("aria-disabled", re.compile(""))


def test_form_while_sending_ignores_further_submits(
    page: Page, site: Site, endpoint: Endpoint
) -> None:
    endpoint.hold()
    open_ajax(page, site)
    page.dblclick("#send")
    page.press("#lead [name=email]", "Enter")
    page.eval_on_selector("#lead", "form => form.requestSubmit()")
    endpoint.wait(1)
    endpoint.release(STORED)
    expect(message(page, "success")).to_be_visible()
    assert len(endpoint.posts) == 1
    assert page.url == site.page("form-ajax.html")


# --- success ------------------------------------------------------------------------


def test_success_when_stored_is_told_and_the_form_is_empty(
    page: Page, site: Site, endpoint: Endpoint
) -> None:
    open_ajax(page, site)
    page.click("#send")
    told = message(page, "success")
    expect(told).to_have_text("Thank you!")
    expect(told).to_have_role("status")
    expect(told).to_be_focused()
    expect(page.locator("#lead [name=email]")).to_have_value("")
    assert answers(page) == [["lead", "lead", {"status": 201, "lead_id": "lead_1"}]]
    assert len(endpoint.posts) == 1


def test_success_when_the_form_words_it_is_told_so(page: Page, site: Site) -> None:
    open_ajax(page, site)
    page.click("#worded button")
    expect(message(page, "success", "#worded")).to_have_text("¡Gracias!")


def test_success_when_the_site_has_a_place_with_words_is_told_there(page: Page, site: Site) -> None:
    open_ajax(page, site)
    page.click("#placed button")
    expect(page.locator("#inside")).to_be_visible()
    expect(page.locator("#inside")).to_be_focused()
    assert page.inner_html("#inside") == 'Thanks! <a href="/brochure">Brochure</a>'


def test_success_when_the_place_is_beside_the_form_is_told_there(page: Page, site: Site) -> None:
    open_ajax(page, site)
    page.click("#beside button")
    expect(page.locator("#done")).to_have_text("Sent")
    expect(page.locator("#done")).to_be_visible()
    assert page.is_hidden("#fail")


def test_success_when_the_answer_is_no_json_is_told(page: Page, site: Site) -> None:
    open_ajax(page, site)
    page.click("#send")
    expect(message(page, "success")).to_be_visible()


def test_form_when_sent_again_after_success_is_another_lead(
    page: Page, site: Site, endpoint: Endpoint
) -> None:
    open_ajax(page, site)
    page.click("#send")
    expect(message(page, "success")).to_be_visible()
    page.fill("#lead [name=email]", "eve@example.com")
    endpoint.hold()
    page.click("#send")
    endpoint.wait(2)
    assert message(page, "success").is_hidden()
    ids = [endpoint.fields(number)["__submission_id"] for number in (1, 2)]
    assert ids[0] != ids[1]


@pytest.mark.parametrize(
    "change",
    [
        "form.dataset.pgRedirect = '/pages/blank.html'",
        "form.phone.name = '_redirect'; form._redirect.value = '/pages/blank.html'",
    ],
)
def test_redirect_when_given_is_followed(page: Page, site: Site, change: str) -> None:
    open_ajax(page, site)
    page.eval_on_selector("#lead", f"form => {{ {change} }}")
    page.click("#send")
    page.wait_for_url("**/pages/blank.html")


@pytest.mark.parametrize(
    "target", ["javascript:alert(1)", " JavaScript:alert(1)", "http://[", "data:,x"]
)
def test_redirect_when_it_is_no_web_address_is_not_followed(
    page: Page, site: Site, target: str
) -> None:
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    open_ajax(page, site)
    page.eval_on_selector("#lead", "(form, to) => { form.dataset.pgRedirect = to; }", target)
    page.click("#send")
    expect(message(page, "success")).to_be_visible()
    assert dialogs == []


# --- errors -------------------------------------------------------------------------


def test_error_when_refused_is_told_with_the_fields_at_fault(
    page: Page, site: Site, endpoint: Endpoint
) -> None:
    endpoint.answers = [INVALID]
    open_ajax(page, site)
    page.click("#send")
    told = message(page, "error")
    expect(told).to_have_text("A lead needs an e-mail address or a phone number")
    expect(told).to_have_role("alert")
    phone, email = page.locator("#lead [name=phone]"), page.locator("#lead [name=email]")
    expect(phone).to_be_focused()
    expect(phone).to_have_accessible_description("A lead needs an e-mail address or a phone number")
    expect(email).to_have_attribute("aria-invalid", "true")
    expect(email).to_have_accessible_description(re.compile("^We never share it. A lead needs"))
    expect(email).to_have_value("ada@example.com")
    assert answers(page) == [["error", "lead", {"status": 422, "lead_id": None}]]
    assert len(endpoint.posts) == 1


def test_error_when_tried_again_is_taken_back(page: Page, site: Site, endpoint: Endpoint) -> None:
    twice = {"json": {**INVALID["json"], "errors": [{"field": "email"}, {"field": "email"}]}}
    endpoint.answers = [INVALID | twice]
    open_ajax(page, site)
    page.click("#send")
    expect(message(page, "error")).to_be_visible()
    endpoint.hold()
    page.click("#send")
    endpoint.wait(2)
    assert message(page, "error").is_hidden()
    assert page.get_attribute("#lead [name=email]", "aria-invalid") is None
    assert page.get_attribute("#lead [name=email]", "aria-describedby") == "hint"
    endpoint.release({"status": 403, "body": ""})
    expect(message(page, "error")).to_have_text("Not sent. Please try again.")
    assert message(page, "error").count() == 1


@pytest.mark.parametrize(
    ("form", "place", "words"),
    [
        ("#worded", "#worded [data-pg-error]", "No se ha podido enviar."),
        ("#placed", "#empty", "A lead needs an e-mail address or a phone number"),
        ("#beside", "#fail", "It failed. Call us."),
    ],
)
def test_error_when_the_site_says_where_or_what_is_told_so(
    page: Page, site: Site, endpoint: Endpoint, form: str, place: str, words: str
) -> None:
    endpoint.answers = [INVALID]
    open_ajax(page, site)
    page.click(f"{form} button")
    expect(page.locator(place)).to_have_text(words)
    expect(page.locator(place)).to_be_visible()


def test_submission_id_when_corrected_after_an_error_is_new(
    page: Page, site: Site, endpoint: Endpoint
) -> None:
    endpoint.answers = [INVALID, STORED]
    open_ajax(page, site)
    page.click("#send")
    expect(message(page, "error")).to_be_visible()
    page.fill("#lead [name=phone]", "+44 20 7946 0123")
    page.click("#send")
    expect(message(page, "success")).to_be_visible()
    assert endpoint.fields(1)["__submission_id"] != endpoint.fields(2)["__submission_id"]


# --- tried again ----------------------------------------------------------------------


@pytest.mark.parametrize("failure", [UNREACHABLE, {"status": 500}, {"status": 429}, BUSY])
def test_post_when_it_fails_for_now_is_tried_twice_more_as_the_same_lead(
    page: Page, site: Site, endpoint: Endpoint, failure: Answer
) -> None:
    endpoint.answers = [failure, failure, STORED]
    open_with_clock(page, site)
    page.click("#send")
    assert [pause_before(endpoint, post) for post in (2, 3)] == [1000, 3000]
    expect(message(page, "success")).to_be_visible()
    assert len({endpoint.fields(number)["__submission_id"] for number in (1, 2, 3)}) == 1
    assert [name for name, *_ in answers(page)] == ["lead"]


def test_post_when_the_server_names_a_pause_waits_for_it(
    page: Page, site: Site, endpoint: Endpoint
) -> None:
    endpoint.answers = [BUSY | {"headers": {"Retry-After": "5"}}, STORED]
    open_with_clock(page, site)
    page.click("#send")
    assert pause_before(endpoint, 2) == 5000
    expect(message(page, "success")).to_be_visible()


def test_error_when_the_server_names_a_long_pause_is_told_at_once(
    page: Page, site: Site, endpoint: Endpoint
) -> None:
    endpoint.answers = [{"status": 429, "body": "", "headers": {"Retry-After": "60"}}]
    open_with_clock(page, site)
    page.click("#send")
    expect(message(page, "error")).to_be_visible()
    assert page.evaluate("pauses") == []


@pytest.mark.parametrize(
    ("failure", "status"), [(UNREACHABLE, 0), (BUSY | {"headers": {"Retry-After": "2"}}, 503)]
)
def test_error_when_every_try_failed_is_told_and_the_next_press_is_the_same_lead(
    page: Page, site: Site, endpoint: Endpoint, failure: Answer, status: int
) -> None:
    endpoint.answers = [failure, failure, failure, STORED]
    open_with_clock(page, site)
    page.click("#send")
    pause_before(endpoint, 2)
    pause_before(endpoint, 3)
    expect(message(page, "error")).to_be_visible()
    assert answers(page) == [["error", "lead", {"status": status, "lead_id": None}]]
    expect(page.locator("#lead [name=email]")).to_have_value("ada@example.com")
    page.click("#send")
    expect(message(page, "success")).to_be_visible()
    assert len({endpoint.fields(number)["__submission_id"] for number in (1, 2, 3, 4)}) == 1


# --- on the real server -------------------------------------------------------------------


def open_demo(page: Page, server: RunningServer) -> None:
    page.goto(f"{server.url}/demo/contact/")
    page.eval_on_selector(
        "#enquiry",
        "form => { form.dataset.pgAjax = ''; form.noValidate = true; form._redirect.remove(); }",
    )
    page.fill("#message", "May I see a two-bedroom residence?")


def test_lead_when_posted_to_the_server_is_stored_with_its_visit(
    page: Page, server: RunningServer
) -> None:
    page.add_init_script(ANSWERS)
    open_demo(page, server)
    page.fill("#email", "ana@example.com")
    page.click("#send")
    expect(message(page, "success", "#enquiry")).to_be_visible()
    (lead,) = server.query("SELECT * FROM Leads")
    assert lead["VisitorId"] == page.evaluate("localStorage._pg_vid")
    assert answers(page)[0][2] == {"status": 201, "lead_id": lead["PublicId"]}


def test_error_when_the_server_refuses_names_its_fields(page: Page, server: RunningServer) -> None:
    open_demo(page, server)
    page.click("#send")
    expect(message(page, "error", "#enquiry")).to_have_text(re.compile("e-mail address or a phone"))
    expect(page.locator("#email")).to_be_focused()
    expect(page.locator("#phone")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#message")).to_have_value("May I see a two-bedroom residence?")
    assert server.query("SELECT * FROM Leads") == []


def test_lead_when_the_answer_is_lost_is_stored_once(page: Page, server: RunningServer) -> None:
    def lose_first_answer(route: Any) -> None:
        route.fetch()
        page.unroute(f"**{LEAD}")
        route.abort()

    open_demo(page, server)
    page.route(f"**{LEAD}", lose_first_answer)
    page.fill("#email", "ana@example.com")
    with page.expect_response(f"**{LEAD}") as answer:
        page.click("#send")
    expect(message(page, "success", "#enquiry")).to_be_visible()
    assert answer.value.headers["idempotent-replayed"] == "true"
    assert len(server.query("SELECT * FROM Leads")) == 1


# --- the page's side -------------------------------------------------------------------------


def test_policy_when_strict_is_not_violated_by_messages(page: Page, site: Site) -> None:
    messages: list[str] = []
    page.on("console", lambda entry: messages.append(entry.text))
    endpoint = Endpoint(page, LEAD, {"status": 403, "body": ""}, STORED)
    open_form(page, site, "csp.html")
    page.eval_on_selector("#lead", "form => { form.dataset.pgAjax = ''; }")
    page.click("button")
    expect(message(page, "error")).to_be_visible()
    page.click("button")
    expect(message(page, "success")).to_be_visible()
    assert len(endpoint.posts) == 2
    assert not [text for text in messages if "policy" in text.lower()]


def test_form_when_added_later_is_posted(page: Page, site: Site, endpoint: Endpoint) -> None:
    open_ajax(page, site)
    append(page, '<form id="late" action="/api/lead" data-pg-ajax><button>Send</button></form>')
    page.click("#late button")
    expect(message(page, "success", "#late")).to_be_visible()
    assert endpoint.fields(1).keys() == FIELDS


def test_form_when_it_has_controls_named_as_its_methods_is_posted(
    page: Page, site: Site, endpoint: Endpoint
) -> None:
    open_ajax(page, site)
    append(
        page,
        '<form id="named" action="/api/lead" data-pg-ajax><input name="reset"><input name="action">'
        '<input name="method"><input name="submit"><input name="id"><button>Send</button></form>',
    )
    page.click("#named button")
    expect(message(page, "success", "#named")).to_be_visible()
    assert endpoint.fields(1).keys() == FIELDS | {"reset", "action", "method", "submit", "id"}
