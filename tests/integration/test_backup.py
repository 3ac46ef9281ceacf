"""A database moves from file to server to file, and a backup made under load is a whole one."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.beacons import view
from tests.integration.http_fixtures import eventually
from tests.integration.test_cli import Installation
from tests.running import RunningServer, clean_environment, free_port, propgauge, workplace
from tests.sqld import Sqld

LONG = 60_000_000
"""Bytes that take a while to be copied."""

Rows = dict[str, list[tuple[Any, ...]]]


def rows_of(database: Path) -> Rows:
    """Every row of every table, and what the search index finds.

    The interpreter's own SQLite is too old for an index from which rows were deleted.
    """
    with closing(apsw.Connection(str(database))) as opened:
        names = [
            name
            for (name,) in opened.execute(
                "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
            )
        ]
        found = {
            name: sorted(opened.execute(f'SELECT * FROM "{name}"'), key=repr) for name in names
        }
        found["searched"] = opened.execute(
            "SELECT rowid FROM lead_search WHERE lead_search MATCH 'example' ORDER BY rowid"
        ).fetchall()
        return found


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A house full of everything that demonstration data has."""
    made = Installation(tmp_path_factory.mktemp("seeded") / "data")
    made.done("demo", "seed", "--leads", "60", "--days", "5", "--conversion", "30")
    return made


@pytest.fixture(scope="module")
def backed_up(seeded: Installation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("backups") / "file.db"
    told = seeded.done("backup", str(file))
    assert "SECRET_KEY" in told[-1]
    return file


def test_backup_is_a_closed_file_of_every_row(seeded: Installation, backed_up: Path) -> None:
    rows = rows_of(backed_up)
    assert rows == rows_of(seeded.data_dir / "propgauge.db")
    assert len(rows["searched"]) > 50
    assert backed_up.stat().st_mode & 0o777 == 0o600
    assert list(backed_up.parent.iterdir()) == [backed_up]


@pytest.mark.parametrize("scheme", ["http", "ws"])
def test_every_row_stays_from_file_to_server_to_file(
    backed_up: Path, sqld: Sqld, tmp_path: Path, scheme: str
) -> None:
    sqld.clear()
    url = {"DATABASE_URL": sqld.ws_url if scheme == "ws" else sqld.http_url}
    house = Installation(tmp_path / "data")
    told = house.done("restore", str(backed_up), **url)
    assert told[-1].split()[1:3] == ["rows", "restored;"]
    assert house("doctor", "--deep", **url).exit_code == 0

    house.done("backup", str(tmp_path / "from_server.db"), **url)
    assert rows_of(tmp_path / "from_server.db") == rows_of(backed_up)
    assert (tmp_path / "from_server.db").stat().st_mode & 0o777 == 0o600

    house.done("restore", str(tmp_path / "from_server.db"))
    assert rows_of(tmp_path / "data" / "propgauge.db") == rows_of(backed_up)
    deep = house.done("doctor", "--deep")
    assert "ok   search index: holds what the leads say" in deep


def test_backup_under_load_restores_and_passes_the_deep_check(tmp_path: Path) -> None:
    house, file = Installation(tmp_path / "restored"), tmp_path / "backup.db"
    with RunningServer(tmp_path / "data") as server:
        acknowledged: list[str] = []
        enough = threading.Event()

        def load() -> None:
            while not enough.is_set():
                number = len(acknowledged)
                server.track(view(f"v{number}", f"s{number}")).raise_for_status()
                acknowledged.append(server.lead(email=f"p{number}@example.com").json()["lead_id"])

        sender = threading.Thread(target=load)
        sender.start()
        eventually(lambda: len(acknowledged) > 5 or None)
        before = list(acknowledged)
        Installation(server.data_dir).done("backup", str(file))
        during = len(acknowledged)
        eventually(lambda: len(acknowledged) > during or None)
        enough.set()
        sender.join()
    house.done("restore", str(file))
    assert house("doctor", "--deep").exit_code == 0
    kept = {row["PublicId"] for row in house.query("SELECT PublicId FROM Leads")}
    assert set(before) <= kept <= set(acknowledged)


def test_backup_killed_midway_leaves_no_file_of_that_name(tmp_path: Path) -> None:
    house, target = Installation(tmp_path / "data"), tmp_path / "backups" / "backup.db"
    house.done("migrate")
    target.parent.mkdir()
    with closing(sqlite3.connect(tmp_path / "data" / "propgauge.db")) as database:
        database.execute(f"INSERT INTO frozen_scripts VALUES ('a.js', 'b', zeroblob({LONG}), 'c')")
        database.commit()
    process = subprocess.Popen(
        [sys.executable, "-m", "server", "backup", str(target)],
        cwd=workplace(),
        env=clean_environment({"DATA_DIR": str(house.data_dir)}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    eventually(lambda: any(one.stat().st_size for one in target.parent.iterdir()) or None)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (part,) = (one for one in target.parent.iterdir() if one.suffix == ".part")
    assert not target.exists()
    assert part.stat().st_mode & 0o777 == 0o600
    house.done("backup", str(target))
    assert rows_of(target) == rows_of(house.data_dir / "propgauge.db")


def test_backup_over_a_file_is_refused(seeded: Installation, tmp_path: Path) -> None:
    there = tmp_path / "there.db"
    there.write_text("mine")
    assert "is there already" in seeded.refused("backup", str(there), exit_code=1)
    assert there.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [there]


def test_backup_into_no_folder_is_refused(seeded: Installation, tmp_path: Path) -> None:
    missing = tmp_path / "no" / "backup.db"
    assert "No such file or directory" in seeded.refused("backup", str(missing), exit_code=1)


def test_restore_over_leads_is_refused(seeded: Installation, backed_up: Path) -> None:
    before = rows_of(seeded.data_dir / "propgauge.db")
    assert "restore into an empty one" in seeded.refused("restore", str(backed_up), exit_code=1)
    assert rows_of(seeded.data_dir / "propgauge.db") == before


def test_restore_that_broke_off_may_be_repeated(backed_up: Path, tmp_path: Path) -> None:
    house, file = Installation(tmp_path / "data"), tmp_path / "data" / "propgauge.db"
    house.done("restore", str(backed_up))
    with closing(sqlite3.connect(file)) as database:
        database.execute("INSERT INTO upkeep (task, asked_at) VALUES ('restore', '2026-01-01')")
        database.execute("DELETE FROM delivery_attempts")
        database.commit()
    settings = {"DATA_DIR": str(house.data_dir), "PORT": str(free_port())}
    refused = propgauge("serve", settings=settings)
    assert "the restore of 2026-01-01 has not ended; repeat propgauge restore" in refused.stderr
    house.done("restore", str(backed_up))
    assert rows_of(file) == rows_of(backed_up)


def newer(content: Path) -> None:
    with closing(sqlite3.connect(content)) as database:
        database.execute("INSERT INTO d1_migrations (name) VALUES ('999_of_the_future.sql')")
        database.commit()


def of_others(content: Path) -> None:
    content.unlink()
    with closing(sqlite3.connect(content)) as database:
        database.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY)")


def cut(content: Path) -> None:
    content.write_bytes(content.read_bytes()[: content.stat().st_size // 2])


def no_database(content: Path) -> None:
    content.write_text("CREATE TABLE Leads (Id);")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (cut, "be read as a backup"),
        (no_database, "be read as a backup"),
        (of_others, "is no database of propgauge"),
        (newer, "start the newer propgauge"),
    ],
)
def test_restore_of_what_is_no_whole_backup_leaves_nothing(
    backed_up: Path, tmp_path: Path, spoil: Any, message: str
) -> None:
    bad, house = tmp_path / "bad.db", Installation(tmp_path / "data")
    bad.write_bytes(backed_up.read_bytes())
    spoil(bad)
    house.done("migrate")
    before = rows_of(tmp_path / "data" / "propgauge.db")
    assert message in house.refused("restore", str(bad), exit_code=1)
    assert rows_of(tmp_path / "data" / "propgauge.db") == before


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        (
            "DELETE FROM deliveries WHERE attempts > 0",
            "attempts without a delivery",
        ),
        ("DELETE FROM sessions", "page views without a session"),
        ("DELETE FROM lead_search_docsize WHERE id = 1", "search index"),
        ("INSERT INTO upkeep (task, asked_at) VALUES ('restore', '2026-01-01')", "has not ended"),
    ],
)
def test_deep_check_of_a_spoilt_database_tells_what_is_wrong(
    backed_up: Path, tmp_path: Path, sql: str, told: str
) -> None:
    house = Installation(tmp_path / "data")
    house.done("restore", str(backed_up))
    with closing(sqlite3.connect(tmp_path / "data" / "propgauge.db")) as database:
        database.execute(sql)
        database.commit()
    result = house("doctor", "--deep")
    assert result.exit_code == 1
    assert any(line.startswith("FAIL") and told in line for line in result.stdout.splitlines()), (
        result.stdout
    )
