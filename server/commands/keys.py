"""`propgauge key`: API keys of partners."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import click

from server.commands.running import NAME, NUMBER, entry, run
from server.config import Config
from server.domain import clock, field_mapping
from server.domain.directory import ApiKey, Scope, hash_of_key, new_key
from server.domain.field_mapping import FieldMapping
from server.domain.ids import ClientId
from server.store.contract import Store


@click.group()
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
@click.argument("name", type=NAME)
@click.option("--scope", type=click.Choice([scope.value for scope in Scope]), required=True)
@click.option("--client", "client_id", type=NUMBER, default=1, show_default=True)
@_MAPPING
def create_key(name: str, scope: str, client_id: int, mapping: tuple[str, ...]) -> None:
    """Create a key; it is shown once, alone on the last line."""
    from server.store import site_changes

    secret, fields = new_key(), _mapping(mapping)
    new = ApiKey(0, name, hash_of_key(secret), ClientId(client_id), Scope(scope), fields)
    kept = entry(new.client_id, "key_created", name, {"scope": scope, "mapping": dict(fields)})
    run(
        lambda _config, store: site_changes.add_key(store, new, kept, clock.now()),
        refusal=f"there is no client {client_id}",
    )
    click.echo(f"key {name} ({scope}) for client {client_id}, shown only now:")
    click.echo(secret)


@key.command("list")
def list_keys() -> None:
    """List the keys in force."""
    from server.store import directory

    for one in run(lambda _config, store: directory.list_keys(store)):
        click.echo(f"{one.key_id}  {one.name}  {one.scope}  client {one.client_id}")
        for field, expression in one.field_mapping.items():
            click.echo(f"   {field} = {expression}")


@key.command("map")
@click.argument("key_id", type=NUMBER)
@_MAPPING
def map_key(key_id: int, mapping: tuple[str, ...]) -> None:
    """Replace the field mapping of a key; without --map it has none."""
    from server.store import site_changes

    fields = _mapping(mapping)

    async def change(store: Store, key: ApiKey) -> bool:
        details = {"from": dict(key.field_mapping), "to": dict(fields)}
        kept = entry(key.client_id, "key_mapped", key.name, details)
        return await site_changes.map_key(store, key_id, fields, kept, clock.now())

    run(_of_key(key_id, change))
    click.echo(f"key {key_id} maps {len(fields)} fields")


@key.command("revoke")
@click.argument("key_id", type=NUMBER)
def revoke_key(key_id: int) -> None:
    """End a key at once."""
    from server.store import site_changes

    async def change(store: Store, key: ApiKey) -> bool:
        kept = entry(key.client_id, "key_revoked", key.name, {"scope": key.scope})
        return await site_changes.revoke_key(store, key_id, kept, clock.now())

    run(_of_key(key_id, change))
    click.echo(f"key {key_id} revoked")


def _of_key(
    key_id: int, change: Callable[[Store, ApiKey], Awaitable[bool]]
) -> Callable[[Config, Store], Awaitable[None]]:
    """What changes a key, unless there is none of that id in force any more."""
    from server.store import directory

    async def work(_config: Config, store: Store) -> None:
        for one in await directory.list_keys(store):
            if one.key_id == key_id and await change(store, one):
                return
        raise click.ClickException(f"there is no key {key_id} in force")

    return work
