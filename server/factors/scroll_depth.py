"""Scroll depth: reaching the prices at the bottom of the page shows high intent (spec)."""

from server.domain.engagement import FactorScore
from server.domain.visitor import Visit

CAP = 30


def score(visit: Visit) -> FactorScore:
    """Thirty points for a page read to its end, in proportion before that."""
    points = min(CAP, CAP * visit.max_scroll_percent // 100)
    return FactorScore("scroll_depth", visit.max_scroll_percent, points, CAP)
