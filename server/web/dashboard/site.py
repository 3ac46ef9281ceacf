"""The dashboard as a whole: its pages, in a literal table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from starlette.routing import BaseRoute

from server.web.dashboard.entrance import Entrance
from server.web.dashboard.home import Home
from server.web.dashboard.outcomes import OutcomesPage
from server.web.dashboard.parts import Parts
from server.web.dashboard.privacy import PrivacyPage
from server.web.dashboard.users import UsersPage


class Section(Protocol):
    """Some pages that belong together."""

    def routes(self) -> list[BaseRoute]:
        """Its routes, each with its kind of access."""
        ...


SECTIONS: tuple[Callable[[Parts], Section], ...] = (
    Home,
    Entrance,
    OutcomesPage,
    PrivacyPage,
    UsersPage,
)


def routes(parts: Parts) -> list[BaseRoute]:
    """Every route of the dashboard."""
    sections = [section(parts) for section in SECTIONS]
    return [route for section in sections for route in section.routes()]
