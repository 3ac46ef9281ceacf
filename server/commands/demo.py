"""`propgauge demo`: data to look at, before there is any of one's own."""

from __future__ import annotations

import click

from server.commands.running import NUMBER, run
from server.config import Config
from server.domain import clock
from server.store.contract import Store


@click.group()
def demo() -> None:
    """Data to look at, before there is any of one's own."""


@demo.command("seed")
@click.option("--leads", type=click.IntRange(1, 1_000_000), default=2_000, show_default=True)
@click.option("--days", type=click.IntRange(1, 3_650), default=90, show_default=True)
@click.option("--client", "client_id", type=NUMBER, default=1, show_default=True)
@click.option(
    "--seed", type=int, default=1, show_default=True, help="The same seed, the same data."
)
@click.option(
    "--conversion",
    type=click.FloatRange(0.1, 100),
    default=4.0,
    show_default=True,
    help="Percent of visitors who leave a lead; 100 is quickest, as nobody only looks.",
)
@click.option("--more", is_flag=True, help="Also where the client has leads already.")
@click.option("--paused", is_flag=True, help="Make.com stands paused; also for real leads.")
def seed_demo(  # noqa: PLR0913 # one parameter an option
    leads: int,
    days: int,
    client_id: int,
    seed: int,
    conversion: float,
    *,
    more: bool,
    paused: bool,
) -> None:
    """Fill a client with visits, leads, responses and deliveries of nobody; nothing is sent."""
    from server.store import directory
    from server.store.vault import Vault
    from server.usecases import seed_demo as seeding
    from server.usecases.keep_rollups import rebuild
    from server.usecases.seed_demo import SeedOrder, SeedRefusedError

    async def fill(config: Config, store: Store) -> int:
        entries = await directory.load(store, Vault(config.secret_key))
        client = next((one for one in entries.clients if one.client_id == client_id), None)
        if client is None:
            raise click.ClickException(f"there is no client {client_id}")
        sites = [site.site_key for site in entries.sites if site.client_id == client_id]
        order = SeedOrder(
            client=client,
            site_key=sites[0] if sites else "",
            models=config.form_ai_models,
            leads=leads,
            days=days,
            seed=seed,
            now=clock.now(),
            more=more,
            paused=paused,
            conversion=conversion / 100,
        )
        await seeding.check(store, order)
        with click.progressbar(length=leads, label="Seeding leads", show_pos=True) as bar:
            rows = await seeding.seed(store, order, bar.update)
        await rebuild(store, clock.now(), order.client.client_id)
        return rows

    try:
        rows = run(fill)
    except SeedRefusedError as error:
        raise click.ClickException(f"{error}; --more adds to them") from None
    click.echo(f"{leads} leads of {days} days, with {rows} rows of visits and all that followed")
