"""Who may come: every route declares its kind of access, and a test fails on one that does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

from starlette.routing import Mount, Route
from starlette.types import ASGIApp


class Access(StrEnum):
    """Kinds of access. The last four are the dashboard's, checked by `dashboard/gate.py`."""

    PUBLIC = "public"
    PARTNER = "partner"
    """An API key, a signature or a dashboard session, checked by the endpoint."""

    PERSON = "person"
    """Anyone, but only from this server's own pages (signing in)."""

    SIGNED_IN = "signed_in"
    ADMIN = "admin"
    ALL_CLIENTS = "all_clients"
    """An admin whom no list of clients bounds."""


class Declared(Route):
    """A route that says who may come."""

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        access: Access,
        methods: Sequence[str] = ("GET",),
    ) -> None:
        super().__init__(path, endpoint, methods=list(methods))
        self.access = access


class DeclaredMount(Mount):
    """An application below a path, which says who may come."""

    def __init__(self, path: str, app: ASGIApp, access: Access) -> None:
        super().__init__(path, app)
        self.access = access
