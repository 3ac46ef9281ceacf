"""HTML forms over HTTP: their encodings, where a browser is sent on to, and its pages."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from urllib.parse import quote

import httpx
import pytest

from tests.beacons import view
from tests.integration.http_fixtures import (
    BROWSER_FORM,
    LISTED_ORIGIN,
    LISTED_SITE,
    OTHER_ORIGIN,
    OTHER_SITE,
    UNLISTED_ORIGIN,
    Person,
    SharedServer,
    eventually,
    exchange,
    problem_of,
)

URLENCODED = "application/x-www-form-urlencoded"
THANK_YOU = "/thank-you"
SAID = "Zoë Ünlü 家 🏠"


def encoded(person: Person, text: str, charset: str) -> bytes:
    return f"email={quote(person.email)}&name={quote(text, encoding=charset)}".encode()


def multipart(*parts: tuple[str, str | bytes], charset: str = "utf-8") -> bytes:
    """A body with the boundary `cut`; a part's name may carry a filename."""
    body = b""
    for name, value in parts:
        content = value if isinstance(value, bytes) else value.encode(charset)
        heading = f'--cut\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
        body += heading.encode(charset) + content + b"\r\n"
    return body + b"--cut--\r\n"


def send(person: Person, body: bytes, content_type: str) -> httpx.Response:
    headers = person.headers(content_type=content_type)
    return person.shared.http.post("/api/lead", content=body, headers=headers)


# --- encodings ----------------------------------------------------------------


@pytest.mark.parametrize(
    "charset", ["utf-8", "UTF-8", '"utf-8"', "utf-16", "utf_8"], ids=lambda text: text.strip('"')
)
def test_urlencoded_form_in_a_named_charset_is_read_in_it(
    shared: SharedServer, person: Person, charset: str
) -> None:
    body = encoded(person, SAID, charset.strip('"'))
    answer = send(person, body, f"{URLENCODED}; charset={charset}")
    assert shared.lead_row(answer)["Name"] == SAID


@pytest.mark.parametrize(("charset", "name"), [("iso-8859-1", "Zoë"), ("windows-1251", "Зоя")])
def test_urlencoded_form_in_an_old_charset_is_read_in_it(
    shared: SharedServer, person: Person, charset: str, name: str
) -> None:
    answer = send(person, encoded(person, name, charset), f"{URLENCODED}; charset={charset}")
    assert shared.lead_row(answer)["Name"] == name


def test_urlencoded_form_with_letters_that_are_not_escaped_is_read_as_utf_8(
    shared: SharedServer, person: Person
) -> None:
    answer = send(person, f"email={person.email}&name={SAID}".encode(), URLENCODED)
    assert shared.lead_row(answer)["Name"] == SAID


def test_form_without_a_content_type_is_read_as_urlencoded(
    shared: SharedServer, person: Person
) -> None:
    body = encoded(person, SAID, "utf-8")
    answer = shared.http.post("/api/lead", content=body, headers=person.headers())
    assert shared.lead_row(answer)["Name"] == SAID


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "text/plain;charset=UTF-8",
        "application/vnd.lead+json",
    ],
)
def test_lead_as_json_of_any_name_is_read(
    shared: SharedServer, person: Person, content_type: str
) -> None:
    body = json.dumps({"email": person.email, "name": SAID}, ensure_ascii=False).encode()
    assert shared.lead_row(send(person, body, content_type))["Name"] == SAID


def test_lead_as_json_without_a_content_type_is_read(shared: SharedServer, person: Person) -> None:
    body = json.dumps({"email": person.email, "name": SAID}).encode()
    answer = shared.http.post("/api/lead", content=body, headers=person.headers())
    assert shared.lead_row(answer)["Name"] == SAID


@pytest.mark.parametrize("charset", ["utf-8", "utf-16"])
def test_multipart_form_is_read(shared: SharedServer, person: Person, charset: str) -> None:
    body = multipart(("email", person.email), ("name", SAID))
    answer = send(person, body, f"multipart/form-data; boundary=cut; x={charset}")
    assert shared.lead_row(answer)["Name"] == SAID


def test_multipart_form_with_files_keeps_their_names_only(
    shared: SharedServer, person: Person
) -> None:
    files = {"passport": ("pass.pdf", b"\x00" * 1_000), "photo": ("", b"")}
    data = {"email": person.email}
    answer = shared.http.post("/api/lead", data=data, files=files, headers=person.headers())
    assert json.loads(shared.lead_row(answer)["Extra"]) == {"passport": "pass.pdf"}


@pytest.mark.parametrize("kind", ["urlencoded", "multipart", "json"])
def test_field_that_comes_several_times_keeps_all_values(
    shared: SharedServer, person: Person, kind: str
) -> None:
    rooms = ["two", "three"]
    if kind == "json":
        answer = person.lead({"rooms": rooms})
    elif kind == "urlencoded":
        body = f"email={person.email}&rooms=two&rooms=three".encode()
        answer = send(person, body, URLENCODED)
    else:
        body = multipart(("email", person.email), *(("rooms", room) for room in rooms))
        answer = send(person, body, "multipart/form-data; boundary=cut")
    assert json.loads(shared.lead_row(answer)["Extra"]) == {"rooms": rooms}


def test_form_of_a_tracked_page_is_scored(person: Person) -> None:
    person.visit(seconds=100, clicks=3)
    fields = {"__visitor_id": person.visitor, "__site": "demo", "timeToSubmit": "20000"}
    assert person.form({**fields, "__pg_state": person.page_state(clicks=5)}).status_code == 303
    (row,) = person.lead_rows()
    assert (row["EngagementScore"], row["SuspicionScore"]) == (10 + 5, 0)


# --- what a browser gets, and what a script -----------------------------------


def test_plain_form_is_sent_on_to_the_thank_you_page(person: Person) -> None:
    answer = person.form({"name": "Ana"})
    assert answer.status_code == 303
    assert answer.headers["location"] == THANK_YOU
    assert [row["Name"] for row in person.lead_rows()] == ["Ana"]


def test_plain_form_as_multipart_is_sent_on_too(shared: SharedServer, person: Person) -> None:
    headers = {**BROWSER_FORM, **person.headers()}
    files = {"email": (None, person.email)}
    answer = shared.http.post("/api/lead", files=files, headers=headers)
    assert (answer.status_code, answer.headers["location"]) == (303, THANK_YOU)


def test_plain_form_without_sec_fetch_mode_is_sent_on(shared: SharedServer, person: Person) -> None:
    headers = person.headers(accept="text/html")
    answer = shared.http.post("/api/lead", data={"email": person.email}, headers=headers)
    assert answer.status_code == 303


def test_plain_form_on_a_double_click_is_sent_on_twice_for_one_lead(person: Person) -> None:
    fields = {"__submission_id": person.visitor, "_redirect": "/done"}
    answers = [
        person.form({**fields, "__site": LISTED_SITE}, referer=f"{LISTED_ORIGIN}/form")
        for _ in range(2)
    ]
    assert [answer.headers["location"] for answer in answers] == [f"{LISTED_ORIGIN}/done"] * 2
    assert len(person.lead_rows()) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_mode": "cors"},
        {"sec_fetch_mode": "same-origin"},
        {"x_requested_with": "XMLHttpRequest"},
        {"accept": "*/*"},
        {"accept": "application/json"},
    ],
)
def test_form_encoding_sent_by_a_script_is_answered_in_json(
    shared: SharedServer, person: Person, headers: dict[str, str]
) -> None:
    answer = person.form({"_redirect": "/done"}, **headers)
    assert shared.lead_row(answer)["Email"] == person.email


def test_json_sent_by_a_browser_is_answered_in_json(person: Person) -> None:
    answer = person.lead(accept="text/html", sec_fetch_mode="navigate")
    assert answer.status_code == 201
    assert answer.json()["ok"] is True


def test_thank_you_page_is_a_safe_page_of_its_own(shared: SharedServer) -> None:
    page = shared.http.get(THANK_YOU)
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<h1>Thank you</h1>" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"


# --- where a redirect may lead ------------------------------------------------


def redirected(person: Person, redirect: str, referer: str, site: str = LISTED_SITE) -> str:
    answer = person.form({"_redirect": redirect, "__site": site}, referer=referer)
    assert answer.status_code == 303, answer.text
    assert len(person.lead_rows()) == 1
    location: str = answer.headers["location"]
    return location


FORM = f"{LISTED_ORIGIN}/flats/form?a=1"


@pytest.mark.parametrize(
    ("redirect", "referer", "location"),
    [
        (f"{LISTED_ORIGIN}/done?x=1#y", "", f"{LISTED_ORIGIN}/done?x=1#y"),
        (f"{LISTED_ORIGIN.upper()}/Done", "", f"{LISTED_ORIGIN.upper()}/Done"),
        (f"{LISTED_ORIGIN}:443/done", "", f"{LISTED_ORIGIN}:443/done"),
        ("/done", FORM, f"{LISTED_ORIGIN}/done"),
        ("done", FORM, f"{LISTED_ORIGIN}/flats/done"),
        ("?ok=1", FORM, f"{LISTED_ORIGIN}/flats/form?ok=1"),
        ("//www.listed.example/done", FORM, f"{LISTED_ORIGIN}/done"),
        ("/dönè", FORM, f"{LISTED_ORIGIN}/d%C3%B6n%C3%A8"),
    ],
)
def test_redirect_to_a_listed_origin_is_followed(
    person: Person, redirect: str, referer: str, location: str
) -> None:
    assert redirected(person, redirect, referer) == location


@pytest.mark.parametrize(
    "redirect",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\t/evil.example/",
        "\n//evil.example/",
        "http://www.listed.example/done",
        f"{LISTED_ORIGIN}:8443/done",
        f"{LISTED_ORIGIN}.evil.example/",
        f"{LISTED_ORIGIN}@evil.example/",
        f"{LISTED_ORIGIN}%2eevil.example/",
        OTHER_ORIGIN,
        UNLISTED_ORIGIN,
        "javascript:alert(1)",
        "JavaScript:alert(1)//https://www.listed.example/",
        "java\nscript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "ftp://www.listed.example/",
        "http://[evil",
        "//[",
        "https://[::1",
        "https://evil.c℀m/",
        "https://www.listed.example:99999999/",
        "https://www.listed.example:abc/",
        "",
        " ",
    ],
)
def test_redirect_to_anywhere_else_becomes_the_thank_you_page(
    person: Person, redirect: str
) -> None:
    assert redirected(person, redirect, FORM) == THANK_YOU


@pytest.mark.parametrize(
    "redirect",
    [
        "///evil.example/",
        "https:///evil.example/",
        "https://",
        "/\\evil.example/",
        "\\\\evil.example/",
        "https:\\\\evil.example/",
        "https://evil.example\\@www.listed.example/",
        "https://www.listed.example\\.evil.example/",
        "https://www.listed.example\\@evil.example/",
        "https://evil.example/@www.listed.example/",
        "https://user:pass@www.listed.example/",
        "https://www.listed.example/\r\nSet-Cookie: a=b",
        "/done\r\n\r\n<script>alert(1)</script>",
        "/done\x00//evil.example",
        "\x01//evil.example/",
    ],
)
def test_redirect_when_written_to_deceive_stays_on_an_allowed_origin(
    person: Person, redirect: str
) -> None:
    location = redirected(person, redirect, FORM)
    assert location == THANK_YOU or location.startswith(f"{LISTED_ORIGIN}/")
    assert re.fullmatch(r"[!-\[\]-~]+", location), "no blank, control or backslash"


@pytest.mark.parametrize("referer", ["", UNLISTED_ORIGIN, "http://[bad", "not an address"])
@pytest.mark.parametrize("redirect", ["/done", "done"])
def test_redirect_when_relative_to_an_unlisted_page_stays_on_this_server(
    shared: SharedServer, person: Person, redirect: str, referer: str
) -> None:
    location = redirected(person, redirect, referer)
    own = (f"{shared.server.url}/done", f"{shared.server.url}/api/done")
    assert location == THANK_YOU or location in own


def test_redirect_to_another_clients_origin_is_followed_for_its_own_site_only(
    shared: SharedServer,
) -> None:
    target = f"{OTHER_ORIGIN}/done"
    assert redirected(Person(shared), target, "", OTHER_SITE) == target
    assert redirected(Person(shared), target, "", "demo") == THANK_YOU


def test_redirect_to_this_servers_own_page_is_followed(
    shared: SharedServer, person: Person
) -> None:
    demo = f"{shared.server.url}/demo/thank-you/"
    assert redirected(person, "/demo/thank-you/", f"{shared.server.url}/demo/") == demo


def test_redirect_of_a_form_that_gives_several_takes_the_first(
    shared: SharedServer, person: Person
) -> None:
    body = f"email={person.email}&_redirect=/one&_redirect=/two&__site={LISTED_SITE}".encode()
    headers = person.headers(content_type=URLENCODED, referer=FORM)
    answer = shared.http.post("/api/lead", content=body, headers={**BROWSER_FORM, **headers})
    assert answer.headers["location"] == f"{LISTED_ORIGIN}/one"


# --- a form that is refused ---------------------------------------------------


def refusal_page(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    return answer.text


def test_form_without_contact_when_refused_shows_what_to_correct(
    shared: SharedServer, person: Person
) -> None:
    before = shared.stored()
    page = refusal_page(person.form({"email": "", "name": "Ana"}), 422)
    assert "Your enquiry was not sent" in page
    assert "A lead needs an e-mail address or a phone number" in page
    assert "go back, correct it and send the form again" in page
    assert shared.stored() == before


def test_form_when_too_large_shows_so(person: Person) -> None:
    page = refusal_page(person.form({"message": "x" * 65_536}), 413)
    assert "The body is larger than 65536 bytes" in page


def test_form_with_too_many_fields_shows_so(person: Person) -> None:
    page = refusal_page(person.form({f"field{number}": "x" for number in range(250)}), 422)
    assert "more than 200 fields" in page


def test_form_when_cut_off_within_a_part_shows_so(shared: SharedServer, person: Person) -> None:
    headers = person.headers(content_type="multipart/form-data; boundary=cut")
    answer = shared.http.post(
        "/api/lead", content=b"--other\r\n", headers={**BROWSER_FORM, **headers}
    )
    assert "multipart/form-data" in refusal_page(answer, 400)


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "{{7*7}}", "\"'><img src=x>"])
def test_form_when_refused_shows_nothing_of_its_own_as_markup(person: Person, name: str) -> None:
    sent = {"email": "", name: name, "_redirect": name, "__site": name}
    page = refusal_page(person.form(sent), 422)
    assert name not in page
    assert "49" not in page


def test_form_of_a_script_when_refused_is_answered_by_a_problem(person: Person) -> None:
    answer = person.form({"email": ""}, sec_fetch_mode="cors")
    assert problem_of(answer, 422)["errors"]


def test_form_when_the_store_fails_shows_when_to_try_again(shared: SharedServer) -> None:
    person, before = Person(shared), len(shared.unexpected())
    shared.execute("ALTER TABLE deliveries RENAME TO deliveries_gone")
    try:
        answer = person.form()
    finally:
        shared.execute("ALTER TABLE deliveries_gone RENAME TO deliveries")
    assert "try again" in refusal_page(answer, 503)
    assert int(answer.headers["retry-after"]) > 0
    assert person.lead_rows() == []
    assert eventually(lambda: shared.unexpected()[before:] or None)


# --- hostile headers of a form post -------------------------------------------


@pytest.mark.parametrize("host", ["[bad", "a b", "x:99999999", "evil.example/", "", "ä", "x@y"])
def test_form_with_a_hostile_host_is_stored_and_stays_here(
    shared: SharedServer, person: Person, host: str
) -> None:
    body = f"email={person.email}&_redirect=/done".encode()
    lines: Sequence[str] = (
        "POST /api/lead HTTP/1.1",
        f"Host: {host}",
        "Accept: text/html",
        f"Content-Type: {URLENCODED}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    request = "\r\n".join([*lines, "", ""]).encode() + body
    answer = exchange(shared.server, request)
    status = int(answer.split()[1])
    assert status in (303, 400)
    assert len(person.lead_rows()) == (status == 303)


def test_beacon_sent_to_the_lead_endpoint_is_no_lead(shared: SharedServer) -> None:
    before = shared.stored()
    assert shared.http.post("/api/lead", json=view("v")).status_code == 422
    assert shared.stored() == before
