"""The way in over HTTP: cookies, where one goes on, the end of sessions, the first admin."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.dashboard import ADMIN, PASSWORD, SALES, SECRET_KEY, Dashboard, Desk, running_dashboard
from tests.integration.http_fixtures import eventually
from tests.running import RunningServer


def sign_in(desk: Desk, **fields: str) -> httpx.Response:
    """Post the sign-in form with further fields."""
    return desk.http.post("/sign-in", data={"email": desk.email, "password": PASSWORD, **fields})


def cookie_of(answer: httpx.Response) -> list[str]:
    """The session cookie as it is set, in its parts."""
    (found,) = [one for one in answer.headers.get_list("set-cookie") if "propgauge=" in one]
    return found.split("; ")


def test_session_cookie_over_http_is_hidden_from_scripts_and_other_sites(
    dashboard: Dashboard,
) -> None:
    name, *flags = cookie_of(sign_in(dashboard.stranger()))
    assert name.startswith("propgauge=")
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(flags)
    assert "Secure" not in flags


def test_session_cookie_over_https_is_bound_to_its_host(tmp_path: Path) -> None:
    with running_dashboard(tmp_path / "data", {"PUBLIC_URL": "https://desk.example.com"}) as ours:
        stranger = ours.stranger()
        answer = sign_in(stranger)
        name, *flags = cookie_of(answer)
        assert name.startswith("__Host-propgauge=")
        assert {"HttpOnly", "Path=/", "SameSite=lax", "Secure"} <= set(flags)
        assert not any(flag.startswith("Domain") for flag in flags)
        left = stranger.http.get("/account", headers={"cookie": name})
        assert left.status_code == 200
        origin = {"origin": "https://desk.example.com", "cookie": name}
        found = re.search(r'name="_csrf" value="([0-9a-f]+)"', left.text)
        assert found
        ended = stranger.http.post("/sign-out", data={"_csrf": found[1]}, headers=origin)
        assert ended.status_code == 303
        assert cookie_of(ended)[0] == '__Host-propgauge=""'


def test_signing_in_again_gives_a_new_token_and_ends_the_old_session(dashboard: Dashboard) -> None:
    desk = dashboard.stranger(SALES)
    first = cookie_of(sign_in(desk))[0]
    second = cookie_of(sign_in(desk))[0]
    assert first != second
    stranger = dashboard.stranger()
    assert stranger.http.get("/account", headers={"cookie": first}).status_code == 303
    assert stranger.http.get("/account", headers={"cookie": second}).status_code == 200


def test_session_of_a_token_from_elsewhere_is_never_opened(dashboard: Dashboard) -> None:
    desk = dashboard.stranger()
    desk.http.cookies.set("propgauge", "chosen-by-somebody-else")
    token = cookie_of(sign_in(desk))[0]
    assert "chosen" not in token
    planted = {"cookie": "propgauge=chosen-by-somebody-else"}
    assert dashboard.stranger().http.get("/account", headers=planted).status_code == 303


def test_signing_out_ends_the_session_on_the_server(dashboard: Dashboard) -> None:
    desk = dashboard.stranger(SALES)
    token = cookie_of(sign_in(desk))[0]
    assert desk.post("/sign-out").headers["location"] == "/sign-in"
    left = dashboard.stranger().http.get("/account", headers={"cookie": token})
    assert left.status_code == 303


@pytest.mark.parametrize(
    ("to", "place"),
    [
        ("/users?x=1", "/users?x=1"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("\\\\evil.example", "/"),
        ("/\tevil", "/"),
        (" //evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("evil.example", "/"),
        ("", "/"),
        ("/a\r\nset-cookie: a=b", "/"),
    ],
)
def test_where_one_goes_on_after_signing_in_is_always_here(
    dashboard: Dashboard, to: str, place: str
) -> None:
    desk = dashboard.stranger(SALES)
    answer = sign_in(desk, next=to)
    assert answer.status_code == 303
    assert answer.headers["location"] == place


def test_page_that_asks_to_sign_in_goes_on_where_one_wanted_to(dashboard: Dashboard) -> None:
    desk = dashboard.stranger()
    asked = desk.get("/account", tab="a b").headers["location"]
    page = desk.http.get(asked).text
    assert 'name="next" value="/account?tab=a+b"' in page or "tab=a%20b" in page
    assert "evil" not in desk.http.get("/sign-in?next=//evil.example").text


@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}],
    ids=str,
)
def test_signing_in_from_another_sites_page_is_refused(
    dashboard: Dashboard, headers: dict[str, str]
) -> None:
    fields = {"email": SALES, "password": PASSWORD}
    answer = dashboard.stranger().http.post("/sign-in", data=fields, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "payload", ['"><script>alert(1)</script>', "x" * 65_536, "\x00", "é\ud7ff"]
)
def test_sign_in_form_with_rubbish_is_told_and_shows_it_as_text(
    dashboard: Dashboard, payload: str
) -> None:
    fields = {"email": payload, "password": payload, "next": payload}
    answer = dashboard.stranger().http.post("/sign-in", data=fields)
    assert answer.status_code in (422, 429)
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{}", "application/json"),
        (b"\xff\xfe", "application/x-www-form-urlencoded"),
        (b"a=1&" * 501, "application/x-www-form-urlencoded"),
        (b"--x", "multipart/form-data; boundary=x"),
        (b"x", "multipart/form-data"),
        (b"x" * (2 * 1024 * 1024 + 1), "application/x-www-form-urlencoded"),
        (b"", ""),
    ],
    ids=lambda value: str(value)[:30],
)
def test_sign_in_with_a_body_that_is_no_form_is_a_page_that_says_so(
    dashboard: Dashboard, body: bytes, kind: str
) -> None:
    headers = {"content-type": kind} if kind else {}
    answer = dashboard.stranger().http.post("/sign-in", content=body, headers=headers)
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"].startswith("text/html")


def test_page_of_the_dashboard_is_never_kept_and_carries_its_policy(dashboard: Dashboard) -> None:
    for answer in (dashboard.desk().get("/users"), dashboard.stranger().get("/sign-in")):
        assert answer.headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in answer.headers


def first_password(server: RunningServer) -> str:
    """The password that a start printed, "" when none."""
    found = re.search(r"with password +(\S+)", "".join(server.output))
    return found[1] if found else ""


def enter(server: RunningServer, password: str) -> int:
    fields = {"email": ADMIN, "password": password}
    return server.client.post("/sign-in", data=fields).status_code


def test_first_start_prints_a_password_once_which_opens_and_later_ones_none(
    tmp_path: Path,
) -> None:
    with RunningServer(tmp_path / "data") as server:
        password = eventually(lambda: first_password(server) or None)
        assert enter(server, password) == 303
    with RunningServer(tmp_path / "data", {"ADMIN_PASSWORD": "another long password"}) as server:
        assert enter(server, password) == 303
        assert enter(server, "another long password") == 422
        assert first_password(server) == ""


def test_first_start_with_a_password_of_ones_own_does_not_print_it(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"ADMIN_PASSWORD": PASSWORD, "SECRET_KEY": SECRET_KEY}
    with RunningServer(tmp_path / "data", settings) as server:
        assert enter(server, PASSWORD) == 303
        assert first_password(server) == "ADMIN_PASSWORD"
        assert PASSWORD not in "".join(server.output)
