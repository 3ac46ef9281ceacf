"""The database of a server, read and changed beside it: a file, or a libSQL server by Hrana."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import apsw
import httpx

from server.store.contract import Statement, Store
from server.store.file import FileStore
from server.store.remote import connect

_HTTP = httpx.Client(timeout=20, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))
"""Keeps no connection, for any may stand since a restart; a client for each costs more."""

_NUMBERS = {"integer": int, "float": float}


class Database(Protocol):
    """What a test needs of a database behind the server's back."""

    def open(self) -> Store:
        """A store of the test's own; it is migrated by whoever wants it to be."""
        ...

    def query(self, sql: str, args: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Read."""
        ...

    def write(self, *statements: Statement) -> None:
        """Change it in one transaction."""
        ...


def database_at(url: str, data_dir: Path) -> Database:
    """Where a server with this DATABASE_URL and DATA_DIR stores."""
    if url.startswith(("http", "ws")):
        return RemoteDatabase(url.replace("ws", "http", 1))
    return FileDatabase(Path(url.removeprefix("file:")) if url else data_dir / "propgauge.db")


@dataclass(frozen=True)
class FileDatabase:
    """A file, perhaps of a running server."""

    path: Path

    def open(self) -> Store:
        return FileStore.open(self.path)

    def query(self, sql: str, args: Sequence[Any] = ()) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(sql, args)]

    def write(self, *statements: Statement) -> None:
        with closing(apsw.Connection(str(self.path))) as connection:
            connection.set_busy_timeout(10_000)
            connection.execute("BEGIN IMMEDIATE").fetchall()
            for statement in statements:
                connection.execute(statement.sql, tuple(statement.args)).fetchall()
            connection.execute("COMMIT").fetchall()


class RemoteDatabase:
    """A libSQL server; `token` is sent where there is one."""

    def __init__(self, http_url: str) -> None:
        self.http_url = http_url
        self.token = ""

    def open(self) -> Store:
        return connect(self.http_url, self.token)

    def query(self, sql: str, args: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Read or change."""
        (result,) = self._execute(Statement(sql, tuple(args)))
        names = [column["name"] for column in result["cols"]]
        rows = [[_plain(value) for value in row] for row in result["rows"]]
        return [dict(zip(names, row, strict=True)) for row in rows]

    def write(self, *statements: Statement) -> None:
        self._execute(Statement("BEGIN IMMEDIATE"), *statements, Statement("COMMIT"))

    def clear(self) -> None:
        """Drop every table and view."""
        found = self.query(
            "SELECT type, name FROM sqlite_master WHERE type IN ('table', 'view')"
            " AND name NOT LIKE 'sqlite_%' ORDER BY sql LIKE 'CREATE VIRTUAL%' DESC, rowid DESC"
        )
        # A search index goes first and takes its tables along; without them it could not go.
        drops = [f'DROP {one["type"]} IF EXISTS "{one["name"]}"' for one in found]
        # A table that rows of another name could not go before them.
        self._execute(*map(Statement, ["PRAGMA foreign_keys = OFF", *drops]))

    def pipeline(self, requests: list[dict[str, Any]], baton: str | None = None) -> Any:
        """The answers to Hrana requests on a stream that ends with them."""
        body = {"baton": baton, "requests": [*requests, {"type": "close"}]}
        return self.post(body)["results"][:-1]

    def post(self, body: Mapping[str, Any]) -> Any:
        """One request to the pipeline, as it is."""
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        answer = _HTTP.post(f"{self.http_url}/v2/pipeline", json=body, headers=headers)
        answer.raise_for_status()
        return answer.json()

    def _execute(self, *statements: Statement) -> list[dict[str, Any]]:
        """The result of each; fails unless all went well."""
        answers = self.pipeline([_request(statement) for statement in statements])
        assert {answer["type"] for answer in answers} == {"ok"}, answers
        return [answer["response"]["result"] for answer in answers]


def _request(statement: Statement) -> dict[str, Any]:
    args = [_said(value) for value in statement.args]
    return {"type": "execute", "stmt": {"sql": statement.sql, "args": args}}


def _said(value: Any) -> dict[str, Any]:
    """A value as Hrana says it; tests write no blobs."""
    if value is None:
        return {"type": "null"}
    if isinstance(value, str):
        return {"type": "text", "value": value}
    if isinstance(value, float):
        return {"type": "float", "value": value}
    return {"type": "integer", "value": str(value)}


def _plain(value: Mapping[str, Any]) -> Any:
    """The value that Hrana says; a blob stays base64."""
    kind = value["type"]
    return _NUMBERS[kind](value["value"]) if kind in _NUMBERS else value.get("value")
