"""The inbox in a browser: a lead arriving live, filters, views, keys, and what axe finds."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.desk import axe_findings, open_desk
from tests.dashboard import OTHERS_SALES, Dashboard, running_dashboard
from tests.stored_leads import add_leads, lead_row

INBOX = "/clients/1/leads"
NOTED = """
window.noted = [];
window.Notification = class extends EventTarget {
  static permission = "granted";
  constructor(title, options) { super(); window.noted.push(`${title} | ${options.body}`); }
};"""


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Iterator[Dashboard]:
    """A server whose first client has a few leads of each kind."""
    folder = tmp_path_factory.mktemp("inbox") / "data"
    with running_dashboard(folder, database_url=database_url) as dashboard:
        contact = {"Phone": "+44 20 7946 0123", "PhoneE164": "+442079460123"}
        add_leads(
            dashboard.server,
            lead_row(10, Name="Carl Cold", Email="carl@example.com", SuspicionScore=70),
            lead_row(30, Name="Wendy Warm", Status="contacted", **contact),
            lead_row(60, Name="Henry Hot", Project="Creek View", ReturnVisits=2, **contact),
            lead_row(95, Name="Vera Vivid", CreatedAt="2026-01-01T10:00:00.000Z", **contact),
            lead_row(None, Name="Uma Untracked", LeadSource="Portal"),
            lead_row(None, **dict.fromkeys(("Name", "Email", "Phone", "Project"), "x" * 65_000)),
        )
        yield dashboard


def open_inbox(page: Page, dashboard: Dashboard, query: str = "") -> None:
    page.goto(f"{dashboard.server.url}{INBOX}{query}")


@pytest.mark.both_stores
def test_new_lead_arrives_live_and_a_very_hot_one_notifies(
    browser: Browser, dashboard: Dashboard
) -> None:
    with open_desk(browser, dashboard) as page:
        page.add_init_script(NOTED)
        with page.expect_request(re.compile("/leads/live")):
            open_inbox(page, dashboard)
        add_leads(dashboard.server, lead_row(99, Name="Nora New"), lead_row(5, Name="Nick New"))
        link = page.get_by_role("link", name="2 new leads: show")
        expect(link).to_be_visible()
        assert page.title().startswith("(2) ")
        (noted,) = page.evaluate("window.noted")
        assert noted.startswith("Very Hot lead: Nora New | Deep engagement")
        link.click()
        expect(page.get_by_role("link", name="Nora New")).to_be_visible()


def test_new_lead_is_asked_for_where_the_stream_does_not_come(
    browser: Browser, dashboard: Dashboard
) -> None:
    with open_desk(browser, dashboard) as page:
        page.clock.install()
        is_stream = re.compile(r"/leads/live")
        page.route(
            is_stream,
            lambda route: (
                route.abort()
                if "event-stream" in route.request.headers.get("accept", "")
                else route.continue_()
            ),
        )
        with page.expect_event("requestfailed"):
            open_inbox(page, dashboard)
        add_leads(dashboard.server, lead_row(5, Name="Paula Polled"))
        page.clock.run_for(11_000)
        expect(page.get_by_role("link", name="1 new lead: show")).to_be_visible()


@pytest.mark.both_stores
def test_filters_fill_the_address_and_are_saved_as_a_view(desk: Page, dashboard: Dashboard) -> None:
    open_inbox(desk, dashboard)
    desk.get_by_label("Search name").type("e")
    expect(desk).to_have_url(re.compile(r"/leads\?q=e$"))
    expect(desk.get_by_label("Search name")).to_be_focused()
    desk.get_by_label("Search name").type("xyz")
    expect(desk).to_have_url(re.compile(r"/leads\?q=exyz$"))
    expect(desk.get_by_text("No lead passes these filters")).to_be_visible()
    desk.get_by_role("link", name="Remove filter Search: exyz").click()
    expect(desk.get_by_role("link", name="Henry Hot")).to_be_visible()
    expect(desk).to_have_url(re.compile(r"/leads$"))
    desk.locator("summary", has_text="Filters").click()
    desk.get_by_label("Very Hot", exact=True).check()
    desk.get_by_label("Hot", exact=True).check()
    desk.get_by_role("button", name="Show leads").click()
    expect(desk).to_have_url(re.compile(r"/leads\?label=Very\+Hot&label=Hot$"))
    expect(desk.get_by_role("link", name="Henry Hot")).to_be_visible()
    expect(desk.get_by_role("link", name="Carl Cold")).to_be_hidden()
    desk.get_by_label("Order").select_option("Overdue first")
    expect(desk).to_have_url(re.compile(r"sort=due$"))
    expect(desk.locator(".lead-link").first).to_have_text("Vera Vivid")
    desk.locator("summary", has_text="Save view").click()
    desk.get_by_label("Name of the view").fill("Call now")
    desk.get_by_role("button", name="Save", exact=True).click()
    expect(desk.get_by_role("link", name="Call now")).to_have_attribute("aria-current", "page")
    desk.go_back()
    desk.get_by_role("link", name="All leads").click()
    expect(desk.get_by_role("link", name="Carl Cold")).to_be_visible()


def test_keys_walk_search_help_and_open(desk: Page, dashboard: Dashboard) -> None:
    open_inbox(desk, dashboard, "?sort=score&label=Hot&label=Warm")
    desk.keyboard.press("j")
    expect(desk.get_by_role("link", name="Henry Hot")).to_be_focused()
    desk.keyboard.press("j")
    expect(desk.get_by_role("link", name="Wendy Warm")).to_be_focused()
    desk.keyboard.press("k")
    expect(desk.get_by_role("link", name="Henry Hot")).to_be_focused()
    desk.keyboard.press("/")
    expect(desk.get_by_label("Search name")).to_be_focused()
    desk.get_by_role("heading", name="Leads").click()
    desk.keyboard.press("?")
    expect(desk.get_by_role("dialog", name="Keyboard")).to_be_visible()
    assert axe_findings(desk) == []
    desk.get_by_label("Single keys work").uncheck()
    desk.keyboard.press("Escape")
    desk.keyboard.press("/")
    expect(desk.get_by_label("Search name")).not_to_be_focused()
    desk.get_by_role("link", name="Henry Hot").focus()
    desk.keyboard.press("Enter")
    expect(desk).to_have_url(re.compile(r"/leads/lead_"))


def test_list_after_steps_back_has_its_keys_its_news_and_the_lead_one_left_it_at(
    desk: Page, dashboard: Dashboard
) -> None:
    open_inbox(desk, dashboard)
    desk.get_by_role("link", name="Very Hot", exact=True).click()
    expect(desk).to_have_url(re.compile(r"label=Very\+Hot$"))
    with desk.expect_request(re.compile("/leads/live")):
        desk.go_back()
    expect(desk.get_by_role("link", name="Wendy Warm")).to_be_visible()
    desk.keyboard.press("?")
    expect(desk.get_by_role("dialog", name="Keyboard")).to_be_visible()
    desk.keyboard.press("Escape")
    add_leads(dashboard.server, lead_row(5, Name="Bea Back"))
    expect(desk.get_by_role("link", name="1 new lead: show")).to_be_visible()
    desk.get_by_role("link", name="Wendy Warm").focus()
    desk.keyboard.press("Enter")
    expect(desk).to_have_url(re.compile(r"/leads/lead_"))
    desk.go_back()
    expect(desk.get_by_role("link", name="Wendy Warm")).to_be_focused()


def test_next_page_is_read_from_its_top(desk: Page, dashboard: Dashboard) -> None:
    many = [lead_row(40, Name=f"Paul Page {number}", Project="Pages") for number in range(60)]
    add_leads(dashboard.server, *many)
    open_inbox(desk, dashboard, "?project=Pages")
    desk.get_by_role("button", name="Next").click()
    expect(desk.get_by_role("link", name="Paul Page 9", exact=True)).to_be_focused()
    assert desk.evaluate("scrollY") == 0
    desk.get_by_role("button", name="Previous").click()
    expect(desk.get_by_role("link", name="Paul Page 59")).to_be_focused()


def test_clock_of_a_waiting_lead_turns_overdue_as_one_looks(
    browser: Browser, dashboard: Dashboard
) -> None:
    with open_desk(browser, dashboard) as page:
        page.clock.install()
        open_inbox(page, dashboard, "?q=henry")
        clock = page.locator(".clock")
        expect(clock).to_have_text(re.compile(r"^1 h \d+ min left$"))
        page.clock.fast_forward("02:00:00")
        page.clock.run_for(1_000)
        expect(clock).to_have_text(re.compile("^overdue by "))
        expect(clock).to_have_class(re.compile("overdue"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_inbox_in_every_state_when_looked_at_by_axe_is_clean(
    browser: Browser, dashboard: Dashboard, scheme: str
) -> None:
    found: dict[str, list[str]] = {}
    with open_desk(browser, dashboard, color_scheme=scheme) as page:
        for query in (
            "",
            "?q=nothing+of+the+kind&label=Hot",
            "?from=soon&label=Hot",
            "?sort=score",
        ):
            open_inbox(page, dashboard, query)
            found[query] = axe_findings(page)
        page.locator("summary", has_text="Filters").click()
        found["panel"] = axe_findings(page)
        page.set_viewport_size({"width": 390, "height": 844})
        open_inbox(page, dashboard)
        found["narrow"] = axe_findings(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    with open_desk(browser, dashboard, OTHERS_SALES, color_scheme=scheme) as page:
        page.goto(dashboard.server.url + "/clients/2/leads")
        found["empty"] = axe_findings(page)
    assert {state: one for state, one in found.items() if one} == {}
