"""`propgauge client`: the customers whose leads are kept apart."""

from __future__ import annotations

import click

from server import setting_values
from server.commands.running import NAME, entry, run
from server.config import Config
from server.domain import clock
from server.domain.contact import is_region
from server.domain.directory import Client, origin_of
from server.domain.ids import ClientId
from server.store.contract import Store
from server.store.vault import Vault


@click.group()
def client() -> None:
    """Clients: the customers whose leads are kept apart."""


@client.command("add")
@click.argument("name", type=NAME)
@click.option("--region", help="Country (ISO 3166) of phone numbers without a country code.")
@click.option("--webhook-url", default="", help="Make.com webhook; kept encrypted.")
@click.option("--webhook-secret", default="", help="Signs its webhooks; kept encrypted.")
def add_client(name: str, region: str | None, webhook_url: str, webhook_secret: str) -> None:
    """Add a client; prints its id alone on the last line."""
    from server.store import site_changes

    try:
        setting_values.signing_secret(webhook_secret)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--webhook-secret") from None
    if webhook_url and not origin_of(webhook_url):
        raise click.BadParameter("is no http(s) address", param_hint="--webhook-url")
    if region is not None and not is_region(region.upper()):
        raise click.BadParameter("is no country code (GB, not UK)", param_hint="--region")
    new = Client(ClientId(0), name, region.upper() if region else None, webhook_url, webhook_secret)

    async def add(config: Config, store: Store) -> ClientId:
        vault, kept = Vault(config.secret_key), entry(None, "client_added", name)
        return await site_changes.add_client(store, vault, new, kept, clock.now())

    click.echo(run(add))


@client.command("list")
def list_clients() -> None:
    """List the clients and their sites."""
    from server.store import directory

    entries = run(lambda config, store: directory.load(store, Vault(config.secret_key)))
    for one in entries.clients:
        webhook = "own webhook" if one.make_webhook_url else "no webhook of its own"
        click.echo(f"{one.client_id}  {one.name}  ({webhook})")
        for each in entries.sites:
            if each.client_id == one.client_id:
                origins = " ".join(sorted(each.allowed_origins)) or "no origins"
                click.echo(f"   site {each.site_key}: {origins}")
