"""One moment of a libSQL server: a read transaction on a Hrana stream of its own, over HTTP."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from server.store import hrana_messages as messages
from server.store.contract import Row, Statement, StoreError
from server.store.hrana import Stream, Wire

READ_SECONDS = 600.0
"""A check of a whole database takes minutes; sqld ends a stream only between its queries (10 s)."""


class Snapshot:
    """A context manager; what is asked inside sees the moment of its beginning.

    sqld keeps a read transaction open for as long as it is used, and lets others write meanwhile.
    """

    def __init__(self, url: str, token: str) -> None:
        self._wire = Wire(url, token, read_seconds=READ_SECONDS)
        self._stream = Stream(self._wire)

    async def __aenter__(self) -> Self:
        try:
            await self.query("BEGIN READONLY")
            await self.query("SELECT 1 FROM sqlite_master LIMIT 1")
        except BaseException:
            await self._wire.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(StoreError):
            await self._stream.close()
        await self._wire.close()

    async def query(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        """See `Reader.query`; may take 10 minutes."""
        batch = messages.read(messages.encode(Statement(sql, args)), None)
        (answer,) = await self._stream.run([batch])
        if isinstance(answer, StoreError):
            raise answer
        return messages.read_result(answer).rows
