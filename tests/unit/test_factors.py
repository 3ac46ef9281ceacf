from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.domain.engagement import Engagement, EngagementLabel, FactorScore, total
from server.domain.ids import SessionId
from server.domain.visitor import MatchKind, Visit
from server.factors import FACTORS, clicks, duration, return_visits, scroll_depth

# A busy machine makes examples slowly; that is no failure.
bounded = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def visit(
    *, seconds: int = 0, scroll: int = 0, clicked: int = 0, pages: int = 1, returns: int = 0
) -> Visit:
    return Visit(SessionId("s-1"), seconds, scroll, clicked, pages, returns)


def engagement_of(of: Visit) -> Engagement:
    return total([factor(of) for factor in FACTORS], of, MatchKind.VISITOR_ID)


visits = st.builds(
    visit,
    seconds=st.integers(0, 10**9),
    scroll=st.integers(0, 100),
    clicked=st.integers(0, 10**9),
    pages=st.integers(0, 10**6),
    returns=st.integers(0, 10**6),
)


@pytest.mark.parametrize(
    ("seconds", "points"),
    [
        (0, 0),
        *[(10 * point - 1, point - 1) for point in range(1, 36)],
        *[(10 * point, point) for point in range(1, 36)],
        (351, 35),
        (360, 35),
        (86_400, 35),
    ],
)
def test_duration_per_ten_seconds_earns_a_point_up_to_35(seconds: int, points: int) -> None:
    assert duration.score(visit(seconds=seconds)) == FactorScore("duration", seconds, points, 35)


@pytest.mark.parametrize(
    ("percent", "points"),
    [
        (0, 0),
        (1, 0),
        (3, 0),
        (4, 1),
        (6, 1),
        (7, 2),
        (9, 2),
        (10, 3),
        (33, 9),
        (34, 10),
        (49, 14),
        (50, 15),
        (66, 19),
        (67, 20),
        (75, 22),
        (96, 28),
        (97, 29),
        (99, 29),
        (100, 30),
        (101, 30),
        (250, 30),
    ],
)
def test_scroll_depth_in_proportion_earns_up_to_30(percent: int, points: int) -> None:
    scored = scroll_depth.score(visit(scroll=percent))
    assert scored == FactorScore("scroll_depth", percent, points, 30)


@pytest.mark.parametrize("point", range(1, 31))
def test_scroll_depth_at_every_three_and_a_third_percent_earns_the_next_point(point: int) -> None:
    first = -(-100 * point // 30)
    assert scroll_depth.score(visit(scroll=first)).points == point
    assert scroll_depth.score(visit(scroll=first - 1)).points == point - 1


@pytest.mark.parametrize(
    ("count", "points"), [*[(n, n) for n in range(21)], (21, 20), (1_000_000, 20)]
)
def test_clicks_each_earn_a_point_up_to_20(count: int, points: int) -> None:
    assert clicks.score(visit(clicked=count)) == FactorScore("clicks", count, points, 20)


@pytest.mark.parametrize(
    ("count", "points"), [(0, 0), (1, 5), (2, 10), (3, 15), (4, 15), (1_000, 15)]
)
def test_return_visits_each_earn_five_points_up_to_15(count: int, points: int) -> None:
    scored = return_visits.score(visit(returns=count))
    assert scored == FactorScore("return_visits", count, points, 15)


def test_factors_together_have_distinct_names_and_caps_of_100() -> None:
    scores = [factor(visit()) for factor in FACTORS]
    assert [score.factor for score in scores] == [
        "duration",
        "scroll_depth",
        "clicks",
        "return_visits",
    ]
    assert sum(score.cap for score in scores) == 100


def test_engagement_when_every_factor_is_at_its_cap_is_100() -> None:
    best = engagement_of(visit(seconds=350, scroll=100, clicked=20, returns=3))
    assert (best.score, best.label) == (100, EngagementLabel.VERY_HOT)


def test_engagement_when_nothing_was_done_is_0_and_cold() -> None:
    bounced = engagement_of(visit())
    assert (bounced.score, bounced.label) == (0, EngagementLabel.COLD)


def test_engagement_of_the_specs_example_payload_is_72_and_very_hot() -> None:
    example = engagement_of(visit(seconds=340, scroll=60, clicked=10, pages=3, returns=2))
    assert [factor.points for factor in example.factors] == [34, 18, 10, 10]
    assert (example.score, example.label) == (72, EngagementLabel.VERY_HOT)


def test_engagement_when_more_pages_were_visited_stays_the_same() -> None:
    few, many = visit(seconds=100, pages=1), visit(seconds=100, pages=50)
    assert engagement_of(few).score == engagement_of(many).score


@bounded
@given(of=visits)
def test_points_for_any_visit_stay_within_their_caps_and_the_score_within_100(of: Visit) -> None:
    engagement = engagement_of(of)
    assert all(0 <= factor.points <= factor.cap for factor in engagement.factors)
    assert 0 <= engagement.score <= 100
    assert engagement.score == sum(factor.points for factor in engagement.factors)


@bounded
@given(of=visits, more=st.integers(0, 1_000))
@pytest.mark.parametrize(
    "grown",
    [
        lambda of, more: visit(
            seconds=of.duration_seconds + more,
            scroll=of.max_scroll_percent,
            clicked=of.clicks,
            returns=of.return_visits,
        ),
        lambda of, more: visit(
            seconds=of.duration_seconds,
            scroll=min(100, of.max_scroll_percent + more),
            clicked=of.clicks,
            returns=of.return_visits,
        ),
        lambda of, more: visit(
            seconds=of.duration_seconds,
            scroll=of.max_scroll_percent,
            clicked=of.clicks + more,
            returns=of.return_visits,
        ),
        lambda of, more: visit(
            seconds=of.duration_seconds,
            scroll=of.max_scroll_percent,
            clicked=of.clicks,
            returns=of.return_visits + more,
        ),
    ],
    ids=["duration", "scroll_depth", "clicks", "return_visits"],
)
def test_engagement_when_a_measure_grows_never_falls(
    grown: Callable[[Visit, int], Visit], of: Visit, more: int
) -> None:
    assert engagement_of(grown(of, more)).score >= engagement_of(of).score
