"""Every route of the application: who may come, walked from the routes themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping

import httpx
import pytest
from starlette.convertors import IntegerConvertor
from starlette.routing import BaseRoute, Route

from server.app import Propgauge
from server.config import load
from server.store.file import FileStore
from server.web.access import Access
from tests.dashboard import ADMIN, BOUNDED_ADMIN, OTHER_CLIENT, OTHERS_SALES, SALES, Dashboard, Desk

SAFE = {"GET", "HEAD"}
OF_PEOPLE = {Access.SIGNED_IN, Access.ADMIN, Access.ALL_CLIENTS}
OPEN_TO_POSTS = {"/api/lead", "/demo/webhook", "/api/v1/leadscoring/webhook"}
"""The only public paths that change anything."""

Target = tuple[str, str]
"""Method and path."""


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> list[BaseRoute]:
    """All routes of a server as it starts."""
    folder = tmp_path_factory.mktemp("routes")

    async def build() -> list[BaseRoute]:
        store = FileStore.open(folder / "propgauge.db")
        try:
            return Propgauge(load(folder, {"SECRET_KEY": "k" * 32}), store)._routes()
        finally:
            await store.close()

    return asyncio.run(build())


def access_of(route: BaseRoute) -> Access | None:
    return getattr(route, "access", None)


def targets(
    routes: Iterable[BaseRoute],
    kinds: Iterable[Access],
    client_id: int = 1,
    number: int = 987654321,
) -> Iterator[Target]:
    """Each method and path of the routes of some kinds; ids in them name nothing that is there."""
    wanted = set(kinds)
    for route in routes:
        if isinstance(route, Route) and access_of(route) in wanted:
            filled = {
                name: str(number) if isinstance(convertor, IntegerConvertor) else "x"
                for name, convertor in route.param_convertors.items()
            }
            path = route.path_format.format(**{**filled, "client_id": client_id})
            for method in sorted((route.methods or set()) - {"HEAD"}):
                yield method, path


def unsafe(found: Iterable[Target]) -> list[Target]:
    return [target for target in found if target[0] not in SAFE]


def ask(desk: Desk, target: Target, csrf: str = "", **headers: str) -> httpx.Response:
    method, path = target
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    data = {"_csrf": csrf} if method not in SAFE else None
    return desk.http.request(method, path, data=data, headers=named)


def others(
    desk: Desk, found: Iterable[Target], status: int, headers: Mapping[str, str] | None = None
) -> list[str]:
    """Which of the targets answer someone, with a token that fits, by another status."""
    csrf = desk.csrf()
    answers = [(target, ask(desk, target, csrf, **(headers or {}))) for target in found]
    assert answers
    return [
        f"{target}: {answer.status_code}"
        for target, answer in answers
        if answer.status_code != status
    ]


def test_route_of_any_kind_declares_who_may_come(routes: list[BaseRoute]) -> None:
    undeclared = [route for route in routes if not isinstance(access_of(route), Access)]
    assert undeclared == []


def test_public_routes_that_change_anything_are_the_known_ones(routes: list[BaseRoute]) -> None:
    changing = unsafe(targets(routes, [Access.PUBLIC]))
    assert {path for method, path in changing if method != "OPTIONS"} <= OPEN_TO_POSTS


def test_page_for_a_stranger_leads_to_sign_in(
    routes: list[BaseRoute], dashboard: Dashboard
) -> None:
    stranger = dashboard.stranger()
    for target in targets(routes, OF_PEOPLE):
        answer = ask(stranger, target)
        assert answer.status_code == 303, target
        assert answer.headers["location"].startswith("/sign-in"), target


def test_page_for_a_stranger_by_htmx_leads_the_whole_window_to_sign_in(
    routes: list[BaseRoute], dashboard: Dashboard
) -> None:
    stranger = dashboard.stranger()
    for target in targets(routes, OF_PEOPLE):
        answer = ask(stranger, target, hx_request="true")
        assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/sign-in"), target


def test_form_without_a_token_is_refused(routes: list[BaseRoute], dashboard: Dashboard) -> None:
    for target in unsafe(targets(routes, OF_PEOPLE)):
        for token in ("", "0" * 80, "é"):
            assert ask(dashboard.desk(), target, token).status_code == 403, target


def test_form_with_the_token_of_another_session_is_refused(
    routes: list[BaseRoute], dashboard: Dashboard
) -> None:
    of_another = dashboard.desk(BOUNDED_ADMIN).csrf()
    for target in unsafe(targets(routes, OF_PEOPLE)):
        assert ask(dashboard.desk(), target, of_another).status_code == 403, target


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site", "origin": "https://evil.example"},
    ],
    ids=str,
)
def test_form_of_another_site_is_refused_whatever_its_token(
    routes: list[BaseRoute], dashboard: Dashboard, headers: dict[str, str]
) -> None:
    found = unsafe(targets(routes, {*OF_PEOPLE, Access.PERSON}))
    assert others(dashboard.desk(), found, 403, headers) == []


def test_settings_for_sales_are_refused(routes: list[BaseRoute], dashboard: Dashboard) -> None:
    found = targets(routes, [Access.ADMIN, Access.ALL_CLIENTS])
    assert others(dashboard.desk(SALES), found, 403) == []


def test_page_for_all_clients_refuses_the_admin_of_one(
    routes: list[BaseRoute], dashboard: Dashboard
) -> None:
    found = targets(routes, [Access.ALL_CLIENTS])
    assert others(dashboard.desk(BOUNDED_ADMIN), found, 403) == []


@pytest.mark.parametrize(
    ("email", "client_id", "kinds"),
    [
        (SALES, OTHER_CLIENT, [Access.SIGNED_IN]),
        (OTHERS_SALES, 1, [Access.SIGNED_IN]),
        (BOUNDED_ADMIN, OTHER_CLIENT, [Access.SIGNED_IN, Access.ADMIN]),
        (ADMIN, 987654321, [Access.SIGNED_IN, Access.ADMIN, Access.ALL_CLIENTS]),
    ],
)
def test_page_of_a_client_that_one_may_not_see_is_not_there(
    routes: list[BaseRoute],
    dashboard: Dashboard,
    email: str,
    client_id: int,
    kinds: list[Access],
) -> None:
    of_a_client = [route for route in routes if "{client_id" in getattr(route, "path", "")]
    found = list(targets(of_a_client, kinds, client_id))
    assert not found or others(dashboard.desk(email), found, 404) == []


def test_page_of_a_number_that_no_row_can_have_is_not_there(
    routes: list[BaseRoute], dashboard: Dashboard
) -> None:
    numbered = [route for route in routes if ":int}" in getattr(route, "path", "")]
    found = targets(numbered, OF_PEOPLE, number=10**30)
    assert others(dashboard.desk(), found, 404) == []


def test_partner_route_without_a_key_is_refused(
    routes: list[BaseRoute], dashboard: Dashboard
) -> None:
    for target in targets(routes, [Access.PARTNER]):
        answer = ask(dashboard.stranger(), target)
        assert answer.status_code in (400, 401, 403, 415, 422), (target, answer.text)
        assert answer.headers["content-type"] == "application/problem+json", target
