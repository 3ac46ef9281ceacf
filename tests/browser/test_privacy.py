"""Privacy as an admin uses it: look a person up, choose what is theirs, export, erase."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.beacons import view
from tests.browser.desk import axe_findings, open_desk
from tests.dashboard import Dashboard, unique

PATH = "/clients/1/privacy"


def person(dashboard: Dashboard) -> str:
    """The e-mail address of a lead of a tracked visit."""
    word = unique("ana")
    dashboard.server.track(view(f"v-{word}"))
    hostile = "<img src=x onerror=alert(1)>" + "x" * 60_000
    dashboard.server.lead(email=f"{word}@example.com", message=hostile, _visitor_id=f"v-{word}")
    return f"{word}@example.com"


@pytest.mark.both_stores
def test_admin_exports_and_erases_a_person_with_the_visits_they_chose(
    desk: Page, dashboard: Dashboard
) -> None:
    email = person(dashboard)
    desk.goto(dashboard.server.url + PATH)
    desk.get_by_label("E-mail, phone or visitor id").fill(email)
    desk.get_by_role("button", name="Look up").click()
    expect(desk.get_by_role("heading", level=1)).to_have_text(email)
    assert axe_findings(desk) == []
    desk.get_by_label("Visitor id").check()
    desk.get_by_role("button", name="Look again").click()
    expect(desk.get_by_role("row", name="Sessions 1")).to_be_visible()
    with desk.expect_download() as download:
        desk.get_by_role("button", name="Export as JSON").click()
    told = json.loads(Path(download.value.path()).read_text("utf-8"))
    assert told["tables"]["Leads"][0]["Email"] == email
    desk.get_by_role("button", name="Erase …").click()
    expect(desk.get_by_role("heading", name="Erase for good?")).to_be_visible()
    assert axe_findings(desk) == []
    desk.get_by_role("button", name="Erase").click()
    expect(desk.get_by_role("status").first).to_contain_text("rows erased for good")
    expect(desk.get_by_role("cell", name="Erased a person").first).to_be_visible()
    desk.get_by_label("E-mail, phone or visitor id").fill(email)
    desk.get_by_role("button", name="Look up").click()
    expect(desk.get_by_text("Nothing is stored", exact=True)).to_be_visible()
    assert axe_findings(desk) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_privacy_page_with_a_wrong_field_is_clean_and_says_so(
    browser: Browser, dashboard: Dashboard, scheme: str
) -> None:
    with open_desk(browser, dashboard, color_scheme=scheme) as page:
        page.goto(dashboard.server.url + PATH)
        assert axe_findings(page) == []
        page.get_by_label("Leads, days").fill("soon")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_label("Leads, days")).to_have_accessible_description(
            "must be a whole number of days from 1 to 36,500, or empty"
            " With their notes, deliveries and results. Empty: kept for ever."
        )
        assert axe_findings(page) == []
