"""The commands of `propgauge`; each calls one use case and prints what came of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from server import config as settings
from server.config import Config, ConfigError
from server.domain import clock, field_mapping
from server.domain.contact import is_region
from server.domain.delivery import DeliveryState
from server.domain.directory import ApiKey, Client, Scope, Site, hash_of_key, new_key, origin_of
from server.domain.field_mapping import FieldMapping
from server.domain.ids import ClientId
from server.store.contract import ConstraintError, Store, StoreError
from server.store.vault import Vault

Answer = TypeVar("Answer")

_NUMBER = click.IntRange(1, 2**63 - 1)
"""Ids and counts, as far as SQLite counts."""


@click.group()
def main() -> None:
    """Tells a property marketing team which lead to call first."""


def _config() -> Config:
    try:
        return settings.load(settings.project_root(Path.cwd()), os.environ)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None


def _run(work: Callable[[Config, Store], Awaitable[Answer]], *, refusal: str = "refused") -> Answer:
    """Open the store, migrate it, do the work, close it; `refusal` tells a broken constraint."""
    from server.app import open_store, prepare_store

    config = _config()

    async def session() -> Answer:
        store = open_store(config)
        try:
            await prepare_store(store)
            return await work(config, store)
        finally:
            await store.close()

    try:
        return asyncio.run(session())
    except ConstraintError:
        raise click.ClickException(refusal) from None
    except (ConfigError, StoreError) as error:
        raise click.ClickException(str(error)) from None


@main.command()
def serve() -> None:
    """Start the server; SIGTERM drains it and ends it within 10 s."""
    from server.launcher import ListenError
    from server.launcher import serve as start

    try:
        start(_config())
    except (ConfigError, ListenError, StoreError) as error:
        raise click.ClickException(str(error)) from None


@main.command()
def migrate() -> None:
    """Apply what is missing of the migrations."""
    from server.app import open_store, prepare_store

    config = _config()

    async def apply() -> list[str]:
        store = open_store(config)
        try:
            return await prepare_store(store)
        finally:
            await store.close()

    try:
        applied = asyncio.run(apply())
    except StoreError as error:
        raise click.ClickException(str(error)) from None
    click.echo("\n".join(f"applied {name}" for name in applied) or "nothing to apply")


@main.command()
def doctor() -> None:
    """Say what is configured and what is not; exit 1 when something does not work."""
    from server.usecases.check_setup import check_setup

    findings = _run(check_setup)
    for finding in findings:
        click.echo(f"{finding.mark:<4} {finding.subject}: {finding.text}")
    if any(finding.failed for finding in findings):
        raise SystemExit(1)


@main.group()
def client() -> None:
    """Clients: the customers whose leads are kept apart."""


@client.command("add")
@click.argument("name")
@click.option("--region", help="Country (ISO 3166) of phone numbers without a country code.")
@click.option("--webhook-url", default="", help="Make.com webhook; kept encrypted.")
@click.option("--webhook-secret", default="", help="Signs its webhooks; kept encrypted.")
def add_client(name: str, region: str | None, webhook_url: str, webhook_secret: str) -> None:
    """Add a client; prints its id alone on the last line."""
    from server.store import directory

    if not name.strip():
        raise click.BadParameter("is empty", param_hint="NAME")
    try:
        settings.signing_secret(webhook_secret)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--webhook-secret") from None
    if webhook_url and not origin_of(webhook_url):
        raise click.BadParameter("is no http(s) address", param_hint="--webhook-url")
    if region is not None and not is_region(region.upper()):
        raise click.BadParameter("is no country code (GB, not UK)", param_hint="--region")
    new = Client(ClientId(0), name, region.upper() if region else None, webhook_url, webhook_secret)

    async def add(config: Config, store: Store) -> ClientId:
        return await directory.add_client(store, Vault(config.secret_key), new, clock.now())

    click.echo(_run(add))


@client.command("list")
def list_clients() -> None:
    """List the clients and their sites."""
    from server.store import directory

    entries = _run(lambda config, store: directory.load(store, Vault(config.secret_key)))
    for one in entries.clients:
        webhook = "own webhook" if one.make_webhook_url else "no webhook of its own"
        click.echo(f"{one.client_id}  {one.name}  ({webhook})")
        for each in entries.sites:
            if each.client_id == one.client_id:
                origins = " ".join(sorted(each.allowed_origins)) or "no origins"
                click.echo(f"   site {each.site_key}: {origins}")


@main.group()
def site() -> None:
    """Sites: where the scripts stand, and which origins may post."""


@site.command("add")
@click.argument("site_key")
@click.option("--client", "client_id", type=_NUMBER, default=1, show_default=True)
@click.option("--origin", "origins", multiple=True, help="https://www.example.com; repeatable.")
@click.option("--name", default=None)
def add_site(site_key: str, client_id: int, origins: tuple[str, ...], name: str | None) -> None:
    """Add a site; a running server takes it up within 5 s."""
    from server.domain.ids import is_outside_id
    from server.store import directory

    if not is_outside_id(site_key):
        raise click.BadParameter("takes letters, digits, '.', '_' and '-'", param_hint="SITE_KEY")
    for origin in origins:
        if not origin_of(origin):
            raise click.BadParameter(f"{origin} is no http(s) origin", param_hint="--origin")
    new = Site(site_key, ClientId(client_id), name, frozenset(map(origin_of, origins)))
    _run(
        lambda _config, store: directory.add_site(store, new, clock.now()),
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

    config, entries, texts = _run(look)
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


@main.group()
def key() -> None:
    """API keys of partners."""


_MAPPING = click.option(
    "--map",
    "mapping",
    multiple=True,
    metavar="FIELD=JMESPATH",
    help="Where the partner's JSON holds a field: email='contact.mail'; repeatable.",
)


def _mapping(texts: tuple[str, ...]) -> FieldMapping:
    pairs = [text.partition("=") for text in texts]
    mapping = {field.strip(): expression.strip() for field, _, expression in pairs}
    try:
        field_mapping.check(mapping)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--map") from None
    return mapping


@key.command("create")
@click.argument("name")
@click.option("--scope", type=click.Choice([scope.value for scope in Scope]), required=True)
@click.option("--client", "client_id", type=_NUMBER, default=1, show_default=True)
@_MAPPING
def create_key(name: str, scope: str, client_id: int, mapping: tuple[str, ...]) -> None:
    """Create a key; it is shown once, alone on the last line."""
    from server.store import directory

    secret, fields = new_key(), _mapping(mapping)
    new = ApiKey(0, name, hash_of_key(secret), ClientId(client_id), Scope(scope), fields)
    _run(
        lambda _config, store: directory.add_key(store, new, clock.now()),
        refusal=f"there is no client {client_id}",
    )
    click.echo(f"key {name} ({scope}) for client {client_id}, shown only now:")
    click.echo(secret)


@key.command("list")
def list_keys() -> None:
    """List the keys in force."""
    from server.store import directory

    for one in _run(lambda _config, store: directory.list_keys(store)):
        click.echo(f"{one.key_id}  {one.name}  {one.scope}  client {one.client_id}")
        for field, expression in one.field_mapping.items():
            click.echo(f"   {field} = {expression}")


@key.command("map")
@click.argument("key_id", type=_NUMBER)
@_MAPPING
def map_key(key_id: int, mapping: tuple[str, ...]) -> None:
    """Replace the field mapping of a key; without --map it has none."""
    from server.store import directory

    fields = _mapping(mapping)
    if not _run(lambda _config, store: directory.map_key(store, key_id, fields)):
        raise click.ClickException(f"there is no key {key_id} in force")
    click.echo(f"key {key_id} maps {len(fields)} fields")


@key.command("revoke")
@click.argument("key_id", type=_NUMBER)
def revoke_key(key_id: int) -> None:
    """End a key at once."""
    from server.store import directory

    if not _run(lambda _config, store: directory.revoke_key(store, key_id, clock.now())):
        raise click.ClickException(f"there is no key {key_id} in force")
    click.echo(f"key {key_id} revoked")


@main.group()
def deliveries() -> None:
    """What is forwarded, and what waits or failed."""


@deliveries.command("list")
@click.option("--state", type=click.Choice([state.value for state in DeliveryState]))
@click.option("--limit", type=_NUMBER, default=50, show_default=True)
def list_deliveries(state: str | None, limit: int) -> None:
    """The newest deliveries."""
    from server.store import outbox

    for row in _run(
        lambda _c, store: outbox.list_deliveries(store, state=state or "", limit=limit)
    ):
        shown = "paused" if row["state"] == "pending" and row["paused_reason"] else row["state"]
        why = row["paused_reason"] if shown == "paused" else row["last_error"]
        click.echo(
            f"{row['delivery_id']}  {shown:<14} client {row['client_id']}  {row['destination']}"
            f"  attempts {row['attempts']}  status {row['last_status'] or '-'}"
            f"  due {row['due_at']}" + (f"  {why}" if why else "")
        )


@deliveries.command("replay")
@click.argument("delivery_id", required=False, default="")
@click.option("--all-failed", is_flag=True, help="Every delivery that failed for good.")
@click.option("--not-configured", is_flag=True, help="Every one that had no address to go to.")
def replay_deliveries(delivery_id: str, *, all_failed: bool, not_configured: bool) -> None:
    """Send a delivery again under the same id."""
    from server.store import outbox

    state = "failed" if all_failed else ("not_configured" if not_configured else "")
    if bool(delivery_id) + all_failed + not_configured != 1:
        raise click.UsageError("name one delivery, or --all-failed, or --not-configured")
    ids = _run(
        lambda _c, store: outbox.replay(store, clock.now(), delivery_id=delivery_id, state=state)
    )
    if delivery_id and not ids:
        raise click.ClickException(f"there is no delivery {delivery_id} that can be replayed")
    click.echo(f"{len(ids)} to be sent again")


@deliveries.command("resume")
@click.option("--client", "client_id", type=_NUMBER, default=1, show_default=True)
@click.option("--destination", default="make_webhook", show_default=True)
def resume_destination(client_id: int, destination: str) -> None:
    """Take a paused destination up again; everything pending is sent now."""
    from server.store import outbox

    reason = _run(
        lambda _c, store: outbox.resume(store, ClientId(client_id), destination, clock.now())
    )
    if reason is None:
        raise click.ClickException(f"{destination} of client {client_id} is not paused")
    click.echo(f"{destination} of client {client_id} resumed; it was paused because {reason}")
