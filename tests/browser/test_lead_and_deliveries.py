"""The lead page and the deliveries in a browser: read, work, send again; each looked at by axe."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.desk import axe_findings, open_desk
from tests.dashboard import SALES, Dashboard
from tests.integration.http_fixtures import eventually
from tests.lead_pages import (
    FAILED,
    delivery_of,
    lead_path,
    partner_lead,
    tracked_lead,
)

DELIVERIES = "/clients/1/deliveries"
UNFOLD = "document.querySelectorAll('main details').forEach(one => one.open = true)"
SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])


@pytest.fixture(scope="module")
def tracked(dashboard: Dashboard) -> str:
    """A lead with a visit, a person with two leads, and a conversion event that failed."""
    lead_id = tracked_lead(dashboard.server, "reader", name="Ana Example", message="A terrace?")
    partner_lead(dashboard.server, email="reader@example.com", name="Ana Example")
    for number in range(20):
        dashboard.server.execute(
            "INSERT INTO events SELECT client_id, session_id, ?, page_view_id, 'gallery_open',"
            " '{}', occurred_at FROM events WHERE event_id = 'e1' AND session_id = 'reader-s1'",
            f"more-{number}",
        )
    dashboard.server.execute(
        "INSERT INTO form_responses (client_id, channel, event_id, event_type, email, lead_id,"
        " raw, received_at, scored_at, ai_fin, ai_show, ai_sql, signals, model, prompt_version)"
        " VALUES (1, 'typeform', 'r1', 'form_response', 'reader@example.com', ?, '{}', ?, ?, 0.9,"
        " 0.8, 0.7, '{\"emotional_urgency\": 0.6}', 'gemini:gemini-3.8-flash', '1')",
        lead_id,
        "2026-11-20T10:00:00.000Z",
        "2026-11-20T10:00:09.000Z",
    )
    return lead_id


@pytest.fixture(scope="module")
def untracked(dashboard: Dashboard) -> str:
    """A lead without a visit whose every text is 64 KiB long."""
    lead_id = partner_lead(dashboard.server)
    names = ("Name", "Email", "Phone", "Message", "Project", "LeadSource", "PageUrl", "UtmSource")
    long = ", ".join(f"{name} = ?1" for name in (*names, "UserAgent", "Referrer", "Country"))
    extra = "Extra = json_object(?1, ?1)"
    sql = f"UPDATE Leads SET {long}, {extra} WHERE PublicId = ?2"
    dashboard.server.execute(sql, "W" * 65_536, lead_id)
    return lead_id


@pytest.fixture
def failed(dashboard: Dashboard) -> str:
    """A delivery that failed."""
    lead_id = partner_lead(dashboard.server)

    def look() -> str | None:
        row = delivery_of(dashboard.server, lead_id)
        return str(row["delivery_id"]) if row["state"] == "delivered" else None

    delivery_id = eventually(look)
    sql = f"{FAILED} WHERE delivery_id = ?"
    dashboard.server.execute(sql, "the webhook answered 422", delivery_id)
    return delivery_id


@pytest.fixture
def second(browser: Browser, dashboard: Dashboard) -> Iterator[Page]:
    """A salesperson at a desk of their own."""
    with open_desk(browser, dashboard, SALES) as page:
        yield page


@pytest.mark.both_stores
def test_explanation_of_a_score_is_read_and_the_visit_unfolded(
    desk: Page, dashboard: Dashboard, tracked: str
) -> None:
    desk.goto(dashboard.server.url + lead_path(tracked))
    engagement = desk.get_by_role("region", name="Engagement")
    expect(engagement.get_by_role("row", name="Time on the pages")).to_contain_text("14 of 35")
    expect(engagement).to_contain_text("30 s more on the pages (+3 points) makes it Hot.")
    visits = desk.get_by_role("region", name="Visits")
    expect(visits.get_by_text("Sent the enquiry")).to_be_visible()
    folded = visits.get_by_text(re.compile(r"^\d+ more$"))
    hidden = visits.get_by_text("gallery_open").first
    shown = visits.get_by_text("gallery_open").locator("visible=true").count()
    folded.click()
    expect(hidden).to_be_visible()
    assert visits.get_by_text("gallery_open").locator("visible=true").count() > shown


@pytest.mark.both_stores
def test_status_is_changed_and_stands_in_the_history(
    desk: Page, dashboard: Dashboard, tracked: str
) -> None:
    desk.goto(dashboard.server.url + lead_path(tracked))
    desk.get_by_label("Status").select_option("viewing")
    desk.get_by_label("Owner").select_option(label=SALES)
    desk.get_by_label("Note").fill("Saturday at ten")
    desk.get_by_role("button", name="Save").click()
    expect(desk.get_by_text("Saved.", exact=True)).to_be_visible()
    work = desk.get_by_role("region", name="Follow-up")
    expect(work.get_by_text("New → Viewing")).to_be_visible()
    expect(work.get_by_text("Saturday at ten")).to_be_visible()
    expect(work.get_by_role("button", name="Called now")).to_have_count(0)


def test_two_people_on_one_lead_are_told_of_each_other(
    desk: Page, second: Page, dashboard: Dashboard, untracked: str
) -> None:
    for page in (desk, second):
        page.goto(dashboard.server.url + lead_path(untracked))
    desk.get_by_role("button", name="Called now").click()
    expect(desk.get_by_text("Saved.", exact=True)).to_be_visible()
    second.get_by_label("Note").fill("No interest")
    second.get_by_label("Status").select_option("lost")
    second.get_by_role("button", name="Save").click()
    alert = second.get_by_role("alert")
    expect(alert).to_contain_text("Somebody else changed this lead")
    expect(alert).to_contain_text("New → Contacted")
    expect(second.get_by_label("Note")).to_have_value("No interest")
    assert axe_findings(second) == []
    second.get_by_role("button", name="Save").click()
    expect(second.get_by_text("Contacted → Lost")).to_be_visible()


@pytest.mark.both_stores
def test_failed_delivery_is_sent_again_and_seen_to_arrive(
    desk: Page, dashboard: Dashboard, failed: str
) -> None:
    desk.goto(f"{dashboard.server.url}{DELIVERIES}?state=failed")
    desk.locator(f'a[href$="{failed}"]').click()
    heading = desk.get_by_role("heading", level=1)
    expect(heading).to_contain_text("Failed")
    desk.get_by_role("button", name="Send again").click()
    expect(heading).to_contain_text("Delivered")


def test_all_failed_are_sent_again_after_their_count(
    desk: Page, dashboard: Dashboard, failed: str
) -> None:
    desk.goto(dashboard.server.url + DELIVERIES)
    desk.get_by_role("button", name=re.compile("failed.* again")).click()
    expect(desk.get_by_text(re.compile(r"\d+ deliver(y|ies)$"))).to_be_visible()
    assert axe_findings(desk) == []
    desk.get_by_role("button", name=re.compile("again")).click()
    expect(desk.get_by_text(re.compile(r"sent again\.$"))).to_be_visible()
    eventually(lambda: delivery_of_id(dashboard, failed) == "delivered" or None)


def delivery_of_id(dashboard: Dashboard, delivery_id: str) -> str:
    sql = "SELECT state FROM deliveries WHERE delivery_id = ?"
    return str(dashboard.server.query(sql, (delivery_id,))[0]["state"])


@pytest.mark.usefixtures("tracked")
def test_filter_of_deliveries_changes_list_and_address(desk: Page, dashboard: Dashboard) -> None:
    desk.goto(dashboard.server.url + DELIVERIES)
    expect(desk.get_by_role("link", name="Ana Example").first).to_be_visible()
    desk.get_by_label("Destination").select_option("meta_capi")
    expect(desk.get_by_text("No delivery fits")).to_be_visible()
    expect(desk).to_have_url(re.compile("destination=meta_capi"))
    assert axe_findings(desk) == []
    desk.get_by_label("Destination").select_option("make_webhook")
    expect(desk.get_by_role("link", name="Ana Example").first).to_be_visible()
    expect(desk.locator("#live")).to_contain_text("deliveries")


@SCHEMES
def test_lead_page_in_every_state_is_clean_and_fits_a_phone(
    browser: Browser, dashboard: Dashboard, tracked: str, untracked: str, scheme: str
) -> None:
    phone = {"width": 390, "height": 844}
    with open_desk(browser, dashboard, color_scheme=scheme, viewport=phone) as page:
        for lead_id in (tracked, untracked):
            page.goto(dashboard.server.url + lead_path(lead_id))
            page.evaluate(
                "document.querySelectorAll('main details').forEach(one => one.open = true)"
            )
            assert axe_findings(page) == []
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.get_by_label("Note").fill("n" * 4_001)
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_label("Note")).to_have_accessible_description(re.compile("4,000"))
        assert axe_findings(page) == []


@SCHEMES
def test_deliveries_in_every_state_are_clean(
    browser: Browser, dashboard: Dashboard, failed: str, scheme: str
) -> None:
    pause = "INSERT OR REPLACE INTO paused_destinations VALUES (2, 'make_webhook', ?, 'it is gone')"
    dashboard.server.execute(pause, "2026-11-20T10:00:00.000Z")
    paths = (DELIVERIES, f"{DELIVERIES}/{failed}", f"{DELIVERIES}?since=x", "/clients/2/deliveries")
    with open_desk(browser, dashboard, color_scheme=scheme) as page:
        for path in paths:
            page.goto(dashboard.server.url + path)
            assert axe_findings(page) == [], path


def test_delivery_of_a_lead_on_a_phone_can_be_sent_again_without_scrolling_aside(
    browser: Browser, dashboard: Dashboard, tracked: str
) -> None:
    with open_desk(browser, dashboard, viewport={"width": 390, "height": 844}) as page:
        page.goto(dashboard.server.url + lead_path(tracked))
        button = page.get_by_role("button", name="Send again").first
        place = button.bounding_box()
        assert place
        assert place["x"] + place["width"] <= 390
