from typing import Any

import pytest

from server.domain.field_mapping import apply, check

BODY: dict[str, Any] = {
    "id": "880000000000001",
    "field_data": [
        {"name": "email", "values": ["ana@example.com"]},
        {"name": "full_name", "values": ["Ana Example"]},
    ],
    "email": "other@example.com",
}


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("id", "880000000000001"),
        ("field_data[?name=='email'].values[0] | [0]", "ana@example.com"),
        ("field_data[1].values", ["Ana Example"]),
        ("length(field_data)", 2),
        ("join('', ['+', id])", "+880000000000001"),
    ],
)
def test_mapping_of_a_field_takes_what_its_expression_finds(expression: str, found: Any) -> None:
    assert apply({"external_id": expression}, BODY)["external_id"] == found


@pytest.mark.parametrize(
    "expression",
    [
        "missing",
        "missing.deeper[0]",
        "field_data[9].values",
        "field_data[?name=='none'].values",
        "join('', ['+', missing])",
        "to_number('x')",
        "sum(field_data)",
        "field_data[::0]",
    ],
)
def test_mapping_that_finds_nothing_leaves_the_field_as_it_came(expression: str) -> None:
    assert apply({"email": expression}, BODY) == BODY


def test_mapping_of_a_field_that_came_too_wins_and_stands_first() -> None:
    mapped = apply({"email": "field_data[0].values[0]"}, BODY)
    assert mapped["email"] == "ana@example.com"
    assert next(iter(mapped)) == "email"
    assert mapped["field_data"] == BODY["field_data"]


def test_mapping_when_it_is_empty_changes_nothing() -> None:
    assert apply({}, BODY) == BODY


@pytest.mark.parametrize(
    "mapping",
    [{}, {"email": "a.b[0]"}, {"__visitor_id": "a", "utm_source": "b", "Budget-max": "c"}],
)
def test_check_of_a_usable_mapping_is_silent(mapping: dict[str, str]) -> None:
    check(mapping)


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({"email": "a["}, "email: 'a\\['"),
        ({"email": ""}, "email: ''"),
        ({"email": "unknown("}, "email"),
        ({"": "a"}, "is no name"),
        ({"e mail": "a"}, "is no name"),
        ({"x" * 65: "a"}, "is no name"),
    ],
)
def test_check_of_an_unusable_mapping_names_the_field(mapping: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check(mapping)
