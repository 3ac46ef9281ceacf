"""A salesperson's morning in a browser, the store a libSQL server."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard import PASSWORD, SALES, Dashboard, running_dashboard
from tests.lead_pages import tracked_lead
from tests.sqld import Sqld


@pytest.fixture
def remote(sqld: Sqld, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    sqld.clear()
    folder = tmp_path_factory.mktemp("remote") / "data"
    with running_dashboard(folder, database_url=sqld.http_url) as dashboard:
        yield dashboard


def test_salesperson_signs_in_sees_a_lead_arrive_and_works_it(
    page: Page, remote: Dashboard, sqld: Sqld
) -> None:
    page.goto(remote.server.url + "/clients/1/leads")
    page.get_by_label("E-mail").fill(SALES)
    page.get_by_label("Password").fill(PASSWORD)
    with page.expect_request(re.compile("/leads/live")):
        page.get_by_role("button", name="Sign in").click()
    lead_id = tracked_lead(remote.server, "reader", name="Ana Example")
    page.get_by_role("link", name="1 new lead: show").click()
    page.get_by_label("Search name").type("ana exa")
    expect(page).to_have_url(re.compile(r"q=ana"))
    page.get_by_role("link", name="Ana Example").click()
    expect(page.get_by_role("region", name="Engagement")).to_contain_text("makes it Hot")
    page.get_by_label("Status").select_option("viewing")
    page.get_by_label("Note").fill("Saturday at ten")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("New → Viewing")).to_be_visible()
    assert sqld.query("SELECT PublicId, Status FROM Leads") == [
        {"PublicId": lead_id, "Status": "viewing"}
    ]
