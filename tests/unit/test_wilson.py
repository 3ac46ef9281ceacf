import pytest

from server.domain.wilson import MIN_TRIALS, interval, share


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_interval_is_that_of_newcombe_1998_table_1(
    successes: int, trials: int, low: float, high: float
) -> None:
    assert interval(successes, trials) == pytest.approx((low, high), abs=5e-5)


def test_interval_of_all_is_the_mirror_of_that_of_none() -> None:
    low, high = interval(0, 20)
    assert interval(20, 20) == pytest.approx((1 - high, 1 - low))


def test_interval_of_nothing_says_nothing() -> None:
    assert interval(0, 0) == (0.0, 1.0)


def test_share_is_told_from_the_least_number_on() -> None:
    told = {of: share(0, of).is_told for of in (0, MIN_TRIALS - 1, MIN_TRIALS)}
    assert told == {0: False, MIN_TRIALS - 1: False, MIN_TRIALS: True}


def test_least_number_is_where_the_interval_around_a_tenth_spans_twenty_points() -> None:
    low, high = interval(MIN_TRIALS // 10, MIN_TRIALS)
    assert high - low == pytest.approx(0.22, abs=0.01)


def test_share_of_none_is_nothing() -> None:
    assert share(0, 0).value == 0
    assert share(3, 60).value == pytest.approx(0.05)
