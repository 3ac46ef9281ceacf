"""`propgauge site`: where the scripts stand, and what to paste there."""

from __future__ import annotations

import click

from server.commands.running import NAME, NUMBER, entry, run
from server.config import Config
from server.domain import clock
from server.domain.directory import Site, origin_of
from server.domain.ids import ClientId
from server.store.contract import Store
from server.store.vault import Vault


@click.group()
def site() -> None:
    """Sites: where the scripts stand, and which origins may post."""


@site.command("add")
@click.argument("site_key")
@click.option("--client", "client_id", type=NUMBER, default=1, show_default=True)
@click.option("--origin", "origins", multiple=True, help="https://www.example.com; repeatable.")
@click.option("--name", type=NAME)
def add_site(site_key: str, client_id: int, origins: tuple[str, ...], name: str | None) -> None:
    """Add a site; a running server takes it up within 5 s."""
    from server.domain.ids import is_outside_id
    from server.store import site_changes

    if not is_outside_id(site_key):
        raise click.BadParameter("takes letters, digits, '.', '_' and '-'", param_hint="SITE_KEY")
    for origin in origins:
        if not origin_of(origin):
            raise click.BadParameter(f"{origin} is no http(s) origin", param_hint="--origin")
    new = Site(site_key, ClientId(client_id), name, frozenset(map(origin_of, origins)))
    details = {"name": name, "origins": sorted(new.allowed_origins)}
    kept = entry(new.client_id, "site_added", site_key, details)
    run(
        lambda _config, store: site_changes.add_site(store, new, kept, clock.now()),
        refusal=f"there is a site {site_key} already, or no client {client_id}",
    )
    click.echo(f"site {site_key} added to client {client_id}")


@site.command("show")
@click.argument("site_key")
def show_site(site_key: str) -> None:
    """Show a site, and all there is to paste into its pages."""
    from server.store import directory, scripts
    from server.web import builds
    from server.web.snippets import Snippet, snippets

    async def look(config: Config, store: Store) -> tuple[Config, directory.Entries, list[Snippet]]:
        built = builds.build(config.track_path)
        # The server that runs may be of another version, and is to serve what is printed here.
        await scripts.freeze(store, built, clock.now())
        entries = await directory.load(store, Vault(config.secret_key))
        return config, entries, snippets(config, built, site_key)

    config, entries, texts = run(look)
    found = next((one for one in entries.sites if one.site_key == site_key), None)
    if found is None:
        raise click.ClickException(f"there is no site {site_key}")
    (owner,) = (one for one in entries.clients if one.client_id == found.client_id)
    click.echo(f"site {site_key} of client {owner.client_id} ({owner.name})")
    click.echo("origins: " + (" ".join(sorted(found.allowed_origins)) or "none"))
    if not config.public_url:
        click.echo("PUBLIC_URL is not set: the addresses below hold on this machine only")
    for snippet in texts:
        click.echo(f"\n{snippet.title}\n{'-' * len(snippet.title)}\n{snippet.text}")
