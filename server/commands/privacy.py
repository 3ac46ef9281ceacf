"""`propgauge export|erase|purge`: whose data goes, and what is past its time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click

from server.commands.running import NUMBER, entry, load_config, run
from server.config import Config
from server.domain import clock
from server.domain.directory import Client
from server.domain.ids import ClientId
from server.domain.person import IdentityKind, Person, recognise
from server.domain.retention import Kept
from server.store.contract import BusyError, Compacting, Store
from server.store.vault import Vault
from server.usecases.export_person import PersonActor

_CLIENT = click.option("--client", "client_id", type=NUMBER, default=1, show_default=True)
_LINKED = click.option(
    "--linked",
    is_flag=True,
    help="Also the e-mail addresses, phones and visitor ids that stand in their leads.",
)
_YES = click.option("--yes", is_flag=True, help="Do not ask.")


@click.command("export")
@click.argument("identities", nargs=-1, required=True)
@_CLIENT
@_LINKED
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="A new file.")
def export(
    identities: tuple[str, ...], client_id: int, output: Path | None, *, linked: bool
) -> None:
    """Print all that is stored of a person (e-mail, phone or visitor id) as JSON."""
    from server.usecases.export_person import export_person

    if output is not None and output.exists():
        raise click.BadParameter("is there already", param_hint="--output")

    async def work(config: Config, store: Store) -> str:
        vault = Vault(config.secret_key)
        person = await _person(store, vault, client_id, identities, linked=linked)
        actor = PersonActor(None, "propgauge export")
        told = await export_person(store, vault, ClientId(client_id), person, actor, clock.now())
        return json.dumps(told, ensure_ascii=False, indent=2)

    if output is None:
        click.echo(run(work))
        return
    try:
        with _new_file(output) as file:
            file.write(run(work) + "\n")
    except OSError as error:
        raise click.ClickException(f"{output}: {error.strerror or error}") from None
    click.echo(f"written to {output}")


@contextmanager
def _new_file(path: Path) -> Iterator[TextIO]:
    """A file of its owner's alone, gone again where it was not filled; raises OSError."""
    path.touch(mode=0o600, exist_ok=False)
    try:
        with path.open("w", encoding="utf-8") as file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@click.command("erase")
@click.argument("identities", nargs=-1, required=True)
@_CLIENT
@_LINKED
@_YES
def erase(identities: tuple[str, ...], client_id: int, *, linked: bool, yes: bool) -> None:
    """Erase all that is stored of a person (e-mail, phone or visitor id), for good.

    A file is then written anew, so that nothing deleted remains in it; a server does not do so.
    """
    from server.usecases.erase_person import erase_person

    async def work(config: Config, store: Store) -> int:
        vault = Vault(config.secret_key)
        person = await _person(store, vault, client_id, identities, linked=linked)
        if not await _show(store, client_id, person):
            click.echo("nothing is stored of them")
            return 0
        if not yes:
            click.confirm("Erase all of this for good?", abort=True)
        actor = PersonActor(None, "propgauge erase")
        rows = await erase_person(store, vault, ClientId(client_id), person, actor, clock.now())
        await _compact(store)
        return sum(rows.values())

    click.echo(f"{run(work)} rows erased")


@click.command("purge")
@_YES
def purge(*, yes: bool) -> None:
    """Delete what is past its retention now, instead of at night."""
    from server.store import directory, retention
    from server.store.retention import Task
    from server.usecases import purge_expired

    default_days = load_config().retention_days

    async def work(config: Config, store: Store) -> int:
        entries = await directory.load(store, Vault(config.secret_key))
        due = purge_expired.plan(entries.clients, default_days, clock.now())
        counted = await purge_expired.count_expired(store, due)
        for (client_id, kind), rows in counted.items():
            click.echo(f"client {client_id}: {rows} {kind} past their time")
        if counted and not yes:
            click.confirm("Delete them for good?", abort=True)
        await _keep_purge(store, counted)
        with click.progressbar(length=sum(counted.values()), label="Purging", show_pos=True) as bar:
            total = await purge_expired.purge(store, due, bar.update)
        await retention.done(store, Task.PURGE, clock.now())
        if await retention.is_asked(store, Task.COMPACT):
            await _compact(store)
        return total

    click.echo(f"{run(work)} visits, leads and responses purged")


async def _keep_purge(store: Store, counted: Mapping[tuple[ClientId, Kept], int]) -> None:
    """Before it begins, for it may be broken off: one entry a client, of what was past its time."""
    from server.store import audit

    rows: dict[ClientId, dict[str, int]] = {}
    for (client_id, kind), count in counted.items():
        rows.setdefault(client_id, {})[kind.value] = count
    entries = [entry(client_id, "purged", "", {"rows": found}) for client_id, found in rows.items()]
    await store.write([audit.entry_statement(one, clock.now()) for one in entries])


async def _person(
    store: Store, vault: Vault, client_id: int, texts: tuple[str, ...], *, linked: bool
) -> Person:
    from server.store import privacy

    client = await _client(store, vault, client_id)
    found = [recognise(text, client.default_region) for text in texts]
    for text, identity in zip(texts, found, strict=True):
        if identity is None:
            raise click.BadParameter(f"{text!r} is no e-mail address, phone or visitor id")
    person = Person(tuple(dict.fromkeys(one for one in found if one is not None)))
    others = (await privacy.find(store, client.client_id, person)).linked
    if linked:
        return Person((*person.identities, *others))
    for one in others:
        click.echo(f"left out: {_named(one.kind)} {one.value} stands in their leads", err=True)
    return person


async def _client(store: Store, vault: Vault, client_id: int) -> Client:
    from server.store import directory

    for client in (await directory.load(store, vault)).clients:
        if client.client_id == client_id:
            return client
    raise click.ClickException(f"there is no client {client_id}")


async def _show(store: Store, client_id: int, person: Person) -> bool:
    """Say what is stored; whether anything is."""
    from server.store import privacy

    found = await privacy.find(store, ClientId(client_id), person)
    counted = await privacy.count(store, found.reach)
    for one in person.identities:
        click.echo(f"{_named(one.kind)} {one.value}")
    for holding, rows in counted.items():
        click.echo(f"{rows:>8}  {holding.title}")
    return bool(counted)


def _named(kind: IdentityKind) -> str:
    return {"email": "e-mail", "phone": "phone", "visitor": "visitor"}[kind]


async def _compact(store: Store) -> None:
    """Where others hold the file, the next purge does it; a server keeps its file to itself."""
    from server.usecases.purge_expired import compact

    if not isinstance(store, Compacting):
        click.echo("what was deleted stays in free pages of the server until they are written over")
        return
    click.echo("writing the file anew …")
    try:
        await compact(store, clock.now())
    except BusyError as error:
        click.echo(f"put off until the next purge: {error}", err=True)
