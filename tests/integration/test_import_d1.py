"""What real wrangler exports of an earlier Worker's database is taken over, once."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from server.config import ROOT
from tests.integration.test_cli import Installation
from tests.running import propgauge
from tests.sqld import Sqld

OLD = """
CREATE TABLE Leads (Id INTEGER PRIMARY KEY AUTOINCREMENT, FullName TEXT, Email TEXT, Phone TEXT,
  Message TEXT, lead_source TEXT DEFAULT 'WebSite', utm_campaign TEXT, gclid TEXT, Budget REAL,
  Brochure BLOB, CreatedAt TEXT DEFAULT CURRENT_TIMESTAMP);
CREATE INDEX leads_by_email ON Leads (Email);
INSERT INTO Leads (FullName, Email, Phone, Message, utm_campaign, gclid, Budget, Brochure,
  CreatedAt) VALUES ('Ana O''Hara', 'ana@example.com', '+44 20 7946 0123', 'first; line
second "line"', 'spring', 'g-1', 1.5, X'00ff10', '2026-03-01 10:00:00');
INSERT INTO Leads (FullName, Phone, lead_source, CreatedAt)
  VALUES ('Ben', '+44 20 7946 0124', 'Facebook', '2026-03-02T10:00:00.000Z');
CREATE TABLE sessions (session_id TEXT PRIMARY KEY, visitor_id TEXT NOT NULL, ip TEXT,
  user_agent TEXT, landing_url TEXT, scroll_depth REAL, clicks INTEGER, duration_seconds INTEGER,
  heat TEXT, created_at TEXT);
INSERT INTO sessions VALUES ('s-1', 'v-1', '192.0.2.1',
  'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0', 'https://www.example.com/a?x=1', 80, 4, 340,
  'red', '2026-03-03 09:00:00');
CREATE TABLE fingerprints (visitor_id TEXT PRIMARY KEY, fingerprint TEXT, visit_count INTEGER,
  vpn_suspected INTEGER, created_at TEXT);
INSERT INTO fingerprints VALUES ('v-1', 'f00d', 3, 1, '2026-03-01 09:00:00');
CREATE TABLE newsletters (id INTEGER PRIMARY KEY, title TEXT);
ANALYZE;
"""

ADDED_BY_005 = """
ALTER TABLE Leads ADD COLUMN VisitorId TEXT;
ALTER TABLE Leads ADD COLUMN SessionId TEXT;
ALTER TABLE Leads ADD COLUMN EngagementScore REAL DEFAULT 0;
ALTER TABLE Leads ADD COLUMN EngagementLabel TEXT DEFAULT 'Cold';
ALTER TABLE Leads ADD COLUMN PagesVisited INTEGER DEFAULT 0;
ALTER TABLE Leads ADD COLUMN SessionDuration INTEGER DEFAULT 0;
ALTER TABLE Leads ADD COLUMN ReturnVisits INTEGER DEFAULT 0;
ALTER TABLE Leads ADD COLUMN VpnSuspected INTEGER DEFAULT 0;
INSERT INTO Leads (FullName, Email, CreatedAt, VisitorId, SessionId, EngagementScore,
  EngagementLabel, PagesVisited, SessionDuration, ReturnVisits, VpnSuspected)
  VALUES ('Cai', 'cai@example.com', '2026-03-03 09:10:00', 'v-1', 's-1', 72,
    'Very Hot', 3, 340, 2, 1);
"""

DATABASE = """name = "earlier"
compatibility_date = "2024-01-01"
[[d1_databases]]
binding = "DB"
database_name = "earlier"
database_id = "00000000-0000-0000-0000-000000000000"
"""


@dataclass(frozen=True)
class Worker:
    """An earlier Worker's folder with its local D1."""

    folder: Path

    def wrangler(self, *words: str) -> None:
        """Run `wrangler d1` there."""
        home = str(self.folder)
        kept = {"PATH": os.environ["PATH"], "HOME": home, "XDG_CONFIG_HOME": home, "CI": "1"}
        quiet = {"WRANGLER_LOG_PATH": home, "WRANGLER_SEND_METRICS": "false"}
        subprocess.run(
            [ROOT / "node_modules" / ".bin" / "wrangler", "d1", *words],
            cwd=self.folder,
            env={**kept, **quiet},
            capture_output=True,
            timeout=120,
            check=True,
        )

    def export(self, name: str) -> Path:
        """What wrangler writes of it."""
        self.wrangler("export", "DB", "--local", "--output", name)
        return self.folder / name

    def add(self, sql: str) -> None:
        """Change its database as the Worker would."""
        files = self.folder.glob(".wrangler/state/v3/d1/*/*.sqlite")
        (file,) = [one for one in files if one.name != "metadata.sqlite"]
        with closing(sqlite3.connect(file)) as database:
            database.executescript(sql)


@dataclass(frozen=True)
class Dumps:
    """The same database before and after migration 005."""

    before: Path
    after: Path


@pytest.fixture(scope="module")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> Dumps:
    worker = Worker(tmp_path_factory.mktemp("worker"))
    (worker.folder / "wrangler.toml").write_text(DATABASE)
    (worker.folder / "old.sql").write_text(OLD)
    worker.wrangler("execute", "DB", "--local", "--file", "old.sql")
    before = worker.export("before.sql")
    worker.add(ADDED_BY_005)
    return Dumps(before, worker.export("after.sql"))


@pytest.fixture
def house(tmp_path: Path) -> Installation:
    return Installation(tmp_path / "data")


def test_dump_without_005_becomes_leads_without_engagement(
    dumps: Dumps, house: Installation
) -> None:
    told = house.done("import-d1", str(dumps.before))
    assert "Leads: 2 new, 0 there before" in told
    assert "left out: table newsletters" in told
    assert "left out: column sessions.heat" in told
    ana, ben = house.query("SELECT * FROM Leads ORDER BY CreatedAt")
    assert (ana["Name"], ana["PhoneE164"], ana["UtmCampaign"]) == (
        "Ana O'Hara",
        "+442079460123",
        "spring",
    )
    assert ana["Message"] == 'first; line\nsecond "line"'
    assert ana["CreatedAt"] == "2026-03-01T10:00:00.000Z"
    assert json.loads(ana["ClickIds"]) == {"gclid": "g-1"}
    assert json.loads(ana["Extra"]) == {"Id": 1, "Budget": 1.5, "Brochure": "00ff10"}
    assert (ana["MatchKind"], ana["EngagementScore"], ana["Channel"]) == ("none", 0, "form")
    assert (ben["LeadSource"], ben["Channel"]) == ("Facebook", "api")
    assert house.query("SELECT * FROM deliveries") == []


def test_dump_with_005_keeps_scores_visit_and_visitor(dumps: Dumps, house: Installation) -> None:
    house.done("import-d1", str(dumps.after))
    (cai,) = house.query("SELECT * FROM Leads WHERE Name = 'Cai'")
    assert (cai["EngagementScore"], cai["EngagementLabel"], cai["MatchKind"]) == (
        72,
        "Very Hot",
        "visitor_id",
    )
    assert (cai["PagesVisited"], cai["SessionDuration"], cai["ReturnVisits"]) == (3, 340, 2)
    assert (cai["VpnSuspected"], cai["LandingPage"]) == (1, "www.example.com/a")
    (session,) = house.query("SELECT * FROM sessions")
    assert (session["max_scroll_percent"], session["clicks"], session["browser"]) == (
        80,
        4,
        "Firefox",
    )
    (visitor,) = house.query("SELECT * FROM fingerprints")
    assert (visitor["visit_count"], visitor["vpn_suspected"]) == (3, 1)
    (day,) = house.query(
        "SELECT leads FROM lead_days WHERE dimension = 'total' AND day = '2026-03-03'"
    )
    assert day["leads"] == 1
    assert house("doctor", "--deep").exit_code == 0


def test_dump_imported_again_and_grown_adds_only_what_is_new(
    dumps: Dumps, house: Installation
) -> None:
    house.done("import-d1", str(dumps.before))
    first = house.query("SELECT * FROM Leads ORDER BY Id")
    told = house.done("import-d1", str(dumps.before))
    assert "Leads: 0 new, 2 there before" in told
    assert house.query("SELECT * FROM Leads ORDER BY Id") == first
    told = house.done("import-d1", str(dumps.after))
    assert "Leads: 1 new, 2 there before" in told
    assert "sessions: 0 new, 1 there before" in told


def test_dump_cut_off_between_two_statements_is_taken_over_with_a_warning(
    dumps: Dumps, house: Installation, tmp_path: Path
) -> None:
    whole, cut = dumps.before.read_text(), tmp_path / "cut.sql"
    assert "ANALYZE" in whole
    cut.write_text(whole.partition("CREATE TABLE fingerprints")[0])
    told = house("import-d1", str(cut))
    assert told.exit_code == 0
    assert "Leads: 2 new" in told.stdout
    assert "may be cut off" in told.stderr
    assert "fingerprints: 1 new, 0 there before" in house.done("import-d1", str(dumps.before))


def test_dump_that_does_not_fit_on_the_disk_is_refused_in_one_line(
    tmp_path: Path, small_disk: Path
) -> None:
    dump = tmp_path / "dump.sql"
    dump.write_text(TABLE + f"INSERT INTO Leads VALUES (2, '{'b' * 1_200_000}');\n")
    settings = {"DATA_DIR": str(tmp_path / "data"), "TMPDIR": str(small_disk)}
    told = propgauge("import-d1", str(dump), settings=settings)
    assert told.returncode == 1
    (line,) = told.stderr.splitlines()
    assert "database or disk is full" in line
    assert line.endswith("nothing was imported")


def test_dump_goes_into_a_server_too(dumps: Dumps, sqld: Sqld, house: Installation) -> None:
    sqld.clear()
    url = {"DATABASE_URL": sqld.http_url}
    assert "Leads: 3 new, 0 there before" in house.done("import-d1", str(dumps.after), **url)
    assert "Leads: 0 new, 3 there before" in house.done("import-d1", str(dumps.after), **url)
    assert sqld.query("SELECT COUNT(*) AS leads FROM Leads") == [{"leads": 3}]


def test_dump_of_the_shell_with_replace_and_column_names_is_read(
    house: Installation, tmp_path: Path
) -> None:
    dump = tmp_path / "shell.sql"
    dump.write_text(
        "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n"
        'CREATE TABLE IF NOT EXISTS "leads" (id INTEGER PRIMARY KEY, email TEXT, comments TEXT,'
        " created INTEGER);\n"
        'INSERT INTO "leads" ("id","email","comments","created") VALUES'
        r"(7,'dee@example.com',replace('a\nb','\n',char(10)),1772359200);"
        "\nCREATE TRIGGER t AFTER INSERT ON leads BEGIN SELECT 1;\nEND;\nCOMMIT;\n"
    )
    house.done("import-d1", str(dump))
    (dee,) = house.query("SELECT Email, Message, CreatedAt FROM Leads")
    assert tuple(dee.values()) == ("dee@example.com", "a\nb", "2026-03-01T10:00:00.000Z")


TABLE = (
    "CREATE TABLE Leads (Id INTEGER, Email TEXT);\nINSERT INTO Leads VALUES (1, 'a@example.com');\n"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TABLE + "INSERT INTO Leads VALUES (2, 'b@exa", "in the midst of the statement of line 3"),
        (TABLE + "INSERT INTO Leads VALUES (2);\n", "line 3: table Leads has 2 columns"),
        (TABLE + "ATTACH 'other.db' AS other;\n", "line 3: a dump may only make tables"),
        (TABLE + "UPDATE Leads SET Id = 5;\n", "line 3: a dump may only make tables"),
        (TABLE + "INSERT INTO Leads SELECT readfile('/etc/hosts'), 1;\n", "line 3"),
        (TABLE + "INSERT INTO Leads VALUES (2, CAST(X'ff' AS TEXT));\n", "is no UTF-8"),
        ("CREATE TABLE notes (id);\n", "no table of leads or visits"),
        ("", "no table of leads or visits"),
        ("{}", "in the midst"),
    ],
)
def test_spoilt_dump_is_refused_in_one_line_and_nothing_is_applied(
    house: Installation, tmp_path: Path, text: str, message: str
) -> None:
    house.done("migrate")
    dump = tmp_path / "dump.sql"
    dump.write_text(text)
    told = house("import-d1", str(dump))
    assert told.exit_code == 1
    (line,) = told.stderr.splitlines()
    assert message in line
    assert line.endswith("nothing was imported")
    assert house.query("SELECT * FROM Leads") == []


def test_binary_dump_is_refused(house: Installation, tmp_path: Path) -> None:
    dump = tmp_path / "dump.sql"
    dump.write_bytes(b"\xff\xfe\x00binary;")
    assert "no text in UTF-8" in house("import-d1", str(dump)).stderr


def test_dump_for_a_client_that_is_not_there_is_refused(dumps: Dumps, house: Installation) -> None:
    told = house("import-d1", str(dumps.before), "--client", "7")
    assert (told.exit_code, told.stderr) == (1, "Error: there is no client 7\n")
