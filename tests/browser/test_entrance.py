"""The way in: signing in, one's account, the users; each looked at by axe."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.desk import axe_findings, open_desk
from tests.dashboard import ADMIN, PASSWORD, SALES, Dashboard


@pytest.mark.both_stores
def test_admin_signing_in_for_the_first_time_gets_to_where_they_wanted(
    browser: Browser, dashboard: Dashboard
) -> None:
    page = browser.new_page()
    page.goto(dashboard.server.url + "/users")
    assert axe_findings(page) == []
    page.get_by_label("E-mail").fill(ADMIN)
    page.get_by_label("Password").fill("not this one")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    assert axe_findings(page) == []
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Users")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    page.goto(dashboard.server.url + "/users")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.close()


def test_times_stand_in_the_zone_of_the_browser(browser: Browser, dashboard: Dashboard) -> None:
    context = browser.new_context(timezone_id="Asia/Tokyo")
    page = context.new_page()
    page.goto(dashboard.server.url + "/users")
    page.get_by_label("E-mail").fill(ADMIN)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("time").first).to_have_attribute("title", re.compile(r"\(Asia/Tokyo\)$"))
    context.close()


@pytest.mark.parametrize("path", ["/users", "/users/new", "/users/1", "/account", "/users/99"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_when_looked_at_by_axe_is_clean(
    browser: Browser, dashboard: Dashboard, path: str, scheme: str
) -> None:
    with open_desk(browser, dashboard, color_scheme=scheme) as page:
        page.goto(dashboard.server.url + path)
        assert axe_findings(page) == []


def test_wrong_fields_of_a_new_user_are_told_beside_them(desk: Page, dashboard: Dashboard) -> None:
    desk.goto(dashboard.server.url + "/users/new")
    desk.get_by_label("E-mail").fill(SALES)
    desk.get_by_label("Password").fill("a long enough password")
    desk.get_by_label("Demo").check()
    desk.get_by_role("button", name="Add user").click()
    expect(desk.get_by_label("E-mail")).to_have_accessible_description("signs in here already")
    assert axe_findings(desk) == []
