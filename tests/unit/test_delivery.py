from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.domain.delivery import BACKOFF_SECONDS, Outcome, Verdict, next_due, verdict_of_status

# A busy machine makes examples slowly; that is no failure.
bounded = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])

NOON = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)
FAILED_ONCE_MORE = Outcome(Verdict.RETRY, 500)


def wait_seconds(
    failures: int, *, retry_after_seconds: float | None = None, random: float = 0.0
) -> float | None:
    outcome = Outcome(Verdict.RETRY, 503, retry_after_seconds=retry_after_seconds)
    due = next_due(NOON, failures, outcome, random)
    return None if due is None else (due - NOON).total_seconds()


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        *[(status, "delivered") for status in (200, 201, 202, 204, 226, 299)],
        *[(status, "pause") for status in (401, 403, 404, 410)],
        *[(status, "retry") for status in (408, 425, 429)],
        *[(status, "retry") for status in (500, 501, 502, 503, 504, 520, 599)],
        *[(status, "retry") for status in (300, 301, 302, 303, 304, 307, 308, 399)],
        *[(status, "retry") for status in (100, 103, 199)],
        *[(status, "fail") for status in (400, 402, 405, 406, 409, 411, 413, 415, 422, 499)],
    ],
)
def test_verdict_of_each_status_is_the_designs(status: int, verdict: str) -> None:
    assert verdict_of_status(status) == verdict


def test_verdict_of_a_status_is_delivered_only_for_2xx() -> None:
    delivered = [n for n in range(100, 600) if verdict_of_status(n) is Verdict.DELIVERED]
    assert delivered == list(range(200, 300))


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [
        (1, 5),
        (2, 30),
        (3, 2 * 60),
        (4, 10 * 60),
        (5, 30 * 60),
        (6, 2 * 3_600),
        (7, 6 * 3_600),
        (8, 12 * 3_600),
        (9, 24 * 3_600),
    ],
)
def test_next_due_without_jitter_follows_the_designs_schedule(failures: int, seconds: int) -> None:
    assert wait_seconds(failures) == seconds
    assert wait_seconds(failures, random=1.0) == pytest.approx(seconds * 1.1)


@pytest.mark.parametrize("failures", [10, 11, 1_000])
def test_next_due_after_the_last_wait_is_none_whatever_the_target_asks(failures: int) -> None:
    assert wait_seconds(failures) is None
    assert wait_seconds(failures, retry_after_seconds=60.0) is None


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        (None, 30),
        (-5.0, 30),
        (0.0, 30),
        (29.9, 30),
        (30.0, 30),
        (31.0, 31),
        (3_600.0, 3_600),
        (86_399.0, 86_399),
        (86_400.0, 86_400),
        (86_401.0, 86_400),
        (float("inf"), 86_400),
        (float("nan"), 30),
    ],
)
def test_next_due_when_the_target_asks_for_a_wait_only_grows_and_at_most_to_a_day(
    asked: float | None, seconds: float
) -> None:
    assert wait_seconds(2, retry_after_seconds=asked) == seconds


def test_next_due_when_jitter_exceeds_what_was_asked_keeps_the_jitter() -> None:
    assert wait_seconds(2, retry_after_seconds=31.0, random=1.0) == pytest.approx(33.0)


@bounded
@given(
    failures=st.integers(1, len(BACKOFF_SECONDS) - 1),
    random=st.floats(0, 1),
    later_random=st.floats(0, 1),
)
def test_next_due_after_another_failure_is_later(
    failures: int, random: float, later_random: float
) -> None:
    sooner = next_due(NOON, failures, FAILED_ONCE_MORE, random)
    later = next_due(NOON, failures + 1, FAILED_ONCE_MORE, later_random)
    assert sooner is not None
    assert later is not None
    assert NOON < sooner < later


@bounded
@given(
    failures=st.integers(1, len(BACKOFF_SECONDS)),
    asked=st.floats(allow_nan=True, allow_infinity=True),
    random=st.floats(0, 1),
)
def test_next_due_whatever_the_target_asks_is_between_the_backoff_and_a_jittered_day(
    failures: int, asked: float, random: float
) -> None:
    outcome = Outcome(Verdict.RETRY, 429, retry_after_seconds=asked)
    due = next_due(NOON, failures, outcome, random)
    assert due is not None
    assert due >= NOON + timedelta(seconds=BACKOFF_SECONDS[failures - 1])
    assert due <= NOON + timedelta(days=1.1)
