"""Duration: reading floor plans and amenities for minutes shows strong intent (spec)."""

from server.domain.engagement import FactorScore
from server.domain.visitor import Visit

CAP = 35
SECONDS_PER_POINT = 10


def score(visit: Visit) -> FactorScore:
    """One point per 10 engaged seconds of the session."""
    points = min(CAP, visit.duration_seconds // SECONDS_PER_POINT)
    return FactorScore("duration", visit.duration_seconds, points, CAP)
