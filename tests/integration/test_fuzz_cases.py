"""Hostile input by name: Unicode, nulls, duplicate keys, nesting, fields, charsets, multipart."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest

from server.domain.lead_fields import SYNONYMS
from tests import beacons
from tests.integration import fuzzing
from tests.integration.fuzzing import Target, assert_lead_is_whole_or_refused, assert_refused
from tests.integration.hostile import (
    CHARSETS,
    END,
    JSON,
    MULTIPART,
    UNICODE,
    URLENCODED,
    nested,
    part,
)
from tests.integration.http_fixtures import fields_at_fault

KIB = 1024
EMAIL = "ana@example.com"
EMAIL_PART = part("email", EMAIL.encode())
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with fuzzing.target(tmp_path_factory.mktemp("fuzz")) as running:
        yield running


@pytest.fixture
def visitor() -> str:
    """A visitor whom no other test knows."""
    return f"visitor-{next(_numbers)}"


def stored(target: Target, answer: httpx.Response) -> dict[str, Any]:
    """The row of a lead that was taken, with Extra parsed."""
    assert answer.status_code == 201, answer.text
    row, _payload = target.delivered(answer.json()["lead_id"])
    return row | {"Extra": json.loads(row["Extra"] or "{}")}


def lead(target: Target, body: bytes | str, content_type: str = JSON) -> httpx.Response:
    """Send a lead; what every answer must keep to is looked after."""
    before = target.counts()
    content = body if isinstance(body, bytes) else body.encode()
    answer = target.post("/api/lead", content, content_type)
    assert_lead_is_whole_or_refused(target, before, answer)
    return answer


def fields(count: int) -> dict[str, Any]:
    """So many fields that nobody knows."""
    return {f"f{number}": 0 for number in range(count)}


def refused_beacon(target: Target, body: str, status: int) -> list[str]:
    """The fields at fault of a beacon that is refused, and leaves nothing behind."""
    before = target.counts()
    answer = target.post("/api/track", body.encode(), "text/plain")
    assert_refused(answer)
    assert target.grown(before) == {}
    return fields_at_fault(answer, status)


# --- Unicode ------------------------------------------------------------------


def encoded(fields: dict[str, str], kind: str) -> tuple[bytes, str]:
    """The same fields in one of the three encodings."""
    if kind == "json":
        return json.dumps(fields, ensure_ascii=False).encode(), JSON
    if kind == "urlencoded":
        return urlencode(fields).encode(), URLENCODED
    parts = b"".join(part(name, value.encode()) for name, value in fields.items())
    return parts + END, MULTIPART


@pytest.mark.parametrize("kind", ["json", "urlencoded", "multipart"])
@pytest.mark.parametrize("text", UNICODE.values(), ids=UNICODE)
def test_unicode_of_a_lead_is_stored_and_forwarded_as_it_came(
    target: Target, text: str, kind: str
) -> None:
    # White space at the ends of a text is trimmed; X keeps it inside.
    text = f"X{text}X"
    fields = {"email": EMAIL, "name": text, "message": text, text: text}
    answer = lead(target, *encoded(fields, kind))
    row = stored(target, answer)
    assert (row["Name"], row["Message"], row["Extra"]) == (text, text, {text: text})
    _row, payload = target.delivered(answer.json()["lead_id"])
    assert (payload["name"], payload["message"]) == (text, text)


@pytest.mark.parametrize("text", UNICODE.values(), ids=UNICODE)
def test_unicode_of_a_beacon_is_stored_as_it_came(target: Target, visitor: str, text: str) -> None:
    sent = beacons.view(visitor, title=text[:300], url=f"https://x.example/{text[:300]}")
    event = beacons.event(visitor, name=text[:60], props={text[:60]: text[:300]})
    assert target.server.track(sent, event).headers.get("x-propgauge-dropped") is None
    (page,) = target.server.query(
        "SELECT title, url FROM page_views WHERE session_id = ?", (f"{visitor}-s1",)
    )
    assert (page["title"], page["url"]) == (sent["title"], sent["url"])
    (kept,) = target.server.query(
        "SELECT name, props FROM events WHERE session_id = ?", (f"{visitor}-s1",)
    )
    assert (kept["name"], json.loads(kept["props"])) == (event["name"], event["props"])


# --- nulls --------------------------------------------------------------------


def test_lead_whose_every_field_but_one_is_null_is_as_if_it_had_but_one(target: Target) -> None:
    names = [alias for aliases in SYNONYMS.values() for alias in aliases if alias != "email"]
    fields = dict.fromkeys([*names, "__visitor_id", "__pg_state", "__consent", "anything"])
    row = stored(target, lead(target, json.dumps({"email": EMAIL, **fields})))
    told = {name for name in ("Name", "Phone", "Message", "Project", "PageUrl") if row[name]}
    assert (row["Email"], told, row["Extra"], row["Consent"]) == (EMAIL, set(), {}, None)


def test_lead_of_nothing_but_nulls_is_refused_by_name(target: Target) -> None:
    answer = lead(target, '{"email": null, "phone": null, "name": null}')
    assert fields_at_fault(answer, 422) == ["email", "phone"]


@pytest.mark.parametrize("name", ["visitor_id", "session_id", "page_view_id", "type", "seq"])
def test_beacon_whose_field_is_null_is_refused_by_name(
    target: Target, visitor: str, name: str
) -> None:
    assert refused_beacon(target, json.dumps({**beacons.view(visitor), name: None}), 422) == [name]


@pytest.mark.parametrize("props", ['{"a\\u0000b":"c\\u0000d"}', '{"ab\\u0000":"\\u0000cd"}'])
def test_nul_in_the_props_of_an_event_is_left_out(target: Target, visitor: str, props: str) -> None:
    event = json.dumps(beacons.event(visitor, props={})).replace('"props": {}', f'"props":{props}')
    body = f"[{json.dumps(beacons.view(visitor))},{event}]"
    assert target.post("/api/track", body.encode(), "text/plain").status_code == 202
    (kept,) = target.server.query(
        "SELECT props FROM events WHERE session_id = ?", (f"{visitor}-s1",)
    )
    assert json.loads(kept["props"]) == {"ab": "cd"}


# --- numbers that not every reader of JSON knows -------------------------------


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "9" * 400])
def test_prop_of_an_event_that_is_no_finite_number_is_refused_by_name(
    target: Target, visitor: str, number: str
) -> None:
    event = json.dumps(beacons.event(visitor, props={"floor": 7})).replace("7}", f"{number}}}")
    assert refused_beacon(target, event, 422) == ["props"]


@pytest.mark.parametrize("number", ["-0", "-0.0", "1e-400", "1.7976931348623157e308"])
def test_prop_of_an_event_at_the_edge_of_numbers_is_kept(
    target: Target, visitor: str, number: str
) -> None:
    event = json.dumps(beacons.event(visitor, props={"floor": 7})).replace("7}", f"{number}}}")
    body = f"[{json.dumps(beacons.view(visitor))},{event}]"
    answer = target.post("/api/track", body.encode(), "text/plain")
    assert (answer.status_code, answer.headers.get("x-propgauge-dropped")) == (202, None)
    (kept,) = target.server.query(
        "SELECT props FROM events WHERE session_id = ?", (f"{visitor}-s1",)
    )
    assert json.loads(kept["props"])["floor"] == float(number)


# --- duplicate keys and fields -------------------------------------------------


def test_key_that_comes_twice_inside_a_field_counts_once(target: Target) -> None:
    body = f'{{"email":"{EMAIL}","plan":{{"beds":1,"beds":{{"a":1,"a":2}}}}}}'
    assert stored(target, lead(target, body))["Extra"] == {"plan": {"beds": {"a": 2}}}


@pytest.mark.parametrize("kind", [URLENCODED, MULTIPART])
def test_field_of_a_form_that_comes_a_hundred_times_keeps_every_value(
    target: Target, kind: str
) -> None:
    values = [f"person{number}@example.com" for number in range(100)]
    form = "&".join(f"email={quote(value)}" for value in values).encode()
    parts = b"".join(part("email", value.encode()) for value in values) + END
    row = stored(target, lead(target, form if kind == URLENCODED else parts, kind))
    assert (row["Email"], row["Extra"]) == (values[0], {"email": values})


def test_beacon_whose_key_comes_twice_is_of_the_last(target: Target, visitor: str) -> None:
    body = json.dumps(beacons.view(visitor)).replace("{", '{"visitor_id":"another",', 1)
    assert target.post("/api/track", body.encode(), "text/plain").status_code == 202
    (row,) = target.server.query(
        "SELECT visitor_id FROM sessions WHERE session_id = ?", (f"{visitor}-s1",)
    )
    assert row["visitor_id"] == visitor


# --- deep nesting -------------------------------------------------------------


@pytest.mark.parametrize("levels", [1, 33, 20_000])
def test_prop_of_an_event_that_is_nested_is_refused_by_name(
    target: Target, visitor: str, levels: int
) -> None:
    event = json.dumps(beacons.event(visitor, props={"x": 7})).replace("7}", f"{nested(levels)}}}")
    status, field = (422, "props") if levels < 100 else (400, "body")
    assert refused_beacon(target, event, status) == [field]


@pytest.mark.parametrize("state", [nested(30_000), "[" * 60_000, '{"a":' * 8_000])
def test_page_state_that_is_nested_without_end_opens_no_session(
    target: Target, visitor: str, state: str
) -> None:
    fields = {"email": EMAIL, "__visitor_id": visitor, "__pg_state": state}
    row = stored(target, lead(target, json.dumps(fields)))
    assert row["VisitorId"] == visitor
    assert target.server.query("SELECT 1 FROM sessions WHERE visitor_id = ?", (visitor,)) == []


@pytest.mark.parametrize("kind", ["urlencoded", "multipart"])
def test_field_of_a_form_that_looks_nested_is_a_text(target: Target, kind: str) -> None:
    text = nested(20_000) if kind == "multipart" else nested(9_000)
    row = stored(target, lead(target, *encoded({"email": EMAIL, "x": text}, kind)))
    assert row["Extra"] == {"x": text}


# --- 10,000 fields ------------------------------------------------------------


def test_beacon_of_4_000_fields_that_nobody_knows_is_stored(target: Target, visitor: str) -> None:
    assert target.server.track(beacons.view(visitor, **fields(4_000))).status_code == 202
    rows = target.server.query("SELECT 1 FROM sessions WHERE visitor_id = ?", (visitor,))
    assert len(rows) == 1


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (json.dumps(beacons.view("v", **fields(10_000))), 413, "body"),
        (json.dumps(beacons.event("v", props=fields(21))), 422, "props"),
        (json.dumps(beacons.event("v", props=fields(5_000))), 422, "props"),
        (json.dumps([beacons.view("v")] * 21), 422, "body"),
        ("[" + "{}," * 10_000 + "{}]", 422, "body"),
        (json.dumps([beacons.view("v")] * 10_000), 413, "body"),
        ("[]", 422, "body"),
    ],
    ids=["fields", "21 props", "5,000 props", "21 beacons", "empty ones", "too large", "none"],
)
def test_beacon_of_too_much_is_refused_by_name(
    target: Target, body: str, status: int, field: str
) -> None:
    assert field in refused_beacon(target, body, status)


def test_lead_of_10_000_parts_is_refused(target: Target) -> None:
    answer = lead(target, EMAIL_PART + part("a") * 10_000 + END, MULTIPART)
    assert fields_at_fault(answer, 413) == ["body"]


# --- charsets -----------------------------------------------------------------


@pytest.mark.parametrize("charset", CHARSETS)
def test_form_in_each_charset_is_read_in_it(target: Target, charset: str) -> None:
    name = "Зоя" if charset == "koi8-u" else ("Zoë" if charset == "latin-1" else "東京")
    body = "&".join(
        f"{field}={quote(text, safe='', encoding=charset)}"
        for field, text in (("email", EMAIL), ("name", name))
    )
    row = stored(target, lead(target, body, f"{URLENCODED}; charset={charset}"))
    assert (row["Email"], row["Name"]) == (EMAIL, name)


@pytest.mark.parametrize("kind", [URLENCODED, MULTIPART])
@pytest.mark.parametrize(
    "charset",
    ["nope", "punycode", "unicode_escape", "undefined", "x" * 9_000, "utf-8\xff", "", "../utf-8"],
    ids=lambda charset: charset[:20],
)
def test_form_in_a_charset_of_no_form_is_refused(target: Target, kind: str, charset: str) -> None:
    # %20 makes the server decode: what is plain ASCII needs no charset.
    body = f"email={EMAIL}&name=a%20b".encode() if kind == URLENCODED else EMAIL_PART + END
    before = target.counts()
    headers = {b"content-type": f"{kind}; charset={charset}".encode("latin-1")}
    answer = target.http.post("/api/lead", content=body, headers=headers)
    assert fields_at_fault(answer, 415) == ["Content-Type"]
    assert target.grown(before) == {}


@pytest.mark.parametrize("codec", ["latin-1", "shift_jis", "utf-16", "gb18030"])
def test_form_that_lies_about_its_charset_keeps_its_address(target: Target, codec: str) -> None:
    body = f"email={EMAIL}&name=".encode() + "é東"[codec != "latin-1"].encode(codec)
    row = stored(target, lead(target, body, f"{URLENCODED}; charset=utf-8"))
    assert row["Email"] == EMAIL
    assert "\ufffd" in row["Name"]


def test_text_that_another_charset_would_read_as_markup_stays_as_it_came(target: Target) -> None:
    answer = lead(target, *encoded({"email": EMAIL, "message": "+ADw-script+AD4-"}, "urlencoded"))
    assert stored(target, answer)["Message"] == "+ADw-script+AD4-"


# --- multipart bombs ----------------------------------------------------------

HEADING = b'--cut\r\nContent-Disposition: form-data; name="x"\r\n'
DISPOSITION = b"--cut\r\nContent-Disposition: form-data; "

BOMBS: dict[str, tuple[str, bytes, int]] = {
    "1,200 parts of nothing": (MULTIPART, EMAIL_PART + part("", b"") * 1_200 + END, 422),
    "2,000 parts of files": (
        MULTIPART,
        EMAIL_PART + (DISPOSITION + b'name="";filename="a"\r\n\r\n\r\n') * 900 + END,
        422,
    ),
    "a boundary of 1,000 characters": (
        f"multipart/form-data; boundary={'b' * 1_000}",
        (EMAIL_PART + END).replace(b"--cut", b"--" + b"b" * 1_000),
        400,
    ),
    "a boundary that is cut short": (
        "multipart/form-data; boundary=cu",
        EMAIL_PART + END,
        400,
    ),
    "two boundaries": ("multipart/form-data; boundary=a; boundary=b", EMAIL_PART + END, 400),
    "a boundary of no ASCII": ("multipart/form-data; boundary=\xff", EMAIL_PART + END, 400),
    "a heading of 60,000 characters": (
        MULTIPART,
        EMAIL_PART + HEADING + b"X: " + b"y" * 60_000 + b"\r\n\r\nx\r\n" + END,
        400,
    ),
    "a heading's name of 60,000 characters": (
        MULTIPART,
        EMAIL_PART + HEADING + b"y" * 60_000 + b": x\r\n\r\nx\r\n" + END,
        400,
    ),
    "500 headings": (
        MULTIPART,
        EMAIL_PART + HEADING + b"X: y\r\n" * 500 + b"\r\nx\r\n" + END,
        400,
    ),
    "a NUL in a heading": (MULTIPART, EMAIL_PART + HEADING + b"X\x00: y\r\n\r\nx\r\n" + END, 400),
    "no name": (MULTIPART, EMAIL_PART + DISPOSITION + b"\r\n\r\nx\r\n" + END, 400),
    "no disposition": (MULTIPART, EMAIL_PART + b"--cut\r\nX: y\r\n\r\nx\r\n" + END, 400),
    "5,000 parts of line ends": (MULTIPART, b"--cut\r\n\r\n\r\n" * 5_000 + END, 400),
    "boundaries and nothing else": (MULTIPART, b"--cut\r\n" * 8_000, 400),
    "an e-mail address of no length": (MULTIPART, part("email", b"") + END, 422),
}


@pytest.mark.parametrize("name", BOMBS)
def test_multipart_bomb_is_refused(target: Target, name: str) -> None:
    content_type, body, status = BOMBS[name]
    before = target.counts()
    headers = {b"content-type": content_type.encode("latin-1")}
    answer = target.http.post("/api/lead", content=body, headers=headers)
    assert_refused(answer)
    assert answer.status_code == status
    assert target.grown(before) == {}


INNER = b'--in\r\nContent-Disposition: form-data; name="phone"\r\n\r\n+442079460123\r\n--in--'

ODD_PARTS: dict[str, tuple[bytes, str]] = {
    "base64": (part("x", b"YW5h", "Content-Transfer-Encoding: base64"), "YW5h"),
    "quoted-printable": (part("x", b"=41", "Content-Transfer-Encoding: quoted-printable"), "=41"),
    "another charset": (part("x", "東".encode(), "Content-Type: text/plain; charset=x"), "東"),
    "multipart in multipart": (
        part("x", INNER, "Content-Type: multipart/mixed; boundary=in"),
        INNER.decode(),
    ),
    "a file's name in RFC 5987": (
        DISPOSITION + b"name=\"x\"; filename*=utf-8''%e2%82%ac.pdf\r\n\r\n%PDF\r\n",
        "%PDF",
    ),
    "a file": (DISPOSITION + b'name="x"; filename="../cv.pdf"\r\n\r\n%PDF\r\n', "../cv.pdf"),
    "no length": (part("x", b"") + part("x", b"told"), "told"),
    "a boundary in the value": (part("x", b"-- cut --cut"), "-- cut --cut"),
}


@pytest.mark.parametrize("name", ODD_PARTS)
def test_part_that_is_odd_is_kept_as_it_came(target: Target, name: str) -> None:
    odd, told = ODD_PARTS[name]
    row = stored(target, lead(target, EMAIL_PART + odd + END, MULTIPART))
    assert (row["Email"], row["Phone"]) == (EMAIL, None)
    kept = row["Extra"]["x"]
    assert (kept if isinstance(kept, str) else kept[-1]) == told


def test_what_stands_around_the_parts_is_left_out(target: Target) -> None:
    answer = lead(target, EMAIL_PART + END + part("phone", b"+442079460123") + END, MULTIPART)
    row = stored(target, answer)
    assert (row["Email"], row["Phone"]) == (EMAIL, None)
