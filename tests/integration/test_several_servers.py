"""Several servers on one store: nothing is done twice, and what a dead one held is taken over."""

from __future__ import annotations

import json
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import typeform_payloads
from tests.beacons import engage, view
from tests.integration.http_fixtures import SECRET_KEY, eventually
from tests.llm_servers import GeminiServer
from tests.receiver import Receiver
from tests.running import RunningServer
from tests.sqld import Sqld

LEADS = 40
HELD = 3
"""As many as one server sends to a destination at once, and fewer."""

RESPONSES = 6
SECRET = "the secret of the form"


@dataclass(frozen=True)
class Group:
    """Two servers on one store, what they talk to, and a way to the store beside them."""

    servers: tuple[RunningServer, RunningServer]
    receiver: Receiver
    gemini: GeminiServer
    query: Callable[[str], list[dict[str, Any]]]

    def delivered(self, wanted: int) -> Counter[str]:
        """How often each lead came to the webhook, once so many of them did."""

        def look() -> Counter[str] | None:
            leads = Counter(request.body["lead_id"] for request in list(self.receiver.requests))
            return leads if len(leads) >= wanted else None

        return eventually(look)

    def states(self) -> list[dict[str, Any]]:
        """How many deliveries to the webhook stand where."""
        return self.query(
            "SELECT state, attempts, COUNT(*) AS n FROM deliveries"
            " WHERE destination = 'make_webhook' GROUP BY 1, 2"
        )


def query_file(path: Path) -> Callable[[str], list[dict[str, Any]]]:
    def query(sql: str) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(path)) as database, database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(sql)]

    return query


@pytest.fixture(params=["file", "sqld"])
def group(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Group]:
    with ExitStack() as stack:
        receiver, gemini = stack.enter_context(Receiver()), stack.enter_context(GeminiServer())
        if request.param == "file":
            url, query = f"file:{tmp_path / 'shared.db'}", query_file(tmp_path / "shared.db")
        else:
            sqld = stack.enter_context(Sqld(tmp_path / "sqld"))
            url, query = sqld.http_url, sqld.query
        settings = {
            "ALLOW_PRIVATE_TARGETS": "on",
            "DATABASE_URL": url,
            "FORM_AI_MODELS": "gemini:gemini-2.0-flash",
            "GEMINI_API_KEY": "gemini-key",
            "GEMINI_BASE_URL": gemini.url,
            "MAKE_WEBHOOK_URL": receiver.url,
            "SECRET_KEY": SECRET_KEY,
            "TYPEFORM_SECRET": SECRET,
        }
        one, other = (RunningServer(tmp_path / name, settings) for name in ("one", "other"))
        with ThreadPoolExecutor(2) as both:
            for started in both.map(RunningServer.start, (one, other)):
                stack.callback(started.stop)
        yield Group((one, other), receiver, gemini, query)


def test_servers_on_one_store_do_each_thing_once(group: Group) -> None:
    one, other = group.servers
    assert one.track(view("ana")).status_code == 202
    assert other.track(engage("ana", duration_ms=0, clicks=7)).status_code == 202
    with ThreadPoolExecutor(8) as senders:
        answers = list(
            senders.map(
                lambda number: group.servers[number % 2].lead(email=f"lead{number}@example.com"),
                range(LEADS),
            )
        )
        responses = list(senders.map(lambda number: respond(group, number), range(RESPONSES)))
    assert {answer.status_code for answer in answers} == {201}
    assert set(responses) == {200}

    delivered = group.delivered(LEADS + RESPONSES)
    assert set(delivered.values()) == {1}
    (totals,) = group.query("SELECT clicks, pages_visited FROM sessions")
    assert totals == {"clicks": 7, "pages_visited": 1}
    done = [{"state": "delivered", "attempts": 1, "n": LEADS + RESPONSES}]
    assert eventually(lambda: states if (states := group.states()) == done else None)
    attempts = group.query("SELECT COUNT(*) AS n FROM delivery_attempts")
    assert attempts == [{"n": LEADS + RESPONSES}]
    assert len(group.gemini.requests) == RESPONSES


def test_server_when_another_dies_takes_over_what_that_one_held(group: Group) -> None:
    one, other = group.servers
    group.receiver.gate.clear()
    for number in range(HELD):
        assert one.lead(email=f"held{number}@example.com").status_code == 201
    group.receiver.wait_for(1)
    one.stop(signal.SIGKILL)
    group.receiver.gate.set()
    # As a minute would do: what the dead server was sending may be taken up.
    group.query("UPDATE deliveries SET leased_until = created_at WHERE state = 'pending'")
    eventually(lambda: {row["state"] for row in group.states()} == {"delivered"} or None)
    ids = {request.headers["webhook-id"] for request in group.receiver.requests}
    assert len(ids) == HELD
    assert other.lead(email="after@example.com").status_code == 201


def respond(group: Group, number: int) -> int:
    """Send a form response to one of the servers; its status."""
    answers = [
        typeform_payloads.answer("text", f"Near school {number}", "qWhy", "long_text", "why"),
        *typeform_payloads.contact_answers(f"form{number}@example.com", "+442079460123"),
    ]
    payload = typeform_payloads.payload(
        email=f"form{number}@example.com",
        token=f"token{number}",
        event_id=f"event{number}",
        answers=answers,
    )
    body = json.dumps(payload).encode()
    answer = group.servers[number % 2].client.post(
        "/api/v1/leadscoring/webhook?client_id=1",
        content=body,
        headers=typeform_payloads.signed(body, SECRET),
    )
    return answer.status_code
