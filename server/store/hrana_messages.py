"""Hrana's messages: statements to the steps of a batch, results back, errors as the contract's.

What both remote drivers say, over whatever transport. It knows nothing of connections.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from server.store.contract import (
    AuthError,
    BusyError,
    ConstraintError,
    Result,
    Row,
    Statement,
    StoreError,
    TooBigError,
    UnavailableError,
)

Step = dict[str, Any]
Batch = dict[str, Any]
BatchResult = Mapping[str, Any]

MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1
MAX_MESSAGE_CHARS = 200

FAILING = frozenset([500, 502, 503, 504])
"""Statuses of a replica without its primary, and of a proxy before a dead server."""


def encode(statement: Statement) -> Step:
    """A statement in Hrana's form; raises StoreError for a value that no store can keep."""
    values = [_encode_value(value) for value in statement.args]
    return {"sql": statement.sql, "args": values, "want_rows": True}


def _encode_value(value: Any) -> dict[str, Any]:
    if value is None:
        return {"type": "null"}
    if isinstance(value, str):
        return {"type": "text", "value": _whole_text(value)}
    if isinstance(value, int) and MIN_INTEGER <= value <= MAX_INTEGER:
        return {"type": "integer", "value": str(int(value))}
    if isinstance(value, float) and math.isfinite(value):
        return {"type": "float", "value": value}
    if isinstance(value, bytes | bytearray | memoryview):
        return {"type": "blob", "base64": base64.b64encode(value).decode()}
    raise StoreError(f"a value of type {type(value).__name__} cannot be kept")


def _whole_text(value: str) -> str:
    """The text as plain `str`; half a surrogate pair has no UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise StoreError("a text with half a surrogate pair cannot be kept") from error
    return str(value)


def transaction(steps: Sequence[Step]) -> Batch:
    """A batch that commits all of the steps or none, in one round trip."""
    conditional: list[Step] = [{"stmt": {"sql": "BEGIN IMMEDIATE"}}]
    for statement in (*steps, {"sql": "COMMIT"}):
        conditional.append({"condition": _ok(len(conditional) - 1), "stmt": statement})
    not_committed = {"type": "not", "cond": _ok(len(conditional) - 1)}
    conditional.append({"condition": not_committed, "stmt": {"sql": "ROLLBACK"}})
    return {"steps": conditional}


def read(step: Step, replication_index: int | None) -> Batch:
    """A batch of one query; a replica answers it once it has reached that index."""
    batch: Batch = {"steps": [{"stmt": step}]}
    if replication_index is not None:
        batch["replication_index"] = str(replication_index)
    return batch


def _ok(step: int) -> dict[str, Any]:
    return {"type": "ok", "step": step}


def transaction_results(batch: BatchResult) -> list[Result]:
    """What each statement of a transaction gave; raises the StoreError of the first fault."""
    _raise_first_error(batch)
    _begin, *steps, _commit, _rollback = batch["step_results"]
    return [_result(step) for step in steps]


def read_result(batch: BatchResult) -> Result:
    """What a query gave; raises StoreError."""
    _raise_first_error(batch)
    (step,) = batch["step_results"]
    return _result(step)


def _raise_first_error(batch: BatchResult) -> None:
    for error in batch["step_errors"]:
        if error is not None:
            raise error_of(error)


def replication_index_of(batch: BatchResult) -> int:
    """How far the server's log had come, 0 where it does not tell."""
    return int(batch.get("replication_index") or 0)


def is_behind(batch: Batch, answer: BatchResult) -> bool:
    """Whether an answer to `read` knows less than was asked for."""
    return 0 < replication_index_of(answer) < int(batch.get("replication_index") or 0)


def _result(step: Mapping[str, Any] | None) -> Result:
    if step is None:
        raise StoreError("the server left out the result of a statement")
    return Result(list(_rows(step)), int(step["affected_row_count"]))


def _rows(step: Mapping[str, Any]) -> Iterator[Row]:
    names = [column["name"] or "" for column in step["cols"]]
    for values in step["rows"]:
        yield dict(zip(names, map(_decode_value, values), strict=True))


def _decode_value(value: Mapping[str, Any]) -> Any:
    kind = value["type"]
    if kind == "text":
        return value["value"]
    if kind == "integer":
        return int(value["value"])
    if kind == "float":
        return float(value["value"])
    if kind == "blob":
        return base64.b64decode(value["base64"] + "==")
    return None


_CODES: tuple[tuple[str, type[StoreError]], ...] = (
    ("SQLITE_CONSTRAINT", ConstraintError),
    ("SQLITE_TOOBIG", TooBigError),
    ("RESPONSE_TOO_LARGE", TooBigError),
    ("AUTH_", AuthError),
    ("SQLITE_BUSY", BusyError),
    ("SQLITE_LOCKED", BusyError),
    ("TRANSACTION_TIMEOUT", BusyError),
    ("SQLITE_FULL", UnavailableError),
    ("SQLITE_IOERR", UnavailableError),
    ("SQLITE_READONLY", UnavailableError),
    ("SQLITE_CANTOPEN", UnavailableError),
    ("SQLITE_CORRUPT", UnavailableError),
    ("SQLITE_NOTADB", UnavailableError),
    ("STREAM_EXPIRED", UnavailableError),
    ("BLOCKED", UnavailableError),
)

_PHRASES: tuple[tuple[str, type[StoreError]], ...] = (
    ("constraint failed", ConstraintError),
    ("too big", TooBigError),
    ("database is locked", BusyError),
    ("disk is full", UnavailableError),
    ("disk i/o error", UnavailableError),
    ("readonly database", UnavailableError),
    ("timed out", UnavailableError),
    ("transport error", UnavailableError),
)
"""Where the code tells nothing: through a replica every fault of the primary's comes as
PROXY_ERROR (facts/stores.md)."""


def error_of(error: Mapping[str, Any]) -> StoreError:
    """The contract's error for one of Hrana's."""
    code, message = str(error.get("code") or ""), str(error.get("message") or "")
    return kind_of(code, message)(f"{code}: {message}"[:MAX_MESSAGE_CHARS])


def kind_of(code: str, message: str) -> type[StoreError]:
    """Which of the contract's errors a code and message mean."""
    for prefix, kind in _CODES:
        if code.startswith(prefix):
            return kind
    text = message.lower()
    return next((kind for phrase, kind in _PHRASES if phrase in text), StoreError)
