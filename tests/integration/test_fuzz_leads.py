"""Leads of any shape in all three encodings: stored whole with one delivery, or refused whole."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests import beacons
from tests.integration import fuzzing
from tests.integration.fuzzing import Target, assert_lead_is_whole_or_refused, fuzz
from tests.integration.hostile import (
    CHARSETS,
    END,
    JSON,
    JSON_TEXTS,
    MULTIPART,
    NAMES,
    TEXTS,
    URLENCODED,
    clean,
    json_object,
    loaded,
)
from tests.integration.http_fixtures import BROWSER_FORM

EMAIL = "ana@example.com"
PHONE = "+44 20 7946 0123"
ADDRESSES = st.sampled_from([EMAIL, f" {EMAIL}\n", f"\x00{EMAIL}", "not an address", "é@例え.jp"])

STATES: SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"type": st.sampled_from(["view", "engage", "event"]), "seq": st.integers(-1, 3)},
    optional={"duration_ms": st.integers() | st.floats(), "url": TEXTS, "consent": st.booleans()},
).map(lambda fields: {**beacons.view("fuzz"), **fields})
"""What `__pg_state` may hold: beacons that are nearly right."""


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with fuzzing.target(tmp_path_factory.mktemp("fuzz")) as running:
        yield running


def send(target: Target, body: bytes, content_type: str) -> httpx.Response:
    """Send a lead; stored whole or refused whole."""
    before = target.counts()
    answer = target.post("/api/lead", body, content_type)
    assert_lead_is_whole_or_refused(target, before, answer)
    return answer


def assert_contact(target: Target, answer: httpx.Response, email: str, phone: str = "") -> None:
    """The lead was stored with these, but for what no store takes and white space around them."""
    assert answer.status_code == 201, answer.text
    if "idempotent-replayed" not in answer.headers:
        row, _payload = target.delivered(answer.json()["lead_id"])
        assert (row["Email"] or "", row["Phone"] or "") == (clean(email), clean(phone))


# --- JSON ---------------------------------------------------------------------


@fuzz(80)
@given(
    email=ADDRESSES, strange=st.lists(st.tuples(NAMES | TEXTS, JSON_TEXTS), max_size=6), last=TEXTS
)
def test_json_lead_of_any_fields_is_stored_or_refused_whole(
    target: Target, email: str, strange: list[tuple[str, str]], last: str
) -> None:
    pairs = [("email", json.dumps(email)), *strange, ("message", json.dumps(last))]
    body = json_object(pairs)
    answer = send(target, body.encode(), JSON)
    if answer.status_code != 201:
        assert answer.status_code in (400, 422)
        return
    sent = loaded(body).get("email")
    if sent == email:
        row, _payload = target.delivered(answer.json()["lead_id"])
        assert "idempotent-replayed" in answer.headers or row["Email"] == clean(email)


@fuzz(50)
@given(fields=st.dictionaries(TEXTS, JSON_TEXTS))
def test_json_lead_with_fields_of_any_names_keeps_its_address(
    target: Target, fields: dict[str, str]
) -> None:
    known = [("email", json.dumps(EMAIL)), ("phone", json.dumps(PHONE))]
    body = json_object([*known, *((f"q {name}", value) for name, value in fields.items())])
    answer = send(target, body.encode(), JSON)
    if answer.status_code == 201:
        assert_contact(target, answer, EMAIL, PHONE)


@fuzz(50)
@given(state=STATES, as_text=st.booleans(), visitor=st.sampled_from(["fuzz", "other", "no id"]))
def test_lead_with_any_page_state_is_stored(
    target: Target, *, state: dict[str, Any], as_text: bool, visitor: str
) -> None:
    held = json.dumps(state) if as_text else state
    fields = {"email": EMAIL, "__visitor_id": visitor, "__pg_state": held}
    body = json.dumps(fields)
    answer = send(target, body.encode(), JSON)
    if "NaN" not in body and "Infinity" not in body:
        assert_contact(target, answer, EMAIL)


@fuzz(50)
@given(body=JSON_TEXTS.filter(lambda text: text[0] != "["))
def test_lead_of_any_json_is_refused(target: Target, body: str) -> None:
    assert send(target, body.encode(), JSON).status_code in (400, 422)


# --- forms --------------------------------------------------------------------

Pairs = Sequence[tuple[str, str]]
PAIRS = st.lists(st.tuples(NAMES | TEXTS, TEXTS), max_size=6)


def urlencoded(pairs: Pairs, charset: str) -> bytes:
    """As a browser writes them, with `?` for what the charset lacks."""
    return "&".join(
        "=".join(quote(text.encode(charset, "replace"), safe="") for text in pair) for pair in pairs
    ).encode()


@fuzz(80)
@given(pairs=PAIRS, charset=st.sampled_from(CHARSETS))
def test_urlencoded_lead_of_any_fields_is_stored_with_its_address(
    target: Target, pairs: Pairs, charset: str
) -> None:
    body = urlencoded([("email", EMAIL), ("phone", PHONE), *pairs], charset)
    answer = send(target, body, f"{URLENCODED}; charset={charset}")
    assert_contact(target, answer, EMAIL, PHONE)


def multipart(pairs: Pairs, charset: str) -> bytes:
    """As a browser writes them: quotes and line ends of a name are escaped."""
    parts = b""
    for name, value in pairs:
        escaped = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
        heading = f'--cut\r\nContent-Disposition: form-data; name="{escaped}"\r\n\r\n'
        parts += heading.encode(charset, "replace") + value.encode(charset, "replace") + b"\r\n"
    return parts + END


@fuzz(70)
@given(pairs=PAIRS, charset=st.sampled_from(["utf-8", "latin-1", "koi8-u"]))
def test_multipart_lead_of_any_fields_is_stored_or_refused_whole(
    target: Target, pairs: Pairs, charset: str
) -> None:
    body = multipart([("email", EMAIL), ("phone", PHONE), *pairs], charset)
    answer = send(target, body, f"{MULTIPART}; charset={charset}")
    if answer.status_code == 201:
        assert_contact(target, answer, EMAIL, PHONE)


HEADINGS = st.sampled_from(
    [
        b'Content-Disposition: form-data; name="x"',
        b'Content-Disposition: form-data; name="email"',
        b'Content-Disposition: form-data; name="x"; filename="a.pdf"',
        b"Content-Disposition: form-data; name=x; name=y",
        b"Content-Disposition: form-data; name*=utf-8''x",
        b"Content-Disposition: attachment",
        b"content-disposition:form-data;name=",
        b"Content-Type: text/plain; charset=utf-16",
        b"Content-Type: multipart/mixed; boundary=cut",
        b"Content-Transfer-Encoding: base64",
        b"Content-Length: 99999999",
        b": no name",
        b"no colon",
        b"X-\xff: \xfe",
        b"",
    ]
)
SEAMS = st.sampled_from([b"--cut\r\n", b"--cut\n", b"--cut--\r\n", b"--other\r\n", b"\r\n", b""])


@st.composite
def odd_parts(draw: st.DrawFn) -> bytes:
    """Parts cut together from headings, seams and values that need not fit each other."""
    body = b""
    for _part in range(draw(st.integers(0, 4))):
        headings = draw(st.lists(HEADINGS, max_size=3))
        body += draw(SEAMS) + b"\r\n".join(headings) + draw(st.sampled_from([b"\r\n\r\n", b"\n"]))
        body += draw(st.binary(max_size=30)) + b"\r\n"
    return body + draw(SEAMS)


@fuzz(80)
@given(odd=odd_parts(), first=st.booleans())
def test_multipart_lead_of_odd_parts_is_stored_or_refused_whole(
    target: Target, *, odd: bytes, first: bool
) -> None:
    whole = multipart([("email", EMAIL)], "utf-8").removesuffix(END)
    answer = send(target, odd + whole + END if first else whole + odd + END, MULTIPART)
    assert answer.status_code in (201, 400, 422)


@fuzz(50)
@given(body=st.binary(max_size=200), kind=st.sampled_from([JSON, URLENCODED, MULTIPART, ""]))
def test_lead_of_any_bytes_is_refused(target: Target, body: bytes, kind: str) -> None:
    assert send(target, body, kind).status_code in (400, 422)


# --- plain forms --------------------------------------------------------------


@fuzz(50)
@given(
    redirect=TEXTS
    | st.sampled_from(["//[", "http://[::1", "javascript:alert(1)", "/\\x.example", "https:///"]),
    pairs=PAIRS,
)
def test_plain_form_is_sent_on_within_its_own_site(
    target: Target, redirect: str, pairs: Pairs
) -> None:
    body = urlencoded([("email", EMAIL), ("_redirect", redirect), *pairs], "utf-8")
    before = target.counts()
    answer = target.http.post(
        "/api/lead", content=body, headers={**BROWSER_FORM, "content-type": URLENCODED}
    )
    assert answer.status_code == 303
    location = httpx.URL(target.server.url).join(answer.headers["location"])
    assert (location.scheme, location.host) == ("http", "127.0.0.1")
    grown = target.grown(before)
    assert grown.get("Leads") == grown.get("deliveries")
