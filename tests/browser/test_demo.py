"""A visitor on the demo site, in a real browser against the real server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect

from tests.receiver import Receiver
from tests.running import BROWSER_AGENT, RunningServer

READING_MS = 11_000
"""Real time, for the server bounds engaged time by its own clock."""

NO_STORAGE = """Object.defineProperty(window, "localStorage", {
  get() { throw new DOMException("denied", "SecurityError"); },
});"""


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A visitor of their own, whose browser does not say that it is headless."""
    context = browser.new_context(
        user_agent=BROWSER_AGENT, viewport={"width": 1280, "height": 900}, timezone_id="Asia/Dubai"
    )
    yield context
    context.close()


def send_enquiry(page: Page, email: str) -> None:
    page.fill("#first_name", "Ana")
    page.fill("#last_name", "Example")
    page.fill("#email", email)
    page.fill("#phone", "+44 20 7946 0123")
    page.fill("#message", "May I see a two-bedroom residence?")
    page.click("#send")
    page.wait_for_url("**/demo/thank-you/")


def posted_to(page: Page, path: str) -> list[Request]:
    """Fills up with the page's requests to a path."""
    seen: list[Request] = []
    page.context.on(
        "request", lambda request: seen.append(request) if path in request.url else None
    )
    return seen


def test_visitor_when_reading_clicking_and_enquiring_is_scored_by_what_they_did(
    page: Page, server: RunningServer, receiver: Receiver
) -> None:
    beacons = posted_to(page, "/api/track")
    page.goto(f"{server.url}/demo/")
    page.click("#tab-two")
    page.click("#tab-three")
    for _ in range(30):
        page.mouse.wheel(0, 600)
    page.wait_for_timeout(READING_MS)
    page.locator("footer").scroll_into_view_if_needed()
    page.goto(f"{server.url}/demo/contact/?utm_source=newsletter")
    send_enquiry(page, "ana@example.com")

    (webhook,) = receiver.wait_for(1)
    body: dict[str, Any] = webhook.body
    (session,) = server.query("SELECT * FROM sessions")
    assert body["visitor_id"] == page.evaluate("localStorage._pg_vid") == session["visitor_id"]
    assert body["session_id"] == session["session_id"]
    assert body["match_kind"] == "visitor_id"
    assert body["pages_visited"] == 2
    assert body["session_duration_seconds"] >= READING_MS // 1000
    assert body["engagement_scroll_depth_points"] >= 25
    assert body["engagement_clicks_value"] >= 3
    assert body["engagement_score"] == sum(
        body[f"engagement_{factor}_points"]
        for factor in ("duration", "scroll_depth", "clicks", "return_visits")
    )
    assert "The browser was driven by a program" in body["suspicion_reasons"]
    assert body["project"] == "Saffron Quay"
    (lead,) = server.query("SELECT * FROM Leads")
    assert lead["EngagementScore"] == body["engagement_score"]
    assert lead["Extra"] is None or "__" not in lead["Extra"]
    views = server.query("SELECT url FROM page_views ORDER BY started_at")
    assert [view["url"].removeprefix(server.url) for view in views[:2]] == [
        "/demo/",
        "/demo/contact/?utm_source=newsletter",
    ]
    assert beacons
    assert all(request.url == f"{server.url}/api/track" for request in beacons)


def test_visitor_when_coming_back_counts_as_return_visit(
    context: BrowserContext, server: RunningServer, receiver: Receiver
) -> None:
    first = context.new_page()
    with first.expect_response("**/api/track"):
        first.goto(f"{server.url}/demo/")
    first.goto(f"{server.url}/healthz")
    first.evaluate("localStorage.removeItem('_pg_sid')")

    second = context.new_page()
    second.goto(f"{server.url}/demo/contact/")
    send_enquiry(second, "ana@example.com")

    (webhook,) = receiver.wait_for(1)
    assert webhook.body["return_visits"] == 1
    assert webhook.body["engagement_return_visits_points"] == 5


def test_enquiry_when_tracker_is_blocked_is_stored_without_engagement(
    page: Page, server: RunningServer, receiver: Receiver
) -> None:
    page.route("**/tracker.js", lambda route: route.abort())
    beacons = posted_to(page, "/api/track")
    page.goto(f"{server.url}/demo/contact/")
    send_enquiry(page, "ana@example.com")

    (webhook,) = receiver.wait_for(1)
    assert webhook.body["engagement_available"] is False
    assert webhook.body["visitor_id"] is None
    assert (webhook.body["engagement_score"], webhook.body["engagement_label"]) == (0, "Cold")
    assert not beacons


def test_enquiry_when_storage_is_blocked_is_matched_within_the_page(
    page: Page, server: RunningServer, receiver: Receiver
) -> None:
    page.add_init_script(NO_STORAGE)
    page.goto(f"{server.url}/demo/contact/")
    send_enquiry(page, "ana@example.com")

    (webhook,) = receiver.wait_for(1)
    assert webhook.body["match_kind"] == "visitor_id"


def test_enquiry_when_both_scripts_are_blocked_is_stored(
    page: Page, server: RunningServer, receiver: Receiver
) -> None:
    page.route("**/tracker.js", lambda route: route.abort())
    page.route("**/form.js", lambda route: route.abort())
    page.goto(f"{server.url}/demo/contact/")
    send_enquiry(page, "ana@example.com")

    (webhook,) = receiver.wait_for(1)
    assert webhook.body["email"] == "ana@example.com"


def test_deliveries_page_when_a_lead_arrives_shows_score_and_breakdown(
    context: BrowserContext, demo_server: RunningServer
) -> None:
    deliveries = context.new_page()
    deliveries.goto(f"{demo_server.url}/demo/deliveries")
    visitor = context.new_page()
    visitor.goto(f"{demo_server.url}/demo/contact/")
    send_enquiry(visitor, "ana@example.com")

    card = deliveries.locator("#cards .card")
    expect(card.locator("[data-text=name]")).to_have_text("Ana Example")
    expect(card.locator("[data-factor=clicks] .points")).to_contain_text("/ 20")
    expect(card.locator("[data-text=action]")).to_contain_text("—")


@pytest.fixture
def demo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server without a webhook of the user's: leads go to the demo's receiver."""
    with RunningServer(tmp_path_factory.mktemp("demo") / "data") as started:
        yield started
