"""Return visits: coming back to the same property shows a serious buyer (spec)."""

from server.domain.engagement import FactorScore
from server.domain.visitor import Visit

CAP = 15
POINTS_PER_VISIT = 5


def score(visit: Visit) -> FactorScore:
    """Five points per session after the first."""
    points = min(CAP, POINTS_PER_VISIT * visit.return_visits)
    return FactorScore("return_visits", visit.return_visits, points, CAP)
