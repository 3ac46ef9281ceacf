"""`propgauge rollups`: the daily counts that the overview reads."""

from __future__ import annotations

import click

from server.commands.running import NUMBER, run
from server.domain import clock
from server.domain.days import zone_of
from server.domain.ids import ClientId
from server.store.contract import Store


@click.group()
def rollups() -> None:
    """The daily counts that the overview reads."""


@rollups.command("rebuild")
@click.option("--client", "client_id", type=NUMBER, help="Only this client.")
@click.option("--timezone", "zone", help="Give the client this time zone for its days, first.")
def rebuild(client_id: int | None, zone: str | None) -> None:
    """Count every day anew whose raw rows are all there; the server may run meanwhile."""
    if zone is not None and client_id is None:
        raise click.UsageError("--timezone needs --client: whose days are they?")
    if zone is not None and zone_of(zone).key != zone:
        raise click.BadParameter("is no time zone (Europe/London)", param_hint="--timezone")
    days = run(lambda _config, store: _rebuild(store, client_id, zone))
    click.echo(f"{days} days counted")


async def _rebuild(store: Store, client_id: int | None, zone: str | None) -> int:
    from server.store import rollups as counts

    known = await counts.clients(store)
    chosen = [one.client_id for one in known if client_id in (None, one.client_id)]
    if not chosen:
        raise click.ClickException(f"there is no client {client_id}")
    if zone is not None:
        await counts.set_zone(store, chosen[0], zone)
    counted = 0
    for client in await counts.clients(store):
        if client.client_id in chosen:
            counted += await _rebuild_one(store, client.client_id)
    return counted


async def _rebuild_one(store: Store, client_id: ClientId) -> int:
    """Count a client's days under a progress bar; how many there were."""
    from server.usecases import keep_rollups

    with click.progressbar(length=0, label=f"Client {client_id}", show_pos=True) as bar:

        def told(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        await keep_rollups.rebuild(store, clock.now(), client_id, told)
        return bar.pos
