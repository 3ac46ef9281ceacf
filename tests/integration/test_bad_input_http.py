"""Hostile bodies over HTTP: each is refused by name or stored harmlessly; none breaks a thing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.channels.beacon import BeaconModel
from server.domain.lead_fields import SYNONYMS, TEXT_FIELDS
from tests.integration.http_fixtures import (
    Person,
    SharedServer,
    exchange,
    fields_at_fault,
    problem_of,
)

JSON, URLENCODED = "application/json", "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=cut"
KIB = 1024
LIMIT = 64 * KIB
EMAIL = b'"email":"ana@example.com"'
PATHS = ("/api/track", "/api/lead")


@pytest.fixture(autouse=True)
def _nothing_unexpected(shared: SharedServer) -> Iterator[None]:
    """Nothing that a client sends may show as an error in the log."""
    before = len(shared.unexpected())
    yield
    assert shared.http.get("/healthz").status_code == 200
    assert shared.unexpected()[before:] == []


def post(shared: SharedServer, path: str, body: bytes, content_type: str) -> httpx.Response:
    headers = {"content-type": content_type} if content_type else {}
    return shared.http.post(path, content=body, headers=headers)


def part(name: str, value: bytes = b"x", *, extra: str = "") -> bytes:
    heading = f'--cut\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'
    return heading.encode() + value + b"\r\n"


END = b"--cut--\r\n"
EMAIL_PART = part("email", b"ana@example.com")
MANY_HEADERS = b"--cut\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(2_000)) + b"\r\nx\r\n"


def nested(levels: int, *, closed: bool = True) -> bytes:
    return b"{" + EMAIL + b',"x":' + b"[" * levels + (b"]" * levels + b"}" if closed else b"")


# --- bodies of a lead that are refused ----------------------------------------

NO_JSON: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \r\n\t ",
    "cut in a text": b'{"email":"ana@exam',
    "cut after a colon": b'{"email":',
    "cut before its end": b"{" + EMAIL,
    "trailing text": b"{" + EMAIL + b"} x",
    "two objects": b"{" + EMAIL + b"}{" + EMAIL + b"}",
    "single quotes": b"{'email':'ana@example.com'}",
    "a form": b"email=ana%40example.com",
    "NaN": b"{" + EMAIL + b',"x":NaN}',
    "Infinity": b"{" + EMAIL + b',"x":[Infinity]}',
    "-Infinity": b"{" + EMAIL + b',"x":-Infinity}',
    "a number beyond all": b"{" + EMAIL + b',"x":1e400}',
    "a nested number beyond all": b"{" + EMAIL + b',"x":[{"y":-1e999}]}',
    "an integer of 5,000 digits": b"{" + EMAIL + b',"x":' + b"7" * 5_000 + b"}",
    "NUL": b"\x00",
    "NUL in a text": b"{" + EMAIL + b',"name":"a\x00b"}',
    "Latin-1": b"{" + EMAIL + b',"name":"Zo\xeb"}',
    "overlong UTF-8": b"{" + EMAIL + b',"name":"\xc0\xaf"}',
    "cut UTF-16": b"\xff\xfe{\x00",
    "bytes": bytes(range(256)),
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
}


@pytest.mark.parametrize("name", NO_JSON)
def test_lead_when_its_json_is_malformed_is_refused(shared: SharedServer, name: str) -> None:
    before = shared.stored()
    assert fields_at_fault(post(shared, "/api/lead", NO_JSON[name], JSON), 400) == ["body"]
    assert shared.stored() == before


@pytest.mark.parametrize("body", [b"null", b"true", b"1", b'"x"', b"[]", b"[{" + EMAIL + b"}]"])
def test_lead_when_its_json_is_no_object_is_refused(shared: SharedServer, body: bytes) -> None:
    before = shared.stored()
    assert fields_at_fault(post(shared, "/api/lead", body, JSON), 422) == ["body"]
    assert shared.stored() == before


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (nested(33), 422, "x"),
        (nested(200), 422, "x"),
        (nested(1_000), 422, "body"),
        (nested(1_000, closed=False), 422, "body"),
        (nested(30_000), 422, "body"),
        (nested(60_000, closed=False), 422, "body"),
        (b'{"x":' * 10_000, 422, "body"),
        (nested(100_000), 413, "body"),
        (nested(33).replace(b'"x"', b'"__site"'), 422, "__site"),
        (nested(400).replace(b'"x"', b'"SOURCE"'), 422, "SOURCE"),
    ],
    ids=lambda value: str(value)[-60:-40] if isinstance(value, bytes) else None,
)
def test_lead_when_nested_too_deep_is_refused_by_name(
    shared: SharedServer, body: bytes, status: int, field: str
) -> None:
    before = shared.stored()
    assert fields_at_fault(post(shared, "/api/lead", body, JSON), status) == [field]
    assert shared.stored() == before


MANY_FIELDS: dict[str, tuple[str, bytes, int]] = {
    "201 in JSON": (JSON, json.dumps({f"f{n}": n for n in range(201)}).encode(), 422),
    "5,000 in JSON": (JSON, json.dumps({f"f{n}": 1 for n in range(5_000)}).encode(), 422),
    "10,000 in JSON": (JSON, json.dumps({f"f{n}": 1 for n in range(10_000)}).encode(), 413),
    "201 in a form": (URLENCODED, b"&".join(b"f%d=" % n for n in range(201)), 422),
    "10,000 in a form": (URLENCODED, b"a=1&" * 10_000, 422),
    "20,000 empty ones": (URLENCODED, b"&" * 20_000, 422),
    "300 parts": (MULTIPART, EMAIL_PART + b"".join(part(f"f{n}") for n in range(300)) + END, 422),
    "300 files": (
        MULTIPART,
        EMAIL_PART + b"".join(part("f", extra='; filename="a"') for _ in range(300)) + END,
        422,
    ),
}


@pytest.mark.parametrize("name", MANY_FIELDS)
def test_lead_with_too_many_fields_is_refused(shared: SharedServer, name: str) -> None:
    content_type, body, status = MANY_FIELDS[name]
    before = shared.stored()
    assert fields_at_fault(post(shared, "/api/lead", body, content_type), status) == ["body"]
    assert shared.stored() == before


NO_MULTIPART: dict[str, tuple[str, bytes]] = {
    "no boundary": ("multipart/form-data", EMAIL_PART + END),
    "an empty boundary": ("multipart/form-data; boundary=", EMAIL_PART + END),
    "another boundary": ("multipart/form-data; boundary=other", EMAIL_PART + END),
    "an endless boundary": (f"multipart/form-data; boundary={'b' * 300}", EMAIL_PART + END),
    "nothing": (MULTIPART, b""),
    "no parts": (MULTIPART, b"email=ana%40example.com"),
    "a part without a name": (
        MULTIPART,
        b"--cut\r\nContent-Disposition: form-data\r\n\r\nx\r\n" + END,
    ),
    "a part without a heading": (MULTIPART, EMAIL_PART + b"--cut\r\n\r\nx\r\n" + END),
    "a broken heading": (MULTIPART, EMAIL_PART + b"--cut\r\n\xff\xfe\r\n\r\nx\r\n" + END),
    "2,000 headings": (MULTIPART, EMAIL_PART + MANY_HEADERS + END),
    "cut in a heading": (MULTIPART, EMAIL_PART + part("name")[:20]),
    "cut in a value": (MULTIPART, EMAIL_PART + part("name", b"Ana Exam")[:-4]),
    "cut in a file": (MULTIPART, EMAIL_PART + part("cv", extra='; filename="a"')[:-3]),
    "cut before its end": (MULTIPART, EMAIL_PART + part("name")),
}


@pytest.mark.parametrize("name", NO_MULTIPART)
def test_lead_when_its_multipart_is_malformed_is_refused(shared: SharedServer, name: str) -> None:
    content_type, body = NO_MULTIPART[name]
    before = shared.stored()
    assert fields_at_fault(post(shared, "/api/lead", body, content_type), 400) == ["body"]
    assert shared.stored() == before


@pytest.mark.parametrize(
    "content_type",
    [
        "application/xml",
        "text/html",
        "image/png",
        "application/octet-stream",
        "multipart/mixed; boundary=cut",
        "nonsense",
        "application/json, text/plain",
        *(
            f"{URLENCODED}; charset={charset}"
            for charset in (
                "nope",
                "",
                "hex",
                "rot13",
                "base64",
                "zlib",
                "undefined",
                "idna",
                "\xff",
            )
        ),
    ],
)
def test_lead_of_an_unknown_content_type_or_charset_is_refused(
    shared: SharedServer, content_type: str
) -> None:
    before = shared.stored()
    headers = {b"content-type": content_type.encode("latin-1")}
    body = b"email=ana%40example.com"
    answer = shared.http.post("/api/lead", content=body, headers=headers)
    assert fields_at_fault(answer, 415) == ["Content-Type"]
    assert shared.stored() == before


# --- bodies of a beacon that are refused --------------------------------------

BEACON = b'"visitor_id":"v","session_id":"s","page_view_id":"p","type":"view"'

NO_BEACON: dict[str, bytes] = {
    **{name: body for name, body in NO_JSON.items() if "number" not in name and "Inf" not in name},
    "NaN": b"{" + BEACON,
    "an integer of 5,000 digits": b"{" + BEACON + b',"seq":' + b"7" * 5_000 + b"}",
    "a surrogate in UTF-8": b"{" + BEACON + b',"title":"\xed\xa0\x80"}',
    "half a surrogate pair": b"{" + BEACON + b',"title":"\\ud800"}',
    "depth 1,000": b"{" + BEACON + b',"x":' + b"[" * 1_000 + b"]" * 1_000 + b"}",
    "depth 60,000": b"[" * 60_000,
    "a byte order mark": b"\xef\xbb\xbf{" + BEACON + b"}",
    "UTF-16": ("{" + BEACON.decode() + "}").encode("utf-16"),
}


@pytest.mark.parametrize("name", NO_BEACON)
def test_beacon_when_malformed_is_refused(shared: SharedServer, name: str) -> None:
    before = shared.stored()
    answer = post(shared, "/api/track", NO_BEACON[name], "text/plain")
    assert fields_at_fault(answer, 400) == ["body"]
    assert shared.stored() == before


@pytest.mark.parametrize("body", [b"null", b"true", b"1", b'"x"'])
def test_beacon_when_it_is_no_object_is_refused(shared: SharedServer, body: bytes) -> None:
    assert fields_at_fault(post(shared, "/api/track", body, "text/plain"), 422) == ["body"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "7" * 4_000])
@pytest.mark.parametrize("field", ["duration_ms", "scroll_percent", "clicks", "age_ms"])
def test_number_of_a_beacon_when_not_finite_is_refused_by_name(
    shared: SharedServer, field: str, number: str
) -> None:
    before = shared.stored()
    body = b"{" + BEACON + f',"{field}":{number}}}'.encode()
    assert fields_at_fault(post(shared, "/api/track", body, "text/plain"), 422) == [field]
    assert shared.stored() == before


# --- size ---------------------------------------------------------------------


def sized(path: str, person: Person, size: int) -> bytes:
    """A valid body of exactly that many bytes."""
    fields = person.view() if path == "/api/track" else {"email": person.email}
    body = json.dumps({**fields, "filler": ""}).encode()
    return body[:-2] + b"x" * (size - len(body)) + b'"}'


def in_pieces(body: bytes) -> Iterator[bytes]:
    yield from (body[start : start + 60_000] for start in range(0, len(body), 60_000))


@pytest.mark.parametrize("chunked", [0, 1])
@pytest.mark.parametrize("path", PATHS)
def test_body_of_64_kib_is_taken(
    shared: SharedServer, person: Person, path: str, chunked: int
) -> None:
    body = sized(path, person, LIMIT)
    assert len(body) == LIMIT
    answer = shared.http.post(path, content=in_pieces(body) if chunked else body)
    assert answer.status_code in (201, 202)


@pytest.mark.parametrize("size", [LIMIT + 1, 3 * KIB**2, 5 * KIB**2, 20 * KIB**2])
@pytest.mark.parametrize("chunked", [0, 1])
@pytest.mark.parametrize("path", PATHS)
def test_body_over_64_kib_is_refused(
    shared: SharedServer, person: Person, path: str, chunked: int, size: int
) -> None:
    before = shared.stored()
    body = sized(path, person, size)
    with httpx.Client(base_url=shared.server.url, trust_env=False, timeout=30) as http:
        answer = http.post(path, content=in_pieces(body) if chunked else body)
    assert fields_at_fault(answer, 413) == ["body"]
    assert shared.stored() == before


def head(path: str, *lines: str) -> bytes:
    named = (f"POST {path} HTTP/1.1", "Host: x", *lines, "", "")
    return "\r\n".join(named).encode("latin-1")


@pytest.mark.parametrize("path", PATHS)
def test_body_that_announces_too_much_is_refused_before_it_comes(
    shared: SharedServer, path: str
) -> None:
    announced = head(path, "Content-Length: 999999999999", "Connection: close")
    answer = exchange(shared.server, announced + b"{")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"field": "body"' in answer


@pytest.mark.parametrize("path", PATHS)
def test_body_over_64_kib_in_one_burst_with_its_head_is_refused(
    shared: SharedServer, person: Person, path: str
) -> None:
    body = sized(path, person, 900 * KIB)
    whole = head(path, f"Content-Length: {len(body)}", "Connection: close") + body
    assert exchange(shared.server, whole).startswith(b"HTTP/1.1 413 ")


def test_request_when_its_head_has_no_end_is_cut_off(shared: SharedServer) -> None:
    pieces = [b"X-%d: " % number + b"y" * 60_000 + b"\r\n" for number in range(100)]
    start = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
    try:
        answer = exchange(shared.server, start, *pieces, b"Connection: close\r\n\r\n")
    except OSError:
        return
    assert b"HTTP/1.1 200 " not in answer


# --- requests that break off, or are no HTTP ----------------------------------


@pytest.mark.parametrize("framing", ["Content-Length: 60000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("path", PATHS)
def test_body_when_its_sender_hangs_up_is_not_stored(
    shared: SharedServer, person: Person, path: str, framing: str
) -> None:
    before = shared.stored()
    whole = sized(path, person, 500)
    body = whole if "Length" in framing else b"%x\r\n" % 500 + whole + b"\r\n"
    assert exchange(shared.server, head(path, framing) + body, hang_up=True) == b""
    assert shared.stored() == before


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: -1"],
        ["Content-Length: 5x"],
        ["Content-Length: \xb2"],
        ["Content-Length: 2", "Content-Length: 3"],
        ["Content-Length: 2", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: gzip, zip"],
        ["No colon"],
        ["Name\x00: x"],
    ],
)
@pytest.mark.parametrize("path", PATHS)
def test_request_that_is_no_http_is_refused(
    shared: SharedServer, path: str, lines: list[str]
) -> None:
    before = shared.stored()
    answer = exchange(shared.server, head(path, *lines) + b"{}")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert shared.stored() == before


@pytest.mark.parametrize("path", ["/api/track\xff", "/api/lead%ff", "/api//track", "/api/trackx"])
def test_path_that_is_only_like_an_endpoints_is_refused(shared: SharedServer, path: str) -> None:
    answer = exchange(shared.server, head(path, "Content-Length: 0", "Connection: close"))
    assert int(answer.split()[1]) in (400, 404)


@pytest.mark.parametrize("path", ["/api/lead/none", "/api/nothing", "/api"])
def test_path_that_is_not_there_is_a_problem(shared: SharedServer, path: str) -> None:
    problem_of(shared.http.post(path, json={}), 404)


# --- hostile content that is stored harmlessly --------------------------------


def kept(shared: SharedServer, answer: httpx.Response) -> tuple[dict[str, Any], dict[str, Any]]:
    """A lead's row, with Extra parsed, and its webhook body; neither holds a NUL or half a pair."""
    row, body = shared.lead_row(answer), shared.webhook(answer)
    row["Extra"] = json.loads(row["Extra"] or "{}")
    for text in (json.dumps(row, ensure_ascii=False), json.dumps(body, ensure_ascii=False)):
        assert "\\u0000" not in text
        assert text.encode()
    return row, body


def test_nul_in_the_json_of_a_lead_is_left_out(shared: SharedServer, person: Person) -> None:
    answer = person.lead({"na\x00me": "A\x00na\x00", "ro\x00oms": ["\x00two", {"\x00a": "\x00"}]})
    row, body = kept(shared, answer)
    assert (row["Name"], body["name"]) == ("Ana", "Ana")
    assert row["Extra"] == {"rooms": ["two", {"a": ""}]}


@pytest.mark.parametrize("content_type", [URLENCODED, MULTIPART])
def test_nul_in_a_form_is_left_out(shared: SharedServer, person: Person, content_type: str) -> None:
    form = f"email={person.email}&na%00me=A%00na".encode()
    parts = part("email", person.email.encode()) + part("na\x00me", b"A\x00na") + END
    answer = post(shared, "/api/lead", form if content_type == URLENCODED else parts, content_type)
    assert kept(shared, answer)[0]["Name"] == "Ana"


def test_nul_hidden_in_an_address_is_left_out(shared: SharedServer, person: Person) -> None:
    answer = person.lead({"page_url": "https://x.example/?utm_source=a%00b&gclid=%00c"})
    row, body = kept(shared, answer)
    assert (row["UtmSource"], json.loads(row["ClickIds"])) == ("ab", {"gclid": "c"})
    assert body["utm_source"] == "ab"


def test_nul_in_a_beacon_is_left_out(person: Person) -> None:
    url = "https://x.example/\x00?utm_source=a%00b"
    person.track(person.view(url=url, title="\x00t", fbp="\x00", timezone="Europe/\x00London"))
    row = {**person.session_row(), **person.page_rows()[0]}
    assert "\\u0000" not in json.dumps(row)
    assert (row["title"], row["utm_source"]) == ("t", "ab")


def test_half_a_surrogate_pair_in_a_lead_is_replaced(shared: SharedServer, person: Person) -> None:
    fields = b'"name":"A\\ud800na","\\udfffx":["\\ud83d"],"y":"\\ud83c\\udfe0"'
    body = b'{"email":"' + person.email.encode() + b'",' + fields + b"}"
    row, _sent = kept(shared, post(shared, "/api/lead", body, JSON))
    assert row["Name"] == "A\ufffdna"
    assert row["Extra"] == {"\ufffdx": ["\ufffd"], "y": "🏠"}


def test_bytes_of_a_form_that_are_no_utf_8_are_replaced(
    shared: SharedServer, person: Person
) -> None:
    body = f"email={person.email}&name=A%ff%ED%A0%80na".encode()
    row, _sent = kept(shared, post(shared, "/api/lead", body, URLENCODED))
    assert row["Name"].startswith("A\ufffd")
    assert row["Name"].endswith("\ufffdna")


def test_field_of_a_json_lead_that_comes_twice_counts_once(
    shared: SharedServer, person: Person
) -> None:
    body = f'{{"email":"first@example.com","email":"{person.email}"}}'.encode()
    row, _sent = kept(shared, post(shared, "/api/lead", body, JSON))
    assert row["Email"] == person.email


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_lead_as_json_in_another_unicode_encoding_is_read(
    shared: SharedServer, person: Person, codec: str
) -> None:
    body = json.dumps({"email": person.email, "name": "Zoë"}, ensure_ascii=False).encode(codec)
    row, _sent = kept(shared, post(shared, "/api/lead", body, JSON))
    assert row["Name"] == "Zoë"


@pytest.mark.parametrize(
    "fields",
    [
        {"x": 10**3_999},
        {"x": 1e308, "timeToSubmit": 10**3_999},
        {"timeToSubmit": "1e400", "__consent": 7},
        {"": "empty", " ": "blank"},
        {"k" * 60_000: "long"},
        {"message": "x" * 60_000},
        {"message": "a." * 30_000, "name": "-." * 100},
        {"email": "a" * 30_000 + "@" + "b." * 10_000 + "com"},
        {"phone": "+" + "1" * 60_000},
        {"page_url": "http://[", "referrer": "//[", "utm_source": "x" * 9_000},
        {"page_url": "https://x.example/?" + "a=1&" * 10_000},
        {"name": "'); DROP TABLE Leads; --", "message": "<script>alert(1)</script>"},
        {"__proto__": {"a": 1}, "constructor": "x", "lead_id": "forged", "engagement_score": 100},
        {f"f{number}": "x" for number in range(199)},
        {"name": ["Ana", {"a": 1}], "message": {"a": [1]}, "phone": [[], [None]], "SOURCE": {}},
        {"name": True, "message": 1.5, "project": None, "__site": 7, "honeypot": False},
    ],
    ids=lambda fields: next(iter(fields))[:20] + "=" + str(next(iter(fields.values())))[:20],
)
def test_lead_with_odd_values_is_stored_whole_and_forwarded(
    shared: SharedServer, person: Person, fields: dict[str, Any]
) -> None:
    row, body = kept(shared, person.lead(fields))
    assert body["lead_id"] == row["PublicId"]
    assert body["engagement_score"] == 0
    for name, value in fields.items():
        if isinstance(value, int) and name == "x":
            assert row["Extra"][name] == value


def test_lead_at_the_depth_limit_is_stored_whole(shared: SharedServer) -> None:
    row, _sent = kept(shared, post(shared, "/api/lead", nested(32), JSON))
    assert json.dumps(row["Extra"]["x"]).count("[") == 32


# --- whatever else comes ------------------------------------------------------

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
BEACON_FIELDS = st.sampled_from(sorted(BeaconModel.model_fields))
LEAD_FIELDS = st.sampled_from(
    [*TEXT_FIELDS, *(f"__{aliases[0]}" for aliases in SYNONYMS.values()), "anything"]
)


@settings(max_examples=60, deadline=None)
@given(body=st.binary(max_size=300), path=st.sampled_from(PATHS), kind=st.integers(0, 3))
def test_body_of_any_bytes_never_breaks_the_server(
    shared: SharedServer, body: bytes, path: str, kind: int
) -> None:
    content_type = (JSON, URLENCODED, MULTIPART, "")[kind]
    assert post(shared, path, body, content_type).status_code < 500


@settings(max_examples=60, deadline=None)
@given(fields=st.dictionaries(BEACON_FIELDS, JSON_VALUES))
def test_beacon_of_any_json_never_breaks_the_server(
    shared: SharedServer, fields: dict[str, Any]
) -> None:
    whole = {"visitor_id": "v", "session_id": "fuzz", "page_view_id": "p", "type": "view"}
    body = json.dumps({**whole, **fields}).encode()
    assert post(shared, "/api/track", body, JSON).status_code in (202, 400, 422)


@settings(max_examples=60, deadline=None)
@given(fields=st.dictionaries(LEAD_FIELDS, JSON_VALUES))
def test_lead_of_any_json_never_breaks_the_server(
    shared: SharedServer, fields: dict[str, Any]
) -> None:
    body = json.dumps({"email": "fuzz@example.com", **fields}).encode()
    assert post(shared, "/api/lead", body, JSON).status_code in (201, 400, 422)
