"""CORS over HTTP: which origins' scripts may post, and what they may read."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.integration.http_fixtures import (
    LISTED_ORIGIN,
    LISTED_SITE,
    OTHER_ORIGIN,
    OTHER_SITE,
    UNLISTED_ORIGIN,
    Person,
    SharedServer,
    signals_of,
)

PATHS = ("/api/track", "/api/lead")
ALLOW_ORIGIN = "access-control-allow-origin"
UNLISTED = (
    UNLISTED_ORIGIN,
    "null",
    "http://www.listed.example",
    f"{LISTED_ORIGIN}:8443",
    f"{LISTED_ORIGIN}/",
    f"{LISTED_ORIGIN}.evil.example",
    "https://listed.example",
    "https://WWW.listed.example",
    "*",
    f"{LISTED_ORIGIN}, {UNLISTED_ORIGIN}",
)


def preflight(shared: SharedServer, path: str, origin: str) -> httpx.Response:
    asked = {"access-control-request-method": "POST", "origin": origin}
    headers = {**asked, "access-control-request-headers": "content-type,idempotency-key"}
    return shared.http.options(path, headers=headers)


def cors_headers(answer: httpx.Response) -> dict[str, str]:
    return {
        name: value for name, value in answer.headers.items() if name.startswith("access-control-")
    }


def send(person: Person, path: str, site: str, origin: str) -> httpx.Response:
    if path == "/api/track":
        return person.track(person.view(site=site), origin=origin)
    return person.lead({"__site": site}, origin=origin)


# --- preflight ----------------------------------------------------------------


@pytest.mark.parametrize("origin", [LISTED_ORIGIN, OTHER_ORIGIN])
@pytest.mark.parametrize("path", PATHS)
def test_preflight_of_an_origin_that_a_site_lists_is_granted(
    shared: SharedServer, path: str, origin: str
) -> None:
    answer = preflight(shared, path, origin)
    assert answer.status_code == 204
    assert cors_headers(answer) == {
        ALLOW_ORIGIN: origin,
        "access-control-allow-methods": "POST",
        "access-control-allow-headers": "content-type, idempotency-key",
        "access-control-max-age": "600",
    }
    assert answer.headers["vary"] == "Origin"


@pytest.mark.parametrize("origin", UNLISTED)
@pytest.mark.parametrize("path", PATHS)
def test_preflight_of_an_unlisted_origin_is_not_granted(
    shared: SharedServer, path: str, origin: str
) -> None:
    answer = preflight(shared, path, origin)
    assert answer.status_code == 204
    assert cors_headers(answer) == {}


@pytest.mark.parametrize("path", PATHS)
def test_preflight_answer_has_no_content_and_says_nothing_of_its_length(
    shared: SharedServer, path: str
) -> None:
    answer = preflight(shared, path, LISTED_ORIGIN)
    assert answer.content == b""
    assert "content-length" not in answer.headers


# --- posts --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("site", "origin"),
    [(LISTED_SITE, LISTED_ORIGIN), (OTHER_SITE, OTHER_ORIGIN), ("", LISTED_ORIGIN)],
)
@pytest.mark.parametrize("path", PATHS)
def test_answer_to_a_listed_origin_may_be_read_without_credentials(
    person: Person, path: str, site: str, origin: str
) -> None:
    answer = send(person, path, site, origin)
    assert answer.status_code in (201, 202)
    assert cors_headers(answer) == {
        ALLOW_ORIGIN: origin,
        "access-control-expose-headers": (
            "X-Propgauge-Dropped, Idempotent-Replayed, Retry-After, RateLimit, RateLimit-Policy"
        ),
    }
    assert answer.headers["vary"] == "Origin"


@pytest.mark.parametrize("origin", [*UNLISTED, OTHER_ORIGIN])
@pytest.mark.parametrize("path", PATHS)
def test_answer_to_an_origin_that_the_site_does_not_list_may_not_be_read(
    person: Person, path: str, origin: str
) -> None:
    answer = send(person, path, LISTED_SITE, origin)
    assert answer.status_code in (201, 202)
    assert cors_headers(answer) == {}


@pytest.mark.parametrize("path", PATHS)
def test_answer_without_an_origin_grants_nothing(
    shared: SharedServer, person: Person, path: str
) -> None:
    body: Any = person.view() if path == "/api/track" else {"email": person.email}
    answer = shared.http.post(path, json=body)
    assert answer.status_code in (201, 202)
    assert cors_headers(answer) == {}


@pytest.mark.parametrize("path", PATHS)
def test_refusal_of_a_listed_origin_may_be_read(shared: SharedServer, path: str) -> None:
    answer = shared.http.post(path, json=[], headers={"origin": LISTED_ORIGIN})
    assert answer.status_code == 422
    assert answer.headers[ALLOW_ORIGIN] == LISTED_ORIGIN


@pytest.mark.parametrize("path", PATHS)
def test_refusal_of_an_unlisted_origin_may_not_be_read(shared: SharedServer, path: str) -> None:
    answer = shared.http.post(path, json=[], headers={"origin": UNLISTED_ORIGIN})
    assert answer.status_code == 422
    assert cors_headers(answer) == {}


@pytest.mark.parametrize("path", PATHS)
def test_answer_to_this_servers_own_page_may_be_read(
    shared: SharedServer, person: Person, path: str
) -> None:
    answer = send(person, path, "demo", shared.server.url)
    assert answer.headers[ALLOW_ORIGIN] == shared.server.url


def test_answer_that_drops_beacons_lets_a_listed_script_read_why(person: Person) -> None:
    answer = person.track(person.engage(site=LISTED_SITE), origin=LISTED_ORIGIN)
    assert answer.headers["x-propgauge-dropped"] == "no_page_view=1"
    assert "X-Propgauge-Dropped" in answer.headers["access-control-expose-headers"]


# --- what an origin means for a lead ------------------------------------------


@pytest.mark.parametrize("origin", [UNLISTED_ORIGIN, "null", OTHER_ORIGIN, f"{LISTED_ORIGIN}:8443"])
def test_lead_from_an_unlisted_origin_is_stored_and_flagged(
    shared: SharedServer, person: Person, origin: str
) -> None:
    answer = send(person, "/api/lead", LISTED_SITE, origin)
    reason = f"Sent from {origin}, which is not on the site's list"
    assert signals_of(shared, answer)["origin"] == (10, reason)


@pytest.mark.parametrize("site", [LISTED_SITE, ""])
def test_lead_from_a_listed_origin_is_not_flagged(
    shared: SharedServer, person: Person, site: str
) -> None:
    answer = send(person, "/api/lead", site, LISTED_ORIGIN)
    assert "origin" not in signals_of(shared, answer)


def test_lead_without_an_origin_is_not_flagged(shared: SharedServer, person: Person) -> None:
    assert "origin" not in signals_of(shared, person.lead({"__site": LISTED_SITE}))


def test_beacon_from_an_unlisted_origin_is_stored(person: Person) -> None:
    send(person, "/api/track", LISTED_SITE, UNLISTED_ORIGIN)
    assert person.session_row()["site_key"] == LISTED_SITE
