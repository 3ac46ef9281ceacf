"""Hrana over HTTP: one POST to `/v2/pipeline` a round trip, as sqld and Turso Cloud take it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx
from pydantic_core import from_json, to_json

from server.store import hrana_messages as messages
from server.store.contract import (
    AuthError,
    StoreError,
    TooBigError,
    UnavailableError,
    UnreachableError,
)
from server.store.hrana_messages import Batch, BatchResult

CONNECT_SECONDS = 3.0
KEEP_ALIVE_SECONDS = 20.0
"""Below the minute after which load balancers drop idle connections."""

PATH = "/v2/pipeline"


class HttpTransport:
    """See `remote.Transport`. Each round trip is a stream of its own, closed at its end.

    It uses httpx below its client, whose redirects, cookies and hooks cost half of a round trip.
    """

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._endpoint = httpx.URL(url + PATH)
        self._headers = {"content-type": "application/json", "host": self._endpoint.netloc.decode()}
        if token:
            self._headers["authorization"] = f"Bearer {token}"
        limits = httpx.Limits(keepalive_expiry=KEEP_ALIVE_SECONDS)
        self._transport = httpx.AsyncHTTPTransport(limits=limits, trust_env=False)

    async def run(
        self, batches: Sequence[Batch], *, writing: bool
    ) -> list[BatchResult | StoreError]:
        """See `Transport.run`; reads and writes have connections of their own anyway."""
        del writing
        requests = [{"type": "batch", "batch": batch} for batch in batches]
        body = to_json({"requests": [*requests, {"type": "close"}]})
        try:
            response = await self._post(body)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise UnreachableError(f"{self._url} cannot be reached: {_reason(error)}") from error
        except httpx.TransportError as error:
            raise UnavailableError(f"the connection broke: {_reason(error)}") from error
        if not response.is_success:
            raise refusal(self._url, response)
        return answers(self._url, response, len(batches))

    async def _post(self, body: bytes) -> httpx.Response:
        request = httpx.Request(
            "POST",
            self._endpoint,
            headers=self._headers,
            content=body,
            extensions={"timeout": {"connect": CONNECT_SECONDS}},
        )
        response = await self._transport.handle_async_request(request)
        try:
            await response.aread()
        finally:
            await response.aclose()
        return response

    async def close(self) -> None:
        """See `Transport.close`."""
        await self._transport.aclose()


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def refusal(url: str, response: httpx.Response) -> StoreError:
    """The error that an answer other than 2xx stands for."""
    status = response.status_code
    if status in (401, 403):
        return AuthError(f"{url} does not take the token (HTTP {status})")
    if status == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        return TooBigError(f"{url} takes no request of this size")
    hint = "; is it a libSQL server?" if status in (404, 405) else ""
    return UnavailableError(f"{url} answers with HTTP {status}{hint}")


def answers(url: str, response: httpx.Response, wanted: int) -> list[BatchResult | StoreError]:
    """The answers to so many batches; raises UnavailableError where there are fewer."""
    try:
        results = from_json(response.content)["results"]
        told = [_answer(result) for result in results[:wanted]]
    except (ValueError, KeyError, TypeError) as error:
        raise UnavailableError(f"{url} does not speak Hrana: is it a libSQL server?") from error
    if len(told) < wanted:
        raise UnavailableError(f"{url} left out answers")
    return told


def _answer(result: Mapping[str, Any]) -> BatchResult | StoreError:
    if result["type"] == "error":
        return messages.error_of(result["error"])
    answer: BatchResult = result["response"]["result"]
    return answer
