"""Users in the dashboard: added, changed, ended; nobody can lock themselves out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dashboard import ADMIN, PASSWORD, SALES, Dashboard, Desk, unique
from tests.integration.test_dashboard_sites import HUGE, XSS, described


def add(dashboard: Dashboard, **fields: Any) -> tuple[str, int]:
    """A new salesperson of client 1: address and id."""
    email = f"{unique('user')}@example.com"
    form = {"email": email, "password": PASSWORD, "role": "sales", "clients": ["1"], **fields}
    answer = dashboard.desk().post("/users", form)
    assert answer.status_code == 303, answer.text
    return email, int(answer.headers["location"].rsplit("/", 1)[1])


def signed_in(dashboard: Dashboard, email: str, password: str = PASSWORD) -> Desk:
    desk = dashboard.stranger(email)
    assert desk.sign_in(password).status_code == 303
    return desk


def test_user_that_is_added_signs_in_and_sees_their_clients_only(dashboard: Dashboard) -> None:
    email, _ = add(dashboard, clients=["1", "2"])
    page = signed_in(dashboard, email).get("/account").text
    assert "Other Homes" in page
    assert email in dashboard.desk().get("/users").text
    kept = dashboard.server.query("SELECT * FROM audit_trail WHERE subject = ?", (email,))
    assert [one["action"] for one in kept] == ["user_added"]
    assert PASSWORD not in str(kept)
    listed = dashboard.desk().get("/users").text
    assert f"<strong>{email}</strong> added by admin@localhost" in listed


def test_user_that_may_not_sign_in_any_more_is_out_at_once(dashboard: Dashboard) -> None:
    email, number = add(dashboard)
    desk = signed_in(dashboard, email)
    dashboard.desk().post(f"/users/{number}", {"role": "sales", "clients": ["1"]})
    assert desk.get("/account").status_code == 303
    assert desk.sign_in().status_code == 422
    assert "may not sign in" in dashboard.desk().get("/users").text


def test_user_whose_role_is_taken_loses_settings_at_once(dashboard: Dashboard) -> None:
    email, number = add(dashboard, role="admin")
    desk = signed_in(dashboard, email)
    assert desk.get("/clients/1/sites").status_code == 200
    fields = {"role": "sales", "clients": ["1"], "active": "1"}
    dashboard.desk().post(f"/users/{number}", fields)
    assert desk.get("/clients/1/sites").status_code == 403


def test_user_who_is_given_a_password_is_signed_out_and_signs_in_with_it(
    dashboard: Dashboard,
) -> None:
    email, number = add(dashboard)
    desk = signed_in(dashboard, email)
    answer = dashboard.desk().post(f"/users/{number}/password", {"password": "quite another one"})
    assert answer.status_code == 303
    assert desk.get("/account").status_code == 303
    signed_in(dashboard, email, "quite another one")


def test_password_of_ones_own_when_changed_keeps_this_session(dashboard: Dashboard) -> None:
    email, _ = add(dashboard)
    desk = signed_in(dashboard, email)
    wrong = desk.post("/account", {"old_password": "not this one", "password": "quite another one"})
    assert wrong.status_code == 422
    assert "is not your password" in described(wrong.text, "old_password")
    short = desk.post("/account", {"old_password": PASSWORD, "password": "short"})
    assert "at least 12" in described(short.text, "password")
    changed = desk.post("/account", {"old_password": PASSWORD, "password": "quite another one"})
    assert changed.status_code == 303
    assert "Password changed" in desk.get("/account").text
    assert "Password changed" not in desk.get("/account").text


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"email": SALES.upper()}, "email", "signs in here already"),
        ({"email": "nobody"}, "email", "@"),
        ({"email": HUGE}, "email", ""),
        ({"email": XSS}, "email", ""),
        ({"password": "short"}, "password", "at least 12"),
        ({"password": HUGE}, "password", "at most 256"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_user_with_a_wrong_field_is_told_beside_it(
    dashboard: Dashboard, fields: dict[str, str], field: str, message: str
) -> None:
    form = {"email": f"{unique('user')}@example.com", "password": PASSWORD, "role": "admin"}
    answer = dashboard.desk().post("/users", {**form, **fields})
    assert answer.status_code == 422
    assert message in described(answer.text, field)
    assert "<script>alert" not in answer.text
    assert PASSWORD not in answer.text


@pytest.mark.parametrize("clients", [[], ["99"], ["x"], ["-1"]], ids=str)
def test_salesperson_without_a_client_is_refused(dashboard: Dashboard, clients: list[str]) -> None:
    form = {"email": "cy@example.com", "password": PASSWORD, "role": "sales", "clients": clients}
    answer = dashboard.desk().post("/users", form)
    assert answer.status_code == 422
    assert 'id="e-clients">choose at least one' in answer.text


@pytest.mark.parametrize(
    "fields",
    [
        {"role": "admin"},
        {"role": "sales", "clients": ["1"], "active": "1"},
        {"role": "admin", "clients": ["1"], "active": "1"},
    ],
    ids=str,
)
def test_admin_cannot_take_their_own_access(dashboard: Dashboard, fields: dict[str, Any]) -> None:
    (admin,) = dashboard.server.query("SELECT id FROM users WHERE email = ?", (ADMIN,))
    answer = dashboard.desk().post(f"/users/{admin['id']}", fields)
    assert answer.status_code == 422
    assert "cannot be taken from yourself" in answer.text
    assert dashboard.desk().get("/users").status_code == 200


@pytest.mark.parametrize(
    "path", ["/users/999", "/users/999/password", "/users/0", f"/users/{10**30}"]
)
def test_user_who_is_not_there_is_a_page_that_says_so(dashboard: Dashboard, path: str) -> None:
    assert dashboard.desk().post(path, {"role": "admin"}).status_code == 404
