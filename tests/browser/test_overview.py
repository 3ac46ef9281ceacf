"""The overview and the visitors as people see and use them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.beacons import view
from tests.browser.desk import axe_findings, open_desk
from tests.dashboard import Dashboard, running_dashboard
from tests.overview_data import fill


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("overview") / "data"
    with running_dashboard(folder, database_url=database_url) as running:
        yield fill(running)


@pytest.fixture
def overview(desk: Page, dashboard: Dashboard) -> Page:
    desk.goto(dashboard.server.url + "/clients/1/overview")
    return desk


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_when_looked_at_by_axe_are_clean(
    browser: Browser, dashboard: Dashboard, scheme: str
) -> None:
    with open_desk(browser, dashboard, color_scheme=scheme) as page:
        for path in (
            "1/overview?by=last_campaign",
            "1/overview?period=today&figure=wait&compare=off",
            "1/overview?period=custom&from=x&to=x",
            "1/overview?period=custom&from=2024-01-01&to=2024-01-01",
            "1/visitors",
            "1/visitors/v0",
            "2/overview",
            "2/visitors",
        ):
            page.goto(f"{dashboard.server.url}/clients/{path}")
            assert (path, axe_findings(page)) == (path, [])


@pytest.mark.both_stores
def test_chart_is_drawn_anew_for_a_chosen_figure(overview: Page) -> None:
    expect(overview.locator("#chart canvas")).to_be_visible()
    overview.get_by_role("link", name=re.compile("^Median score")).click()
    expect(overview).to_have_url(re.compile("figure=score"))
    expect(overview.get_by_role("heading", name="Median score")).to_be_visible()
    expect(overview.locator("#chart canvas")).to_be_visible()
    overview.get_by_text("The chart as a table").click()
    row = overview.get_by_role("region", name="The chart as a table").get_by_role("row").last
    expect(row).to_contain_text("50")


def test_keys_choose_days_and_comparison(overview: Page) -> None:
    overview.keyboard.press("w")
    expect(overview).to_have_url(re.compile("period=7d"))
    overview.keyboard.press("x")
    expect(overview).to_have_url(re.compile("period=7d&compare=off"))
    overview.keyboard.press("c")
    expect(overview.get_by_label("First day")).to_be_visible()
    overview.get_by_label("First day").press("d")
    expect(overview).to_have_url(re.compile("period=7d"))
    overview.keyboard.press("Escape")
    overview.keyboard.press("?")
    dialog = overview.get_by_role("dialog", name="Keyboard")
    expect(dialog).to_be_visible()
    assert axe_findings(overview) == []
    overview.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_keys_when_turned_off_do_nothing_here_and_in_the_inbox(overview: Page) -> None:
    overview.get_by_role("button", name="Keyboard").click()
    overview.get_by_label("Single keys work").uncheck()
    overview.get_by_role("button", name="Close").click()
    overview.keyboard.press("w")
    overview.keyboard.press("?")
    expect(overview.get_by_role("dialog")).to_have_count(0)
    expect(overview).not_to_have_url(re.compile("period"))
    overview.goto(overview.url.replace("overview", "leads"))
    expect(overview.locator("#keys-on")).not_to_be_checked()


@pytest.mark.both_stores
def test_going_back_shows_the_days_of_before(overview: Page) -> None:
    tile = overview.locator("#overview").get_by_role("link", name=re.compile("^Leads"))
    expect(tile).to_contain_text("56")
    overview.get_by_role("link", name="7 days").click()
    expect(tile).to_contain_text("14")
    overview.go_back()
    expect(tile).to_contain_text("56")
    expect(overview.locator("#chart canvas")).to_be_visible()


def test_country_is_shown_by_its_name(overview: Page) -> None:
    overview.get_by_role("link", name="Country").click()
    expect(overview.get_by_role("rowheader", name="United Kingdom")).to_be_visible()


@pytest.mark.both_stores
def test_visitor_who_comes_shows_without_loading_the_page(
    browser: Browser, dashboard: Dashboard
) -> None:
    with open_desk(browser, dashboard) as page:
        page.clock.install()
        page.goto(dashboard.server.url + "/clients/1/visitors")
        page.get_by_role("button", name="Pause").click()
        dashboard.server.track(view("newcomer"))
        page.clock.run_for(11_000)
        expect(page.get_by_role("link", name="Visitor wcomer")).to_have_count(0)
        page.get_by_role("button", name="Pause").click()
        page.clock.run_for(6_000)
        expect(page.get_by_role("link", name="Visitor wcomer")).to_be_visible()


def test_visitors_list_when_the_server_is_gone_keeps_what_it_shows(
    browser: Browser, dashboard: Dashboard
) -> None:
    with open_desk(browser, dashboard) as page:
        page.clock.install()
        page.goto(dashboard.server.url + "/clients/1/visitors")
        page.context.set_offline(True)
        with page.expect_event("requestfailed"):
            page.clock.run_for(6_000)
        expect(page.get_by_role("link", name="Visitor v1")).to_be_visible()
