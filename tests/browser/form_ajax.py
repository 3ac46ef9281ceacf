"""What the tests of data-pg-ajax share: a form that asks for it, and what it tells."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, Page

from tests.browser.form_fixtures import open_form
from tests.browser.recorder import Site

LEAD = "/api/lead"
ANSWERS = """window.answers = [];
for (const name of ["lead", "error"])
  addEventListener("propgauge:" + name, e => answers.push([name, e.target.id, e.detail]));"""
"""What the page hears."""


def open_ajax(page: Page, site: Site) -> None:
    """Open the page of a tracked visitor who filled the form in."""
    page.add_init_script(ANSWERS)
    open_form(page, site, "form-ajax.html")
    page.fill("#lead [name=email]", "ada@example.com")


def message(page: Page, kind: str, form: str = "#lead") -> Locator:
    """The message of a form: "success" or "error"."""
    return page.locator(f"{form} [data-pg-{kind}]")


def answers(page: Page) -> list[list[Any]]:
    """Event, form and detail of each answer the page heard of."""
    found: list[list[Any]] = page.evaluate("answers")
    return found
