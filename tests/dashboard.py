"""The dashboard as people use it: a running server, people who sign in, forms with their tokens."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from server.app import prepare_store
from server.domain import clock
from server.domain.directory import Client
from server.domain.ids import ClientId
from server.domain.user import Role
from server.store import directory
from server.store.vault import Vault
from server.usecases.sign_in import FIRST_ADMIN, NewUser, SignIn
from tests.databases import Database, database_at
from tests.running import BROWSER_AGENT, RunningServer

PASSWORD = "correct horse battery"
SECRET_KEY = "the secret key of the dashboard's tests"
OTHER_CLIENT = ClientId(2)
ADMIN, SALES, OTHERS_SALES, BOUNDED_ADMIN = (
    FIRST_ADMIN,
    "sales@example.com",
    "others-sales@example.com",
    "bounded-admin@example.com",
)
"""An admin of all clients; sales of client 1; sales of client 2; an admin of client 1 only."""

_TOKEN = re.compile(r'name="_csrf" value="([0-9a-f]+)"')


class Desk:
    """Someone in front of the dashboard, by plain HTTP."""

    def __init__(self, server: RunningServer, email: str) -> None:
        self.server = server
        self.email = email
        self.http = httpx.Client(
            base_url=server.url, headers={"user-agent": BROWSER_AGENT}, timeout=30, trust_env=False
        )

    def sign_in(self, password: str = PASSWORD) -> httpx.Response:
        """Post the sign-in form."""
        return self.http.post("/sign-in", data={"email": self.email, "password": password})

    def get(self, path: str, **params: Any) -> httpx.Response:
        """Open a page."""
        return self.http.get(path, params=params or None)

    def csrf(self) -> str:
        """A token for a form, off a page that every user may open."""
        found = _TOKEN.search(self.http.get("/account").text)
        assert found, "the account page has no token"
        return found[1]

    def post(self, path: str, fields: Mapping[str, str | Sequence[str]] = {}) -> httpx.Response:
        """Send a form of the dashboard."""
        return self.http.post(path, data={**fields, "_csrf": self.csrf()})


class Dashboard:
    """A server with two clients and four users."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self._desks: dict[str, Desk] = {}
        self._strangers: list[Desk] = []

    def desk(self, email: str = ADMIN) -> Desk:
        """A signed-in user; the same for every test that asks."""
        if email not in self._desks:
            desk = Desk(self.server, email)
            answer = desk.sign_in()
            assert answer.status_code == 303, answer.text
            self._desks[email] = desk
        return self._desks[email]

    def stranger(self, email: str = ADMIN) -> Desk:
        """Someone who has not signed in."""
        self._strangers.append(Desk(self.server, email))
        return self._strangers[-1]

    def close(self) -> None:
        """Close the connections."""
        for desk in (*self._desks.values(), *self._strangers):
            desk.http.close()


async def furnish(database: Database) -> None:
    """Make the second client and the users; the server makes the first admin itself."""
    store, vault, now = database.open(), Vault(SECRET_KEY), clock.now()
    await prepare_store(store)
    other = Client(ClientId(0), "Other Homes")
    await store.write([directory.new_client_statement(vault, other, now)])
    sign_in = SignIn(store, clock.now)
    await sign_in.make_first_admin(PASSWORD)
    await sign_in.add(NewUser(SALES, PASSWORD, Role.SALES, {ClientId(1)}))
    await sign_in.add(NewUser(OTHERS_SALES, PASSWORD, Role.SALES, {OTHER_CLIENT}))
    await sign_in.add(NewUser(BOUNDED_ADMIN, PASSWORD, Role.ADMIN, {ClientId(1)}))
    await store.close()


@contextmanager
def running_dashboard(
    data_dir: Path, settings: Mapping[str, str] | None = None, *, database_url: str = ""
) -> Iterator[Dashboard]:
    """A server of one's own with the users above; `settings` beyond the usual ones.

    Its store is a file in `data_dir`, or the empty libSQL server at `database_url`.
    """
    database = database_at(database_url, data_dir)
    with ThreadPoolExecutor(1) as aside:  # Playwright keeps a loop running in the test's own thread
        aside.submit(lambda: asyncio.run(furnish(database))).result()
    own = {"SECRET_KEY": SECRET_KEY, "DATABASE_URL": database_url}
    with RunningServer(data_dir, {**own, **(settings or {})}) as server:
        dashboard = Dashboard(server)
        try:
            yield dashboard
        finally:
            dashboard.close()


def unique(prefix: str) -> str:
    """A text that no other test uses."""
    return f"{prefix}-{secrets.token_hex(6)}"
