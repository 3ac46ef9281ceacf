"""Forms with data-pg-ajax in a real browser: what fails is told, or tried again as one lead."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.form_ajax import ANSWERS, LEAD, answers, message, open_ajax
from tests.browser.form_endpoint import BUSY, STORED, UNREACHABLE, Answer, Endpoint
from tests.browser.form_fixtures import START
from tests.browser.recorder import Site
from tests.running import RunningServer

INVALID: Answer = {
    "status": 422,
    "content_type": "application/problem+json",
    "json": {
        "status": 422,
        "detail": "A lead needs an e-mail address or a phone number",
        "errors": [{"field": "Phone", "message": "x"}, {"field": "email", "message": "y"}],
    },
}
LOG_PAUSES = """() => {
  window.pauses = [];
  const wait = window.setTimeout;
  window.setTimeout = (resume, ms) => {
    if (ms) pauses.push(ms);
    return wait(resume, ms);
  };
}"""
"""Tells when a retry waits, so that the paused clock is moved then and not before."""


def open_with_clock(page: Page, site: Site) -> None:
    page.clock.install(time=START)
    page.clock.pause_at(START.replace(minute=1))
    open_ajax(page, site)
    page.evaluate(LOG_PAUSES)


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
    tries: list[str] = []

    def lose_first_answer(route: Any) -> None:
        tries.append(route.request.url)
        if len(tries) > 1:
            route.continue_()
        else:
            route.fetch()
            route.abort()

    open_demo(page, server)
    page.route(f"**{LEAD}", lose_first_answer)
    page.fill("#email", "ana@example.com")
    with page.expect_response(f"**{LEAD}") as answer:
        page.click("#send")
    expect(message(page, "success", "#enquiry")).to_be_visible()
    assert answer.value.headers["idempotent-replayed"] == "true"
    assert len(server.query("SELECT * FROM Leads")) == 1
