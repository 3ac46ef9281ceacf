"""The dashboard as a whole: its pages, in a literal table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from starlette.routing import BaseRoute

from server.web.dashboard.entrance import Entrance
from server.web.dashboard.home import Home
from server.web.dashboard.overview import OverviewPage
from server.web.dashboard.parts import Parts
from server.web.dashboard.users import UsersPage
from server.web.dashboard.visitors import VisitorsPage


class Section(Protocol):
    """Some pages that belong together."""

    def routes(self) -> list[BaseRoute]:
        """Its routes, each with its kind of access."""
        ...


SECTIONS: tuple[Callable[[Parts], Section], ...] = (
    Home,
    Entrance,
    UsersPage,
    OverviewPage,
    VisitorsPage,
)


def routes(parts: Parts) -> list[BaseRoute]:
    """Every route of the dashboard."""
    sections = [section(parts) for section in SECTIONS]
    return [route for section in sections for route in section.routes()]
