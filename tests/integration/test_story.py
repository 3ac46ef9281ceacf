"""The story of one lead, from its first beacon to the delivered webhook."""

from __future__ import annotations

from tests.beacons import engage, view
from tests.receiver import Receiver
from tests.running import RunningServer

SPEC_FIELDS = (
    "visitor_id",
    "session_id",
    "engagement_score",
    "engagement_label",
    "pages_visited",
    "session_duration_seconds",
    "return_visits",
    "vpn_suspected",
)


def test_lead_when_visitor_read_the_page_arrives_scored_at_the_webhook(
    server: RunningServer, receiver: Receiver
) -> None:
    assert server.track(view("ana", "ana-old")).status_code == 202
    assert server.track(view("ana", age_ms=400_000)).status_code == 202
    read = engage("ana", duration_ms=340_000, scroll_percent=100, clicks=12)
    assert server.track(read).status_code == 202

    answer = server.lead(
        name="Ana Example",
        email="ana@example.com",
        phone="+44 20 7946 0123",
        message="May I see the two-bedroom residence?",
        budget="1,000,000",
        timeToSubmit=42_000,
        __visitor_id="ana",
        __site="demo",
    )

    assert answer.status_code == 201
    (webhook,) = receiver.wait_for(1)
    assert webhook.body["lead_id"] == answer.json()["lead_id"]
    assert {name: webhook.body[name] for name in SPEC_FIELDS} == {
        "visitor_id": "ana",
        "session_id": "ana-s1",
        "engagement_score": 34 + 30 + 12 + 5,
        "engagement_label": "Very Hot",
        "pages_visited": 1,
        "session_duration_seconds": 340,
        "return_visits": 1,
        "vpn_suspected": 0,
    }
    assert webhook.body["lead_source"] == "WebSite"
    assert webhook.body["recommended_action"].endswith("call immediately")
    assert webhook.body["suspicion_score"] == 0
    assert webhook.body["budget"] == "1,000,000"
    (row,) = server.query("SELECT * FROM Leads")
    assert row["EngagementScore"] == 81
    assert row["MatchKind"] == "visitor_id"
