"""Beacons of any shape: never a 500, and rows that agree with what the answer says was dropped."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.channels.beacon import BeaconModel
from tests import beacons
from tests.integration import fuzzing
from tests.integration.fuzzing import Target, assert_refused, fuzz
from tests.integration.hostile import JSON, JSON_TEXTS, TEXTS, json_object
from tests.integration.http_fixtures import dropped

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with fuzzing.target(tmp_path_factory.mktemp("fuzz")) as running:
        yield running


def send(target: Target, body: bytes, content_type: str = "text/plain") -> httpx.Response:
    """Send beacons; a refusal names a field and leaves nothing behind."""
    before = target.counts()
    answer = target.post("/api/track", body, content_type)
    if answer.status_code != 202:
        assert_refused(answer)
        assert target.grown(before) == {}
    return answer


# --- one beacon or many, with fields that hold anything -------------------------

FIELDS = st.sampled_from(sorted(BeaconModel.model_fields))
WHOLE = {name: json.dumps(value) for name, value in beacons.event("fuzz").items()}


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A beacon some of whose fields hold any JSON value, or come twice, or are unknown."""
    fields = WHOLE | {"type": draw(st.sampled_from(['"view"', '"engage"', '"event"']))}
    strange = draw(st.lists(st.tuples(FIELDS | TEXTS, JSON_TEXTS), max_size=4))
    return json_object([*fields.items(), *strange])


@fuzz(80)
@given(sent=st.lists(mutated(), min_size=1, max_size=3), alone=st.booleans())
def test_beacon_of_any_fields_is_stored_or_refused_whole(
    target: Target, *, sent: list[str], alone: bool
) -> None:
    body = sent[0] if alone else f"[{','.join(sent)}]"
    answer = send(target, body.encode())
    if answer.status_code == 202:
        assert sum(dropped(answer).values()) <= (1 if alone else len(sent))


@fuzz(60)
@given(body=JSON_TEXTS)
def test_beacon_of_any_json_is_refused(target: Target, body: str) -> None:
    assert send(target, body.encode(), JSON).status_code in (400, 422)


@fuzz(60)
@given(body=st.binary(max_size=200), start=st.sampled_from([b"", b"{", b"[", b'[{"v":1,']))
def test_beacon_of_any_bytes_is_refused(target: Target, body: bytes, start: bytes) -> None:
    assert send(target, start + body).status_code in (400, 422)


@fuzz(60)
@given(data=st.data())
def test_beacon_with_any_byte_changed_never_breaks_the_server(
    target: Target, data: st.DataObject
) -> None:
    body = bytearray(json.dumps(beacons.view("changed")).encode())
    for _change in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place] = data.draw(st.integers(32, 126) | st.integers(0, 255))
    send(target, bytes(body))


# --- rows and what was dropped ---------------------------------------------------

Sent = Mapping[str, Any]


@st.composite
def groups(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Beacons of one fresh visitor that meet each other's page views, numbers and events."""
    return draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "type": st.sampled_from(["view", "view", "engage", "event"]),
                    "session": st.sampled_from(["s1", "s2"]),
                    "page": st.sampled_from(["p1", "p2"]),
                    "seq": st.integers(0, 3),
                    "event_id": st.sampled_from(["e1", "e2"]),
                    "consent": st.sampled_from([None, None, None, True, False]),
                }
            ),
            min_size=1,
            max_size=12,
        )
    )


def as_sent(visitor: str, one: Sent) -> dict[str, Any]:
    """The beacon that one drawn row stands for."""
    make = beacons.event if one["type"] == "event" else beacons.view
    fields = {name: one[name] for name in ("type", "seq", "event_id", "consent")}
    return make(visitor, f"{visitor}-{one['session']}", one["page"], **fields)


def expected(sent: Sequence[Sent]) -> tuple[dict[str, int], dict[str, int]]:
    """The rows that a batch of a new visitor adds, and what of it is dropped, by the rules.

    Views come first: they open sessions and page views. An engage or a view whose number is not
    above the stored one (-1 for a new page view) is a duplicate, as is one that came twice.
    """
    allowed = [one for one in sent if one["consent"] is not False]
    views = {(one["session"], one["page"]) for one in allowed if one["type"] == "view"}
    seen: set[tuple[Any, ...]] = set()
    events: set[tuple[str, str]] = set()
    reasons = ["no_consent"] * (len(sent) - len(allowed))
    for one in allowed:
        page = (one["session"], one["page"])
        if page not in views:
            reasons.append("no_page_view")
            continue
        if one["type"] == "event":
            key: tuple[Any, ...] = (one["session"], one["event_id"])
            events.add((one["session"], one["event_id"]))
        else:
            key = (*page, one["seq"])
        if key in seen:
            reasons.append("duplicate")
        seen.add(key)
    rows = {
        "sessions": len({session for session, _page in views}),
        "page_views": len(views),
        "fingerprints": 1 if views else 0,
        "events": len(events),
    }
    return (
        {name: count for name, count in rows.items() if count},
        {reason: reasons.count(reason) for reason in reasons},
    )


@fuzz(70)
@given(group=groups())
def test_batch_of_beacons_adds_the_rows_that_it_does_not_tell_as_dropped(
    target: Target, group: list[dict[str, Any]]
) -> None:
    visitor = f"visitor-{next(_numbers)}"
    before = target.counts()
    answer = target.server.track(*(as_sent(visitor, one) for one in group))
    rows, reasons = expected(group)
    assert (target.grown(before), dropped(answer)) == (rows, reasons)


@fuzz(25)
@given(group=groups())
def test_batch_that_comes_again_adds_no_row(target: Target, group: list[dict[str, Any]]) -> None:
    visitor = f"visitor-{next(_numbers)}"
    sent = [as_sent(visitor, one) for one in group]
    target.server.track(*sent)
    before = target.counts()
    # Another title, for a body that comes again within 100 ms is told as repeated.
    answer = target.server.track(*({**one, "title": "again"} for one in sent))
    assert sum(dropped(answer).values()) == len(sent)
    assert target.grown(before) == {}
