"""What `wrangler d1 export` writes, read by SQLite itself in a scratch file of its own.

Whatever a dump says, it can only make tables and rows there: nothing of it runs on our store.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import apsw

from server.store.contract import Told

MAX_STATEMENT_CHARS = 16_000_000
"""D1 takes rows up to 2 MB."""

MAX_VALUE_BYTES = 16_000_000
MAX_PAGES = 4_000_000
"""16 GB; D1 holds 10 GB."""

MAX_STEPS = 50
STEP = 1_000_000
"""Operations of SQLite's machine: a statement that inserts rows takes far fewer."""

LINES_A_TELL = 1_000

# An index is needed: a primary key of text is one, and passing it over breaks its table.
_ALLOWED = {
    apsw.SQLITE_CREATE_TABLE,
    apsw.SQLITE_CREATE_INDEX,
    apsw.SQLITE_REINDEX,
    apsw.SQLITE_INSERT,
    apsw.SQLITE_SELECT,
    apsw.SQLITE_READ,
    apsw.SQLITE_UPDATE,
}
_PASSED_OVER = {
    apsw.SQLITE_TRANSACTION,
    apsw.SQLITE_PRAGMA,
    apsw.SQLITE_CREATE_TRIGGER,
    apsw.SQLITE_CREATE_VIEW,
}
_FUNCTIONS = frozenset(
    [
        "current_timestamp",
        "current_date",
        "current_time",
        "replace",
        "char",
        "unistr",
        "hex",
        "unhex",
        "lower",
        "upper",
        "length",
        "typeof",
        "coalesce",
        "ifnull",
        "date",
        "time",
        "datetime",
        "julianday",
        "strftime",
        "unixepoch",
        "random",
        "randomblob",
        "json",
        "json_valid",
        "like",
        "glob",
        "round",
        "abs",
        # Of ANALYZE, which a dump says once PRAGMA optimize has run there.
        "count",
    ]
)
_INNER = ("sqlite_", "_cf_", "d1_")


class DumpError(Exception):
    """The file is no whole dump; the message is one line that says where."""


class D1Dump:
    """A loaded dump: a context manager, which ends with nothing left of it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="propgauge-d1-")
        self._db = apsw.Connection(str(Path(self._folder.name) / "scratch.db"))
        self._db.execute("PRAGMA synchronous = OFF").fetchall()
        self._db.execute(f"PRAGMA max_page_count = {MAX_PAGES}").fetchall()
        self._db.limit(apsw.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
        self._db.limit(apsw.SQLITE_LIMIT_ATTACHED, 0)
        self._counters_said = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()
        self._folder.cleanup()

    def load(self, path: Path, told: Told) -> None:
        """Read a whole dump; raises DumpError. `told` counts bytes."""
        self._db.execute("BEGIN").fetchall()
        self._db.authorizer = self._authorize
        try:
            for line, statement in _statements(path, told):
                self._run(line, statement)
            self._db.authorizer = None
            self._db.execute("COMMIT").fetchall()
        except apsw.Error as error:
            raise DumpError(f"{_reason(error)} (TMPDIR is {self._folder_above})") from error
        finally:
            self._db.authorizer = None

    @property
    def _folder_above(self) -> Path:
        return Path(self._folder.name).parent

    @property
    def may_be_cut(self) -> bool:
        """Whether it ends before what wrangler writes after the last table: its counters.

        A dump of chosen tables (`--table`) ends so, too, and one cut off between two statements.
        """
        named = "SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'"
        return bool(self._db.execute(named).fetchall()) and not self._counters_said

    def tables(self) -> list[str]:
        """The tables that are nobody's own, in the order of the dump."""
        sql = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid"
        names = [name for (name,) in self._db.execute(sql)]
        return [name for name in names if not name.startswith(_INNER)]

    def count(self, table: str) -> int:
        """The rows of a table, each of which can then be read; raises DumpError."""
        try:
            return sum(1 for _ in self.rows(table))
        except UnicodeDecodeError as error:
            raise DumpError(f"a text in table {table} is no UTF-8") from error

    def rows(self, table: str) -> Iterator[dict[str, Any]]:
        """Each row by its column names."""
        cursor = self._db.execute(f"SELECT * FROM {_quoted(table)}")
        names: list[str] = []
        for values in cursor:
            names = names or [column[0] for column in cursor.get_description()]
            yield dict(zip(names, values, strict=True))

    def columns(self, table: str) -> list[str]:
        """The names of a table's columns."""
        sql = "SELECT name FROM pragma_table_info(?)"
        return [name for (name,) in self._db.execute(sql, (table,))]

    def _authorize(self, action: int, first: str | None, *more: str | None) -> int:
        if first == "sqlite_sequence" and action in (apsw.SQLITE_DELETE, apsw.SQLITE_INSERT):
            self._counters_said = True
        return _authorize(action, first, *more)

    def _run(self, line: int, statement: str) -> None:
        steps = iter(range(MAX_STEPS))
        self._db.set_progress_handler(lambda: next(steps, None) is None, STEP)
        try:
            self._db.execute(statement).fetchall()
        except (apsw.Error, ValueError) as error:
            raise DumpError(f"line {line}: {_reason(error)}") from error


def _authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    if action in _PASSED_OVER:
        return apsw.SQLITE_IGNORE
    if action == apsw.SQLITE_FUNCTION:
        return apsw.SQLITE_OK if str(second).lower() in _FUNCTIONS else apsw.SQLITE_DENY
    if action == apsw.SQLITE_DELETE and first == "sqlite_sequence":
        return apsw.SQLITE_OK
    if action == apsw.SQLITE_UPDATE and first != "sqlite_master":
        return apsw.SQLITE_DENY
    return apsw.SQLITE_OK if action in _ALLOWED else apsw.SQLITE_DENY


def _statements(path: Path, told: Told) -> Iterator[tuple[int, str]]:
    """Each statement with the line on which it begins; raises DumpError for half of one."""
    total, text, begins = path.stat().st_size, "", 1
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            done = 0
            for number, line in enumerate(lines, 1):
                if not text.strip():
                    text, begins = "", number
                text += line
                done += len(line.encode())
                if number % LINES_A_TELL == 0:
                    told(done, total)
                if len(text) > MAX_STATEMENT_CHARS:
                    raise DumpError(f"line {begins}: a statement is longer than D1 takes")
                if line.rstrip().endswith(";") and apsw.complete(text):
                    yield begins, text
                    text = ""
    except UnicodeDecodeError as error:
        raise DumpError(f"it is no text in UTF-8: {error.reason}") from error
    if text.strip():
        raise DumpError(f"it ends in the midst of the statement of line {begins}: export it again")
    told(total, total)


def _reason(error: Exception) -> str:
    if isinstance(error, apsw.AuthError):
        return "a dump may only make tables and insert rows"
    if isinstance(error, apsw.InterruptError):
        return "a statement takes too long"
    return " ".join(str(error).split())[:200]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
