from datetime import UTC, datetime, timedelta

import pytest

from server.domain.clock import DAY_MS
from server.domain.ids import ClientId, SessionId, VisitorId
from server.domain.visitor import Arrival, Beacon, BeaconType, Fingerprint, Peer, wall_time_ms

NOON = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)


def beacon(*, age_ms: int = 0, scroll_percent: int = 0, scrollable: bool = True) -> Beacon:
    return Beacon(
        visitor_id=VisitorId("v-1"),
        session_id=SessionId("s-1"),
        page_view_id="p-1",
        type=BeaconType.VIEW,
        scroll_percent=scroll_percent,
        scrollable=scrollable,
        age_ms=age_ms,
    )


def arrival(age_ms: int) -> Arrival:
    peer = Peer(ip="192.0.2.1", country="GB", user_agent="")
    return Arrival(beacon(age_ms=age_ms), ClientId(1), peer, received_at=NOON)


@pytest.mark.parametrize("percent", [0, 1, 50, 100])
def test_scroll_depth_of_a_page_that_scrolls_is_what_was_seen(percent: int) -> None:
    assert beacon(scroll_percent=percent).scroll_depth == percent


@pytest.mark.parametrize("percent", [0, 1, 50, 100])
def test_scroll_depth_of_a_page_too_short_to_scroll_is_0(percent: int) -> None:
    assert beacon(scroll_percent=percent, scrollable=False).scroll_depth == 0


@pytest.mark.parametrize(
    ("age_ms", "back_ms"),
    [
        (0, 0),
        (1, 1),
        (90_000, 90_000),
        (DAY_MS, DAY_MS),
    ],
)
def test_occurred_at_is_the_receipt_less_the_age(age_ms: int, back_ms: int) -> None:
    assert arrival(age_ms).occurred_at == NOON - timedelta(milliseconds=back_ms)


@pytest.mark.parametrize(
    ("visits", "returns"), [(-1, 0), (0, 0), (1, 0), (2, 1), (3, 2), (4, 3), (50, 49)]
)
def test_return_visits_are_the_sessions_after_the_first(visits: int, returns: int) -> None:
    assert Fingerprint(visits, vpn_suspected=False, vpn_reason="").return_visits == returns


@pytest.mark.parametrize(
    ("began_seconds_ago", "age_ms", "bound_ms"),
    [
        (0, 0, 0),
        (60, 0, 60_000),
        (60, 59_000, 60_000),
        (60, 61_000, 61_000),
        (0, 45_000, 45_000),
        (-30, 0, 0),
        (-30, 5_000, 5_000),
        (86_400, 0, DAY_MS),
        (86_401, 0, DAY_MS),
        (0, DAY_MS, DAY_MS),
    ],
)
def test_wall_time_is_the_longer_of_clock_and_claimed_age_up_to_a_day(
    began_seconds_ago: int, age_ms: int, bound_ms: int
) -> None:
    began = NOON - timedelta(seconds=began_seconds_ago)
    assert wall_time_ms(arrival(age_ms), began) == bound_ms
