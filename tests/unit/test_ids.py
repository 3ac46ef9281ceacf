import re
from datetime import UTC, datetime, timedelta

import pytest

from server.domain.ids import is_outside_id, new_id

NOON = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize("text", ["a", "Z", "0", ".", "_", "-", "sess-xyz_1.2", "a" * 128])
def test_outside_id_of_allowed_characters_is_accepted(text: str) -> None:
    assert is_outside_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a" * 129,
        "a b",
        " a",
        "a\n",
        "\na",
        "a/b",
        "a:b",
        "a'--",
        "é",
        "٣",
        "📞",
        "a\x00",
        "\ud800",
        "{{visitor_id}}",
    ],
)
def test_outside_id_of_anything_else_is_refused(text: str) -> None:
    assert not is_outside_id(text)


def test_new_id_starts_with_its_prefix_and_time_and_is_an_outside_id() -> None:
    made = new_id("lead", NOON)
    milliseconds = int(NOON.timestamp()) * 1000
    assert re.fullmatch(r"lead_[0-9a-f]{29}", made)
    assert int(made[5:16], 16) == milliseconds
    assert is_outside_id(made)


def test_new_ids_of_later_moments_sort_later() -> None:
    made = [new_id("x", NOON + timedelta(milliseconds=n)) for n in range(50)]
    assert made == sorted(made)


def test_new_ids_of_one_moment_differ() -> None:
    assert len({new_id("x", NOON) for _ in range(100)}) == 100
