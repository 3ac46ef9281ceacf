"""Real wrangler applies our migrations offline: same schema, and a database moves either way."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from server.app import MIGRATIONS, prepare_store
from server.config import CONFIG_FILE, ROOT
from server.store.contract import Statement, Store
from server.store.file import FileStore
from server.store.migrate import migrate, migration_files

WRANGLER = ROOT / "node_modules" / ".bin" / "wrangler"
DATABASES = Path("v3", "d1", "miniflare-D1DatabaseObject")
ALL = [path.name for path in migration_files(MIGRATIONS)]


@dataclass(frozen=True)
class Wrangler:
    """wrangler with everything that it keeps below one folder, nothing in the project's."""

    home: Path

    def run(self, *words: str) -> str:
        """Run a command to its end; what it printed."""
        home, own_folder = str(self.home), ROOT / ".wrangler"
        stood_before = own_folder.exists()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "XDG_CONFIG_HOME": home,
            "WRANGLER_LOG_PATH": home,
            "WRANGLER_SEND_METRICS": "false",
            "WRANGLER_HIDE_BANNER": "true",
            "CI": "1",
        }
        ended = subprocess.run(
            [WRANGLER, *words, "-c", CONFIG_FILE, "--persist-to", self.state],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert own_folder.exists() == stood_before
        return ended.stdout

    def apply(self) -> str:
        """Apply the migrations that are missing."""
        return self.run("d1", "migrations", "apply", "DB", "--local")

    @property
    def state(self) -> Path:
        return self.home / "state"

    @property
    def database(self) -> Path:
        """The file of the one database."""
        files = (self.state / DATABASES).glob("*.sqlite")
        (database,) = [file for file in files if file.name != "metadata.sqlite"]
        return database


@pytest.fixture(scope="module")
def wrangler(tmp_path_factory: pytest.TempPathFactory) -> Wrangler:
    """One run for all tests, which leave its database as it is: it takes seconds."""
    made = Wrangler(tmp_path_factory.mktemp("wrangler"))
    assert ALL[-1] in made.apply()
    return made


def copied(database: Path, folder: Path) -> Path:
    """The database with its log; the file may be opened and written."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in database.parent.glob(f"{database.name}*"):
        shutil.copy(file, folder / file.name)
    return folder / database.name


def is_ours(name: str) -> bool:
    return not name.startswith(("_cf_", "sqlite_"))


async def schema_of(store: Store) -> dict[str, Sequence[object]]:
    """Each table's columns and each index's columns, by name, with the statement that made it."""
    things = await store.query("SELECT type, name, tbl_name, sql FROM sqlite_master")
    schema: dict[str, Sequence[object]] = {}
    for thing in things:
        if is_ours(thing["name"]):
            pragma = "index_xinfo" if thing["type"] == "index" else "table_xinfo"
            columns = await store.query(f"PRAGMA {pragma}('{thing['name']}')")
            made_by = None if thing["name"] == "d1_migrations" else thing["sql"]
            schema[thing["name"]] = [thing["type"], thing["tbl_name"], made_by, *columns]
    return schema


async def test_schema_made_by_wrangler_is_the_one_we_make(
    wrangler: Wrangler, tmp_path: Path
) -> None:
    theirs = FileStore.open(copied(wrangler.database, tmp_path / "theirs"))
    ours = FileStore.open(tmp_path / "ours.db")
    await migrate(ours, MIGRATIONS)
    assert await schema_of(theirs) == await schema_of(ours)
    await theirs.close()
    await ours.close()


async def test_database_made_by_wrangler_needs_no_migration_and_takes_our_data(
    wrangler: Wrangler, tmp_path: Path
) -> None:
    store = FileStore.open(copied(wrangler.database, tmp_path))
    assert await prepare_store(store) == []
    applied = await store.query("SELECT name FROM d1_migrations ORDER BY id")
    assert [row["name"] for row in applied] == ALL
    assert await store.query("SELECT id FROM clients") == [{"id": 1}]
    await store.close()


async def test_database_made_by_us_needs_no_migration_by_wrangler(
    wrangler: Wrangler, tmp_path: Path
) -> None:
    """Theirs, too, keeps our rows."""
    other = Wrangler(tmp_path)
    database = other.state / DATABASES / wrangler.database.name
    store = FileStore.open(database)
    await prepare_store(store)
    await store.write([Statement("UPDATE clients SET name = 'Moved to D1'")])
    await store.close()

    assert "No migrations to apply" in other.apply()
    assert other.database == database
    store = FileStore.open(database)
    assert await store.query("SELECT name FROM clients") == [{"name": "Moved to D1"}]
    assert await prepare_store(store) == []
    await store.close()
