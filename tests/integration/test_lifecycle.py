"""The server as a process: how it starts, where it keeps things, and how it ends."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from server.config import CONFIG_FILE, ROOT, load
from server.launcher import banner
from tests.beacons import engage, view
from tests.integration.http_fixtures import eventually
from tests.receiver import Receiver
from tests.running import RunningServer, clean_environment, free_port, propgauge

END_SECONDS = 10.0
"""Within which a server ends after a signal (design section 6, facts)."""

PATIENCE_SECONDS = 60.0
"""After which a process that hangs is killed, so that the test fails instead of hanging."""


@dataclass
class Serving:
    """A `propgauge serve` that printed its banner; standard output and error apart."""

    process: subprocess.Popen[str]
    url: str
    banner: list[str]
    errors: Path

    def end(self, number: int) -> tuple[int, float]:
        """Send a signal; the exit status and the seconds it took."""
        started = time.monotonic()
        self.process.send_signal(number)
        status = self.process.wait(PATIENCE_SECONDS)
        return status, time.monotonic() - started


@contextmanager
def serving(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[Serving]:
    """Start a server in a folder of its own; it is killed if the test leaves it running."""
    folder.mkdir(exist_ok=True)
    (folder / CONFIG_FILE).touch()
    port = free_port()
    given = {"PYTHONPATH": str(ROOT), "PORT": str(port), **(settings or {})}
    with (folder / "stderr").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "server", "serve"],
            cwd=folder,
            env=clean_environment(given),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    killer = threading.Timer(PATIENCE_SECONDS, process.kill)
    killer.start()
    try:
        assert process.stdout is not None
        shown = [process.stdout.readline()]
        assert shown[0].startswith("propgauge listens on "), (folder / "stderr").read_text()
        while not shown[-1].startswith("  dashboard "):
            shown.append(process.stdout.readline())
        host = given.get("HOST", "127.0.0.1")
        yield Serving(process, f"http://{host}:{port}", shown, folder / "stderr")
    finally:
        killer.cancel()
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


_COUNTS = tuple(
    f'INSERT INTO "{table}' for table in ("visit_days", "lead_days", "lead_histograms", "rollup_")
)


def rows_of(server: RunningServer) -> list[str]:
    """The content of a stopped server's database, without the counts that a server keeps up."""
    with closing(sqlite3.connect(server.data_dir / "propgauge.db")) as database:
        return [line for line in database.iterdump() if not line.startswith(_COUNTS)]


# Start


def test_server_when_it_starts_a_second_time_changes_nothing(
    tmp_path: Path, receiver: Receiver
) -> None:
    settings = {"MAKE_WEBHOOK_URL": receiver.url, "ALLOW_PRIVATE_TARGETS": "on"}
    server = RunningServer(tmp_path / "data", settings).start()
    server.track(view("ida"))
    server.track(engage("ida", duration_ms=1_000))
    server.lead(email="ida@example.com", __visitor_id="ida")
    eventually(lambda: server.query("SELECT 1 FROM deliveries WHERE state = 'delivered'") or None)
    server.stop()
    before, key = rows_of(server), (server.data_dir / "secret_key").read_text()

    server.start()
    assert server.client.get("/readyz").status_code == 200
    server.stop()

    assert rows_of(server) == before
    assert (server.data_dir / "secret_key").read_text() == key
    assert len(receiver.requests) == 1


def test_server_when_it_listens_says_where_on_standard_output_only(tmp_path: Path) -> None:
    with serving(tmp_path / "one") as server:
        *places, sign_in, password, dashboard = [line.split() for line in server.banner]
        assert places == [
            ["propgauge", "listens", "on", server.url],
            ["demo", "site", f"{server.url}/demo/"],
            ["demo", "deliveries", f"{server.url}/demo/deliveries/"],
        ]
        assert sign_in == ["sign", "in", "as", "admin@localhost"]
        assert password[:2] == ["with", "password"]
        assert dashboard == ["dashboard", f"{server.url}/"]
        assert httpx.get(f"{server.url}/healthz", trust_env=False).status_code == 200
        assert "demo site" not in server.errors.read_text()
        assert server.end(signal.SIGINT)[0] == 0
        assert "Aborted" not in server.errors.read_text()
        assert server.process.stdout is not None
        assert server.process.stdout.read() == ""


def test_banner_when_the_server_is_behind_a_proxy_names_its_public_address(tmp_path: Path) -> None:
    settings = {"PUBLIC_URL": "https://leads.example.com/", "SECRET_KEY": "k" * 40}
    assert banner(load(tmp_path, settings | {"DEMO": "off"})).splitlines() == [
        "propgauge listens on https://leads.example.com",
        "  dashboard         https://leads.example.com/",
    ]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"PORT": "{taken}"}, "{taken}"),
        ({"HOST": "198.51.100.77"}, "198.51.100.77"),
        ({"HOST": "no-such-host.invalid"}, "no-such-host.invalid"),
    ],
)
def test_server_when_it_cannot_listen_ends_with_a_line_that_says_where(
    tmp_path: Path, settings: dict[str, str], named: str
) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        given = {name: value.format(taken=port) for name, value in settings.items()}
        place = {"DATA_DIR": str(tmp_path / "data"), "PORT": str(free_port())}
        ended = propgauge("serve", settings=place | given)
    assert ended.returncode not in (0, -signal.SIGKILL)
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    assert named.format(taken=port) in ended.stderr.splitlines()[-1]


def test_server_when_it_cannot_listen_has_sent_nothing(tmp_path: Path, receiver: Receiver) -> None:
    server = RunningServer(tmp_path / "data", {"DEMO": "off"}).start()
    server.lead(email="kept@example.com")
    server.stop()
    with closing(sqlite3.connect(server.data_dir / "propgauge.db")) as database:
        database.execute("UPDATE deliveries SET state = 'pending'")
        database.commit()
    with closing(socket.socket()) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", server.port))
        taken.listen()
        webhook = {"MAKE_WEBHOOK_URL": receiver.url, "ALLOW_PRIVATE_TARGETS": "on"}
        ended = propgauge("serve", settings=server.settings | webhook)
    assert ended.returncode != 0
    assert receiver.requests == []


def test_server_when_its_country_database_is_junk_ends_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "junk.mmdb").write_text("junk")
    settings = {
        "DATA_DIR": str(tmp_path / "data"),
        "PORT": str(free_port()),
        "COUNTRY_DB": str(tmp_path / "junk.mmdb"),
    }
    ended = propgauge("serve", settings=settings)
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("Error: COUNTRY_DB")


# Places


def test_server_when_it_is_told_where_to_keep_things_keeps_them_there(tmp_path: Path) -> None:
    settings = {
        "DATA_DIR": str(tmp_path / "deep" / "data"),
        "DATABASE_URL": f"file:{tmp_path / 'elsewhere' / 'leads.db'}",
        "HOST": "127.0.0.2",
        "DEMO": "off",
    }
    with serving(tmp_path / "one", settings) as server:
        answer = httpx.post(
            f"{server.url}/api/lead", json={"email": "jo@example.com"}, trust_env=False
        )
        assert answer.status_code == 201
        with pytest.raises(httpx.ConnectError):
            httpx.get(server.url.replace("127.0.0.2", "127.0.0.1"), trust_env=False)
        server.end(signal.SIGTERM)
    database, key = tmp_path / "elsewhere" / "leads.db", tmp_path / "deep" / "data" / "secret_key"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (database, key)] == [0o600, 0o600]
    assert [path.name for path in key.parent.iterdir()] == ["secret_key"]
    assert {path.name for path in (tmp_path / "one").iterdir()} == {CONFIG_FILE, "stderr"}


def test_servers_when_each_has_its_own_place_know_nothing_of_each_other(
    tmp_path: Path,
) -> None:
    with ExitStack() as stack:
        one = stack.enter_context(RunningServer(tmp_path / "one"))
        other = stack.enter_context(RunningServer(tmp_path / "other"))
        assert one.lead(email="one@example.com").status_code == 201
        assert [row["Email"] for row in one.query("SELECT Email FROM Leads")] == ["one@example.com"]
        assert other.query("SELECT Email FROM Leads") == []


def test_servers_when_they_start_at_once_on_one_new_file_share_the_work(
    tmp_path: Path, receiver: Receiver
) -> None:
    settings = {
        "MAKE_WEBHOOK_URL": receiver.url,
        "ALLOW_PRIVATE_TARGETS": "on",
        "DATA_DIR": str(tmp_path / "data"),
    }
    servers = [RunningServer(tmp_path / "data", settings) for _ in range(2)]
    threads = [threading.Thread(target=server.start) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one, other = servers
    try:
        for number in range(10):
            for server in servers:
                answer = server.lead(email=f"{number}-{server.port}@example.com", __site="demo")
                assert answer.status_code == 201
        assert one.track(view("mia")).status_code == 202
        lead = other.lead(email="mia@example.com", __visitor_id="mia")
        assert lead.status_code == 201
        eventually(lambda: one.query("SELECT 1 FROM Leads WHERE MatchKind = 'visitor_id'") or None)
        sent = [request.headers["webhook-id"] for request in receiver.wait_for(21)]
        assert len(set(sent)) == len(sent) == 21
    finally:
        statuses = [server.stop() for server in servers]
    assert statuses == [0, 0]
    output = "".join(one.output + other.output)
    assert '"level": "error"' not in output
    assert '"level": "warning"' not in output


# End


@pytest.fixture
def occupied(tmp_path: Path) -> Iterator[tuple[Serving, list[socket.socket]]]:
    """A server with connections of every kind: idle, kept alive, half a request, half a body."""
    get = b"GET /healthz HTTP/1.1\r\nhost: x\r\n"
    body = b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{"
    with serving(tmp_path / "one", {"DEMO": "off"}) as server, ExitStack() as stack:
        port = int(server.url.rpartition(":")[2])
        clients = []
        for sent in (b"", get + b"\r\n", get, body % b"/api/track", body % b"/api/lead"):
            client = stack.enter_context(closing(socket.create_connection(("127.0.0.1", port))))
            client.sendall(sent)
            clients.append(client)
        answer = b""
        while not answer.endswith(b"ok\n"):
            answer += clients[1].recv(1_000)
        assert httpx.get(f"{server.url}/healthz", trust_env=False).status_code == 200
        yield server, clients


def test_server_when_it_is_told_to_end_while_idle_ends_at_once_and_well(tmp_path: Path) -> None:
    with serving(tmp_path / "one", {"DEMO": "off"}) as server:
        status, seconds = server.end(signal.SIGTERM)
        assert status == 0
        assert seconds < END_SECONDS / 2
        assert '"level": "error"' not in server.errors.read_text()


def test_server_when_it_is_told_to_end_with_open_connections_ends_in_time_and_well(
    occupied: tuple[Serving, list[socket.socket]],
) -> None:
    server, clients = occupied
    status, seconds = server.end(signal.SIGTERM)
    assert status == 0
    assert seconds < END_SECONDS
    for client in clients:
        client.settimeout(1)
        client.recv(10_000)
        assert client.recv(1) == b""
    assert "Traceback" not in server.errors.read_text()


def test_server_when_a_webhook_hangs_ends_in_time_and_sends_it_again_later(
    tmp_path: Path, receiver: Receiver
) -> None:
    with closing(socket.socket()) as hanging:
        hanging.bind(("127.0.0.1", 0))
        hanging.listen()
        url = f"http://127.0.0.1:{hanging.getsockname()[1]}/"
        settings = {"MAKE_WEBHOOK_URL": url, "ALLOW_PRIVATE_TARGETS": "on"}
        server = RunningServer(tmp_path / "data", settings).start()
        server.lead(email="hanging@example.com")
        hanging.settimeout(PATIENCE_SECONDS)
        connection, _address = hanging.accept()
        with closing(connection):
            started = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - started < END_SECONDS
    (delivery,) = server.query("SELECT * FROM deliveries")
    assert (delivery["state"], delivery["attempts"]) == ("pending", 0)
    with closing(sqlite3.connect(server.data_dir / "propgauge.db")) as database:
        database.execute("UPDATE deliveries SET leased_until = '2000-01-01T00:00:00.000Z'")
        database.commit()
    server.settings["MAKE_WEBHOOK_URL"] = receiver.url
    with server:
        (request,) = receiver.wait_for(1)
    assert request.headers["webhook-id"] == delivery["delivery_id"]


def post(path: str, body: Mapping[str, Any]) -> bytes:
    """A request to be sent over a connection of one's own."""
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(content)}\r\n\r\n"
    return head.encode() + content


def test_server_when_database_and_webhook_are_stuck_still_ends_in_time_and_answers_everyone(
    tmp_path: Path,
) -> None:
    with ExitStack() as stack:
        hanging = stack.enter_context(closing(socket.create_server(("127.0.0.1", 0))))
        hanging.settimeout(PATIENCE_SECONDS)
        url = f"http://127.0.0.1:{hanging.getsockname()[1]}/"
        settings = {"MAKE_WEBHOOK_URL": url, "ALLOW_PRIVATE_TARGETS": "on"}
        server = RunningServer(tmp_path / "data", settings).start()
        stack.callback(server.process.kill)
        server.lead(email="before@example.com")
        stack.enter_context(closing(hanging.accept()[0]))
        path = server.data_dir / "propgauge.db"
        database = stack.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
        database.execute("BEGIN IMMEDIATE")
        clients = []
        for request in (
            post("/api/lead", {"email": "one@example.com"}),
            post("/api/track", view("lia")),
            post("/api/track", view("mio")),
            post("/api/lead", {"email": "two@example.com"}),
        ):
            address = ("127.0.0.1", server.port)
            client = stack.enter_context(closing(socket.create_connection(address)))
            client.sendall(request)
            clients.append(client)
        assert server.client.get("/healthz").status_code == 200
        started = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started < END_SECONDS
        for client in clients:
            assert client.recv(12) == b"HTTP/1.1 503"
    assert not any("Traceback" in line for line in server.output)
