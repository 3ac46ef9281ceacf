"""Clicks: gallery photos, floor-plan tabs and brochures show active interest (spec)."""

from server.domain.engagement import FactorScore
from server.domain.visitor import Visit

CAP = 20


def score(visit: Visit) -> FactorScore:
    """One point per click of the session."""
    return FactorScore("clicks", visit.clicks, min(CAP, visit.clicks), CAP)
