"""Outcomes as an admin uses them: the report, and a file of outcomes taken in."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.desk import axe_findings, open_desk
from tests.dashboard import Dashboard, unique

PATH = "/clients/1/outcomes"


@pytest.mark.both_stores
def test_admin_imports_a_file_after_seeing_what_it_changes(
    desk: Page, dashboard: Dashboard
) -> None:
    email = f"{unique('ida')}@example.com"
    dashboard.server.lead(email=email, name="Ida Example")
    desk.goto(dashboard.server.url + PATH + "/import")
    assert axe_findings(desk) == []
    text = f"email,status\n{email},won\nnobody@example.com,lost\n"
    desk.get_by_label("File").set_input_files(
        {"name": "outcomes.csv", "mimeType": "text/csv", "buffer": text.encode()}
    )
    desk.get_by_role("button", name="Show what will change").click()
    expect(desk.get_by_role("row", name="Ida Example")).to_contain_text("New → Won")
    expect(desk.get_by_role("row", name="3 no lead is known")).to_be_visible()
    assert axe_findings(desk) == []
    desk.get_by_role("button", name="Change 1 lead").click()
    expect(desk.get_by_role("status").first).to_have_text("1 lead changed.")
    expect(desk.get_by_role("row", name="No tracked visit")).to_contain_text("too few to say")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_outcomes_filled_empty_and_refused_are_clean(
    browser: Browser, dashboard: Dashboard, scheme: str
) -> None:
    dashboard.server.lead(email="ana@example.com")
    with open_desk(browser, dashboard, color_scheme=scheme) as page:
        for path in (PATH, "/clients/2/outcomes"):
            page.goto(dashboard.server.url + path)
            assert axe_findings(page) == []
        page.goto(dashboard.server.url + PATH + "/import")
        page.get_by_label("File").set_input_files(
            {"name": "no.csv", "mimeType": "text/csv", "buffer": b"nonsense"}
        )
        page.get_by_role("button", name="Show what will change").click()
        expect(page.get_by_label("File")).to_have_accessible_description(
            "needs a header with status and lead_id, email or phone"
        )
        assert axe_findings(page) == []
