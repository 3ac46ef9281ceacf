"""API keys in the dashboard: created, shown once, used, revoked."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import httpx
import pytest

from tests.dashboard import BOUNDED_ADMIN, SALES, Dashboard, unique
from tests.integration.test_dashboard_sites import HUGE, XSS, described


def create(dashboard: Dashboard, **fields: str) -> tuple[str, str]:
    """A new key of client 1: its name and the key itself."""
    name = fields.setdefault("name", unique("key"))
    answer = dashboard.desk().post("/clients/1/keys", {"scope": "write", **fields})
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    found = re.search(r'id="secret"[^>]* value="(pg_[A-Za-z0-9_-]+)"', answer.text)
    assert found
    return name, found[1]


def lead(dashboard: Dashboard, key: str, body: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}"}
    return dashboard.server.client.post("/api/lead", json=body, headers=headers)


def key_id(dashboard: Dashboard, name: str) -> int:
    (found,) = dashboard.server.query("SELECT id FROM api_keys WHERE name = ?", (name,))
    number: int = found["id"]
    return number


def test_key_when_created_is_shown_once_and_stored_as_its_hash(dashboard: Dashboard) -> None:
    name, secret = create(dashboard)
    page = dashboard.desk().get("/clients/1/keys").text
    assert name in page
    assert secret not in page
    (stored,) = dashboard.server.query("SELECT * FROM api_keys WHERE name = ?", (name,))
    assert secret not in str(stored)
    (entry,) = dashboard.server.query("SELECT * FROM audit_trail WHERE subject = ?", (name,))
    assert entry["action"] == "key_created"
    assert secret not in str(entry)


def test_key_when_used_maps_fields_and_its_use_is_listed(dashboard: Dashboard) -> None:
    mapping = "email=person.mail\n\n  phone = person.tel  "
    name, secret = create(dashboard, mapping=mapping)
    page = dashboard.desk().get("/clients/1/keys").text
    assert "never seen" in page[page.index(name) :].split("</tr>")[0]
    answer = lead(dashboard, secret, {"SOURCE": "x", "person": {"mail": f"{name}@example.com"}})
    assert answer.status_code == 201
    (stored,) = dashboard.server.query(
        "SELECT ClientId FROM Leads WHERE Email = ?", (f"{name}@example.com",)
    )
    assert stored["ClientId"] == 1
    shown = dashboard.desk().get("/clients/1/keys").text
    of_key = shown[shown.index(name) :].split("</tr>")[0]
    assert "just now" in of_key
    assert "phone = person.tel" in of_key


def test_key_when_revoked_opens_nothing_and_leaves_the_list(dashboard: Dashboard) -> None:
    name, secret = create(dashboard)
    answer = dashboard.desk().post(f"/clients/1/keys/{key_id(dashboard, name)}/revoke")
    assert answer.headers["location"] == "/clients/1/keys"
    assert lead(dashboard, secret, {"email": "a@example.com"}).status_code == 401
    page = dashboard.desk().get("/clients/1/keys").text
    assert f"<strong>{name}</strong> revoked by admin@localhost" in page
    assert f"Revoke {name}" not in page
    again = dashboard.desk().post(f"/clients/1/keys/{key_id(dashboard, name)}/revoke")
    assert again.status_code == 404


def map_key(dashboard: Dashboard, name: str, mapping: str, known: str = "") -> httpx.Response:
    place = f"/clients/1/keys/{key_id(dashboard, name)}/mapping"
    return dashboard.desk().post(place, {"mapping": mapping, "known": known})


def test_mapping_of_a_key_when_changed_holds_for_the_next_lead_and_is_kept_in_the_trail(
    dashboard: Dashboard,
) -> None:
    name, secret = create(dashboard, mapping="email=mail")
    place = f"/clients/1/keys/{key_id(dashboard, name)}/mapping"
    page = dashboard.desk().get(place).text
    assert "email=mail</textarea>" in page
    changed = map_key(dashboard, name, "email = person.mail\r\nphone=person.tel", "email=mail")
    assert changed.headers["location"] == "/clients/1/keys"
    mail = f"{name}@example.com"
    assert lead(dashboard, secret, {"SOURCE": "x", "person": {"mail": mail}}).status_code == 201
    assert dashboard.server.query("SELECT 1 AS one FROM Leads WHERE Email = ?", (mail,))
    kept = dashboard.server.query(
        "SELECT actor, details FROM audit_trail WHERE subject = ? AND action = 'key_mapped'",
        (name,),
    )
    (entry,) = kept
    assert entry["actor"] == "admin@localhost"
    assert json.loads(entry["details"]) == {
        "from": {"email": "mail"},
        "to": {"email": "person.mail", "phone": "person.tel"},
    }
    listed = dashboard.desk().get("/clients/1/keys").text
    assert f"<strong>{name}</strong> mapped anew by admin@localhost" in listed


@pytest.mark.parametrize(
    ("mapping", "message"),
    [("email", "Line 1 has no"), ("a=b\nemail=[[", "Line 2: email"), (XSS, "Line 1")],
    ids=lambda value: str(value)[:30],
)
def test_mapping_of_a_key_that_cannot_be_is_told_beside_it_and_not_stored(
    dashboard: Dashboard, mapping: str, message: str
) -> None:
    name, _secret = create(dashboard)
    answer = map_key(dashboard, name, mapping)
    assert answer.status_code == 422
    assert message in described(answer.text, "mapping")
    assert "<script>alert" not in answer.text
    (stored,) = dashboard.server.query("SELECT * FROM api_keys WHERE name = ?", (name,))
    assert stored["field_mapping"] == "{}"


def test_mapping_that_another_changed_meanwhile_is_told_and_not_lost(dashboard: Dashboard) -> None:
    name, _secret = create(dashboard, mapping="email=a")
    assert map_key(dashboard, name, "email=b", "email=a").status_code == 303
    stale = map_key(dashboard, name, "email=c", "email=a")
    assert stale.status_code == 422
    assert "was changed meanwhile" in described(stale.text, "mapping")
    assert "email=c</textarea>" in stale.text
    assert 'name="known" value="email=b"' in stale.text


def test_mapping_of_a_revoked_key_or_of_another_client_is_not_there(dashboard: Dashboard) -> None:
    name, others = unique("revoked"), unique("others")
    create(dashboard, name=name)
    dashboard.desk().post(f"/clients/1/keys/{key_id(dashboard, name)}/revoke")
    dashboard.desk().post("/clients/2/keys", {"name": others, "scope": "write"})
    for one in (name, others):
        assert map_key(dashboard, one, "email=a").status_code == 404
        (stored,) = dashboard.server.query("SELECT * FROM api_keys WHERE name = ?", (one,))
        assert stored["field_mapping"] == "{}"


@pytest.mark.parametrize(("scope", "example"), [("write", "dry_run=1"), ("read", "limit=5")])
def test_example_of_a_new_key_does_what_its_scope_allows(
    dashboard: Dashboard, scope: str, example: str
) -> None:
    desk = dashboard.desk()
    answer = desk.post("/clients/1/keys", {"name": unique("key"), "scope": scope})
    found = re.search(r'<code id="example">(.*?)</code>', answer.text, re.DOTALL)
    assert found
    command = unescape(found[1])
    url = re.search(r"curl (\S+)", command)
    token = re.search(r"Bearer (\S+)'", command)
    assert url
    assert token
    assert example in url[1]
    headers, client = {"authorization": f"Bearer {token[1]}"}, dashboard.server.client
    body = re.search(r"-d '(.*)'", command)
    if body:
        headers["content-type"] = "application/json"
        assert client.post(url[1], content=body[1], headers=headers).status_code == 200
    else:
        assert client.get(url[1], headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"name": ""}, "name", "is missing"),
        ({"name": HUGE}, "name", "more than 80"),
        ({"mapping": "email"}, "mapping", "Line 1 has no"),
        ({"mapping": "a=b\nemail=[["}, "mapping", "Line 2: email"),
        ({"mapping": "e mail=a"}, "mapping", "no name of a field"),
        ({"mapping": "email=a\nemail=b"}, "mapping", "Line 2 tells email a second time"),
        ({"mapping": "email="}, "mapping", "Line 1"),
        ({"mapping": XSS}, "mapping", "Line 1"),
        ({"mapping": HUGE}, "mapping", "Line 1"),
        ({"mapping": "\n".join(f"f{n}=a" for n in range(201))}, "mapping", "more than 200"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_key_with_a_wrong_field_is_told_beside_it_and_not_made(
    dashboard: Dashboard, fields: dict[str, str], field: str, message: str
) -> None:
    form = {"name": unique("wrong"), "scope": "write", **fields}
    answer = dashboard.desk().post("/clients/1/keys", form)
    assert answer.status_code == 422
    assert message in described(answer.text, field)
    assert "<script>alert" not in answer.text
    made = dashboard.server.query("SELECT 1 FROM api_keys WHERE name = ?", (form["name"],))
    assert made == []


@pytest.mark.parametrize("scope", ["", "root", HUGE])
def test_key_of_no_known_scope_is_refused(dashboard: Dashboard, scope: str) -> None:
    answer = dashboard.desk().post("/clients/1/keys", {"name": "Key", "scope": scope})
    assert answer.status_code == 422
    assert 'id="e-scope">is to be chosen' in answer.text


def test_key_whose_name_is_markup_is_shown_as_text(dashboard: Dashboard) -> None:
    create(dashboard, name=f"{XSS[:50]}{unique('')}")
    page = dashboard.desk().get("/clients/1/keys").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_key_of_another_client_cannot_be_seen_or_revoked(dashboard: Dashboard) -> None:
    name = unique("others")
    dashboard.desk().post("/clients/2/keys", {"name": name, "scope": "read"})
    number = key_id(dashboard, name)
    for email in ("admin@localhost", BOUNDED_ADMIN):
        desk = dashboard.desk(email)
        assert name not in desk.get("/clients/1/keys").text
        assert desk.post(f"/clients/1/keys/{number}/revoke").status_code == 404
    (stored,) = dashboard.server.query("SELECT * FROM api_keys WHERE name = ?", (name,))
    assert stored["revoked_at"] is None


def test_keys_for_sales_are_refused(dashboard: Dashboard) -> None:
    assert dashboard.desk(SALES).get("/clients/1/keys").status_code == 403
    assert dashboard.desk(SALES).post("/clients/1/keys", {"name": "x"}).status_code == 403
