"""PATCH /api/leads/{lead_id}: what a partner's system tells of a lead."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.integration.http_fixtures import Person, SharedServer
from tests.integration.test_api_reference_http import assert_documented

PATH = "/api/leads/{lead_id}"


def patch(
    shared: SharedServer, lead_id: str, body: Any, key: str = "", **options: Any
) -> httpx.Response:
    headers = {"authorization": f"Bearer {key or shared.keys.write}"}
    asked = {"json": body} if "content" not in options else {}
    answer = shared.http.patch(f"/api/leads/{lead_id}", headers=headers, **asked, **options)
    assert_documented("PATCH", PATH, answer)
    return answer


@pytest.fixture
def lead_id(person: Person) -> str:
    """A lead of client 1."""
    answer = person.shared.http.post("/api/lead", json={"email": person.email})
    return str(answer.json()["lead_id"])


def test_patch_of_a_status_is_kept_with_time_and_first_contact(
    shared: SharedServer, lead_id: str
) -> None:
    answer = patch(shared, lead_id, {"status": "won", "note": "Reserved 12B"})
    told = answer.json()
    assert (told["status"], told["changed"]) == ("won", ["status", "note"])
    assert told["status_at"] == told["first_contact_at"]
    changes = shared.server.query(
        "SELECT actor, kind, new_value FROM lead_changes WHERE lead_id = ? ORDER BY id", [lead_id]
    )
    assert [change["new_value"] for change in changes] == ["won", "Reserved 12B"]
    assert changes[0]["actor"].startswith("API key ")


def test_patch_of_an_owner_names_a_user_who_sees_the_client_or_nobody(
    shared: SharedServer, lead_id: str
) -> None:
    assert patch(shared, lead_id, {"owner": "admin@localhost"}).json()["owner"] == "admin@localhost"
    assert patch(shared, lead_id, {"note": "kept"}).json()["owner"] == "admin@localhost"
    assert patch(shared, lead_id, {"owner": None}).json()["owner"] is None
    assert patch(shared, lead_id, {"owner": "nobody@example.com"}).status_code == 422


def test_patch_that_says_nothing_new_changes_nothing(shared: SharedServer, lead_id: str) -> None:
    patch(shared, lead_id, {"status": "viewing"})
    before = shared.server.query("SELECT * FROM Leads WHERE PublicId = ?", [lead_id])
    assert patch(shared, lead_id, {"status": "viewing"}).json()["changed"] == []
    assert patch(shared, lead_id, {}).json()["changed"] == []
    assert shared.server.query("SELECT * FROM Leads WHERE PublicId = ?", [lead_id]) == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"status": "sold"}, "status"),
        ({"status": 1}, "status"),
        ({"note": "x" * 4_001}, "note"),
        ({"owner": "x" * 300}, "owner"),
        ({"Status": "won"}, "Status"),
        ([], "body"),
        ("won", "body"),
    ],
)
def test_patch_with_a_wrong_field_is_refused_by_its_name(
    shared: SharedServer, lead_id: str, body: Any, field: str
) -> None:
    answer = patch(shared, lead_id, body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
    assert shared.server.query("SELECT 1 FROM lead_changes WHERE lead_id = ?", [lead_id]) == []


@pytest.mark.parametrize(("content", "status"), [(b"{", 400), (b" " * 70_000, 413)])
def test_patch_with_a_body_that_cannot_be_read_is_refused(
    shared: SharedServer, lead_id: str, content: bytes, status: int
) -> None:
    assert patch(shared, lead_id, None, content=content).status_code == status


def test_patch_of_another_clients_lead_is_of_none(shared: SharedServer, lead_id: str) -> None:
    answer = patch(shared, lead_id, {"status": "won"}, shared.keys.others_write)
    assert answer.status_code == 404
    assert patch(shared, "lead_nobody", {"status": "won"}).status_code == 404


def test_patch_with_a_key_that_may_only_read_or_without_one_is_refused(
    shared: SharedServer, lead_id: str
) -> None:
    assert patch(shared, lead_id, {"status": "won"}, shared.keys.read).status_code == 403
    answer = shared.http.patch(f"/api/leads/{lead_id}", json={"status": "won"})
    assert answer.status_code == 401
    assert_documented("PATCH", PATH, answer)
