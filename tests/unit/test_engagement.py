import pytest

from server.domain.engagement import (
    NO_ENGAGEMENT,
    NOT_AVAILABLE_ACTION,
    RECOMMENDED_ACTIONS,
    EngagementLabel,
    FactorScore,
    label_of,
    total,
)
from server.domain.ids import SessionId
from server.domain.visitor import MatchKind, Visit

VISIT = Visit(SessionId("s-1"), 100, 50, 3, 2, 1)


def of_points(*points: int) -> list[FactorScore]:
    return [FactorScore(f"factor_{n}", value, value, 35) for n, value in enumerate(points)]


@pytest.mark.parametrize(
    ("score", "label"),
    [
        (0, "Cold"),
        (1, "Cold"),
        (20, "Cold"),
        (21, "Warm"),
        (22, "Warm"),
        (44, "Warm"),
        (45, "Warm"),
        (46, "Hot"),
        (47, "Hot"),
        (69, "Hot"),
        (70, "Hot"),
        (71, "Very Hot"),
        (72, "Very Hot"),
        (100, "Very Hot"),
    ],
)
def test_label_at_each_edge_is_the_specs(score: int, label: str) -> None:
    assert label_of(score) == label


@pytest.mark.parametrize(
    ("points", "action"),
    [
        ([20], "Bounced or bot — low priority"),
        ([21], "Browsed briefly — follow up within 24h"),
        ([35, 11], "Read the page, looked at details — call within 2h"),
        ([35, 30, 6], "Deep engagement + return visits — call immediately"),
    ],
)
def test_recommended_action_of_each_label_is_the_specs_word_for_word(
    points: list[int], action: str
) -> None:
    assert total(of_points(*points), VISIT, MatchKind.VISITOR_ID).recommended_action == action


def test_recommended_actions_stand_for_every_label() -> None:
    assert set(RECOMMENDED_ACTIONS) == set(EngagementLabel)


def test_total_of_factors_adds_their_points_and_keeps_all_it_was_given() -> None:
    factors = of_points(10, 15, 3, 5)
    engagement = total(factors, VISIT, MatchKind.IP)
    assert engagement.score == 33
    assert engagement.label is EngagementLabel.WARM
    assert engagement.factors == tuple(factors)
    assert engagement.visit is VISIT
    assert engagement.match is MatchKind.IP


def test_engagement_of_a_visit_worth_nothing_is_cold_and_available() -> None:
    engagement = total([], VISIT, MatchKind.VISITOR_ID)
    assert (engagement.score, engagement.label) == (0, "Cold")
    assert engagement.available
    assert engagement.recommended_action == RECOMMENDED_ACTIONS[EngagementLabel.COLD]


def test_no_engagement_is_0_cold_unmatched_and_not_available() -> None:
    assert (NO_ENGAGEMENT.score, NO_ENGAGEMENT.label, NO_ENGAGEMENT.match) == (0, "Cold", "none")
    assert NO_ENGAGEMENT.factors == ()
    assert not NO_ENGAGEMENT.available
    assert NO_ENGAGEMENT.recommended_action == NOT_AVAILABLE_ACTION
