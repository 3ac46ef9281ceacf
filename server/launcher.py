"""Starts uvicorn around the application, and says where it can be reached."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import Iterator

import click
import uvicorn
import uvloop

from server import logs
from server.app import Propgauge, open_store
from server.config import Config
from server.usecases.sign_in import FIRST_ADMIN
from server.web import demo
from server.web.protocol import BeaconProtocol, protocol_for

GRACEFUL_SECONDS = 6
"""For open requests at the end: as long as a write may wait for another process's lock, and more,
so that each is answered."""

STOP_SECONDS = 7.5
"""For open requests and the outbox together; with the store the whole stays under 10 s."""

RECEIVING_SECONDS = 2.0
"""Of these, for requests that are not in yet at the end."""

KEEP_ALIVE_SECONDS = 15
BACKLOG = 2048


class ListenError(Exception):
    """The address or port cannot be listened on; the message names it."""


class _Server(uvicorn.Server):
    """uvicorn's server, which tells where it listens and cuts off slow clients."""

    def __init__(self, config: uvicorn.Config, propgauge: Propgauge) -> None:
        super().__init__(config)
        self._propgauge = propgauge

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, which at the end would raise the signal again that ended it well."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain; a client that is still sending after a while is cut off."""
        loop = asyncio.get_running_loop()
        self._propgauge.stop_by = loop.time() + STOP_SECONDS
        loop.call_later(RECEIVING_SECONDS, self._cut_off_receiving)
        self._propgauge.lead_watch.close()
        await super().shutdown(sockets)

    def _cut_off_receiving(self) -> None:
        for connection in list(self.server_state.connections):
            if isinstance(connection, BeaconProtocol):
                connection.close_if_receiving()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second; once a second slow clients are cut off."""
        if counter % 10 == 0:
            for connection in list(self.server_state.connections):
                if isinstance(connection, BeaconProtocol):
                    connection.close_if_slow()
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets)
        if self.started:
            click.echo(banner(self._propgauge.config, self._propgauge.new_admin_password))
            sys.stdout.flush()


def banner(config: Config, new_admin_password: str = "") -> str:
    """The lines printed on start."""
    url = config.public_url or config.local_url
    lines = [f"propgauge listens on {url}"]
    if config.demo:
        lines.append(f"  demo site         {url}{demo.PATH}")
        lines.append(f"  demo deliveries   {config.local_url}{demo.DELIVERIES_PATH}/")
    if new_admin_password:
        lines.append(f"  sign in as        {FIRST_ADMIN}")
        told = f"{new_admin_password}  (shown only now)"
        lines.append(f"  with password     {'ADMIN_PASSWORD' if config.admin_password else told}")
    lines.append(f"  dashboard         {url}/")
    return "\n".join(lines)


def serve(config: Config) -> None:
    """Run until SIGTERM or SIGINT; raises ListenError, or StoreError for an unusable store."""
    logs.configure(config.log_level, config.secret_values())
    with _listen(config) as listener:
        uvloop.run(_serve(config, listener))


def _listen(config: Config) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
        return socket.create_server((config.host, config.port), family=family, backlog=BACKLOG)
    except OSError as error:
        place = f"{config.host} port {config.port}"
        raise ListenError(f"cannot listen on {place}: {error.strerror}") from error


async def _serve(config: Config, listener: socket.socket) -> None:
    store = open_store(config)
    try:
        propgauge = Propgauge(config, store)
        await propgauge.prepare()
        await _run(propgauge, listener)
    finally:
        await asyncio.shield(store.close())


async def _run(propgauge: Propgauge, listener: socket.socket) -> None:
    listening = uvicorn.Config(
        propgauge.application(),
        http=protocol_for(propgauge.track),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
    )
    server = _Server(listening, propgauge)
    await server.serve(sockets=[listener])
    if not server.started:
        raise SystemExit(1)
