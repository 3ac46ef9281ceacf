"""Forms with data-pg-ajax in a real browser: sent once, without leaving the page."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.form_ajax import LEAD, answers, message, open_ajax
from tests.browser.form_endpoint import STORED, Endpoint
from tests.browser.form_fixtures import AJAX, FIELDS, append, handle_submit, open_form
from tests.browser.recorder import Site

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
