"""What the tests of form.js share: a tracked visitor's page, and what a form of it holds."""

from __future__ import annotations

from datetime import UTC, datetime

from playwright.sync_api import Page

from tests.browser.recorder import Site

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

WHO = {"__visitor_id", "__session_id", "__pg_state"}
"""Those of them that tell who the visitor is."""

NO_STORAGE = """Object.defineProperty(window, "localStorage", {
  get() { throw new DOMException("denied", "SecurityError"); },
});"""

AJAX = """event => {
  event.preventDefault();
  const form = event.target;
  const body = new URLSearchParams(new FormData(form));
  fetch(form.getAttribute("action"), {method: "POST", body});
}"""
"""A site's own submit handler."""


def open_form(page: Page, site: Site, name: str = "lead.html") -> None:
    """Open a page of a tracked visitor."""
    page.goto(site.page(name))
    site.wait_posts(1)


def open_settled(page: Page, site: Site, name: str = "lead.html", form: str = "#lead") -> None:
    """Open a page of a tracked visitor, and wait until a form of it holds its fields."""
    open_form(page, site, name)
    wait_for_fields(page, form)


def wait_for_fields(page: Page, form: str = "#lead") -> None:
    """Return once the form holds its fields."""
    page.wait_for_selector(f"{form} propgauge-form", state="attached")


def values(page: Page, form: str = "#lead") -> dict[str, str]:
    """The form's controls as they stand in the document, without asking for its data."""
    found: dict[str, str] = page.eval_on_selector(
        form, "form => Object.fromEntries([...form.elements].map(c => [c.name, c.value]))"
    )
    return found


def form_data(page: Page, form: str = "#lead") -> dict[str, str]:
    """The form's data as FormData gives it."""
    found: dict[str, str] = page.eval_on_selector(
        form, "form => Object.fromEntries(new FormData(form))"
    )
    return found


def handle_submit(page: Page, handler: str = AJAX, form: str = "#lead") -> None:
    """Give the form a submit handler of the site's."""
    page.eval_on_selector(form, f"form => form.addEventListener('submit', {handler})")


def next_task(page: Page) -> None:
    """Let observers of the document see what changed."""
    page.evaluate("() => new Promise(done => setTimeout(done))")


def append(page: Page, html: str) -> None:
    """Add markup to the end of the page."""
    page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", html)
    next_task(page)
