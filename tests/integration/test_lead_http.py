"""Leads over HTTP: what is stored and forwarded, whose it is, keys, and repeated submissions."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from server.domain.directory import hash_of_key, new_key
from tests.integration.http_fixtures import (
    DEAD_SITE,
    LISTED_ORIGIN,
    LISTED_SITE,
    OTHER_CLIENT,
    OTHER_ORIGIN,
    OTHER_SITE,
    SILENT_SITE,
    UNLISTED_ORIGIN,
    Person,
    SharedServer,
    eventually,
    fields_at_fault,
    problem_of,
)
from tests.running import BROWSER_AGENT, propgauge

AT_ONCE = 8
LEADS = "propgauge_leads_total"


def at_once(send: Callable[[int], httpx.Response]) -> list[httpx.Response]:
    """The answers to requests sent together."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(send, range(AT_ONCE)))


def replayed(answers: list[httpx.Response]) -> int:
    return sum(answer.headers.get("idempotent-replayed") == "true" for answer in answers)


# --- what is stored -----------------------------------------------------------


def test_lead_when_stored_is_answered_by_its_id_alone(person: Person) -> None:
    answer = person.lead()
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json"
    (row,) = person.lead_rows()
    assert answer.json() == {"ok": True, "lead_id": row["PublicId"]}


def test_lead_when_stored_keeps_every_known_field_in_its_column(
    shared: SharedServer, person: Person
) -> None:
    page = "https://www.example.com/flat?utm_source=page&utm_term=t&gclid=g-1"
    answer = person.lead(
        {
            "First Name": " Ana ",
            "surname": "Example",
            "Mobile": "+44 20 7946 0123",
            "comments": "May I see it?",
            "Property": "Harbour View",
            "SOURCE": "WebSite",
            "page_url": page,
            "referrer": "https://www.google.com/",
            "__consent": "yes",
            "__site": "demo",
            "Budget": "1,000,000",
            "rooms": [2, 3],
        },
        cf_ipcountry="GB",
    )
    row = shared.lead_row(answer)
    assert json.loads(row["Extra"]) == {"Budget": "1,000,000", "rooms": [2, 3]}
    assert json.loads(row["ClickIds"]) == {"gclid": "g-1"}
    kept = {
        "ClientId": 1,
        "Channel": "form",
        "Name": "Ana Example",
        "FirstName": "Ana",
        "LastName": "Example",
        "Email": person.email,
        "Phone": "+44 20 7946 0123",
        "PhoneE164": "+442079460123",
        "Message": "May I see it?",
        "Project": "Harbour View",
        "LeadSource": "WebSite",
        "PageUrl": page,
        "Referrer": "https://www.google.com/",
        "Ip": person.ip,
        "UserAgent": BROWSER_AGENT,
        "Country": "GB",
        "UtmSource": "page",
        "UtmMedium": None,
        "UtmCampaign": None,
        "UtmTerm": "t",
        "UtmContent": None,
        "Consent": 1,
        "SiteKey": "demo",
    }
    assert {column: row[column] for column in kept} == kept


def test_lead_when_stored_reaches_the_webhook_flat_and_whole(
    shared: SharedServer, person: Person
) -> None:
    answer = person.lead({"name": "Ana", "Budget": "2m", "rooms": [2, 3], "utm_source": "x"})
    body = shared.webhook(answer)
    expected = {
        "lead_id": answer.json()["lead_id"],
        "client_id": 1,
        "channel": "form",
        "lead_source": "WebSite",
        "name": "Ana",
        "email": person.email,
        "phone": None,
        "ip": person.ip,
        "utm_source": "x",
        "budget": "2m",
        "rooms": "[2,3]",
    }
    assert {name: body[name] for name in expected} == expected
    nested = [name for name, value in body.items() if isinstance(value, dict | list)]
    assert nested == ["suspicion_reasons"]


def test_lead_when_stored_is_counted_by_its_channel(shared: SharedServer, person: Person) -> None:
    form, api = (shared.counter(LEADS, channel=channel) for channel in ("form", "api"))
    person.lead()
    person.lead({"SOURCE": "Facebook"})
    assert shared.counter(LEADS, channel="form") == form + 1
    assert shared.counter(LEADS, channel="api") == api + 1


@pytest.mark.parametrize(
    ("given", "kept"),
    [("yes", 1), (True, 1), ("granted", 1), ("no", 0), (False, 0), ("perhaps", None), (None, None)],
)
def test_consent_when_given_is_kept_as_yes_no_or_unknown(
    shared: SharedServer, person: Person, given: object, kept: int | None
) -> None:
    answer = person.lead({"__consent": given})
    assert shared.lead_row(answer)["Consent"] == kept
    assert shared.webhook(answer)["consent"] is (None if kept is None else bool(kept))


@pytest.mark.parametrize("fields", [{"email": ""}, {"email": None}, {"email": {"a": 1}}])
def test_lead_without_email_and_phone_is_refused_naming_both(
    shared: SharedServer, person: Person, fields: dict[str, Any]
) -> None:
    before = shared.stored()
    answer = person.lead({"name": "Ana", **fields})
    assert fields_at_fault(answer, 422) == ["email", "phone"]
    assert shared.stored() == before


@pytest.mark.parametrize(
    ("fields", "column", "kept"),
    [
        ({"email": "ana at example"}, "Email", "ana at example"),
        ({"email": "", "phone": "call me"}, "Phone", "call me"),
        ({"email": "", "phone": 442079460123}, "Phone", "442079460123"),
        ({"__visitor_id": "a b"}, "VisitorId", None),
        ({"__visitor_id": "x" * 129}, "VisitorId", None),
        ({"__submission_id": "a b"}, "IdempotencyKey", None),
    ],
)
def test_lead_with_a_malformed_value_is_stored_all_the_same(
    shared: SharedServer, person: Person, fields: dict[str, Any], column: str, kept: str | None
) -> None:
    assert shared.lead_row(person.lead(fields))[column] == kept


@pytest.mark.parametrize(
    ("fields", "page_url"),
    [
        ({}, "https://www.example.com/from"),
        ({"page_url": "https://x.example/"}, "https://x.example/"),
    ],
)
def test_page_of_a_lead_is_its_field_else_the_referer(
    shared: SharedServer, person: Person, fields: dict[str, str], page_url: str
) -> None:
    answer = person.lead(fields, referer="https://www.example.com/from")
    assert shared.lead_row(answer)["PageUrl"] == page_url


def test_page_of_a_partners_lead_is_never_the_referer(shared: SharedServer, person: Person) -> None:
    answer = person.lead(key=shared.keys.write, referer="https://crm.example/")
    assert shared.lead_row(answer)["PageUrl"] is None


@pytest.mark.parametrize(
    ("fields", "source"),
    [
        ({}, "ads"),
        ({"page_url": "https://x.example/?utm_source=page"}, "page"),
        ({"page_url": "https://x.example/?utm_source=page", "utm_source": "field"}, "field"),
    ],
)
def test_campaign_of_a_lead_is_its_own_else_its_pages_else_its_visits(
    shared: SharedServer, person: Person, fields: dict[str, str], source: str
) -> None:
    person.track(person.view(url="https://www.example.com/?utm_source=ads"))
    assert shared.lead_row(person.tracked_lead(fields))["UtmSource"] == source


# --- its source ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "key", "source", "channel"),
    [
        ({}, "", "WebSite", "form"),
        ({"SOURCE": ""}, "", "WebSite", "form"),
        ({"SOURCE": "WebSite"}, "", "WebSite", "form"),
        ({"SOURCE": "Facebook"}, "", "Facebook", "api"),
        ({"source": " WhatsApp "}, "", "WhatsApp", "api"),
        ({}, "write", "WebSite", "api"),
        ({"lead_source": "JustLead"}, "write", "JustLead", "api"),
        ({"SOURCE": "Facebook", "__visitor_id": "v"}, "", "Facebook", "form"),
        ({"SOURCE": ["WebSite", "WebSite"]}, "", "WebSite", "form"),
    ],
)
def test_source_of_a_lead_is_what_it_says_else_website(
    shared: SharedServer,
    person: Person,
    fields: dict[str, Any],
    key: str,
    source: str,
    channel: str,
) -> None:
    answer = person.lead(fields, key=getattr(shared.keys, key) if key else "")
    row = shared.lead_row(answer)
    assert (row["LeadSource"], row["Channel"]) == (source, channel)
    assert shared.webhook(answer)["lead_source"] == source


# --- whose it is --------------------------------------------------------------


@pytest.mark.parametrize(
    ("site", "origin", "key", "client_id"),
    [
        (OTHER_SITE, "", "", OTHER_CLIENT),
        ("demo", OTHER_ORIGIN, "", 1),
        ("", OTHER_ORIGIN, "", OTHER_CLIENT),
        ("no-such-site", OTHER_ORIGIN, "", OTHER_CLIENT),
        ("no-such-site", "", "", 1),
        ("", UNLISTED_ORIGIN, "", 1),
        ("", "", "others_write", OTHER_CLIENT),
        (LISTED_SITE, LISTED_ORIGIN, "others_write", OTHER_CLIENT),
        (OTHER_SITE, OTHER_ORIGIN, "write", 1),
    ],
)
def test_lead_by_key_then_site_then_origin_belongs_to_that_client_else_to_the_first(
    shared: SharedServer, person: Person, site: str, origin: str, key: str, client_id: int
) -> None:
    headers = {"origin": origin} if origin else {}
    secret = getattr(shared.keys, key) if key else ""
    answer = person.lead({"__site": site}, key=secret, **headers)
    assert shared.lead_row(answer)["ClientId"] == client_id


def test_site_of_a_lead_when_its_field_is_named_plainly_is_understood(
    shared: SharedServer, person: Person
) -> None:
    assert shared.lead_row(person.lead({"site": OTHER_SITE}))["ClientId"] == OTHER_CLIENT


def test_site_of_a_lead_when_its_field_comes_twice_is_understood(
    shared: SharedServer, person: Person
) -> None:
    answer = person.lead({"__site": [OTHER_SITE, OTHER_SITE]})
    assert shared.lead_row(answer)["ClientId"] == OTHER_CLIENT


def test_lead_of_a_client_reaches_that_clients_webhook_only(
    shared: SharedServer, person: Person
) -> None:
    theirs, ours = person.lead({"__site": OTHER_SITE}), person.lead()
    assert shared.webhook(theirs)["client_id"] == OTHER_CLIENT
    assert shared.webhook(ours)["client_id"] == 1
    theirs_id, ours_id = theirs.json()["lead_id"], ours.json()["lead_id"]
    assert theirs_id not in [request.body["lead_id"] for request in shared.receiver.requests]
    assert ours_id not in [request.body["lead_id"] for request in shared.others_receiver.requests]


def test_phone_without_a_country_is_read_by_its_clients_region(
    shared: SharedServer, person: Person
) -> None:
    ours = shared.lead_row(person.lead({"phone": "020 7946 0456"}))
    theirs = shared.lead_row(person.lead({"phone": "020 7946 0456", "__site": OTHER_SITE}))
    assert (ours["PhoneE164"], theirs["PhoneE164"]) == (None, "+442079460456")


def test_client_and_site_when_added_while_running_are_taken_up(
    shared: SharedServer, person: Person
) -> None:
    settings = shared.server.settings
    added = propgauge("client", "add", "Third", settings=settings)
    client_id = int(added.stdout.split()[-1])
    site = propgauge("site", "add", "third", "--client", str(client_id), settings=settings)
    assert site.returncode == 0, site.stderr

    def taken_up() -> int | None:
        found = shared.lead_row(person.lead({"__site": "third"}))["ClientId"]
        return client_id if found == client_id else None

    assert eventually(taken_up) == client_id


# --- api keys -----------------------------------------------------------------


@pytest.mark.parametrize("key", ["write", "admin"])
def test_lead_with_a_key_is_answered_with_its_scores(
    shared: SharedServer, person: Person, key: str
) -> None:
    person.visit(seconds=300, scroll=100, clicks=5)
    answer = person.lead({"__visitor_id": person.visitor}, key=getattr(shared.keys, key))
    assert answer.json() == {
        "ok": True,
        "lead_id": shared.lead_row(answer)["PublicId"],
        "engagement_score": 65,
        "engagement_label": "Hot",
        "engagement_available": True,
        "recommended_action": "Read the page, looked at details — call within 2h",
        "suspicion_score": 0,
        "suspicion_label": "Low",
        "suspicion_reasons": [],
    }


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("Bearer nonsense", 401),
        ("Bearer", 401),
        ("Basic dXNlcjpwYXNz", 401),
        ("ä", 401),
    ],
)
def test_lead_with_a_bad_key_is_unauthorized_and_not_stored(
    shared: SharedServer, person: Person, authorization: str, status: int
) -> None:
    headers = {b"authorization": authorization.encode("latin-1")}
    answer = shared.http.post("/api/lead", json={"email": person.email}, headers=headers)
    problem_of(answer, status)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert person.lead_rows() == []


def test_lead_with_a_read_key_is_forbidden_and_not_stored(
    shared: SharedServer, person: Person
) -> None:
    problem_of(person.lead(key=shared.keys.read), 403)
    assert person.lead_rows() == []


def test_lead_with_a_revoked_key_is_unauthorized(shared: SharedServer, person: Person) -> None:
    secret = new_key()
    shared.execute(
        "INSERT INTO api_keys (name, key_hash, client_id, scope, created_at)"
        " VALUES ('short-lived', ?, 1, 'write', '')",
        (hash_of_key(secret),),
    )
    assert person.lead(key=secret).status_code == 201
    shared.execute("UPDATE api_keys SET revoked_at = 'now' WHERE name = 'short-lived'")
    problem_of(person.lead(key=secret), 401)


# --- dry run ------------------------------------------------------------------


@pytest.mark.parametrize("query", ["?dry_run=1", "?dry_run=true"])
def test_dry_run_with_a_key_scores_and_stores_nothing(
    shared: SharedServer, person: Person, query: str
) -> None:
    person.visit(seconds=100)
    before = shared.stored()
    fields = {
        "__visitor_id": person.visitor,
        "__pg_state": person.page_state(clicks=4),
        "honeypot": "x",
    }
    answer = person.lead(fields, key=shared.keys.write, query=query)
    assert answer.status_code == 200
    scores = answer.json()
    assert (scores["ok"], scores["dry_run"]) == (True, True)
    assert "lead_id" not in scores
    assert (scores["engagement_score"], scores["suspicion_score"]) == (14, 60)
    assert shared.stored() == before


def test_dry_run_with_a_key_validates(shared: SharedServer, person: Person) -> None:
    answer = person.lead({"email": ""}, key=shared.keys.write, query="?dry_run=1")
    assert fields_at_fault(answer, 422) == ["email", "phone"]


def test_dry_run_without_a_key_is_unauthorized(shared: SharedServer, person: Person) -> None:
    before = shared.stored()
    problem_of(person.lead(query="?dry_run=1"), 401)
    assert shared.stored() == before


@pytest.mark.parametrize("query", ["?dry_run=0", "?dry_run=", "?dry_run=false"])
def test_dry_run_when_switched_off_stores(person: Person, query: str) -> None:
    assert person.lead(query=query).status_code == 201
    assert len(person.lead_rows()) == 1


# --- the same submission again ------------------------------------------------


def test_idempotency_key_with_the_same_body_gives_the_same_answer(
    shared: SharedServer, person: Person
) -> None:
    fields = {"name": "Ana", "honeypot": "x"}
    first = person.lead(fields, key=shared.keys.write, idempotency_key=person.visitor)
    again = person.lead(fields, key=shared.keys.write, idempotency_key=person.visitor)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert (again.status_code, again.json()) == (201, first.json())
    assert len(person.lead_rows()) == 1


def test_idempotency_key_when_replayed_delivers_and_counts_once(
    shared: SharedServer, person: Person
) -> None:
    counted = shared.counter(LEADS, channel="form")
    answers = [person.lead(idempotency_key=person.visitor) for _ in range(3)]
    lead_id = answers[0].json()["lead_id"]
    deliveries = shared.server.query("SELECT 1 FROM deliveries WHERE lead_id = ?", (lead_id,))
    assert len(deliveries) == 1
    assert shared.counter(LEADS, channel="form") == counted + 1


def test_idempotency_key_with_another_body_is_refused(person: Person) -> None:
    person.lead({"name": "Ana"}, idempotency_key=person.visitor)
    answer = person.lead({"name": "Eva"}, idempotency_key=person.visitor)
    assert fields_at_fault(answer, 422) == ["Idempotency-Key"]
    assert [row["Name"] for row in person.lead_rows()] == ["Ana"]


def test_idempotency_key_with_the_same_fields_in_another_encoding_is_a_replay(
    shared: SharedServer, person: Person
) -> None:
    first = person.lead({"name": "Ana"}, idempotency_key=person.visitor)
    files = {"email": (None, person.email), "name": (None, "Ana")}
    headers = person.headers(idempotency_key=person.visitor)
    again = shared.http.post("/api/lead", files=files, headers=headers)
    assert again.json() == first.json()


def test_idempotency_key_when_sent_at_once_stores_one_lead(person: Person) -> None:
    answers = at_once(lambda _number: person.lead(idempotency_key=person.visitor))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["lead_id"] for answer in answers}) == 1
    assert replayed(answers) == AT_ONCE - 1
    assert len(person.lead_rows()) == 1


def test_idempotency_key_when_sent_at_once_with_other_bodies_stores_one_lead(
    person: Person,
) -> None:
    answers = at_once(
        lambda number: person.lead({"name": f"n{number}"}, idempotency_key=person.visitor)
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [422] * (AT_ONCE - 1)
    assert len(person.lead_rows()) == 1


def test_idempotency_key_of_another_api_key_is_another_scope(
    shared: SharedServer, person: Person
) -> None:
    keys = ("", shared.keys.write, shared.keys.admin, shared.keys.others_write)
    answers = [person.lead(key=key, idempotency_key=person.visitor) for key in keys]
    assert len({answer.json()["lead_id"] for answer in answers}) == len(keys)
    assert replayed(answers) == 0


def test_idempotency_key_of_another_client_is_another_scope(person: Person) -> None:
    answers = [
        person.lead({"__site": site}, idempotency_key=person.visitor)
        for site in ("demo", OTHER_SITE)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert replayed(answers) == 0


def test_idempotency_key_after_a_refusal_is_still_free(person: Person) -> None:
    fields_at_fault(person.lead({"email": ""}, idempotency_key=person.visitor), 422)
    answer = person.lead(idempotency_key=person.visitor)
    assert answer.status_code == 201
    assert replayed([answer]) == 0


@pytest.mark.parametrize("field", ["Idempotency-Key", "__submission_id"])
def test_repetition_after_7_days_is_a_new_lead(
    shared: SharedServer, person: Person, field: str
) -> None:
    def send() -> httpx.Response:
        if field == "Idempotency-Key":
            return person.lead(idempotency_key=person.visitor)
        return person.lead({field: person.visitor})

    send()
    eight_days_ago = "strftime('%Y-%m-%dT%H:%M:%fZ', CreatedAt, '-8 days')"
    shared.execute(
        f"UPDATE Leads SET CreatedAt = {eight_days_ago} WHERE Email = ?", (person.email,)
    )
    assert replayed([send()]) == 0
    assert len(person.lead_rows()) == 2


@pytest.mark.parametrize(("length", "status"), [(255, 201), (256, 422)])
def test_idempotency_key_up_to_255_characters_is_taken(
    person: Person, length: int, status: int
) -> None:
    answer = person.lead(idempotency_key=person.visitor.ljust(length, "x"))
    assert answer.status_code == status
    if status == 422:
        assert fields_at_fault(answer, 422) == ["Idempotency-Key"]


def test_submission_id_on_a_second_click_is_the_same_lead(person: Person) -> None:
    first, again = (
        person.lead({"__submission_id": person.visitor, "timeToSubmit": taken})
        for taken in (9_000, 9_400)
    )
    assert again.json() == first.json()
    assert replayed([first, again]) == 1
    assert len(person.lead_rows()) == 1


def test_submission_id_on_a_double_click_stores_one_lead(person: Person) -> None:
    answers = at_once(
        lambda number: person.lead({"__submission_id": person.visitor, "timeToSubmit": number})
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["lead_id"] for answer in answers}) == 1
    assert replayed(answers) == AT_ONCE - 1
    assert len(person.lead_rows()) == 1


def test_submission_id_of_another_client_is_another_lead(person: Person) -> None:
    sites = ("demo", OTHER_SITE)
    answers = [person.lead({"__submission_id": person.visitor, "__site": site}) for site in sites]
    assert replayed(answers) == 0
    assert len(person.lead_rows()) == 2


# --- when the webhook cannot take it ------------------------------------------


def test_lead_when_the_webhook_is_down_is_stored_and_waits_to_be_delivered(
    shared: SharedServer, person: Person
) -> None:
    lead_id = shared.lead_row(person.lead({"__site": DEAD_SITE}))["PublicId"]

    def tried() -> dict[str, Any] | None:
        rows = shared.server.query("SELECT * FROM deliveries WHERE lead_id = ?", (lead_id,))
        return rows[0] if rows[0]["attempts"] else None

    waiting = eventually(tried)
    assert waiting["state"] == "pending"
    assert waiting["due_at"] > waiting["created_at"]


def test_lead_when_its_client_has_no_webhook_is_stored_with_a_delivery_to_replay(
    shared: SharedServer, person: Person
) -> None:
    lead_id = shared.lead_row(person.lead({"__site": SILENT_SITE}))["PublicId"]
    (row,) = shared.server.query("SELECT state FROM deliveries WHERE lead_id = ?", (lead_id,))
    assert row["state"] == "not_configured"
