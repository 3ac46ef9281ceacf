import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.channels.beacon import BeaconModel, parse
from server.domain.clock import DAY_MS
from server.domain.errors import AppError, ErrorCode
from server.domain.visitor import Beacon, BeaconType

# A busy machine makes examples slowly; that is no failure.
bounded = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])

BARE = {"visitor_id": "v-1", "session_id": "s-1", "page_view_id": "p-1", "type": "view"}


def body(**fields: Any) -> str:
    return json.dumps({**BARE, **fields})


def one(**fields: Any) -> Beacon:
    (beacon,) = parse(body(**fields))
    return beacon


def refusal(raw: bytes | str) -> AppError:
    with pytest.raises(AppError) as refused:
        parse(raw)
    return refused.value


def test_parse_of_a_full_beacon_reads_every_field() -> None:
    given: dict[str, Any] = {
        "seq": 3,
        "site": "demo",
        "url": "https://www.example.com/flat",
        "referrer": "https://www.example.com/",
        "title": "Flat",
        "screen": "1440x900",
        "language": "en-GB",
        "timezone": "Asia/Dubai",
        "fingerprint": "1a2b",
        "duration_ms": 61_000,
        "scroll_percent": 80,
        "scrollable": True,
        "clicks": 4,
        "automation": True,
        "age_ms": 250,
        "fbp": "fb.1.1.2",
        "fbc": "fb.1.1.abc",
    }
    beacon = one(v=1, type="engage", **given)
    assert beacon == Beacon(
        visitor_id=beacon.visitor_id,
        session_id=beacon.session_id,
        page_view_id="p-1",
        type=BeaconType.ENGAGE,
        **given,
    )
    assert (beacon.visitor_id, beacon.session_id) == ("v-1", "s-1")


def test_parse_of_a_bare_beacon_fills_in_nothing_done() -> None:
    beacon = one()
    assert beacon == Beacon(beacon.visitor_id, beacon.session_id, "p-1", BeaconType.VIEW)


@pytest.mark.parametrize("raw", [body(), body().encode(), f"\n\t {body()} \r\n"])
def test_parse_of_text_or_bytes_with_space_around_is_read(raw: bytes | str) -> None:
    assert len(parse(raw)) == 1


def test_parse_with_unknown_fields_ignores_them() -> None:
    assert one(ip="192.0.2.1", client_id=7, nested={"a": [1]}) == one()


@pytest.mark.parametrize("count", [1, 2, 19, 20])
def test_parse_of_an_array_up_to_20_keeps_its_order(count: int) -> None:
    raw = json.dumps([{**BARE, "seq": seq} for seq in range(count)])
    assert [beacon.seq for beacon in parse(f" {raw}")] == list(range(count))
    assert len(parse(raw.encode())) == count


@pytest.mark.parametrize("count", [0, 21, 500])
def test_parse_of_an_empty_or_longer_array_is_refused(count: int) -> None:
    refused = refusal(json.dumps([BARE] * count))
    assert refused.code is ErrorCode.INVALID
    assert [field.field for field in refused.fields] == ["body"]


@pytest.mark.parametrize(
    "raw",
    [
        "",
        b"",
        " ",
        "{",
        "[",
        "visitor_id=v-1",
        body()[:-1],
        body() + "x",
        b"\xff\xfe",
        b'{"title":"\xed\xa0\x80"}',
        b"\xef\xbb\xbf" + body().encode(),
        body(title="\ud83d"),
        "[" * 5_000,
        '{"a":' * 5_000,
        '{"seq":' + "9" * 5_000 + "}",
    ],
)
def test_parse_of_what_is_no_json_is_malformed(raw: bytes | str) -> None:
    assert refusal(raw).code is ErrorCode.MALFORMED


@pytest.mark.parametrize("raw", ["null", "5", '"text"', "true", "\ud83d", '{"title":"\ud83d"}'])
def test_parse_of_json_that_is_no_object_is_invalid(raw: str) -> None:
    refused = refusal(raw)
    assert refused.code is ErrorCode.INVALID
    assert [field.field for field in refused.fields] == ["body"]


@pytest.mark.parametrize("field", ["visitor_id", "session_id", "page_view_id"])
@pytest.mark.parametrize(
    "value", [None, "", 5, True, [], {}, "a b", "a" * 129, "v\n", "é", "v/1", "<v>", "a\x00"]
)
def test_parse_with_a_malformed_id_names_it(field: str, value: Any) -> None:
    refused = refusal(body(**{field: value}))
    assert refused.code is ErrorCode.INVALID
    assert [error.field for error in refused.fields] == [field]
    assert refused.message.startswith(f"{field}: ")


@pytest.mark.parametrize("field", ["visitor_id", "session_id", "page_view_id", "type"])
def test_parse_without_a_required_field_names_it(field: str) -> None:
    fields = {name: value for name, value in BARE.items() if name != field}
    assert [error.field for error in refusal(json.dumps(fields)).fields] == [field]


@pytest.mark.parametrize("text", ["a", "A.b_c-9", "a" * 128])
def test_parse_with_an_allowed_id_is_read(text: str) -> None:
    assert one(visitor_id=text).visitor_id == text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("type", "VIEW"),
        ("type", "click"),
        ("type", None),
        ("seq", -1),
        ("seq", 1.5),
        ("seq", "x"),
        ("seq", None),
        ("duration_ms", "x"),
        ("duration_ms", None),
        ("duration_ms", []),
        ("duration_ms", float("nan")),
        ("duration_ms", float("inf")),
        ("scroll_percent", {}),
        ("clicks", "many"),
        ("age_ms", 10**400),
        ("scrollable", "perhaps"),
        ("automation", 7),
        ("title", 5),
        ("url", ["https://www.example.com"]),
        ("site", {}),
    ],
)
def test_parse_with_a_value_of_the_wrong_kind_names_the_field(field: str, value: Any) -> None:
    refused = refusal(body(**{field: value}))
    assert refused.code is ErrorCode.INVALID
    assert [error.field for error in refused.fields] == [field]


def test_parse_of_an_array_with_faults_names_each_by_its_place() -> None:
    raw = json.dumps([BARE, {**BARE, "page_view_id": "!"}, {"type": "view"}, 5])
    assert [error.field for error in refusal(raw).fields] == [
        "1.page_view_id",
        "2.visitor_id",
        "2.session_id",
        "2.page_view_id",
        "3",
    ]


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        ("duration_ms", -1, 0),
        ("duration_ms", 0, 0),
        ("duration_ms", 1.9, 1),
        ("duration_ms", DAY_MS, DAY_MS),
        ("duration_ms", DAY_MS + 1, DAY_MS),
        ("duration_ms", 1e300, DAY_MS),
        ("age_ms", -1, 0),
        ("age_ms", DAY_MS, DAY_MS),
        ("age_ms", DAY_MS + 1, DAY_MS),
        ("scroll_percent", -1, 0),
        ("scroll_percent", 99.9, 99),
        ("scroll_percent", 100, 100),
        ("scroll_percent", 101, 100),
        ("clicks", -1, 0),
        ("clicks", 7, 7),
        ("clicks", 1_000_000, 1_000_000),
        ("clicks", 1_000_001, 1_000_000),
        ("seq", 0, 0),
        ("seq", 2.0, 2),
        ("seq", 1_000_001, 1_000_000),
        ("seq", 10**30, 1_000_000),
    ],
)
def test_parse_with_a_number_out_of_range_clamps_it(field: str, value: float, kept: int) -> None:
    assert getattr(one(**{field: value}), field) == kept


@pytest.mark.parametrize(
    ("field", "limit"),
    [
        ("site", 128),
        ("url", 2_000),
        ("referrer", 2_000),
        ("title", 300),
        ("screen", 128),
        ("language", 128),
        ("timezone", 128),
        ("fingerprint", 128),
        ("fbp", 128),
    ],
)
def test_parse_with_a_text_over_its_limit_cuts_it(field: str, limit: int) -> None:
    assert getattr(one(**{field: "é" * limit}), field) == "é" * limit
    assert getattr(one(**{field: "é" * (limit + 1)}), field) == "é" * limit
    assert getattr(one(**{field: None}), field) == ""


@pytest.mark.parametrize(("length", "kept"), [(500, 500), (5_000, 0)])
def test_parse_with_a_long_click_id_keeps_it_whole_or_not_at_all(length: int, kept: int) -> None:
    assert len(one(fbc="f" * length).fbc) == kept


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
optional_fields = st.dictionaries(
    st.sampled_from([*BeaconModel.model_fields, "unknown"]),
    json_values | st.integers() | st.floats(),
    max_size=6,
)


def beacons_or_refusal(raw: bytes | str) -> list[Beacon] | AppError:
    try:
        return parse(raw)
    except AppError as refused:
        return refused


@bounded
@given(optional_fields)
def test_parse_of_any_values_is_within_bounds_or_refused_as_invalid(fields: dict[str, Any]) -> None:
    parsed = beacons_or_refusal(body(**fields))
    if isinstance(parsed, AppError):
        assert parsed.code is ErrorCode.INVALID
        assert {error.field for error in parsed.fields} <= set(fields)
    else:
        (beacon,) = parsed
        assert 0 <= beacon.duration_ms <= DAY_MS
        assert 0 <= beacon.age_ms <= DAY_MS
        assert 0 <= beacon.scroll_percent <= 100
        assert 0 <= beacon.clicks <= 1_000_000
        assert 0 <= beacon.seq <= 1_000_000


in_range_fields = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["view", "engage"]),
        "seq": st.integers(0, 1_000_001),
        "site": st.none() | st.text(max_size=130),
        "title": st.none() | st.text(max_size=20),
        "duration_ms": st.integers(-1, DAY_MS + 1) | st.floats(0, 1_000),
        "scroll_percent": st.integers(-1, 101) | st.floats(0, 100),
        "scrollable": st.booleans(),
        "clicks": st.integers(-1, 1_000_001),
        "automation": st.booleans(),
        "age_ms": st.integers(-1, DAY_MS + 1),
        "fbc": st.none() | st.text("fb.1", max_size=310),
    },
)


@bounded
@given(in_range_fields)
def test_parse_of_values_in_and_out_of_range_agrees_with_clamping_all(
    fields: dict[str, Any],
) -> None:
    clamped = BeaconModel.model_validate_json(body(**fields)).to_beacon()
    assert parse(body(**fields)) == [clamped]
    assert parse(f"[{body()},{body(**fields)}]") == [one(), clamped]


@bounded
@given(
    st.binary(max_size=200)
    | st.text(st.characters(exclude_categories=()), max_size=200)
    | json_values.map(json.dumps)
)
def test_parse_of_any_body_gives_beacons_or_a_refusal(raw: bytes | str) -> None:
    parsed = beacons_or_refusal(raw)
    if isinstance(parsed, AppError):
        assert parsed.code in {ErrorCode.MALFORMED, ErrorCode.INVALID}
        assert parsed.message
        assert parsed.fields
    else:
        assert parsed


EVENT = {"type": "event", "event_id": "e-1", "name": "brochure_download"}


def test_parse_of_an_event_reads_its_id_name_and_props() -> None:
    event = one(**EVENT, props={"plan": "2-bed", "floor": 7, "seen": True, "note": None})
    assert (event.type, event.event_id, event.name) == (
        BeaconType.EVENT,
        "e-1",
        "brochure_download",
    )
    assert event.props == {"plan": "2-bed", "floor": 7, "seen": True, "note": None}


def test_parse_of_an_event_leaves_nul_out_of_its_props() -> None:
    event = one(**EVENT, props={"a\x00b": "c\x00d", "floor": 7})
    assert event.props == {"ab": "cd", "floor": 7}


def test_parse_of_an_event_with_numbers_out_of_range_keeps_what_it_says() -> None:
    event = one(**EVENT, props={"floor": 7}, age_ms=-5, consent=True)
    assert (event.event_id, event.name, event.props) == ("e-1", "brochure_download", {"floor": 7})
    assert (event.age_ms, event.consent) == (0, True)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"event_id": None}, "event_id"),
        ({"event_id": "not an id"}, "event_id"),
        ({"name": ""}, "name"),
        ({"name": "\x00"}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"props": {"plan": ["a"]}}, "props"),
        ({"props": {"plan": {"a": 1}}}, "props"),
        ({"props": {"plan": "x" * 501}}, "props"),
        ({"props": {"x" * 65: 1}}, "props"),
        ({"props": {"floor": float("nan")}}, "props"),
        ({"props": {"floor": float("-inf")}}, "props"),
        ({"props": {"floor": 10**400}}, "props"),
        ({"props": {str(number): 1 for number in range(21)}}, "props"),
    ],
)
def test_parse_of_an_event_that_cannot_be_kept_names_the_field(
    fields: dict[str, Any], field: str
) -> None:
    error = refusal(body(**{**EVENT, **fields}))
    assert error.code is ErrorCode.INVALID
    assert [at_fault.field for at_fault in error.fields] == [field]


def test_parse_of_an_event_without_a_name_in_an_array_names_its_place() -> None:
    error = refusal(json.dumps([BARE, {**BARE, **EVENT, "name": ""}]))
    assert [at_fault.field for at_fault in error.fields] == ["1.name"]


@pytest.mark.parametrize("consent", [True, False, None])
def test_parse_of_consent_reads_what_was_answered(*, consent: bool | None) -> None:
    assert one(consent=consent).consent is consent
