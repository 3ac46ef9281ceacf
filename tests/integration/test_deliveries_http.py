"""Deliveries over HTTP: filters, pages, what is shown of a request, and sending again."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.dashboard import ADMIN, OTHERS_SALES, SALES, Dashboard, Desk, unique
from tests.integration.http_fixtures import eventually
from tests.lead_pages import FAILED, delivery_of, lead_path, partner_lead

PATH = "/clients/1/deliveries"
OTHERS_PATH = "/clients/2/deliveries"


def insert(dashboard: Dashboard, delivery_id: str, **fields: Any) -> None:
    """A delivery of client 2, to Meta unless told otherwise."""
    values = {
        "delivery_id": delivery_id,
        "client_id": 2,
        "destination": "meta_capi",
        "payload": "{}",
        "state": "delivered",
        "created_at": "2026-11-20T10:00:00.000Z",
        "due_at": "2026-11-20T10:00:00.000Z",
        "event_name": "Lead",
        **fields,
    }
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    dashboard.server.execute(f"INSERT INTO deliveries ({names}) VALUES ({marks})", *values.values())


def listed(desk: Desk, path: str = OTHERS_PATH, **query: str) -> list[str]:
    """The deliveries of a page in their order."""
    answer = desk.get(path, **query)
    assert answer.status_code == 200, answer.text
    return re.findall(rf'<th scope="row"><a href="{path}/([^"]+)"', answer.text)


def state_of(dashboard: Dashboard, delivery_id: str) -> dict[str, Any]:
    sql = "SELECT * FROM deliveries WHERE delivery_id = ?"
    (row,) = dashboard.server.query(sql, (delivery_id,))
    return row


def delivered(dashboard: Dashboard, delivery_id: str) -> dict[str, Any]:
    """The delivery once it has arrived."""

    def look() -> dict[str, Any] | None:
        row = state_of(dashboard, delivery_id)
        return row if row["state"] == "delivered" else None

    return eventually(look)


def failed_delivery(dashboard: Dashboard, error: str = "the webhook answered 422") -> str:
    """A lead's delivery, first really sent, then told to have failed."""
    lead_id = partner_lead(dashboard.server)
    delivery_id: str = delivery_of(dashboard.server, lead_id)["delivery_id"]
    delivered(dashboard, delivery_id)
    dashboard.server.execute(f"{FAILED} WHERE delivery_id = ?", error, delivery_id)
    return delivery_id


def test_pages_of_deliveries_hold_each_once_newest_first(dashboard: Dashboard) -> None:
    desk, event = dashboard.desk(OTHERS_SALES), unique("Paged")
    ids = [f"{event}-{number:03}" for number in range(120)]
    for number, delivery_id in enumerate(ids):
        moment = f"2026-11-20T10:{number // 4:02}:00.000Z"
        insert(dashboard, delivery_id, event_name=event, created_at=moment)
    path, seen = f"{OTHERS_PATH}?event={event}", list[str]()
    while path:
        page = desk.get(path)
        seen += re.findall(rf'<th scope="row"><a href="{OTHERS_PATH}/([^"]+)"', page.text)
        following = re.search(r'href="([^"]+)">Older deliveries', page.text)
        path = following[1].replace("&amp;", "&") if following else ""
    assert seen == ids[::-1]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"state": "failed"}, ["failed"]),
        ({"state": "pending"}, ["waiting"]),
        ({"state": "paused"}, ["paused"]),
        ({"state": "not_configured"}, ["unsent"]),
        ({"destination": "make_webhook"}, ["paused"]),
        ({"since": "2026-11-10", "until": "2026-11-10"}, ["failed"]),
        ({"until": "2026-11-09"}, ["unsent"]),
        ({"state": "failed", "until": "2026-11-09"}, []),
    ],
)
def test_filters_of_the_address_choose_deliveries(
    dashboard: Dashboard, query: dict[str, str], found: list[str]
) -> None:
    event = unique("Filtered")
    due = {"due_at": "2999-01-01T00:00:00.000Z"}
    insert(dashboard, f"failed {event}", state="failed", event_name=event)
    dashboard.server.execute(
        "UPDATE deliveries SET created_at = '2026-11-10T23:59:59.999Z' WHERE delivery_id = ?",
        f"failed {event}",
    )
    insert(dashboard, f"waiting {event}", state="pending", event_name=event, **due)
    paused = {"destination": "make_webhook", "state": "pending", **due}
    insert(dashboard, f"paused {event}", event_name=event, **paused)
    old = {"created_at": "2026-11-09T12:00:00.000Z", "state": "not_configured"}
    insert(dashboard, f"unsent {event}", event_name=event, **old)
    pause = "INSERT OR IGNORE INTO paused_destinations VALUES (2, 'make_webhook', ?, 'gone')"
    dashboard.server.execute(pause, "2026-11-20T10:00:00.000Z")
    shown = listed(dashboard.desk(OTHERS_SALES), event=event, **query)
    assert [delivery_id.split()[0] for delivery_id in shown] == found


@pytest.mark.parametrize(
    ("name", "value"), [("since", "yesterday"), ("until", "2026-02-31"), ("state", "lost")]
)
def test_wrong_filter_is_told(dashboard: Dashboard, name: str, value: str) -> None:
    answer = dashboard.desk().get(PATH, **{name: value})
    assert answer.status_code == 422
    assert f'id="e-{name}"' in answer.text


def test_filter_that_nothing_passes_is_told_apart_from_no_delivery(dashboard: Dashboard) -> None:
    answer = dashboard.desk().get(PATH, event="Never")
    assert "No delivery fits" in answer.text


def test_delivery_shows_attempts_and_keeps_secrets(dashboard: Dashboard) -> None:
    hook = f"{dashboard.server.url}/demo/webhook"
    delivery_id = failed_delivery(dashboard, f"no answer from {hook}")
    dashboard.server.execute(
        "UPDATE delivery_attempts SET response = ? WHERE delivery_id = ?",
        f'{{"echo": "{hook}", "token": "EAAGm0PX4ZCpsBAKZAbcdefghijklmnop", "x": "<b>"}}',
        delivery_id,
    )
    page = dashboard.desk(SALES).get(f"{PATH}/{delivery_id}").text
    assert "HTTP 200" in page
    assert "[secret]" in page
    assert "webhook-timestamp" in page
    assert "&#34;lead_source&#34;: &#34;Facebook&#34;" in page
    for secret in (hook, "EAAGm0PX4ZCpsBAKZA", "<b>"):
        assert secret not in page
    assert hook not in dashboard.desk(SALES).get(PATH).text


def test_conversion_event_shows_each_request_as_it_was_sent(dashboard: Dashboard) -> None:
    delivery_id = unique("capi")
    insert(dashboard, delivery_id, attempts=1, payload='{"event_id": "lead:1"}')
    attempt = (
        "INSERT INTO delivery_attempts (delivery_id, started_at, duration_ms, verdict, status)"
    )
    dashboard.server.execute(f"{attempt} VALUES (?, ?, 90, 'delivered', 200)", delivery_id, "2026")
    log = (
        "INSERT INTO facebook_capi_event_log (client_id, delivery_id, event_id, event_name,"
        " request_body, response_status, created_at) VALUES (2, ?, 'lead:1', 'Lead', ?, 200, ?)"
    )
    sent = '{"data": [{"event_id": "lead:1", "fbc": "fb.1.%d.x"}]}'
    dashboard.server.execute(log, delivery_id, sent % 1, "2026-11-20T10:00:01.000Z")
    dashboard.server.execute(log, delivery_id, sent % 2, "2026-11-20T10:00:01.000Z")
    page = dashboard.desk(OTHERS_SALES).get(f"{OTHERS_PATH}/{delivery_id}").text
    assert page.count("Request as it was sent") == 2
    assert page.index("fb.1.1.x") < page.index("fb.1.2.x")
    assert "Bearer [secret]" in page


def test_replay_sends_one_delivery_again_under_its_id(dashboard: Dashboard) -> None:
    delivery_id = failed_delivery(dashboard)
    answer = dashboard.desk(SALES).post(f"{PATH}/{delivery_id}/replay")
    assert answer.headers["location"] == f"{PATH}/{delivery_id}"
    assert delivered(dashboard, delivery_id)["attempts"] == 1
    sql = "SELECT COUNT(*) AS kept FROM delivery_attempts WHERE delivery_id = ?"
    assert dashboard.server.query(sql, (delivery_id,)) == [{"kept": 2}]
    (entry,) = dashboard.server.query(
        "SELECT actor, action FROM audit_trail WHERE subject = ?", (delivery_id,)
    )
    assert entry == {"actor": SALES, "action": "delivery_replayed"}


def test_replay_from_the_lead_page_leads_back_there(dashboard: Dashboard) -> None:
    delivery_id = failed_delivery(dashboard)
    lead_id = state_of(dashboard, delivery_id)["lead_id"]
    page = dashboard.desk().get(lead_path(lead_id)).text
    assert f'action="{PATH}/{delivery_id}/replay"' in page
    fields = {"back": "lead", "from": "label=Hot"}
    answer = dashboard.desk().post(f"{PATH}/{delivery_id}/replay", fields)
    assert answer.headers["location"] == f"{lead_path(lead_id)}?from=label%3DHot"


def test_replay_while_it_is_being_sent_is_told(dashboard: Dashboard) -> None:
    delivery_id = unique("busy")
    insert(dashboard, delivery_id, state="pending", leased_until="2999-01-01T00:00:00.000Z")
    desk = dashboard.desk(OTHERS_SALES)
    desk.post(f"{OTHERS_PATH}/{delivery_id}/replay")
    assert "being sent just now" in desk.get(f"{OTHERS_PATH}/{delivery_id}").text


def test_replay_of_all_failed_asks_with_the_count_and_sends_these_only(
    dashboard: Dashboard,
) -> None:
    mine, others = failed_delivery(dashboard), unique("others")
    insert(dashboard, others, state="failed")
    to_meta = unique("to-meta")
    insert(dashboard, to_meta, client_id=1, state="failed")
    desk, query = dashboard.desk(ADMIN), {"state": "failed", "destination": "make_webhook"}
    (counted,) = dashboard.server.query(
        "SELECT COUNT(*) AS found FROM deliveries WHERE client_id = 1 AND state = 'failed'"
        " AND destination = 'make_webhook'"
    )
    assert f"Send {counted['found']} again" in desk.get(f"{PATH}/replay", **query).text
    assert state_of(dashboard, mine)["state"] == "failed"
    desk.post(f"{PATH}/replay", query)
    delivered(dashboard, mine)
    assert state_of(dashboard, others)["state"] == "failed"
    assert state_of(dashboard, to_meta)["state"] == "failed"


def test_replay_of_what_had_no_destination_is_asked_for_by_its_state(dashboard: Dashboard) -> None:
    delivery_id = unique("unsent")
    insert(dashboard, delivery_id, state="not_configured")
    desk = dashboard.desk(OTHERS_SALES)
    assert "not configured again" in desk.get(OTHERS_PATH, state="not_configured").text
    page = desk.get(f"{OTHERS_PATH}/replay", state="not_configured").text
    assert "that had no destination to go to" in page


def test_paused_destination_is_told_with_its_reason_and_resumed(dashboard: Dashboard) -> None:
    end = "UPDATE deliveries SET state = 'failed' WHERE client_id = 2 AND state = 'pending'"
    dashboard.server.execute(end)  # what waits would be tried, and pause it at once again
    pause = "INSERT OR REPLACE INTO paused_destinations VALUES (2, 'meta_capi', ?, ?)"
    reason = "Meta refuses the access token EAAGm0PX4ZCpsBAKZAbcdefghijklmnop"
    dashboard.server.execute(pause, "2026-11-20T10:00:00.000Z", reason)
    desk = dashboard.desk(OTHERS_SALES)
    page = desk.get(OTHERS_PATH).text
    assert "Meta is paused" in page
    assert "refuses the access token [secret]" in page
    desk.post(f"{OTHERS_PATH}/resume", {"destination": "meta_capi"})
    assert "Meta is paused" not in desk.get(OTHERS_PATH).text
    sql = "SELECT COUNT(*) AS kept FROM audit_trail WHERE action = 'destination_resumed'"
    assert dashboard.server.query(f"{sql} AND client_id = 2") == [{"kept": 1}]
    desk.post(f"{OTHERS_PATH}/resume", {"destination": "meta_capi"})
    assert "not paused any more" in desk.get(OTHERS_PATH).text


def test_deliveries_are_shown_and_sent_for_those_of_the_client_only(dashboard: Dashboard) -> None:
    delivery_id, stranger = failed_delivery(dashboard), dashboard.desk(OTHERS_SALES)
    for path in (PATH, f"{PATH}/{delivery_id}", f"{OTHERS_PATH}/{delivery_id}", f"{PATH}/replay"):
        assert stranger.get(path).status_code == 404
    for path in (f"{PATH}/{delivery_id}", f"{OTHERS_PATH}/{delivery_id}", PATH):
        assert stranger.post(f"{path}/replay").status_code == 404
    assert stranger.post(f"{PATH}/resume", {"destination": "meta_capi"}).status_code == 404
    assert state_of(dashboard, delivery_id)["state"] == "failed"
