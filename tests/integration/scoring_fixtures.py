"""What the tests of lead scoring share: a running server with local models, Graph and webhook."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from server.app import prepare_store
from server.domain import clock
from server.domain.directory import FIRST_CLIENT, ApiKey, Client, Scope, hash_of_key, new_key
from server.domain.ids import ClientId
from server.store import directory
from server.store.vault import Vault
from tests import typeform_payloads
from tests.beacons import view
from tests.databases import Database, database_at
from tests.graph_server import GraphServer
from tests.integration.http_fixtures import eventually
from tests.llm_servers import GeminiServer, OpenAiServer
from tests.receiver import Receiver
from tests.running import RunningServer

SECRET = "the secret of the form"
SECRET_KEY = "the secret key of the scoring server"
TOKEN, PIXEL = "EAAtoken", "1234567890"
BLUSH_CLIENT = ClientId(30)
WEBHOOK = "/api/v1/leadscoring/webhook"

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Scoring:
    """A server and everything that it talks to."""

    server: RunningServer
    gemini: GeminiServer
    openai: OpenAiServer
    graph: GraphServer
    receiver: Receiver
    keys: Mapping[Scope, str]
    others_key: str

    def hook(
        self, content: Mapping[str, Any], *, client_id: str | None = "1", secret: str = SECRET
    ) -> httpx.Response:
        """Send a payload as Typeform does."""
        body = typeform_payloads.encoded(dict(content))
        headers = typeform_payloads.signed(body, secret) if secret else {}
        query = f"?client_id={client_id}" if client_id is not None else ""
        return self.server.client.post(WEBHOOK + query, content=body, headers=headers)

    def call(
        self, method: str, path: str, scope: Scope | None = Scope.ADMIN, **options: Any
    ) -> httpx.Response:
        """Ask /api/v1/leadscoring with a key of client 1."""
        headers = {"authorization": f"Bearer {self.keys[scope]}"} if scope else {}
        return self.server.client.request(
            method, f"/api/v1/leadscoring{path}", headers=headers, **options
        )

    def configure(self, **fields: Any) -> None:
        """Change settings of client 1."""
        config = self.call("GET", "/config/1").json()
        answer = self.call("PUT", "/config/1", json={**config, **fields})
        assert answer.status_code == 200, answer.text

    def rows(self, sql: str, *args: Any) -> list[dict[str, Any]]:
        return self.server.query(sql, args)

    def result(self, email: str) -> dict[str, Any] | None:
        """The row of an address."""
        found = self.rows("SELECT * FROM leadscoring_results WHERE email = ?", email)
        return found[0] if found else None

    def scored(self, email: str) -> dict[str, Any]:
        """The row of an address, as soon as it holds scores."""

        def look() -> dict[str, Any] | None:
            row = self.result(email)
            return row if row and row["rotator"] else None

        return eventually(look)

    def noted(self, email: str, *columns: str) -> dict[str, Any]:
        """The row of an address, as soon as these columns hold something."""

        def look() -> dict[str, Any] | None:
            row = self.result(email)
            return row if row and all(row[column] for column in columns) else None

        return eventually(look)

    def execute(self, sql: str, *args: Any) -> None:
        """Change the server's database behind its back."""
        self.server.execute(sql, *args)

    def events(self, person: Respondent) -> list[dict[str, Any]]:
        """What the Graph was sent of a person, by the token in the ids."""
        return [event for event in self.graph.events if person.token in event["event_id"]]


class Respondent:
    """Somebody who fills in the form: with ids that no other test has."""

    def __init__(self, scoring: Scoring) -> None:
        number = next(_numbers)
        self.scoring = scoring
        self.token = f"token{number:05}"
        self.email = f"respondent{number}@example.com"
        self.phone = f"+4420794600{number % 100:02}"
        self.visitor = f"respondent-{number}"

    def payload(self, **overrides: Any) -> dict[str, Any]:
        """The finished form, with an answer that nobody else gave."""
        why = f"A home like number {self.token[5:]}, close to schools"
        answers = [
            *typeform_payloads.question_answers()[:-1],
            typeform_payloads.answer("text", why, "qWhy", "long_text", "why"),
            *typeform_payloads.contact_answers(self.email, self.phone),
        ]
        own = {"token": self.token, "event_id": f"full-{self.token}", "answers": answers}
        own |= overrides
        return typeform_payloads.payload(
            email=self.email, phone=self.phone, visitor_id=self.visitor, **own
        )

    def partial(self, **overrides: Any) -> dict[str, Any]:
        """The form left in the middle."""
        own = {"token": self.token, "event_id": f"partial-{self.token}", **overrides}
        hidden = {"visitor_id": self.visitor}
        return typeform_payloads.partial(
            email=self.email, phone=self.phone, **{"hidden": hidden, **own}
        )

    def send(self, **overrides: Any) -> httpx.Response:
        return self.scoring.hook(self.payload(**overrides))

    def send_partial(self, **overrides: Any) -> httpx.Response:
        return self.scoring.hook(self.partial(**overrides))

    def visit(self, **fields: Any) -> None:
        """Be tracked on the site before."""
        beacon = view(self.visitor, age_ms=300_000, duration_ms=120_000, **fields)
        answer = self.scoring.server.track(beacon, x_forwarded_for="203.0.113.77")
        assert answer.status_code == 202

    def leads(self) -> list[dict[str, Any]]:
        return self.scoring.rows("SELECT * FROM Leads WHERE Email = ?", self.email)

    def responses(self) -> list[dict[str, Any]]:
        return self.scoring.rows(
            "SELECT * FROM form_responses WHERE token = ? ORDER BY id", self.token
        )

    def deliveries(self, destination: str) -> list[dict[str, Any]]:
        """Deliveries of the person's lead."""
        return self.scoring.rows(
            "SELECT d.* FROM deliveries AS d WHERE d.destination = ? AND (d.email = ? OR d.lead_id"
            " IN (SELECT PublicId FROM Leads WHERE Email = ?)) ORDER BY d.created_at",
            destination,
            self.email,
            self.email,
        )

    def forwarded(self) -> dict[str, Any]:
        """What Make.com received of the person, as soon as it came."""

        def look() -> dict[str, Any] | None:
            bodies = (request.body for request in self.scoring.receiver.requests)
            return next((body for body in bodies if body["email"] == self.email), None)

        return eventually(look)


async def _furnish(database: Database, keys: Mapping[Scope, str], others_key: str) -> None:
    store, vault, now = database.open(), Vault(SECRET_KEY), clock.now()
    await prepare_store(store)
    for number in range(2, BLUSH_CLIENT + 1):
        client = Client(ClientId(0), f"client {number}")
        await store.write([directory.new_client_statement(vault, client, now)])
    for scope, secret in keys.items():
        new = ApiKey(0, "tests", hash_of_key(secret), FIRST_CLIENT, scope)
        await store.write([directory.key_statement(new, now)])
    other = ApiKey(0, "others", hash_of_key(others_key), BLUSH_CLIENT, Scope.ADMIN)
    await store.write([directory.key_statement(other, now)])
    await store.close()


@contextmanager
def running_scoring(
    data_dir: Path, *, database_url: str = "", **settings: str
) -> Iterator[Scoring]:
    """A server whose client 1 has a secret, a pixel and a webhook; the models answer well.

    Its store is a file in `data_dir`, or the libSQL server at `database_url`.
    """
    keys = {scope: new_key() for scope in Scope}
    others_key = new_key()
    asyncio.run(_furnish(database_at(database_url, data_dir), keys, others_key))
    with (
        GeminiServer() as gemini,
        OpenAiServer() as openai,
        GraphServer() as graph,
        Receiver() as receiver,
    ):
        own = {
            "ALLOW_PRIVATE_TARGETS": "on",
            "FORM_AI_MODELS": "gemini:gemini-2.0-flash,openai:gpt-4o",
            "GEMINI_API_KEY": "gemini-key",
            "GEMINI_BASE_URL": gemini.url,
            "MAKE_WEBHOOK_URL": receiver.url,
            "META_GRAPH_URL": graph.url,
            "OPENAI_API_KEY": "openai-key",
            "OPENAI_BASE_URL": openai.url,
            "SECRET_KEY": SECRET_KEY,
            "TRUSTED_PROXIES": "127.0.0.1",
            "TYPEFORM_SECRET": SECRET,
            "DATABASE_URL": database_url,
        }
        with RunningServer(data_dir, {**own, **settings}) as server:
            scoring = Scoring(server, gemini, openai, graph, receiver, keys, others_key)
            scoring.configure(capi_token=TOKEN, pixel_id=PIXEL)
            yield scoring


def decoded(text: str | None) -> Any:
    """A JSON column."""
    return json.loads(text) if text else None
