from __future__ import annotations

import math
from typing import Any

import pytest

from server.store import hrana_messages as messages
from server.store.contract import (
    AuthError,
    BusyError,
    ConstraintError,
    Statement,
    StoreError,
    TooBigError,
    UnavailableError,
)

PRIMARY = "error executing a request on the primary: "

ERRORS: list[tuple[str, str, type[StoreError]]] = [
    ("SQLITE_CONSTRAINT", "SQLite error: UNIQUE constraint failed: u.x", ConstraintError),
    ("SQLITE_CONSTRAINT_UNIQUE", "anything", ConstraintError),
    ("PROXY_ERROR", PRIMARY + "UNIQUE constraint failed: items.name", ConstraintError),
    ("PROXY_ERROR", PRIMARY + "string or blob too big", TooBigError),
    ("ARGS_INVALID", "Arguments do not match: string or blob too big", TooBigError),
    ("RESPONSE_TOO_LARGE", "Response is too large", TooBigError),
    ("SQLITE_BUSY", "SQLite error: database is locked", BusyError),
    ("TRANSACTION_TIMEOUT", "Transaction timed out", BusyError),
    ("PROXY_ERROR", PRIMARY + "database or disk is full", UnavailableError),
    ("SQLITE_IOERR_WRITE", "disk I/O error", UnavailableError),
    ("AUTH_JWT_INVALID", "The JWT is invalid", AuthError),
    ("PROXY_ERROR", PRIMARY + "no such table: authors", StoreError),
    ("SQLITE_UNKNOWN", "SQLite error: no such column: constraint_name", StoreError),
    ("SQL_PARSE_ERROR", "SQL string could not be parsed", StoreError),
]


@pytest.mark.parametrize(("code", "message", "kind"), ERRORS)
def test_error_of_the_server_is_the_contracts(
    code: str, message: str, kind: type[StoreError]
) -> None:
    assert type(messages.error_of({"code": code, "message": message})) is kind


def test_error_without_a_code_is_told_by_its_message() -> None:
    error = messages.error_of({"message": "x" * 1_000})
    assert type(error) is StoreError
    assert len(str(error)) == messages.MAX_MESSAGE_CHARS


def test_transaction_commits_only_behind_every_step_and_rolls_back_otherwise() -> None:
    steps = messages.transaction([{"sql": "A"}, {"sql": "B"}])["steps"]
    assert [step["stmt"]["sql"] for step in steps] == [
        "BEGIN IMMEDIATE",
        "A",
        "B",
        "COMMIT",
        "ROLLBACK",
    ]
    assert [step.get("condition") for step in steps] == [
        None,
        {"type": "ok", "step": 0},
        {"type": "ok", "step": 1},
        {"type": "ok", "step": 2},
        {"type": "not", "cond": {"type": "ok", "step": 3}},
    ]


def test_read_names_the_index_that_a_replica_must_have_reached() -> None:
    assert messages.read({"sql": "A"}, 7)["replication_index"] == "7"
    assert "replication_index" not in messages.read({"sql": "A"}, None)


@pytest.mark.parametrize("value", [math.nan, math.inf, 2**63, -(2**63) - 1, object(), "\udc80"])
def test_value_that_no_store_can_keep_is_refused_before_it_is_sent(value: Any) -> None:
    with pytest.raises(StoreError):
        messages.encode(Statement("SELECT ?", (value,)))


def test_results_when_the_server_left_one_out_are_an_error() -> None:
    batch = {"step_errors": [None] * 4, "step_results": [{}, None, {}, None]}
    with pytest.raises(StoreError, match="left out"):
        messages.transaction_results(batch)
