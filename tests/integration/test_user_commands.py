"""`propgauge user`: users added, listed and given passwords from the command line."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.running import clean_environment, workplace

PASSWORD = "a long enough password"


class Shell:
    """A command line at one database."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._environment = clean_environment({"DATA_DIR": str(data_dir)})

    def user(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run `propgauge user …` to its end."""
        return subprocess.run(
            [sys.executable, "-m", "server", "user", *words],
            cwd=workplace(),
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(tmp_path_factory.mktemp("users"))


def test_user_that_is_added_listed_and_given_a_password_is_told_each_time(shell: Shell) -> None:
    added = shell.user("add", "ana@example.com", "--client", "1")
    assert added.returncode == 0, added.stderr
    assert len(added.stdout.splitlines()[-1]) >= 12
    given = shell.user("passwd", "ANA@example.com", "--password-stdin", stdin=PASSWORD + "\n")
    assert given.returncode == 0, given.stderr
    assert PASSWORD not in given.stdout
    admin = shell.user(
        "add", "bo@example.com", "--role", "admin", "--password-stdin", stdin=PASSWORD
    )
    assert admin.stdout == "bo@example.com may sign in\n"
    assert shell.user("list").stdout.splitlines() == [
        "ana@example.com  sales  1",
        "bo@example.com  admin  all clients",
    ]


def test_user_that_is_added_and_given_a_password_leaves_both_in_the_audit_trail(
    shell: Shell,
) -> None:
    shell.user("add", "di@example.com", "--client", "1", "--password-stdin", stdin=PASSWORD)
    shell.user("passwd", "DI@example.com", "--password-stdin", stdin="another" + PASSWORD)
    assert shell.user("add", "di@example.com", "--client", "1").returncode != 0
    with closing(sqlite3.connect(shell.data_dir / "propgauge.db")) as database:
        kept = database.execute(
            "SELECT client_id, user_id, actor, action, details FROM audit_trail WHERE subject = ?",
            ("di@example.com",),
        ).fetchall()
    assert kept == [
        (None, None, "command line", "user_added", "{}"),
        (None, None, "command line", "password_set", "{}"),
    ]


@pytest.mark.parametrize(
    ("words", "stdin", "message"),
    [
        (("add", "cy@example.com"), "", "a salesperson needs --client"),
        (("add", "cy@example.com", "--client", "99"), "", "there is no such client"),
        (("add", "not an address", "--role", "admin"), "", "email"),
        (
            ("add", "cy@example.com", "--role", "admin", "--password-stdin"),
            "short\n",
            "at least 12",
        ),
        (("add", "cy@example.com", "--role", "boss"), "", "'boss' is not one of"),
        (("passwd", "nobody@example.com"), "", "there is no user nobody@example.com"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else "",
)
def test_command_that_cannot_be_done_says_why_in_one_line(
    shell: Shell, words: tuple[str, ...], stdin: str, message: str
) -> None:
    done = shell.user(*words, stdin=stdin)
    assert done.returncode != 0
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
