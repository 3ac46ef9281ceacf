from pathlib import Path

import apsw
import pytest

from server.store.migrate import SchemaError, migration_files, split

MIGRATIONS = Path(__file__).parents[2] / "migrations"


def folder_of(tmp_path: Path, *names: str) -> Path:
    for name in names:
        (tmp_path / name).touch()
    return tmp_path


def names_of(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


def test_migration_files_are_ordered_by_number_then_name(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path, "010_j.sql", "9_i.sql", "001_a.sql", "002_c.sql", "002_b.sql", "1000_z.sql"
    )
    assert names_of(migration_files(folder)) == [
        "001_a.sql",
        "002_b.sql",
        "002_c.sql",
        "9_i.sql",
        "010_j.sql",
        "1000_z.sql",
    ]


def test_migration_files_of_other_kinds_are_left_out(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "001_a.sql", "README.md", "002_b.sql.bak", ".keep", "notes")
    assert names_of(migration_files(folder)) == ["001_a.sql"]


def test_migration_files_of_an_empty_folder_are_none(tmp_path: Path) -> None:
    assert migration_files(tmp_path) == []


@pytest.mark.parametrize(
    "name", ["create.sql", "a_001.sql", "001.sql", "001_.sql", "001-a.sql", "001_a b.sql", "_a.sql"]
)
def test_migration_files_with_a_bad_name_are_refused_by_that_name(
    tmp_path: Path, name: str
) -> None:
    folder = folder_of(tmp_path, "001_good.sql", name)
    with pytest.raises(SchemaError, match=r"001_what_it_does\.sql") as refused:
        migration_files(folder)
    assert str(refused.value).startswith(name)


@pytest.mark.parametrize(
    ("script", "statements"),
    [
        ("", []),
        (" \n\t", []),
        (";", []),
        (" ; ;\n", []),
        ("SELECT 1;", ["SELECT 1;"]),
        ("SELECT 1;\nSELECT 2;\n", ["SELECT 1;", "SELECT 2;"]),
        ("SELECT 1;;SELECT 2;", ["SELECT 1;", "SELECT 2;"]),
        ("SELECT ';';SELECT 2;", ["SELECT ';';", "SELECT 2;"]),
        ("SELECT 'it''s; ok';", ["SELECT 'it''s; ok';"]),
        ('SELECT 1 AS "a;b";', ['SELECT 1 AS "a;b";']),
        ("-- first; second\nSELECT 1;", ["-- first; second\nSELECT 1;"]),
        ("/* a; b */ SELECT 1;", ["/* a; b */ SELECT 1;"]),
        (
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; SELECT 2; END;",
            ["CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; SELECT 2; END;"],
        ),
    ],
)
def test_split_cuts_a_script_only_between_statements(script: str, statements: list[str]) -> None:
    assert split(script) == statements


@pytest.mark.parametrize("script", ["SELECT 'x", "SELECT 1; SELECT 'never closed", "/* open"])
def test_split_of_an_unfinished_statement_is_refused(script: str) -> None:
    with pytest.raises(SchemaError, match="does not end in"):
        split(script)


@pytest.mark.parametrize(
    "script", ["SELECT 1", "SELECT 1; SELECT 2", "SELECT 1; SELECT 2 -- two\n"]
)
def test_split_of_a_last_statement_without_semicolon_is_refused(script: str) -> None:
    with pytest.raises(SchemaError, match="does not end in"):
        split(script)


@pytest.mark.parametrize(
    "script",
    ["SELECT 1; -- done", "SELECT 1; -- done; really\n", "SELECT 1; /* done */", "SELECT 1;\r\n"],
)
def test_split_of_a_script_that_ends_in_a_comment_leaves_it_out(script: str) -> None:
    assert split(script) == ["SELECT 1;"]


def test_split_of_the_real_migrations_gives_what_sqlite_runs() -> None:
    whole, pieces = apsw.Connection(":memory:"), apsw.Connection(":memory:")
    for path in migration_files(MIGRATIONS):
        script = path.read_text("utf-8")
        whole.execute(script).fetchall()
        for statement in split(script):
            pieces.execute(statement).fetchall()
    schema = "SELECT type, name, sql FROM sqlite_master ORDER BY rowid"
    assert pieces.execute(schema).fetchall() == whole.execute(schema).fetchall()
    whole.close()
    pieces.close()


def test_the_fifth_migration_is_exactly_the_specs_eight_columns() -> None:
    fifth = split((MIGRATIONS / "005_add_lead_engagement.sql").read_text("utf-8"))
    assert fifth == [
        "ALTER TABLE Leads ADD COLUMN VisitorId TEXT;",
        "ALTER TABLE Leads ADD COLUMN SessionId TEXT;",
        "ALTER TABLE Leads ADD COLUMN EngagementScore REAL DEFAULT 0;",
        "ALTER TABLE Leads ADD COLUMN EngagementLabel TEXT DEFAULT 'Cold';",
        "ALTER TABLE Leads ADD COLUMN PagesVisited INTEGER DEFAULT 0;",
        "ALTER TABLE Leads ADD COLUMN SessionDuration INTEGER DEFAULT 0;",
        "ALTER TABLE Leads ADD COLUMN ReturnVisits INTEGER DEFAULT 0;",
        "ALTER TABLE Leads ADD COLUMN VpnSuspected INTEGER DEFAULT 0;",
    ]
