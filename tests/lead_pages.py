"""Leads for tests of the dashboard: sent to a running server, or bent into shape behind it."""

from __future__ import annotations

from typing import Any

from tests.beacons import event, view
from tests.dashboard import unique
from tests.running import RunningServer

FAILED = "UPDATE deliveries SET state = 'failed', last_status = 422, last_error = ?, attempts = 3"


def partner_lead(server: RunningServer, **fields: Any) -> str:
    """A lead that came by API, without a visit; its id."""
    sent = {"SOURCE": "Facebook", "email": f"{unique('lead')}@example.com", **fields}
    answer = server.lead(**sent)
    assert answer.status_code == 201, answer.text
    lead_id: str = answer.json()["lead_id"]
    return lead_id


def tracked_lead(server: RunningServer, visitor: str = "", **fields: Any) -> str:
    """A lead of a form after two minutes on a page, 43 points: 3 short of Hot; its id."""
    visitor = visitor or unique("visitor")
    read: dict[str, Any] = {
        "age_ms": 300_000,
        "duration_ms": 140_000,
        "scroll_percent": 70,
        "clicks": 8,
    }
    page = view(visitor, title="Saffron Quay", referrer="https://www.example.org/", **read)
    opened = event(visitor, age_ms=250_000, props={"plan": "2BR"})
    assert server.track(page, opened).status_code == 202
    sent = {"email": f"{visitor}@example.com", "__visitor_id": visitor, **fields}
    answer = server.lead(**sent)
    assert answer.status_code == 201, answer.text
    lead_id: str = answer.json()["lead_id"]
    return lead_id


def lead_path(lead_id: str, client_id: int = 1) -> str:
    """The page of a lead."""
    return f"/clients/{client_id}/leads/{lead_id}"


def delivery_of(server: RunningServer, lead_id: str) -> dict[str, Any]:
    """The delivery of a lead to Make.com."""
    (row,) = server.query("SELECT * FROM deliveries WHERE lead_id = ?", (lead_id,))
    return row
