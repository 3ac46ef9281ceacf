"""The dashboard as a whole: its pages, in a literal table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from starlette.routing import BaseRoute

from server.web.dashboard.clients import ClientsPage
from server.web.dashboard.deliveries import DeliveriesPage
from server.web.dashboard.entrance import Entrance
from server.web.dashboard.home import Home
from server.web.dashboard.inbox import Inbox
from server.web.dashboard.inbox_live import InboxLive
from server.web.dashboard.keys import KeysPage
from server.web.dashboard.lead import LeadPage
from server.web.dashboard.outcomes import OutcomesPage
from server.web.dashboard.overview import OverviewPage
from server.web.dashboard.parts import Parts
from server.web.dashboard.privacy import PrivacyPage
from server.web.dashboard.settings import SettingsPages
from server.web.dashboard.sites import SitesPage
from server.web.dashboard.users import UsersPage
from server.web.dashboard.verify import VerifyPage
from server.web.dashboard.visitors import VisitorsPage


class Section(Protocol):
    """Some pages that belong together."""

    def routes(self) -> list[BaseRoute]:
        """Its routes, each with its kind of access."""
        ...


SECTIONS: tuple[Callable[[Parts], Section], ...] = (
    Home,
    Entrance,
    Inbox,
    InboxLive,
    LeadPage,
    DeliveriesPage,
    SitesPage,
    VerifyPage,
    KeysPage,
    ClientsPage,
    SettingsPages,
    UsersPage,
    OverviewPage,
    VisitorsPage,
    OutcomesPage,
    PrivacyPage,
)


def routes(parts: Parts) -> list[BaseRoute]:
    """Every route of the dashboard."""
    sections = [section(parts) for section in SECTIONS]
    return [route for section in sections for route in section.routes()]
