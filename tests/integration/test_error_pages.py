"""What is not there: a page for people, a problem document for programs."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.requests import Request

from server.app import Propgauge
from server.config import load
from server.store.file import FileStore
from tests.dashboard import Dashboard

PAGE = {"accept": "text/html,application/xhtml+xml"}


def test_unknown_path_for_a_browser_is_a_page_with_the_policy_of_pages(
    dashboard: Dashboard,
) -> None:
    answer = dashboard.stranger().http.get("/no-such-page", headers=PAGE)
    assert answer.status_code == 404
    assert "There is no such page here." in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_unknown_path_for_someone_signed_in_keeps_the_menu(dashboard: Dashboard) -> None:
    answer = dashboard.desk().http.get("/no-such-page", headers=PAGE)
    assert answer.status_code == 404
    assert "Sign out" in answer.text


@pytest.mark.parametrize(
    ("path", "headers"),
    [("/no-such-page", {}), ("/api/no-such-path", PAGE), ("/no-such.js", {"accept": "*/*"})],
)
def test_unknown_path_for_a_program_is_a_problem_document(
    dashboard: Dashboard, path: str, headers: dict[str, str]
) -> None:
    answer = dashboard.stranger().http.get(path, headers=headers)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_method_that_a_page_does_not_take_is_told_as_a_page(dashboard: Dashboard) -> None:
    answer = dashboard.desk().http.get("/sign-out", headers=PAGE)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert "Method Not Allowed" in answer.text


def test_unknown_path_with_markup_in_it_shows_none_of_it(dashboard: Dashboard) -> None:
    answer = dashboard.stranger().http.get("/<script>alert(1)</script>", headers=PAGE)
    assert answer.status_code == 404
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize(
    ("path", "kind"), [("/users", "text/html"), ("/api/leads", "application/problem+json")]
)
async def test_crash_is_told_as_a_page_or_a_document_without_its_cause(
    store: FileStore, tmp_path: Path, path: str, kind: str
) -> None:
    propgauge = Propgauge(load(tmp_path, {"SECRET_KEY": "k" * 32}), store)
    headers = [(b"accept", b"text/html"), (b"host", b"localhost")]
    scope = {"type": "http", "method": "GET", "path": path, "headers": headers, "query_string": b""}
    request = Request({**scope, "server": ("localhost", 80), "scheme": "http", "root_path": ""})
    answer = await propgauge.error_pages.on_crash(request, RuntimeError("a secret"))
    assert answer.status_code == 500
    assert answer.headers["content-type"].startswith(kind)
    assert b"a secret" not in answer.body
