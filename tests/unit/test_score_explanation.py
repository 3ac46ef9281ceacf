from collections.abc import Sequence

import pytest

from server.domain.engagement import FactorScore, label_of
from server.domain.ids import SessionId
from server.domain.score_explanation import NextLabel, next_label
from server.domain.visitor import Visit
from server.factors import FACTORS


def scored(seconds: int, scroll: int, clicks: int, returns: int) -> Sequence[FactorScore]:
    visit = Visit(SessionId("s"), seconds, scroll, clicks, 1, returns)
    return [factor(visit) for factor in FACTORS]


def explained(seconds: int, scroll: int, clicks: int, returns: int) -> NextLabel | None:
    scores = scored(seconds, scroll, clicks, returns)
    return next_label(sum(one.points for one in scores), scores, FACTORS)


def test_next_label_of_the_highest_is_none() -> None:
    assert explained(600, 100, 20, 3) is None


def test_next_label_tells_each_factor_that_is_enough_alone() -> None:
    found = explained(140, 70, 8, 0)
    assert str(found) == (
        "30 s more on the pages (+3 points) makes it Hot. So would scrolling down to 80 % of a"
        " page (+3 points), or 3 more clicks (+3 points), or 1 more return visit (+5 points)."
    )


def test_next_label_counts_seconds_towards_the_next_point() -> None:
    found = explained(149, 70, 8, 0)
    assert found is not None
    assert found.ways[0][0].more == 21


def test_next_label_tells_one_point_as_one() -> None:
    assert str(explained(0, 100, 0, 3)) == (
        "10 s more on the pages (+1 point) makes it Hot. So would 1 more click (+1 point)."
    )


def test_next_label_out_of_reach_of_one_factor_tells_the_fewest_together() -> None:
    assert str(explained(200, 90, 0, 0)) == (
        "20 more clicks (+20 points) and 40 s more on the pages (+4 points) together make it"
        " Very Hot."
    )


def test_next_label_without_known_factors_tells_what_is_missing() -> None:
    found = next_label(20, [], [])
    assert str(found) == "1 point more would make it Warm."


def test_next_label_passes_over_a_factor_that_is_no_longer_scored() -> None:
    scores = [*scored(140, 70, 8, 0), FactorScore("brochures", 1, 1, 5)]
    assert next_label(43, scores, FACTORS) == explained(140, 70, 8, 0)


@pytest.mark.parametrize("seconds", [0, 95, 140, 349])
@pytest.mark.parametrize("scroll", [0, 33, 70, 100])
@pytest.mark.parametrize("clicks", [0, 8, 25])
@pytest.mark.parametrize("returns", [0, 1, 4])
def test_next_label_when_its_way_is_gone_is_reached_and_not_before(
    seconds: int, scroll: int, clicks: int, returns: int
) -> None:
    start = {"duration": seconds, "scroll_depth": scroll, "clicks": clicks}
    start["return_visits"] = returns
    found = explained(seconds, scroll, clicks, returns)
    for way in found.ways if found else ():
        reached = start | {step.factor: step.value for step in way}
        short = reached | {way[-1].factor: way[-1].value - 1}
        assert found is not None
        assert label_of(sum(one.points for one in scored(*reached.values()))) is found.label
        assert label_of(sum(one.points for one in scored(*short.values()))) is not found.label
