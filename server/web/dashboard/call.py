"""What a page is given: who asks, for which client, and what their form says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from starlette.datastructures import QueryParams
from starlette.requests import Request

from server.domain.directory import Client
from server.domain.errors import AppError, ErrorCode
from server.domain.ids import ClientId
from server.domain.user import Role, User

Form = Mapping[str, Sequence[str]]
"""The fields of a form, each with all its values."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the dashboard, its access already checked.

    `clients` are those the user may see. `client` is the one of the path; a path without a
    client has none.
    """

    request: Request
    user: User
    clients: tuple[Client, ...]
    token: str
    csrf: str
    now: datetime
    zone: ZoneInfo
    form: Form = field(default_factory=dict)
    of_path: Client | None = None

    @property
    def client(self) -> Client:
        """The client of the path, which the user may see."""
        if self.of_path is None:
            raise AppError(ErrorCode.NOT_FOUND, "There is no such client")
        return self.of_path

    @property
    def seen(self) -> frozenset[ClientId]:
        """The clients whose rows may be read for this user."""
        return frozenset(client.client_id for client in self.clients)

    @property
    def is_admin(self) -> bool:
        """Whether settings are shown."""
        return self.user.role is Role.ADMIN

    @property
    def query(self) -> QueryParams:
        """The query of the address."""
        return self.request.query_params

    def text(self, name: str) -> str:
        """A form's field without the white space around it, "" when it is not there."""
        values = self.form.get(name) or [""]
        return values[-1].strip()
