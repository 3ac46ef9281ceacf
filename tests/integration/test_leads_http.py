"""/api/leads: batches in, pages out, for partners with a key."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.integration.http_fixtures import (
    OTHER_CLIENT,
    Person,
    SharedServer,
    fields_at_fault,
    problem_of,
)

Lead = dict[str, Any]


def bearer(key: str, **headers: str) -> dict[str, str]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"authorization": f"Bearer {key}", **named}


def batch(shared: SharedServer, leads: Any, query: str = "", **headers: str) -> httpx.Response:
    sent = bearer(shared.keys.write, **headers)
    return shared.http.post(f"/api/leads{query}", json=leads, headers=sent)


def listed(shared: SharedServer, key: str = "", /, **query: Any) -> tuple[list[Lead], str | None]:
    headers = bearer(key or shared.keys.read)
    answer = shared.http.get("/api/leads", params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    page = answer.json()
    return page["leads"], page["next_cursor"]


# --- batches ------------------------------------------------------------------


def test_batch_stores_each_lead_and_answers_in_their_order(
    shared: SharedServer, person: Person
) -> None:
    emails = [f"{number}.{person.email}" for number in range(3)]
    answer = batch(shared, [{"SOURCE": "Facebook", "email": email} for email in emails])
    assert answer.status_code == 207
    body = answer.json()
    assert (body["ok"], body["stored"]) == (True, 3)
    for email, result in zip(emails, body["results"], strict=True):
        (row,) = shared.server.query("SELECT * FROM Leads WHERE Email = ?", (email,))
        assert (result["status"], result["lead_id"]) == (201, row["PublicId"])
        assert (row["LeadSource"], row["Channel"]) == ("Facebook", "api")
        assert result["engagement_available"] is False


def test_batch_as_an_object_with_leads_is_taken_too(shared: SharedServer, person: Person) -> None:
    answer = batch(shared, {"leads": [{"SOURCE": "Facebook", "email": person.email}]})
    assert answer.json()["stored"] == 1
    assert len(person.lead_rows()) == 1


def test_batch_with_items_that_are_refused_stores_the_others(
    shared: SharedServer, person: Person
) -> None:
    answer = batch(shared, [{"name": "nobody"}, {"email": person.email}, "text", None])
    assert answer.status_code == 207
    body = answer.json()
    assert (body["ok"], body["stored"]) == (False, 1)
    assert [result["status"] for result in body["results"]] == [422, 201, 422, 422]
    assert [error["field"] for error in body["results"][0]["errors"]] == ["email", "phone"]
    assert len(person.lead_rows()) == 1


def test_batch_with_the_same_contact_twice_tells_the_duplicate(
    shared: SharedServer, person: Person
) -> None:
    answer = batch(shared, [{"email": person.email}] * 2)
    first, second = answer.json()["results"]
    assert second["suspicion_score"] == first["suspicion_score"] + 10


def test_batch_when_sent_again_with_its_key_stores_nothing_twice(
    shared: SharedServer, person: Person
) -> None:
    leads = [{"email": person.email, "n": number} for number in range(2)]
    once = batch(shared, leads, idempotency_key=person.visitor).json()["results"]
    again = batch(shared, leads, idempotency_key=person.visitor).json()["results"]
    assert [result["lead_id"] for result in again] == [result["lead_id"] for result in once]
    assert [result.get("replayed") for result in again] == [True, True]
    assert len(person.lead_rows()) == 2


def test_batch_as_a_dry_run_stores_nothing(shared: SharedServer, person: Person) -> None:
    before = shared.stored()
    answer = batch(shared, [{"email": person.email}, {}], "?dry_run=1")
    assert [result["status"] for result in answer.json()["results"]] == [200, 422]
    assert shared.stored() == before


def test_batch_is_forwarded_lead_by_lead(shared: SharedServer, person: Person) -> None:
    batch(shared, [{"email": person.email, "project": "Saffron Quay"}])
    (row,) = person.lead_rows()
    (delivery,) = shared.server.query(
        "SELECT payload FROM deliveries WHERE lead_id = ?", (row["PublicId"],)
    )
    assert json.loads(delivery["payload"])["project"] == "Saffron Quay"


@pytest.mark.parametrize("leads", [[], {}, {"leads": "x"}, "text", 7, [{}] * 101])
def test_batch_that_is_no_array_of_1_to_100_is_refused_as_a_whole(
    shared: SharedServer, leads: Any
) -> None:
    before = shared.stored()
    assert fields_at_fault(batch(shared, leads), 422) == ["leads"]
    assert shared.stored() == before


def test_batch_of_100_leads_is_taken(shared: SharedServer, person: Person) -> None:
    leads = [{"email": f"{number}.{person.email}"} for number in range(100)]
    assert batch(shared, leads).json()["stored"] == 100


def test_batch_over_1_mib_is_refused(shared: SharedServer, person: Person) -> None:
    leads = [{"email": person.email, "message": "x" * 60_000}] * 18
    problem_of(batch(shared, leads), 413)
    assert person.lead_rows() == []


def test_batch_item_over_a_leads_own_limits_is_refused_alone(
    shared: SharedServer, person: Person
) -> None:
    deep: Any = "x"
    for _ in range(40):
        deep = [deep]
    leads = [{"email": person.email, "deep": deep}, {"email": person.email}]
    results = batch(shared, leads).json()["results"]
    assert [result["status"] for result in results] == [422, 201]


@pytest.mark.parametrize("scope", ["read", None])
def test_batch_without_a_key_that_may_write_is_refused(
    shared: SharedServer, person: Person, scope: str | None
) -> None:
    headers = bearer(shared.keys.read) if scope else {}
    answer = shared.http.post("/api/leads", json=[{"email": person.email}], headers=headers)
    problem_of(answer, 403 if scope else 401)
    assert person.lead_rows() == []


# --- ids of the platforms -----------------------------------------------------


@pytest.mark.parametrize("name", ["leadgen_id", "wamid", "message_id", "external_id"])
def test_lead_with_a_platforms_id_is_stored_once_whatever_else_changed(
    shared: SharedServer, person: Person, name: str
) -> None:
    key, native = shared.keys.write, f"{name}-{person.visitor}"
    first = person.lead({"SOURCE": "Facebook", name: native}, key=key)
    again = person.lead({"SOURCE": "facebook", name: native, "retry": "2"}, key=key)
    assert again.json()["lead_id"] == first.json()["lead_id"]
    assert again.headers["idempotent-replayed"] == "true"
    (row,) = person.lead_rows()
    assert json.loads(row["Extra"])[name] == native
    assert shared.webhook(first)[name] == native


def test_lead_with_a_platforms_id_is_recognised_for_ever(
    shared: SharedServer, person: Person
) -> None:
    key, fields = shared.keys.write, {"SOURCE": "Facebook", "leadgen_id": person.visitor}
    person.lead(fields, key=key)
    shared.execute(
        "UPDATE Leads SET CreatedAt = '2020-01-01T00:00:00.000Z' WHERE Email = ?", (person.email,)
    )
    assert person.lead(fields, key=key).headers["idempotent-replayed"] == "true"
    assert len(person.lead_rows()) == 1


def test_lead_with_a_platforms_id_of_another_source_client_or_stranger_is_another_lead(
    shared: SharedServer, person: Person
) -> None:
    fields = {"SOURCE": "Facebook", "leadgen_id": person.visitor}
    person.lead(fields)
    person.lead(fields, key=shared.keys.write)
    person.lead({**fields, "SOURCE": "WhatsApp"}, key=shared.keys.write)
    person.lead(fields, key=shared.keys.others_write)
    assert len(person.lead_rows()) == 4


def test_form_with_a_field_named_like_a_platforms_id_sends_as_often_as_it_likes(
    person: Person,
) -> None:
    for _ in range(2):
        person.form({"message_id": person.visitor})
    assert len(person.lead_rows()) == 2


# --- reading ------------------------------------------------------------------


def test_leads_when_listed_carry_what_the_webhook_got(shared: SharedServer, person: Person) -> None:
    person.visit(seconds=120, scroll=50, url="https://www.example.com/?utm_source=google&gclid=g")
    fields = {"name": "Ana Example", "phone": person.phone, "budget": "1m", "__consent": "true"}
    webhook = shared.webhook(person.tracked_lead(fields))
    (lead,), cursor = listed(shared, email=person.email)
    assert cursor is None
    shared_names = lead.keys() & webhook.keys()
    assert {name: lead[name] for name in shared_names} == {
        name: webhook[name] for name in shared_names
    }
    assert {"engagement_score", "suspicion_score", "lead_source", "visitor_id"} <= shared_names
    assert lead["extra"] == {"budget": "1m"}
    assert lead["click_ids"] == {"gclid": "g"}
    assert lead["updated_at"] == lead["created_at"]
    duration = next(one for one in lead["engagement_factors"] if one["factor"] == "duration")
    assert (duration["value"], duration["points"]) == (120, 12)


def test_leads_when_paged_come_newest_first_each_once(shared: SharedServer, person: Person) -> None:
    ids = [person.lead({"n": number}).json()["lead_id"] for number in range(5)]
    seen, cursor = listed(shared, email=person.email, limit=2)
    while cursor:
        more, cursor = listed(shared, email=person.email, limit=2, cursor=cursor)
        assert len(more) in (1, 2)
        seen += more
    assert [lead["lead_id"] for lead in seen] == ids[::-1]


def test_leads_when_paged_while_others_arrive_are_neither_lost_nor_doubled(
    shared: SharedServer, person: Person
) -> None:
    ids = [person.lead({"n": number}).json()["lead_id"] for number in range(4)]
    first, cursor = listed(shared, email=person.email, limit=2)
    person.lead({"n": "late"})
    second, _end = listed(shared, email=person.email, limit=2, cursor=cursor)
    assert [lead["lead_id"] for lead in first + second] == ids[::-1]


def test_leads_since_a_change_come_in_the_order_of_their_changes(
    shared: SharedServer, person: Person
) -> None:
    ids = [person.lead({"n": number}).json()["lead_id"] for number in range(3)]
    moments = ["2031-01-01T00:00:00.000Z", "2030-01-01T00:00:00.000Z", "2032-01-01T00:00:00.000Z"]
    for lead_id, moment in zip(ids, moments, strict=True):
        shared.execute("UPDATE Leads SET UpdatedAt = ? WHERE PublicId = ?", (moment, lead_id))
    query: dict[str, Any] = {"email": person.email, "limit": 1, "updated_since": "2030-06-01"}
    (first,), cursor = listed(shared, **query)
    (second,), end = listed(shared, **query, cursor=cursor)
    assert [first["lead_id"], second["lead_id"]] == [ids[0], ids[2]]
    assert end is None


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"engagement_label": "warm"}, ["tracked"]),
        ({"engagement_label": "Cold"}, []),
        ({"min_engagement_score": 30}, ["tracked"]),
        ({"min_engagement_score": 0}, ["tracked"]),
        ({"tracked": "true"}, ["tracked"]),
        ({"tracked": "false"}, ["untracked"]),
        ({"lead_source": "facebook"}, ["untracked"]),
        ({"channel": "form"}, ["tracked"]),
        ({"project": "saffron quay"}, ["untracked"]),
        ({"suspicion_label": "low"}, ["untracked", "tracked"]),
        ({"max_suspicion_score": 10}, ["tracked"]),
        ({"created_since": "2001-01-01", "created_before": "2001-02-01T00:00:00+04:00"}, []),
        ({"created_since": "2001-01-01T00:00:00Z"}, ["untracked", "tracked"]),
    ],
)
def test_leads_when_filtered_are_those_that_pass_every_filter(
    shared: SharedServer, person: Person, query: dict[str, Any], found: list[str]
) -> None:
    person.visit(seconds=300)
    person.tracked_lead({"kind": "tracked"})
    person.lead({"kind": "untracked", "SOURCE": "Facebook", "project": "Saffron Quay"})
    shared.execute(
        "UPDATE Leads SET SuspicionScore = 5 WHERE Email = ? AND LeadSource = 'WebSite'",
        (person.email,),
    )
    leads, _end = listed(shared, email=person.email, **query)
    assert [lead["extra"]["kind"] for lead in leads] == found


@pytest.mark.parametrize("given", ["as sent", "as E.164"])
def test_leads_when_chosen_by_phone_match_either_form(
    shared: SharedServer, person: Person, given: str
) -> None:
    sent = "+44 20 7946 0" + person.ip[-3:].replace(".", "9")
    person.lead({"phone": sent})
    phone = sent if given == "as sent" else sent.replace(" ", "")
    leads, _end = listed(shared, phone=phone, email=person.email)
    assert len(leads) == 1


def test_leads_of_another_client_are_never_listed(shared: SharedServer, person: Person) -> None:
    person.lead(key=shared.keys.others_write)
    (row,) = person.lead_rows()
    assert row["ClientId"] == OTHER_CLIENT
    assert listed(shared, email=person.email) == ([], None)


def test_leads_of_a_cursor_from_another_client_stay_apart(
    shared: SharedServer, person: Person
) -> None:
    person.lead(key=shared.keys.others_write)
    for _ in range(2):
        person.lead()
    _first, cursor = listed(shared, limit=1)
    leads, _end = listed(shared, cursor=cursor, email=person.email)
    assert {lead["client_id"] for lead in leads} == {1}


@pytest.mark.parametrize(
    ("query", "at_fault"),
    [
        ({"limit": "0"}, ["limit"]),
        ({"limit": "201"}, ["limit"]),
        ({"limit": "ten"}, ["limit"]),
        ({"limit": "²"}, ["limit"]),
        ({"cursor": "junk"}, ["cursor"]),
        ({"cursor": "WyJuZXdlc3QiLCJ4IiwtMV0"}, ["cursor"]),
        ({"cursor": "WyJuZXdlc3QiLCAieCIsIDk5OTk5OTk5OTk5OTk5OTk5OTk5OTld"}, ["cursor"]),
        ({"cursor": "é"}, ["cursor"]),
        ({"cursor": "W" * 5001}, ["cursor"]),
        ({"updated_since": "yesterday"}, ["updated_since"]),
        ({"created_since": "0001-01-01T00:00:00+23:59"}, ["created_since"]),
        ({"tracked": "maybe"}, ["tracked"]),
        ({"min_engagement_score": "-1"}, ["min_engagement_score"]),
        ({"sort": "name"}, ["sort"]),
        ({"limit": "x", "tracked": "y"}, ["limit", "tracked"]),
    ],
)
def test_query_that_cannot_be_used_is_refused_by_its_parameters(
    shared: SharedServer, query: dict[str, str], at_fault: list[str]
) -> None:
    answer = shared.http.get("/api/leads", params=query, headers=bearer(shared.keys.read))
    assert fields_at_fault(answer, 422) == at_fault


def test_cursor_of_a_query_in_another_order_is_refused(
    shared: SharedServer, person: Person
) -> None:
    for _ in range(2):
        person.lead()
    _leads, cursor = listed(shared, email=person.email, limit=1)
    query = {"cursor": cursor or "", "updated_since": "2026-01-01"}
    answer = shared.http.get("/api/leads", params=query, headers=bearer(shared.keys.read))
    assert fields_at_fault(answer, 422) == ["cursor"]


def test_reading_needs_a_key_that_may_read(shared: SharedServer) -> None:
    problem_of(shared.http.get("/api/leads"), 401)
    problem_of(shared.http.get("/api/leads", headers=bearer("pg_unknown")), 401)
    problem_of(shared.http.get("/api/leads", headers=bearer(shared.keys.write)), 403)
    assert listed(shared, shared.keys.admin, limit=1)


def test_reading_is_not_kept_by_caches_and_not_for_browsers(shared: SharedServer) -> None:
    headers = bearer(shared.keys.read, origin="https://www.listed.example")
    answer = shared.http.get("/api/leads", headers=headers)
    assert answer.headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_leads_with_another_method_is_refused(shared: SharedServer, method: str) -> None:
    answer = shared.http.request(method, "/api/leads")
    problem_of(answer, 405)
    assert set(answer.headers["allow"].split(", ")) >= {"GET"}
