"""Fixtures of the browser tests: one Chromium a file, a site and a visitor of their own a test."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.desk import open_desk
from tests.browser.form_ajax import LEAD
from tests.browser.form_endpoint import STORED, Endpoint
from tests.browser.recorder import Site, running_chromium, running_site
from tests.dashboard import Dashboard, running_dashboard


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
    """A visitor of their own; whatever the script throws fails the test."""
    context = browser.new_context(locale="en-GB", timezone_id="Asia/Dubai")
    context.set_default_timeout(10_000)
    errors: list[str] = []
    context.on("weberror", lambda thrown: errors.append(str(thrown.error)))
    yield context
    context.close()
    assert errors == []


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Iterator[Dashboard]:
    """A server with two clients and four users, one a file and store."""
    folder = tmp_path_factory.mktemp("dashboard") / "data"
    with running_dashboard(folder, database_url=database_url) as dashboard:
        yield dashboard


@pytest.fixture
def desk(browser: Browser, dashboard: Dashboard) -> Iterator[Page]:
    """A browser in which the admin has signed in."""
    with open_desk(browser, dashboard) as page:
        yield page


@pytest.fixture
def endpoint(page: Page) -> Endpoint:
    """The lead endpoint of a page, which stores everything until a test says otherwise."""
    return Endpoint(page, LEAD, STORED)
