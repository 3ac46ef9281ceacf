"""What is not there: a page for people, a problem document for programs."""

from __future__ import annotations

import pytest

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
