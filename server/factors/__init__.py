"""Engagement factors: each scores one measure of a visit. A new one is a file and a line here."""

from collections.abc import Callable

from server.domain.engagement import FactorScore
from server.domain.visitor import Visit
from server.factors import clicks, duration, return_visits, scroll_depth

FACTORS: tuple[Callable[[Visit], FactorScore], ...] = (
    duration.score,
    scroll_depth.score,
    clicks.score,
    return_visits.score,
)
