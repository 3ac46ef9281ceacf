"""Hrana over HTTP: one POST to `/v2/pipeline` a round trip, as sqld and Turso Cloud take it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx
from pydantic_core import from_json, to_json

from server.store import hrana_messages as messages
from server.store.contract import (
    AuthError,
    CrowdedError,
    StalledError,
    StoreError,
    TooBigError,
    UnavailableError,
    UnreachableError,
)
from server.store.hrana_messages import Batch, BatchResult
from server.store.kept_streams import KeptStreams

CONNECT_SECONDS = 3.0
KEEP_ALIVE_SECONDS = 20.0
"""Below the minute after which load balancers drop idle connections."""

GOODBYE_SECONDS = 1.0
"""For the end of a stream; what is not told so goes by itself after 10 s."""

PATH = "/v2/pipeline"

_CLOSE = {"type": "close"}


class Wire:
    """The way to a server: posts, and tells what was refused.

    It uses httpx below its client, whose redirects, cookies and hooks cost half of a round trip.
    `read_seconds` bounds the wait for an answer where the caller does not.
    """

    def __init__(self, url: str, token: str, *, read_seconds: float | None = None) -> None:
        self.url = url
        self._headers = {"content-type": "application/json"}
        if token:
            self._headers["authorization"] = f"Bearer {token}"
        self._timeout = {"connect": CONNECT_SECONDS, "read": read_seconds}
        limits = httpx.Limits(keepalive_expiry=KEEP_ALIVE_SECONDS)
        self._transport = httpx.AsyncHTTPTransport(limits=limits, trust_env=False)

    async def post(self, endpoint: httpx.URL, body: bytes) -> httpx.Response:
        """The answer, read to its end; raises StoreError where it is no 2xx or never came."""
        request = httpx.Request(
            "POST",
            endpoint,
            headers=self._headers,
            content=body,
            extensions={"timeout": self._timeout},
        )
        try:
            response = await self._transport.handle_async_request(request)
            try:
                await response.aread()
            finally:
                await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise UnreachableError(f"{self.url} cannot be reached: {_reason(error)}") from error
        except httpx.TransportError as error:
            raise UnavailableError(f"the connection broke: {_reason(error)}") from error
        if not response.is_success:
            raise _refusal(self.url, response)
        return response

    async def close(self) -> None:
        """End all connections."""
        await self._transport.aclose()


class Stream:
    """A database connection of the server's, kept by its baton; one round trip at a time.

    After an error that was raised it is over: the server ends what is not asked for.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._baton: str | None = None
        self._endpoint = httpx.URL(wire.url + PATH)

    async def run(
        self, batches: Sequence[Batch], *, closing: bool = False
    ) -> list[BatchResult | StoreError]:
        """The answers to batches, run one after the other; `closing` ends the stream with them."""
        requests: list[dict[str, Any]] = [{"type": "batch", "batch": batch} for batch in batches]
        if closing:
            requests.append(_CLOSE)
        body = to_json({"baton": self._baton, "requests": requests})
        response = await self._wire.post(self._endpoint, body)
        try:
            told = from_json(response.content)
            self._baton = told.get("baton")
            if told.get("base_url"):
                self._endpoint = httpx.URL(told["base_url"].rstrip("/") + PATH)
            answers = [_answer(result) for result in told["results"][: len(batches)]]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UnavailableError(
                f"{self._wire.url} does not speak Hrana: is it a libSQL server?"
            ) from error
        if len(answers) < len(batches):
            raise UnavailableError(f"{self._wire.url} left out answers")
        return answers

    async def close(self) -> None:
        """Tell the server that the stream is over."""
        await self.run([], closing=True)


class HttpTransport:
    """See `remote.Transport`. Reads share streams; those they leave are ended in the background."""

    def __init__(self, url: str, token: str, *, now: Callable[[], float] = time.monotonic) -> None:
        self._wire = Wire(url, token)
        self._reads = KeptStreams(self._opened, Stream.run, self._leave, now)
        self._leaving: set[asyncio.Task[None]] = set()

    async def run(
        self, batches: Sequence[Batch], *, writing: bool
    ) -> list[BatchResult | StoreError]:
        """See `Transport.run`."""
        if writing:
            return await self._opened().run(batches, closing=True)
        return await self._reads.run(batches)

    async def close(self) -> None:
        """See `Transport.close`."""
        self._reads.leave()
        if self._leaving:
            await asyncio.wait(self._leaving)
        await self._wire.close()

    def _opened(self) -> Stream:
        return Stream(self._wire)

    def _leave(self, stream: Stream) -> None:
        task = asyncio.get_running_loop().create_task(_end(stream))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


async def _end(stream: Stream) -> None:
    with contextlib.suppress(StoreError, TimeoutError):
        async with asyncio.timeout(GOODBYE_SECONDS):
            await stream.close()


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _refusal(url: str, response: httpx.Response) -> StoreError:
    """The error that an answer other than 2xx stands for."""
    status = response.status_code
    if status in (401, 403):
        return AuthError(f"{url} does not take the token (HTTP {status})")
    if status == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        return TooBigError(f"{url} takes no request of this size")
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return CrowdedError(f"{url} has no connection left (HTTP {status})")
    if status in messages.FAILING:
        return StalledError(f"{url} answers with HTTP {status}")
    hint = "; is it a libSQL server?" if status in (404, 405) else ""
    return UnavailableError(f"{url} answers with HTTP {status}{hint}")


def _answer(result: Mapping[str, Any]) -> BatchResult | StoreError:
    if result["type"] == "error":
        return messages.error_of(result["error"])
    answer: BatchResult = result["response"]["result"]
    return answer
