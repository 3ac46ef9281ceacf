import pytest

from server.domain.errors import RateLimitedError
from server.web.rate_limits import (
    MAX_BUCKETS,
    WINDOW_SECONDS,
    Allowance,
    Policy,
    RateLimiter,
    network_of,
    tightest,
)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def limiter(clock: Clock, quota: int = 3) -> RateLimiter:
    return RateLimiter({Policy.ADDRESS: quota}, clock)


def refusal(limits: RateLimiter, who: str = "a", count: int = 1) -> dict[str, str]:
    with pytest.raises(RateLimitedError) as refused:
        limits.take(Policy.ADDRESS, who, count)
    return refused.value.headers


def remaining(limits: RateLimiter, who: str = "a", count: int = 1) -> int:
    allowance = limits.take(Policy.ADDRESS, who, count)
    assert allowance is not None
    return allowance.remaining


def test_requests_up_to_the_quota_are_taken_and_the_next_is_refused() -> None:
    limits = limiter(Clock())
    assert [remaining(limits) for _ in range(3)] == [2, 1, 0]
    assert refusal(limits) == {
        "retry-after": "20",
        "ratelimit-policy": '"address";q=3;w=60',
        "ratelimit": '"address";r=0;t=60',
    }


def test_request_after_the_wait_that_was_told_is_taken() -> None:
    clock = Clock()
    limits = limiter(clock)
    remaining(limits, count=3)
    clock.now += int(refusal(limits)["retry-after"])
    assert remaining(limits) == 0


def test_bucket_after_a_whole_window_is_full_again() -> None:
    clock = Clock()
    limits = limiter(clock)
    remaining(limits, count=3)
    clock.now += WINDOW_SECONDS
    assert remaining(limits, count=3) == 0


def test_refused_requests_do_not_make_the_wait_longer() -> None:
    limits = limiter(Clock())
    remaining(limits, count=3)
    assert {refusal(limits)["retry-after"] for _ in range(50)} == {"20"}


def test_batch_that_is_larger_than_what_is_left_takes_nothing() -> None:
    limits = limiter(Clock())
    refusal(limits, count=4)
    assert remaining(limits, count=3) == 0


def test_requests_of_others_count_apart() -> None:
    limits = limiter(Clock())
    remaining(limits, "a", 3)
    assert remaining(limits, "b") == 2


def test_policy_without_a_quota_is_never_limited() -> None:
    limits = limiter(Clock())
    assert [limits.take(Policy.KEY, "a") for _ in range(100)] == [None] * 100


def test_bucket_that_was_emptied_just_before_a_generation_ends_stays_empty() -> None:
    clock = Clock()
    limits = limiter(clock)
    clock.now += WINDOW_SECONDS - 1
    remaining(limits, count=3)
    clock.now += 2
    remaining(limits, "other")
    refusal(limits, count=2)


def test_table_when_a_million_addresses_come_stays_bounded() -> None:
    limits = limiter(Clock())
    for number in range(MAX_BUCKETS * 2):
        limits.take(Policy.ADDRESS, str(number))
    assert len(limits._full_at) + len(limits._older) <= MAX_BUCKETS
    assert remaining(limits, str(MAX_BUCKETS * 2 - 1)) == 1


@pytest.mark.parametrize("quota", [1, 7, 600, 1_000_000])
def test_quota_of_any_size_is_kept_to_the_last_request(quota: int) -> None:
    limits = limiter(Clock(), quota)
    assert remaining(limits, count=quota - 1) if quota > 1 else True
    assert remaining(limits) == 0
    refusal(limits)


@pytest.mark.parametrize(
    ("ip", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("", ""),
        ("unknown", "unknown"),
    ],
)
def test_address_counts_for_itself_or_its_network_of_one_customer(ip: str, counted: str) -> None:
    assert network_of(ip) == counted


def test_headers_of_several_limits_are_those_of_the_nearest() -> None:
    roomy, tight = Allowance(Policy.FORM, 100, 50, 30), Allowance(Policy.ADDRESS, 10, 1, 54)
    assert tightest([roomy, None, tight])["ratelimit"] == '"address";r=1;t=54'
    assert tightest([None]) == {}
