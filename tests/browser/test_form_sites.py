"""form.js on sites as their makers build them: each behaves as without it, and tells who it was."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.form_endpoint import STORED, Answer, Endpoint
from tests.browser.form_fixtures import FIELDS, open_settled, wait_for_fields
from tests.browser.recorder import Site

LOOK = """async () => {
  // A control that is hidden loses the focus when the page is next drawn.
  for (const _ of [1, 2]) await new Promise(requestAnimationFrame);
  const place = element => Object.values(element.getBoundingClientRect().toJSON());
  const elements = [...document.querySelectorAll("body :not(propgauge-form, propgauge-form *)")];
  return {
    text: document.body.innerText,
    focus: document.activeElement.cloneNode(false).outerHTML,
    boxes: elements.map(element => [element.tagName, element.className, ...place(element)]),
  };
}"""
"""All that a visitor sees, where the keyboard is, and where each element of the site stands."""

Look = dict[str, Any]
Seen = tuple[list[Look], list[set[str]]]
Scenario = Callable[[Page], list[Look]]
PLAN: Any = {"name": "plan.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-"}

CF7 = "/wp-json/contact-form-7/v1/contact-forms/7/feedback"
CF7_INVALID: Answer = {
    "json": {
        "status": "validation_failed",
        "message": "One or more fields have an error.",
        "invalid_fields": [{"field": "your-email", "message": "Please enter an email address."}],
    }
}
CF7_SENT: Answer = {"json": {"status": "mail_sent", "message": "Thank you for your message."}}
GRAVITY = "/contact/"
GRAVITY_SENT: Answer = {
    "content_type": "text/html",
    "body": "<div id='gform_confirmation_wrapper_1'>We call you back.</div>",
}
LEAD = "/api/lead"


def look(page: Page) -> Look:
    found: Look = page.evaluate(LOOK)
    return found


def contact_form_7(page: Page) -> list[Look]:
    looks = [look(page)]
    page.click(".wpcf7-submit")
    expect(page.locator(".wpcf7-response-output")).to_have_text("One or more fields have an error.")
    looks.append(look(page))
    page.fill("[name=your-email]", "ada@example.com")
    page.click(".wpcf7-submit")
    expect(page.locator(".wpcf7-response-output")).to_have_text("Thank you for your message.")
    expect(page.locator("[name=your-email]")).to_have_value("")
    return [*looks, look(page)]


def gravity_forms(page: Page) -> list[Look]:
    looks = [look(page)]
    page.fill("[name=input_1]", "ada@example.com")
    page.dblclick("#gform_submit_button_1")
    expect(page.locator("#gform_confirmation_wrapper_1")).to_be_visible()
    return [*looks, look(page)]


def webflow(page: Page) -> list[Look]:
    looks = [look(page)]
    page.fill("#Email", "ada@example.com")
    page.check("[name=Brochure]")
    page.click(".w-button")
    expect(page.locator(".w-form-done")).to_be_focused()
    return [*looks, look(page)]


def react(page: Page) -> list[Look]:
    page.wait_for_selector("[data-hydrated]", state="attached")
    looks = [look(page)]
    page.locator("[name=email]").press_sequentially("ada.lovelace.the.first@example.com")
    looks.append(look(page))
    page.click("button")
    expect(page.get_by_role("status")).to_be_visible()
    return [*looks, look(page)]


def fieldsets(page: Page) -> list[Look]:
    looks = [look(page)]
    page.fill("[name=beds]", "2")
    page.click("#fieldsets fieldset:enabled:not([hidden]) button")
    looks.append(look(page))
    page.fill("[name=budget]", "1m")
    page.press("[name=budget]", "Enter")
    looks.append(look(page))
    page.fill("#fieldsets [name=email]", "ada@example.com")
    page.set_input_files("[name=plan]", PLAN)
    with page.expect_response(f"**{LEAD}"):
        page.click("#fieldsets fieldset:enabled:not([hidden]) button")
    return looks


def tabs(page: Page) -> list[Look]:
    page.click("#tabs .shown button")
    looks = [look(page)]
    page.fill("#tabs [name=email]", "ada@example.com")
    page.click("#tabs .shown button")
    looks.append(look(page))
    page.fill("#tabs [name=phone]", "+44 20 7946 0123")
    page.click("#tabs .shown button")
    expect(page.locator("#tabs output")).to_have_text("ada@example.com, +44 20 7946 0123")
    looks.append(look(page))
    with page.expect_response(f"**{LEAD}"):
        page.click("#tabs .shown button")
    return looks


@dataclass(frozen=True)
class Maker:
    """A form as one maker builds it: what a visitor does there, where it posts, its own fields."""

    page: str
    form: str
    scenario: Scenario
    path: str
    answers: tuple[Answer, ...]
    fields: frozenset[str]


MAKERS = [
    Maker(
        "form-wordpress.html",
        ".wpcf7-form",
        contact_form_7,
        CF7,
        (CF7_INVALID, CF7_SENT),
        frozenset({"_wpcf7", "_wpcf7_unit_tag", "your-email"}),
    ),
    Maker(
        "form-wordpress.html",
        "#gform_1",
        gravity_forms,
        GRAVITY,
        (GRAVITY_SENT,),
        frozenset({"input_1", "input_2", "is_submit_1", "state_1"}),
    ),
    Maker(
        "form-webflow.html",
        ".form",
        webflow,
        LEAD,
        (STORED,),
        frozenset({"Email", "Brochure"}),
    ),
    Maker("form-react.html", "form", react, LEAD, (STORED,), frozenset({"email"})),
    Maker(
        "form-steps.html",
        "#fieldsets",
        fieldsets,
        LEAD,
        (STORED,),
        frozenset({"beds", "budget", "email", "plan"}),
    ),
    Maker("form-steps.html", "#tabs", tabs, LEAD, (STORED,), frozenset({"email", "phone"})),
]

every_maker = pytest.mark.parametrize(
    "maker", MAKERS, ids=[maker.scenario.__name__ for maker in MAKERS]
)


@every_maker
def test_lead_when_the_site_sends_it_carries_every_field_once(
    page: Page, site: Site, maker: Maker
) -> None:
    endpoint = Endpoint(page, maker.path, *maker.answers)
    open_settled(page, site, maker.page, maker.form)
    maker.scenario(page)
    assert len(endpoint.posts) == len(maker.answers)
    fields = endpoint.fields(len(maker.answers))
    # The rendering of the React page takes the honeypot away at the last moment.
    assert fields.keys() | {"honeypot"} == FIELDS | maker.fields
    assert fields["__visitor_id"] == page.evaluate("localStorage._pg_vid")
    assert all(fields[name] for name in maker.fields)


def seen_of(browser: Browser, site: Site, maker: Maker, *, with_form_js: bool) -> Seen:
    """What a new visitor sees at each step, and the fields of the site's own in each post."""
    context = browser.new_context()
    page = context.new_page()
    endpoint = Endpoint(page, maker.path, *maker.answers)
    if not with_form_js:
        page.route("**/form.js", lambda route: route.abort())
    page.goto(site.page(maker.page))
    if with_form_js:
        wait_for_fields(page, maker.form)
    looks = maker.scenario(page)
    posts = [endpoint.fields(number + 1) for number in range(len(endpoint.posts))]
    context.close()
    return looks, [fields.keys() - FIELDS for fields in posts]


@every_maker
def test_site_when_form_js_is_there_behaves_as_without_it(
    browser: Browser, site: Site, maker: Maker
) -> None:
    seen = seen_of(browser, site, maker, with_form_js=True)
    assert seen == seen_of(browser, site, maker, with_form_js=False)
    assert seen[1] == [maker.fields] * len(maker.answers)


def test_hydration_when_it_begins_after_the_load_finds_its_own_markup(
    page: Page, site: Site
) -> None:
    page.goto(site.page("form-react.html"))
    page.wait_for_selector("[data-hydrated]", state="attached")
    assert page.evaluate("mismatches") == []
    wait_for_fields(page, "form")


def test_fields_when_the_site_renders_them_away_at_each_key_are_sent(
    page: Page, site: Site
) -> None:
    endpoint = Endpoint(page, LEAD, STORED)
    open_settled(page, site, "form-react.html", "form")
    email = "a" * 30 + "@example.com"
    page.locator("[name=email]").press_sequentially(email)
    page.press("[name=email]", "Enter")
    expect(page.get_by_role("status")).to_be_visible()
    assert endpoint.fields(1)["email"] == email
    assert endpoint.fields(1).keys() | {"honeypot"} == FIELDS | {"email"}


def test_elements_of_a_form_when_fields_are_added_keep_their_places(page: Page, site: Site) -> None:
    open_settled(page, site, "form-steps.html", "#tabs")
    names = page.eval_on_selector("#tabs", "form => [...form.elements].map(c => c.name || c.type)")
    assert names[:4] == ["email", "button", "phone", "button"]
    assert names[-1] == "submit"
