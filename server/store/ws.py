"""Hrana over a WebSocket, through the package `libsql-client`.

The package brings the socket and matches answers to requests. Ours are the time-outs, the
reconnects, what is said over it, and the size of a message: by itself it has none of the first
two, begins transactions without IMMEDIATE, and a result over 4 MiB kills its socket.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Sequence
from typing import Any, NamedTuple, cast

import aiohttp
from libsql_client import LibsqlError
from libsql_client.hrana.conn import HranaConn, HranaStream

from server.store import hrana_messages as messages
from server.store.contract import (
    AuthError,
    StalledError,
    StoreError,
    UnavailableError,
    UnreachableError,
)
from server.store.hrana_messages import Batch, BatchResult
from server.store.kept_streams import Answers, KeptStreams

CONNECT_SECONDS = 3.0
MAX_MESSAGE_BYTES = 40 * 2**20
"""Above the 32 MB that sqld puts into all answers of a request, base64 and all."""


class _Link(NamedTuple):
    """A connection, and the streams of its reads."""

    connection: HranaConn
    reads: KeptStreams[HranaStream]


class SocketTransport:
    """See `remote.Transport`. Reads and writes have a connection each.

    So a read that is given up, which costs its connection, leaves the write under way alone.
    """

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._token = token or None
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
        self._session = aiohttp.ClientSession(timeout=timeout)
        self._links: dict[bool, _Link] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def run(
        self, batches: Sequence[Batch], *, writing: bool
    ) -> list[BatchResult | StoreError]:
        """See `Transport.run`."""
        connection, reads = self._link(writing=writing)
        try:
            await self._greeted(connection)
            if not writing:
                return await reads.run(batches)
            with connection.open_stream() as stream:
                return await self._ask(stream, batches)
        except (asyncio.CancelledError, UnavailableError):
            self._drop(connection)
            raise
        except LibsqlError as error:
            self._drop(connection)
            raise self._failure(error) from error

    async def close(self) -> None:
        """See `Transport.close`."""
        for link in list(self._links.values()):
            self._drop(link.connection)
        if self._closing:
            await asyncio.wait(self._closing, timeout=1)
        await self._session.close()

    async def _ask(self, stream: HranaStream, batches: Sequence[Batch]) -> Answers:
        answers = [_batch(stream, batch) for batch in batches]
        return [await self._answer(answer) for answer in answers]

    def _link(self, *, writing: bool) -> _Link:
        link = self._links.get(writing)
        if link is None or link.connection.exception is not None:
            session = cast("aiohttp.ClientSession", _LargeMessages(self._session))
            connection = HranaConn(session, self._url, self._token)
            reads = KeptStreams(connection.open_stream, self._ask, HranaStream.close)
            link = self._links[writing] = _Link(connection, reads)
        return link

    async def _greeted(self, connection: HranaConn) -> None:
        """Wait until the server took the token; what is sent before would hide its refusal."""
        try:
            await connection.wait_connected()
            if connection.exception is None and connection._socket.closed:  # noqa: SLF001
                # The package closes the socket first and keeps the refusal after that.
                await asyncio.wait([connection._receive_task])  # noqa: SLF001
                await connection.wait_connected()
        except Exception as error:
            raise self._failure(error) from error

    def _drop(self, connection: HranaConn) -> None:
        """End a connection in the background: on a dead one the goodbye is never answered."""
        for writing, ours in list(self._links.items()):
            if ours.connection is connection:
                del self._links[writing]
        task = asyncio.get_running_loop().create_task(_end(connection))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _answer(self, answer: asyncio.Future[Any]) -> BatchResult | StoreError:
        """What the server said of a batch; raises UnavailableError for the connection's faults."""
        try:
            result: BatchResult = await asyncio.shield(answer)
        except Exception as error:
            failure = self._failure(error)
            if isinstance(failure, UnavailableError):
                raise failure from error
            return failure
        return result

    def _failure(self, error: Exception) -> StoreError:
        """The contract's error for whatever the package lets out."""
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ServerTimeoutError):
            return UnreachableError(f"{self._url} cannot be reached: {_reason(error)}")
        if isinstance(error, aiohttp.WSServerHandshakeError):
            return self._refusal(error.status)
        if not isinstance(error, LibsqlError) or error.code in _CONNECTION_CODES:
            return UnavailableError(f"the connection to {self._url} broke: {_reason(error)}")
        told = messages.error_of({"code": error.code, "message": error.explanation})
        if isinstance(told, AuthError):
            return AuthError(f"{self._url} does not take the token ({error.code})")
        return told

    def _refusal(self, status: int) -> StoreError:
        if status in (401, 403):
            return AuthError(f"{self._url} does not take the token (HTTP {status})")
        if status in messages.FAILING:
            return StalledError(f"{self._url} answers with HTTP {status}")
        return UnavailableError(
            f"{self._url} opens no WebSocket (HTTP {status}); is it a libSQL server?"
        )


_CONNECTION_CODES = frozenset(
    ["CLIENT_CLOSED", "HRANA_WEBSOCKET_ERROR", "HRANA_PROTO_ERROR", "STREAM_CLOSED"]
)


class _LargeMessages:
    """The one method of a session that the package calls, with our bound on messages."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    def ws_connect(self, url: str, **options: Any) -> Awaitable[aiohttp.ClientWebSocketResponse]:
        return self._session.ws_connect(url, max_msg_size=MAX_MESSAGE_BYTES, **options)


def _batch(stream: HranaStream, batch: Batch) -> asyncio.Future[Any]:
    """The answer to come; one that nobody waits for any more is nobody's error."""
    answer: asyncio.Future[Any] = stream.batch(cast("Any", batch))
    answer.add_done_callback(lambda done: done.cancelled() or done.exception())
    return answer


async def _end(connection: HranaConn) -> None:
    with contextlib.suppress(LibsqlError, aiohttp.ClientError, OSError, TimeoutError):
        async with asyncio.timeout(1):
            await connection.close()


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
