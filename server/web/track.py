"""POST /api/track: beacons in, 202 after commit. A raw ASGI endpoint ahead of all routing."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import NamedTuple

from starlette.types import Receive, Scope, Send

from server.channels import beacon as beacons
from server.domain.errors import AppError
from server.domain.network import truncated
from server.domain.visitor import Arrival, Beacon, DropReason
from server.store.contract import StoreError
from server.usecases.record_beacons import BeaconRecorder
from server.usecases.site_directory import Owner, SiteDirectory
from server.usecases.watch_site import SiteWatches
from server.web import bodies, cors, problems
from server.web.metrics import Metrics
from server.web.peers import PeerReader, RawHeaders, header_text
from server.web.repeats import Repeats

PATH = "/api/track"
DROPPED_HEADER = "x-propgauge-dropped"

RawResponse = tuple[int, dict[str, str], bytes]
Respond = Callable[[RawResponse], None]
Client = tuple[str, int] | None
_Outcome = Sequence[DropReason] | StoreError


class _Request(NamedTuple):
    client: Client
    headers: RawHeaders
    body: bytes
    beacons: Sequence[Beacon]
    respond: Respond


class TrackEndpoint:
    """Answers the beacon paths; `take` is free of ASGI, for `web/protocol.py` calls it too."""

    paths: frozenset[str] = frozenset({PATH})
    """Where it stands: the plain path, and an alias once one is added."""

    def __init__(
        self,
        recorder: BeaconRecorder,
        directory: SiteDirectory,
        peers: PeerReader,
        metrics: Metrics,
        watches: SiteWatches,
        now: Callable[[], datetime],
    ) -> None:
        self._recorder = recorder
        self._directory = directory
        self._peers = peers
        self._metrics = metrics
        self._watches = watches
        self._now = now
        self._refreshing: set[asyncio.Task[None]] = set()
        self._repeats: Repeats[_Outcome] = Repeats(time.monotonic)

    def also_at(self, alias: str) -> None:
        """Answer under a further path; "" for none."""
        self.paths |= {alias} - {""}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI request on the beacon path."""
        status, headers, body = await self._answer(scope, receive)
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        if status != HTTPStatus.NO_CONTENT:
            raw.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> RawResponse:
        headers = scope["headers"]
        if scope["method"] == "OPTIONS":
            return cors.preflight(self._directory, headers, "POST")
        if scope["method"] != "POST":
            return problems.method_not_allowed("POST, OPTIONS")
        try:
            body = await bodies.read(receive, header_text(headers, b"content-length"))
        except AppError as error:
            return self._refused(error, headers)
        future: asyncio.Future[RawResponse] = asyncio.get_running_loop().create_future()

        def respond(answer: RawResponse) -> None:
            if not future.done():
                future.set_result(answer)

        self.take(scope["client"], headers, body, respond)
        return await future

    def take(self, client: Client, headers: RawHeaders, body: bytes, respond: Respond) -> None:
        """Take a request's beacons; `respond` is called once they are committed or refused."""
        try:
            parsed = beacons.parse(body)
        except AppError as error:
            respond(self._refused(error, headers))
            return
        request = _Request(client, headers, body, parsed, respond)
        if self._directory.should_refresh_for(parsed[0].site):
            task = asyncio.get_running_loop().create_task(self._submit_after_refresh(request))
            self._refreshing.add(task)
            task.add_done_callback(self._refreshing.discard)
        else:
            self._submit(request)

    async def _submit_after_refresh(self, request: _Request) -> None:
        try:
            await self._directory.refresh()
        except StoreError as error:
            request.respond(self._refused(error, request.headers))
        else:
            self._submit(request)

    def _submit(self, request: _Request) -> None:
        headers, parsed, respond = request.headers, request.beacons, request.respond
        origin = header_text(headers, b"origin")
        owner = self._directory.owner(key=None, site_key=parsed[0].site, origin=origin)
        if self._watches.active:
            self._watches.saw_beacons(parsed, owner.client_id, origin)
        peer, received_at = self._peers.read(request.client, headers), self._now()

        def repeated(outcome: _Outcome) -> None:
            failed = isinstance(outcome, StoreError)
            dropped = outcome if failed else [DropReason.REPEATED] * len(parsed)
            respond(self._response(dropped, len(parsed), owner, headers))

        answered = self._repeats.first((peer.ip, request.body), repeated)
        if answered is None:
            return

        def committed(outcome: _Outcome) -> None:
            answered(outcome)
            respond(self._response(outcome, len(parsed), owner, headers))

        if self._directory.client(owner.client_id).truncate_ip:
            peer = truncated(peer)
        arrivals = [Arrival(one, owner.client_id, peer, received_at) for one in parsed]
        try:
            self._recorder.submit(arrivals, committed)
        except StoreError as error:
            committed(error)

    def _response(
        self,
        answer: _Outcome,
        count: int,
        owner: Owner,
        headers: RawHeaders,
    ) -> RawResponse:
        if isinstance(answer, StoreError):
            return self._refused(answer, headers)
        extra = cors.headers(self._directory, owner, headers)
        self._metrics.beacons_stored.inc(count - len(answer))
        if answer:
            dropped = Counter(answer)
            extra[DROPPED_HEADER] = ", ".join(f"{why}={times}" for why, times in dropped.items())
            for why, times in dropped.items():
                self._metrics.beacons_dropped.labels(why).inc(times)
                self._metrics.dropped_of_clients[owner.client_id, why] += times
        return 202, extra, b""

    def _refused(self, error: Exception, headers: RawHeaders) -> RawResponse:
        known = problems.app_error(error)
        self._metrics.beacons_dropped.labels(known.code).inc()
        status, ours, body = problems.document(known)
        origin = header_text(headers, b"origin")
        owner = self._directory.owner(key=None, site_key="", origin=origin)
        return status, ours | cors.headers(self._directory, owner, headers), body
