"""The engagement score: what a visit earns, its label and what sales should do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from server.domain.visitor import MatchKind, Visit


class EngagementLabel(StrEnum):
    """The spec's four labels."""

    COLD = "Cold"
    WARM = "Warm"
    HOT = "Hot"
    VERY_HOT = "Very Hot"


LABEL_FLOORS = (
    (71, EngagementLabel.VERY_HOT),
    (46, EngagementLabel.HOT),
    (21, EngagementLabel.WARM),
    (0, EngagementLabel.COLD),
)
"""Lowest score of each label (spec, Engagement Labels)."""

RECOMMENDED_ACTIONS = {
    EngagementLabel.COLD: "Bounced or bot — low priority",
    EngagementLabel.WARM: "Browsed briefly — follow up within 24h",
    EngagementLabel.HOT: "Read the page, looked at details — call within 2h",
    EngagementLabel.VERY_HOT: "Deep engagement + return visits — call immediately",
}
"""Word for word from the spec's table of labels."""

NOT_AVAILABLE_ACTION = "No tracked visit — judge by the enquiry itself"
"""Shown with leads whose engagement is not available; they are "—", not Cold."""


@dataclass(frozen=True, slots=True)
class FactorScore:
    """One factor's share: the measured `value` (in the factor's unit), its `points` and `cap`."""

    factor: str
    value: int
    points: int
    cap: int


@dataclass(frozen=True, slots=True)
class Engagement:
    """A lead's engagement. Without a matched session: 0, Cold, not available."""

    score: int
    label: EngagementLabel
    match: MatchKind
    factors: tuple[FactorScore, ...]
    visit: Visit | None

    @property
    def available(self) -> bool:
        """Whether there was a tracked visit to score."""
        return self.visit is not None

    @property
    def recommended_action(self) -> str:
        """What sales should do next."""
        return RECOMMENDED_ACTIONS[self.label] if self.available else NOT_AVAILABLE_ACTION


NO_ENGAGEMENT = Engagement(0, EngagementLabel.COLD, MatchKind.NONE, (), None)


def label_of(score: int) -> EngagementLabel:
    """The label of a score from 0 to 100."""
    return next(label for floor, label in LABEL_FLOORS if score >= floor)


def total(factors: Sequence[FactorScore], visit: Visit, match: MatchKind) -> Engagement:
    """Add the factors' points up; the caps sum to 100."""
    score = sum(factor.points for factor in factors)
    return Engagement(score, label_of(score), match, tuple(factors), visit)
