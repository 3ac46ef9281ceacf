from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.domain.clock import DAY_MS, before, elapsed_ms, from_text, now, to_text

# A busy machine makes examples slowly; that is no failure.
bounded = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])

NOON = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)

moments = st.timedeltas(timedelta(days=-20_000), timedelta(days=50_000)).map(NOON.__add__)


def test_now_is_in_utc() -> None:
    assert now().utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("microsecond", "text"),
    [
        (0, "2026-03-04T12:00:00.000Z"),
        (999, "2026-03-04T12:00:00.000Z"),
        (1_000, "2026-03-04T12:00:00.001Z"),
        (45_678, "2026-03-04T12:00:00.045Z"),
        (999_999, "2026-03-04T12:00:00.999Z"),
    ],
)
def test_to_text_of_a_moment_has_three_digits_of_milliseconds(microsecond: int, text: str) -> None:
    assert to_text(NOON.replace(microsecond=microsecond)) == text


def test_from_text_of_a_stored_time_is_utc() -> None:
    moment = from_text("2026-03-04T12:00:00.045Z")
    assert moment == NOON.replace(microsecond=45_000)
    assert moment.utcoffset() == timedelta(0)


@bounded
@given(moments)
def test_from_text_of_to_text_is_the_same_millisecond(moment: datetime) -> None:
    whole = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert from_text(to_text(moment)) == whole


@bounded
@given(moments, moments)
def test_to_text_of_two_moments_sorts_as_they_do(one: datetime, other: datetime) -> None:
    earlier, later = sorted((one, other))
    assert to_text(earlier) <= to_text(later)
    assert len(to_text(earlier)) == len(to_text(later)) == 24


def test_before_moves_back_by_milliseconds() -> None:
    assert before(NOON, 1_500) == NOON - timedelta(seconds=1.5)
    assert before(NOON, DAY_MS) == NOON - timedelta(days=1)


@pytest.mark.parametrize(
    ("seconds", "milliseconds"),
    [(0, 0), (0.001, 1), (1.5, 1_500), (86_400, DAY_MS), (-0.001, 0), (-60, 0)],
)
def test_elapsed_is_whole_milliseconds_and_never_negative(
    seconds: float, milliseconds: int
) -> None:
    assert elapsed_ms(NOON, NOON + timedelta(seconds=seconds)) == milliseconds
