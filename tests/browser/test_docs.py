"""/docs in a real browser: readable on a phone and a desk, in light and dark, loading nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from server.web.api_reference import PUBLIC
from server.web.openapi import Operation, operation_id
from tests.running import RunningServer

WIDTHS = (390, 1280)


@pytest.fixture(scope="module")
def docs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the page on a running server."""
    with RunningServer(tmp_path_factory.mktemp("docs")) as server:
        yield f"{server.url}/docs"


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(java_script_enabled=True)
    yield context
    context.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_docs_when_read_at_a_width_never_scrolls_sideways(
    page: Page, docs: str, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(docs)
    for details in page.locator("details").all():
        details.locator("summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    cut = "[...document.querySelectorAll('main *')].filter(e => !e.closest('pre') &&"
    assert page.evaluate(f"{cut} e.getBoundingClientRect().right > innerWidth + 1).length") == 0


def test_docs_when_opened_is_styled_and_breaks_no_rule_of_its_policy(page: Page, docs: str) -> None:
    asked: list[str] = []
    complaints: list[str] = []

    def note(url: str) -> None:
        asked.append(url)

    def complain(text: str) -> None:
        complaints.append(text)

    page.on("request", lambda request: note(request.url))
    page.on("console", lambda message: complain(message.text))
    page.goto(docs, wait_until="networkidle")
    assert (asked, complaints) == ([docs], [])
    badge = page.locator("#post_api_lead .method").first
    assert badge.evaluate("e => getComputedStyle(e).textTransform") == "uppercase"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_docs_in_each_color_scheme_has_text_of_enough_contrast(
    page: Page, docs: str, scheme: str
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(docs)
    inks = ("h3 .method.get", "h3 .method.post", ".status.s4", ".status.s5", "h4", "article a")
    for selector in inks:
        assert contrast(page, selector) >= 4.5, selector
    backs = page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor")
    assert (luminance(backs) < 0.5) == (scheme == "dark")


def contrast(page: Page, selector: str) -> float:
    """WCAG's ratio of a text's color to the card that it stands on."""
    ink, card = page.locator(selector).first.evaluate(
        "e => [getComputedStyle(e).color, getComputedStyle(e.closest('article')).backgroundColor]"
    )
    dark, light = sorted((luminance(ink), luminance(card)))
    return (light + 0.05) / (dark + 0.05)


def luminance(color: str) -> float:
    channels = [int(part) / 255 for part in color.removeprefix("rgb(").rstrip(")").split(",")]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_docs_without_scripts_leads_from_a_body_to_its_opened_schema(
    browser: Browser, docs: str
) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(docs)
        expect(page.locator("#schema-LeadFields")).to_be_hidden()
        page.locator("#post_api_lead").get_by_role("link", name="LeadFields").first.click()
        expect(page.locator("#schema-LeadFields")).to_be_visible()
        expect(page.locator("#schema-LeadFields")).to_be_in_viewport()


@pytest.mark.parametrize("one", PUBLIC, ids=lambda one: f"{one.method} {one.path}")
def test_docs_lists_and_tells_each_operation(docs_page: Page, one: Operation) -> None:
    article = docs_page.locator(f"article#{operation_id(one)}")
    expect(article.locator("h3")).to_have_text(f"{one.method.lower()} {one.path}")
    expect(article.locator(".summary")).to_contain_text(one.summary)
    expect(article.locator(".answers dt")).to_have_count(len(one.answers))
    link = docs_page.locator(f"nav a[href='#{operation_id(one)}']")
    expect(link).to_have_text(f"{one.method.lower()} {one.path}")


@pytest.fixture(scope="module")
def docs_page(browser: Browser, docs: str) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    page.goto(docs)
    yield page
    context.close()
