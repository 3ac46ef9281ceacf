"""One moment of a libSQL server: a read transaction on a Hrana stream of its own, over HTTP."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic_core import from_json

from server.store import hrana
from server.store import hrana_messages as messages
from server.store.contract import Row, Statement, StoreError, UnavailableError, UnreachableError

TIMEOUT = httpx.Timeout(600.0, connect=hrana.CONNECT_SECONDS)
"""A check of a whole database takes minutes; sqld ends a stream only between its queries (10 s)."""


class Snapshot:
    """A context manager; what is asked inside sees the moment of its beginning.

    sqld keeps a read transaction open for as long as it is used, and lets others write meanwhile.
    """

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._base = url
        self._baton: str | None = None
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.AsyncClient(headers=headers, timeout=TIMEOUT, trust_env=False)

    async def __aenter__(self) -> Self:
        try:
            await self.query("BEGIN READONLY")
            await self.query("SELECT 1 FROM sqlite_master LIMIT 1")
        except BaseException:
            await self._client.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(StoreError):
            await self._send({"type": "close"})
        await self._client.aclose()

    async def query(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        """See `Reader.query`; may take 10 minutes."""
        batch = messages.read(messages.encode(Statement(sql, args)), None)
        (answer,) = hrana.answers(
            self._url, await self._send({"type": "batch", "batch": batch}), wanted=1
        )
        if isinstance(answer, StoreError):
            raise answer
        return messages.read_result(answer).rows

    async def _send(self, request: dict[str, Any]) -> httpx.Response:
        body = {"baton": self._baton, "requests": [request]}
        try:
            response = await self._client.post(self._base + hrana.PATH, json=body)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise UnreachableError(f"{self._url} cannot be reached") from error
        except httpx.TransportError as error:
            raise UnavailableError(f"the connection broke: {type(error).__name__}") from error
        if not response.is_success:
            raise hrana.refusal(self._url, response)
        with contextlib.suppress(ValueError):
            told = from_json(response.content)
            self._baton = told.get("baton")
            self._base = (told.get("base_url") or self._base).rstrip("/")
        return response
