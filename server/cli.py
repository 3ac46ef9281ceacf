"""The commands of `propgauge`; each calls one use case and prints what came of it."""

from __future__ import annotations

import asyncio
from functools import partial

import click

from server.commands.clients import client
from server.commands.deliveries import deliveries
from server.commands.demo import demo
from server.commands.keys import key
from server.commands.moving import backup, import_d1, restore
from server.commands.privacy import erase, export, purge
from server.commands.rollups import rollups
from server.commands.running import load_config, run
from server.commands.sites import site
from server.commands.users import user
from server.config import ConfigError
from server.store.contract import StoreError


@click.group()
def main() -> None:
    """Tells a property marketing team which lead to call first."""


@main.command()
def serve() -> None:
    """Start the server; SIGTERM drains it and ends it within 10 s."""
    from server.launcher import ListenError
    from server.launcher import serve as start

    try:
        start(load_config())
    except StoreError as error:
        raise click.ClickException(error.advice) from None
    except (ConfigError, ListenError) as error:
        raise click.ClickException(str(error)) from None


@main.command()
def migrate() -> None:
    """Apply what is missing of the migrations."""
    from server.app import open_store, prepare_store

    config = load_config()

    async def apply() -> list[str]:
        store = open_store(config)
        try:
            return await prepare_store(store)
        finally:
            await store.close()

    try:
        applied = asyncio.run(apply())
    except StoreError as error:
        raise click.ClickException(error.advice) from None
    click.echo("\n".join(f"applied {name}" for name in applied) or "nothing to apply")


@main.command()
@click.option("--deep", is_flag=True, help="Also read every row of the database and its indexes.")
def doctor(*, deep: bool) -> None:
    """Say what is configured and what is not; exit 1 when something does not work."""
    from server.usecases.check_setup import check_setup

    findings = run(partial(check_setup, deep=deep))
    for finding in findings:
        click.echo(f"{finding.mark:<4} {finding.subject}: {finding.text}")
    if any(finding.failed for finding in findings):
        raise SystemExit(1)


for _command in (
    client,
    site,
    key,
    user,
    deliveries,
    demo,
    rollups,
    export,
    erase,
    purge,
    backup,
    restore,
    import_d1,
):
    main.add_command(_command)
