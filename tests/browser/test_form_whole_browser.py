"""form.js on a page that the browser kept whole and shows again."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.form_fixtures import form_data, open_form
from tests.browser.recorder import Site, running_chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_chromium(whole=True) as browser:
        yield browser


def test_submission_id_when_back_from_the_cache_is_new(page: Page, site: Site) -> None:
    open_form(page, site)
    page.evaluate("window.kept = true")
    page.fill("[name=email]", "ada@example.com")
    page.click("#send")
    site.wait_leads(1)
    first = site.leads[0].fields["__submission_id"]
    page.wait_for_function("document.title == 'Thank you'")
    page.evaluate("history.back()")
    site.wait(lambda: len(site.views) == 2)
    assert page.evaluate("window.kept") is True
    fields = form_data(page)
    assert fields["email"] == "ada@example.com"
    assert fields["__submission_id"] != first
