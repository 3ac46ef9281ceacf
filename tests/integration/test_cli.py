"""The commands: what they print, what they change, and how they refuse."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
import httpx
import pytest
from click.testing import CliRunner, Result

from server.app import MIGRATIONS, prepare_store
from server.cli import main
from server.config import CONFIG_FILE, ROOT
from server.destinations import Destination, make_webhook
from server.domain.delivery import Delivery, DeliveryState, Outcome, Verdict
from server.domain.directory import hash_of_key
from server.domain.ids import ClientId, DeliveryId
from server.settings import SETTINGS
from server.store import outbox
from server.store.contract import Store
from server.store.file import FileStore
from server.usecases.deliver_outbox import Clocks, OutboxWorker
from tests.beacons import view
from tests.integration.http_fixtures import eventually
from tests.receiver import Receiver
from tests.running import RunningServer, free_port, propgauge
from tests.sqld import Sqld

NOON = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)
WEBHOOK = "https://hook.example.com/hidden-path"

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Installation:
    """A data folder and the commands run on it."""

    data_dir: Path

    def __call__(self, *words: str, **settings: str) -> Result:
        """Run a command in this process, without settings of the machine."""
        env: dict[str, str | None] = {setting.name: None for setting in SETTINGS}
        own = {"DATA_DIR": str(self.data_dir), "PORT": str(free_port())}
        return CliRunner().invoke(main, words, env=env | own | settings)

    def done(self, *words: str, **settings: str) -> list[str]:
        """Run a command that must succeed; the lines it printed."""
        result = self(*words, **settings)
        assert (result.exit_code, result.stderr) == (0, ""), result.output
        return result.stdout.splitlines()

    def refused(self, *words: str, exit_code: int, **settings: str) -> str:
        """Run a command that must be refused; the one line that says why."""
        result = self(*words, **settings)
        assert result.exit_code == exit_code, result.output
        assert result.stdout == ""
        assert "Traceback" not in result.stderr
        (line,) = [one for one in result.stderr.splitlines() if one.startswith("Error: ")]
        if exit_code == 1:
            assert result.stderr == line + "\n"
        return line

    def query(self, sql: str) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(self.data_dir / "propgauge.db")) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(sql)]

    def in_store(self, work: Callable[[Store], Awaitable[Answer]]) -> Answer:
        """Do something in the store that no command does."""

        async def session() -> Answer:
            store = FileStore.open(self.data_dir / "propgauge.db")
            try:
                await prepare_store(store)
                return await work(store)
            finally:
                await store.close()

        return asyncio.run(session())


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """An installation of its own for each test; `serve` sets up logging, which is undone."""
    (tmp_path / CONFIG_FILE).touch()
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield Installation(tmp_path / "data")
    root.handlers[:] = handlers
    root.setLevel(level)


@dataclass
class Ending:
    """A destination whose every attempt ends alike."""

    outcome: Outcome
    name: str = make_webhook.NAME

    async def send(self, delivery: Delivery, now: datetime) -> Outcome:  # noqa: ARG002
        return self.outcome


def put(
    run: Installation,
    *outcomes: Outcome | None,
    client: int = 1,
    state: DeliveryState = DeliveryState.PENDING,
) -> list[str]:
    """Store deliveries one by one, each attempted at once if an outcome is given; their ids."""

    async def work(store: Store) -> list[str]:
        ids: list[str] = []
        for number, outcome in enumerate(outcomes):
            new = Delivery(
                DeliveryId(f"msg_{client}_{state}_{number}"),
                ClientId(client),
                make_webhook.NAME,
                "lead_1",
                '{"email": "hidden@example.com"}',
            )
            ids.append(new.delivery_id)
            await store.write([outbox.delivery_statement(new, NOON, state=state)])
            if outcome is not None:
                destinations: dict[str, Destination] = {make_webhook.NAME: Ending(outcome)}
                await OutboxWorker(store, destinations, Clocks(lambda: NOON)).deliver_due()
        return ids

    return run.in_store(work)


DELIVERED = Outcome(Verdict.DELIVERED, 200)
FAILED = Outcome(Verdict.FAIL, 422, "the webhook answered 422")
GONE = Outcome(Verdict.PAUSE, 410, "the webhook answered 410")


def commands_below(group: click.Group, *path: str) -> Iterator[tuple[str, ...]]:
    yield path
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from commands_below(command, *path, name)
        else:
            yield (*path, name)


# Help and bad arguments


@pytest.mark.parametrize("path", list(commands_below(main)), ids=" ".join)
def test_help_of_each_command_says_what_it_does(run: Installation, path: tuple[str, ...]) -> None:
    command: click.Command = main
    for name in path:
        assert isinstance(command, click.Group)
        command = command.commands[name]
    text = " ".join(run.done(*path, "--help"))
    assert text.startswith("Usage: ")
    assert command.help
    assert " ".join(command.help.split()) in " ".join(text.split())
    assert not run.data_dir.exists()


def test_commands_are_those_of_the_readme() -> None:
    names = {" ".join(path) for path in commands_below(main)}
    assert {
        "serve",
        "migrate",
        "doctor",
        "client add",
        "client list",
        "key map",
        "site add",
        "key create",
        "key list",
        "key revoke",
        "user add",
        "user list",
        "user passwd",
        "deliveries list",
        "deliveries replay",
        "deliveries resume",
    } <= names
    readme = (ROOT / "README.md").read_text("utf-8")
    for name in names:
        assert name.partition(" ")[2] in readme


@pytest.mark.parametrize(
    "words",
    [
        "nonsense",
        "client nonsense",
        "migrate extra",
        "serve --port 80",
        "client add",
        "client add Acme --region GBR",
        "client add Acme --region 44",
        "client add Acme --region ZZ",
        "client add Acme --webhook-url hook.make.com",
        "client add Acme --webhook-url ftp://hidden.example.com",
        "client add Acme --webhook-secret whsec_hidden!",
        "site add",
        "site add with/slash",
        "site add marina --client one",
        "site add marina --origin www.example.com",
        "site add marina --origin https://",
        "site add marina --origin https://good.example.com --origin bad",
        "key create",
        "key create Make",
        "key create Make --scope all",
        "key create Make --scope read --client x",
        "key create Make --scope write --map email",
        "key create Make --scope write --map email=a[",
        "key create Make --scope write --map e@mail=a",
        "key map",
        "key map 1 --map email",
        "key revoke",
        "key revoke abc",
        "deliveries list --state nonsense",
        "deliveries list --limit many",
        "deliveries list --limit 99999999999999999999",
        "deliveries list --limit -1",
        "deliveries replay",
        "deliveries replay msg_1 --all-failed",
        "deliveries replay --all-failed --not-configured",
        "deliveries resume --client x",
        "site add marina --client 99999999999999999999",
        "key revoke 99999999999999999999",
        "deliveries resume --client 99999999999999999999",
    ],
)
def test_command_when_its_arguments_are_wrong_says_so_in_one_line_and_does_nothing(
    run: Installation, words: str
) -> None:
    assert "hidden" not in run.refused(*words.split(" "), exit_code=2)
    assert not run.data_dir.exists()


@pytest.mark.parametrize("name", ["", "   ", "two\nlines", "\udcff", "x" * 81])
def test_client_site_and_key_of_a_name_that_cannot_be_shown_are_refused(
    run: Installation, name: str
) -> None:
    run.refused("client", "add", name, exit_code=2)
    run.refused("key", "create", name, "--scope", "read", exit_code=2)
    run.refused("site", "add", "marina", "--name", name, exit_code=2)
    assert not run.data_dir.exists()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("site add demo", "demo"),
        ("site add marina --client 99", "99"),
        ("key create Make --scope read --client 99", "99"),
        ("key revoke 7", "7"),
        ("key map 7 --map email=mail", "7"),
        ("deliveries replay msg_none", "msg_none"),
        ("deliveries resume", "make_webhook of client 1 is not paused"),
        ("deliveries resume --client 9", "make_webhook of client 9 is not paused"),
        ("deliveries resume --destination other", "other of client 1 is not paused"),
    ],
)
def test_command_when_it_cannot_be_done_says_why_in_one_line(
    run: Installation, words: str, named: str
) -> None:
    line = run.refused(*words.split(" "), exit_code=1)
    assert named in line
    assert "constraint" not in line.lower()


# Migrations


def test_migrate_when_run_twice_applies_everything_once(run: Installation) -> None:
    files = sorted(path.name for path in MIGRATIONS.glob("*.sql"))
    assert run.done("migrate") == [f"applied {name}" for name in files]
    assert run.done("migrate") == ["nothing to apply"]
    assert [row["name"] for row in run.query("SELECT name FROM d1_migrations ORDER BY id")] == files


@pytest.mark.parametrize("command", ["migrate", "doctor", "serve"])
def test_command_when_the_database_is_of_a_newer_version_ends_with_one_line(
    run: Installation, command: str
) -> None:
    run.done("migrate")
    with closing(sqlite3.connect(run.data_dir / "propgauge.db")) as database:
        database.execute("INSERT INTO d1_migrations (name) VALUES ('999_from_the_future.sql')")
        database.commit()
    assert "999_from_the_future.sql" in run.refused(command, exit_code=1)


@pytest.mark.parametrize("command", ["migrate", "doctor", "serve", "client list"])
def test_command_when_the_database_cannot_be_used_ends_with_one_line(
    run: Installation, tmp_path: Path, command: str
) -> None:
    (tmp_path / "junk.db").write_bytes(b"no database" * 1_000)
    settings = {"DATABASE_URL": f"file:{tmp_path / 'junk.db'}", "SECRET_KEY": "k" * 40}
    assert "junk.db" in run.refused(*command.split(), exit_code=1, **settings)


# Clients, sites and keys


def test_client_when_it_is_added_is_told_by_its_id_alone_on_the_last_line(
    run: Installation,
) -> None:
    assert run.done("client", "add", "Acme Homes", "--region", "gb")[-1] == "2"
    assert run.done("client", "add", "Other")[-1] == "3"
    rows = run.query("SELECT id, name, default_region FROM clients ORDER BY id")
    assert rows[1:] == [
        {"id": 2, "name": "Acme Homes", "default_region": "GB"},
        {"id": 3, "name": "Other", "default_region": None},
    ]


def test_client_when_it_has_a_webhook_keeps_it_encrypted(run: Installation) -> None:
    secret = "whsec_aGlkZGVuLXNlY3JldA=="
    run.done("client", "add", "Acme", "--webhook-url", WEBHOOK, "--webhook-secret", secret)
    (row,) = run.query("SELECT make_webhook_url, make_webhook_secret FROM clients WHERE id = 2")
    assert row["make_webhook_url"].startswith("v1:")
    assert row["make_webhook_secret"].startswith("v1:")
    stored = b"".join(path.read_bytes() for path in run.data_dir.glob("propgauge.db*"))
    assert b"hidden" not in stored
    assert secret.encode() not in stored


def test_clients_when_they_are_listed_show_their_sites_and_no_secret(run: Installation) -> None:
    run.done("client", "add", "Acme", "--webhook-url", WEBHOOK)
    origins = ("--origin", "https://B.example.com:443/x", "--origin", "http://a.example.com:8080")
    run.done("site", "add", "acme", "--client", "2", *origins)
    assert run.done("client", "list") == [
        "1  Demo  (no webhook of its own)",
        "   site demo: no origins",
        "2  Acme  (own webhook)",
        "   site acme: http://a.example.com:8080 https://b.example.com",
    ]


def test_client_site_and_key_when_commands_change_them_stand_in_the_audit_trail(
    run: Installation,
) -> None:
    (client_id,) = run.done("client", "add", "Palm", "--webhook-url", WEBHOOK)
    run.done("site", "add", "palm", "--client", client_id, "--origin", "https://palm.example")
    made = run.done("key", "create", "CRM", "--client", client_id, "--scope", "write")
    run.done("key", "map", "1", "--map", "email=mail")
    run.done("key", "revoke", "1")
    assert run("key", "map", "1").exit_code != 0
    assert run("site", "add", "palm").exit_code != 0
    kept = run.query("SELECT * FROM audit_trail ORDER BY id")
    assert [(row["action"], row["subject"], json.loads(row["details"])) for row in kept] == [
        ("client_added", "Palm", {}),
        ("site_added", "palm", {"name": None, "origins": ["https://palm.example"]}),
        ("key_created", "CRM", {"scope": "write", "mapping": {}}),
        ("key_mapped", "CRM", {"from": {}, "to": {"email": "mail"}}),
        ("key_revoked", "CRM", {"scope": "write"}),
    ]
    assert {(row["client_id"], row["actor"]) for row in kept} == {(int(client_id), "command line")}
    assert made[-1] not in str(kept)
    assert WEBHOOK not in str(kept)


def test_key_when_it_is_created_is_alone_on_the_last_line_and_kept_as_a_hash(
    run: Installation,
) -> None:
    lines = run.done("key", "create", "Make.com", "--scope", "write")
    secret = lines[-1]
    assert re.fullmatch(r"pg_[A-Za-z0-9_-]{32}", secret)
    assert secret not in "".join(lines[:-1])
    (row,) = run.query("SELECT * FROM api_keys")
    assert (row["key_hash"], row["scope"], row["client_id"]) == (hash_of_key(secret), "write", 1)
    assert secret not in str(row)
    assert run.done("key", "list") == ["1  Make.com  write  client 1"]


def test_key_when_it_is_revoked_is_listed_no_more_and_cannot_be_revoked_again(
    run: Installation,
) -> None:
    run.done("key", "create", "First", "--scope", "read")
    run.done("key", "create", "Second", "--scope", "admin")
    assert run.done("key", "revoke", "1") == ["key 1 revoked"]
    assert run.done("key", "list") == ["2  Second  admin  client 1"]
    assert run.refused("key", "revoke", "1", exit_code=1) == "Error: there is no key 1 in force"


def test_key_when_its_fields_are_mapped_lists_the_mapping_until_it_is_replaced(
    run: Installation,
) -> None:
    mapping = ("--map", "email=contact.mail", "--map", "name=contact.names[0]")
    run.done("key", "create", "Make.com", "--scope", "write", *mapping)
    listed = ["1  Make.com  write  client 1", "   email = contact.mail"]
    assert run.done("key", "list") == [*listed, "   name = contact.names[0]"]
    assert run.done("key", "map", "1", "--map", "email=contact.mail") == ["key 1 maps 1 fields"]
    assert run.done("key", "list") == listed
    assert run.done("key", "map", "1") == ["key 1 maps 0 fields"]
    assert run.done("key", "list") == listed[:1]


# Deliveries


def test_deliveries_when_they_are_listed_show_state_and_reason_and_no_lead(
    run: Installation,
) -> None:
    (gone,) = put(run, GONE)
    (failed,) = put(run, FAILED, client=2)
    lines = run.done("deliveries", "list")
    assert len(lines) == 2
    shown = {line.split()[0]: " ".join(line.split()[1:]) for line in lines}
    assert shown[gone].startswith("paused client 1 make_webhook attempts 1 status 410 due ")
    assert shown[gone].endswith("the webhook answered 410")
    assert shown[failed].startswith("failed client 2 make_webhook attempts 1 status 422 due ")
    assert shown[failed].endswith("the webhook answered 422")
    assert "hidden" not in "".join(lines)
    assert len(run.done("deliveries", "list", "--state", "failed")) == 1
    assert run.done("deliveries", "list", "--state", "delivered") == []
    assert len(run.done("deliveries", "list", "--limit", "1")) == 1


def test_replay_of_one_delivery_makes_it_due_again(run: Installation) -> None:
    (first, _second) = put(run, DELIVERED, DELIVERED)
    assert run.done("deliveries", "replay", first) == ["1 to be sent again"]
    rows = run.query("SELECT delivery_id, state, attempts FROM deliveries WHERE state = 'pending'")
    assert rows == [{"delivery_id": first, "state": "pending", "attempts": 0}]
    assert len(run.query("SELECT id FROM delivery_attempts")) == 2


def test_replay_of_all_that_failed_leaves_the_others(run: Installation) -> None:
    put(run, FAILED, DELIVERED, FAILED)
    put(run, None, client=2, state=DeliveryState.NOT_CONFIGURED)
    assert run.done("deliveries", "replay", "--all-failed") == ["2 to be sent again"]
    assert run.done("deliveries", "replay", "--all-failed") == ["0 to be sent again"]
    assert run.done("deliveries", "replay", "--not-configured") == ["1 to be sent again"]
    states = [row["state"] for row in run.query("SELECT state FROM deliveries ORDER BY 1")]
    assert states == ["delivered", "pending", "pending", "pending"]


def test_resume_of_a_paused_destination_tells_why_it_was_paused(run: Installation) -> None:
    put(run, GONE, None)
    assert run.done("deliveries", "resume") == [
        "make_webhook of client 1 resumed; it was paused because the webhook answered 410"
    ]
    assert run.query("SELECT * FROM paused_destinations") == []
    assert "not paused" in run.refused("deliveries", "resume", exit_code=1)


def test_replay_and_resume_by_command_stand_in_the_audit_trail_of_each_client(
    run: Installation,
) -> None:
    run.done("client", "add", "Second")
    (first, _second) = put(run, FAILED, FAILED)
    put(run, FAILED, GONE, client=2)
    run.done("deliveries", "replay", first)
    run.done("deliveries", "replay", "--all-failed")
    run.done("deliveries", "replay", "--all-failed")
    run.done("deliveries", "resume", "--client", "2")
    run.refused("deliveries", "replay", "msg_none", exit_code=1)
    run.refused("deliveries", "resume", "--client", "2", exit_code=1)
    (_added, *kept) = run.query("SELECT * FROM audit_trail ORDER BY id")
    told = [
        (row["client_id"], row["action"], row["subject"], json.loads(row["details"]))
        for row in kept
    ]
    assert told == [
        (1, "delivery_replayed", first, {}),
        (1, "deliveries_replayed", "", {"state": "failed", "count": 1}),
        (2, "deliveries_replayed", "", {"state": "failed", "count": 1}),
        (2, "destination_resumed", "make_webhook", {"paused_for": GONE.error}),
    ]
    assert {row["actor"] for row in kept} == {"command line"}


# Doctor


def test_doctor_when_little_is_configured_says_what_is_not_and_succeeds(
    run: Installation,
) -> None:
    lines = run.done("doctor")
    marks = {line[5:].partition(":")[0]: line[:4].strip() for line in lines}
    assert marks["store"] == marks["outbox"] == "ok"
    assert {
        name: marks[name]
        for name in ("MAKE_WEBHOOK_URL", "MAKE_WEBHOOK_SECRET", "COUNTRY_DB", "TRUSTED_PROXIES")
    } == dict.fromkeys(
        ["MAKE_WEBHOOK_URL", "MAKE_WEBHOOK_SECRET", "COUNTRY_DB", "TRUSTED_PROXIES"], "off"
    )


def test_doctor_tells_the_driver_and_what_a_commit_survives(run: Installation) -> None:
    lines = run.done("doctor")
    assert f"ok   store: SQLite file:{run.data_dir / 'propgauge.db'} takes writes" in lines
    assert "ok   PRAGMA synchronous: FULL: commits survive a power cut" in lines


@pytest.mark.parametrize(("scheme", "driver"), [("http", "HTTP"), ("ws", "WebSocket")])
def test_doctor_when_the_database_is_a_server_tells_that_a_power_cut_may_cost_commits(
    run: Installation, sqld: Sqld, scheme: str, driver: str
) -> None:
    sqld.clear()
    url = f"{scheme}://127.0.0.1:{sqld.port}"
    lines = run.done("doctor", DATABASE_URL=url)
    assert f"ok   store: libSQL by {driver} {url} takes writes" in lines
    assert any(line.startswith("off  PRAGMA synchronous: NORMAL") for line in lines)
    assert "ok   SECRET_KEY: every server on this database needs the same one" in lines


@pytest.mark.parametrize("command", ["migrate", "doctor", "serve", "client list"])
def test_command_when_the_database_server_is_not_there_ends_with_one_line(
    run: Installation, command: str
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    told = run.refused(*command.split(), exit_code=1, DATABASE_URL=url)
    assert url in told
    assert "start sqld, or mend DATABASE_URL" in told


def test_doctor_when_everything_is_configured_says_so_without_secrets(run: Installation) -> None:
    run.done("client", "add", "Acme", "--webhook-url", WEBHOOK)
    run.done("client", "add", "Without")
    run.done("site", "add", "marina", "--origin", "https://www.example.com")
    put(run, None)
    lines = run.done(
        "doctor",
        MAKE_WEBHOOK_URL=WEBHOOK,
        MAKE_WEBHOOK_SECRET="a hidden secret",
        TRUSTED_PROXIES="10.0.0.0/8",
        PUBLIC_URL="https://leads.example.com",
        ALLOW_PRIVATE_TARGETS="on",
    )
    text = "\n".join(lines)
    assert "ok   MAKE_WEBHOOK_URL: set" in lines
    assert "ok   MAKE_WEBHOOK_SECRET: set: webhooks are signed" in lines
    assert "ok   TRUSTED_PROXIES: 10.0.0.0/8" in lines
    assert "ok   PUBLIC_URL: https://leads.example.com" in lines
    assert "ok   site marina: allows https://www.example.com" in lines
    assert "off  client 3: no Make.com webhook" in text
    assert "off  ALLOW_PRIVATE_TARGETS: on" in text
    assert "ok   outbox: 1 waiting, the oldest since 2026-03-04T12:00:00.000Z" in lines
    assert "client 2" not in text
    assert "hidden" not in text


def test_doctor_when_a_destination_is_paused_fails_and_says_since_when(run: Installation) -> None:
    put(run, GONE)
    result = run("doctor")
    assert (result.exit_code, result.stderr) == (1, "")
    failures = [line for line in result.stdout.splitlines() if line.startswith("FAIL")]
    since = "2026-03-04T12:00:00.000Z"
    assert failures == [
        f"FAIL make_webhook of client 1: paused since {since}: the webhook answered 410"
    ]


def test_doctor_when_the_secret_key_is_another_fails_and_says_so(run: Installation) -> None:
    run.done("client", "add", "Acme", "--webhook-url", WEBHOOK)
    result = run("doctor", SECRET_KEY="another secret key, long enough for all")
    assert (result.exit_code, result.stderr) == (1, "")
    assert "FAIL store: a stored secret was encrypted with another SECRET_KEY" in result.stdout


def test_serve_when_the_secret_key_is_another_ends_with_one_line(run: Installation) -> None:
    run.done("client", "add", "Acme", "--webhook-url", WEBHOOK)
    key = "another secret key, long enough for all"
    assert "another SECRET_KEY" in run.refused("serve", exit_code=1, SECRET_KEY=key)


# The program, and a running server


def test_program_when_it_is_run_as_module_or_script_is_the_same(tmp_path: Path) -> None:
    settings = {"DATA_DIR": str(tmp_path / "data")}
    module = propgauge("key", "create", "Make", "--scope", "read", settings=settings)
    assert (module.returncode, module.stderr) == (0, "")
    assert module.stdout.splitlines()[-1].startswith("pg_")
    script = subprocess.run(
        [Path(sys.executable).with_name("propgauge"), "key", "list"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (script.returncode, script.stdout) == (0, "1  Make  read  client 1\n")


def test_server_when_it_runs_takes_up_sites_keys_and_replays_of_other_processes(
    server: RunningServer, receiver: Receiver
) -> None:
    run = Installation(server.data_dir)

    def lead_with(key: str) -> httpx.Response:
        return server.client.post(
            "/api/lead",
            json={"email": "cli@example.com"},
            headers={"authorization": f"Bearer {key}"},
        )

    key = run.done("key", "create", "Make", "--scope", "write")[-1]
    assert lead_with(key).status_code == 201
    run.done("key", "revoke", "1")
    assert lead_with(key).status_code == 401

    (webhook,) = receiver.wait_for(1)
    delivery_id = webhook.headers["webhook-id"]
    eventually(lambda: run.query("SELECT 1 FROM deliveries WHERE state = 'delivered'") or None)
    run.done("deliveries", "replay", delivery_id)
    assert receiver.wait_for(2)[1].headers["webhook-id"] == delivery_id

    run.done("client", "add", "Acme")
    origin = "https://new.example.com"
    run.done("site", "add", "new", "--client", "2", "--origin", origin)

    def is_taken_up() -> bool | None:
        preflight = server.client.options(
            "/api/lead", headers={"origin": origin, "access-control-request-method": "POST"}
        )
        return preflight.headers.get("access-control-allow-origin") == origin or None

    eventually(is_taken_up)
    assert server.track({**view("nia"), "site": "new"}).status_code == 202
    (session,) = server.query("SELECT client_id FROM sessions WHERE visitor_id = 'nia'")
    assert session["client_id"] == 2
