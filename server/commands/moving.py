"""`propgauge backup|restore|import-d1`: a database that moves house."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click._termui_impl import ProgressBar

from server.commands.running import NUMBER, run
from server.config import Config
from server.domain import clock
from server.domain.directory import Client
from server.store.contract import Store, Told

if TYPE_CHECKING:
    from server.usecases.import_d1 import Imported

_FILE = click.Path(path_type=Path, dir_okay=False)
_THERE = click.Path(path_type=Path, dir_okay=False, exists=True)

KEEP_KEY = "Secrets in it are encrypted: keep SECRET_KEY (or the file secret_key) apart from it."

MAY_BE_CUT = (
    "The dump may be cut off: what follows the last table is not in it."
    " Unless it was made with --table, export it again and repeat this."
)


@click.command("backup")
@click.argument("file", type=_FILE)
def backup(file: Path) -> None:
    """Copy the whole database to a new FILE, as it stands now; servers go on meanwhile."""
    from server.app import MIGRATIONS
    from server.store.local_files import LocalFiles
    from server.usecases.backup import backup as back_up

    async def work(_config: Config, store: Store) -> None:
        with _bar("Backing up") as told:
            await back_up(store, file, LocalFiles(MIGRATIONS), clock.now(), told)

    try:
        run(work)
    except OSError as error:
        raise click.ClickException(error.strerror or str(error)) from None
    click.echo(f"{file}: {file.stat().st_size:,} bytes. {KEEP_KEY}")


@click.command("restore")
@click.argument("file", type=_THERE)
def restore(file: Path) -> None:
    """Put a backup FILE into the empty database of DATABASE_URL; stop the servers on it first."""
    from server.app import MIGRATIONS
    from server.store.local_files import LocalFiles
    from server.usecases.restore import RestoreRefusedError
    from server.usecases.restore import restore as put_back

    async def work(_config: Config, store: Store) -> int:
        with _bar("Restoring") as told:
            return await put_back(store, file, LocalFiles(MIGRATIONS), clock.now(), told)

    try:
        rows = run(work)
    except RestoreRefusedError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{rows:,} rows restored; they need the SECRET_KEY of where they came from")


@click.command("import-d1")
@click.argument("dump", type=_THERE)
@click.option("--client", "client_id", type=NUMBER, default=1, show_default=True)
def import_d1(dump: Path, client_id: int) -> None:
    """Take over what `wrangler d1 export` wrote to DUMP of an earlier Worker's database.

    Leads, sessions, page views and fingerprints that are not there yet are added to a client; it
    may be repeated. Nothing of it is forwarded.
    """
    from server.store.d1_dump import D1Dump, DumpError
    from server.usecases.import_d1 import NothingKnownError, left_out
    from server.usecases.import_d1 import import_d1 as take_over

    async def work(config: Config, store: Store) -> list[Imported]:
        client = await _client(config, store, client_id)
        with _bar("Importing") as told:
            return await take_over(store, loaded, client, clock.now(), told)

    with D1Dump() as loaded:
        try:
            with _bar("Reading") as told:
                loaded.load(dump, told)
            imported = run(work)
        except (DumpError, NothingKnownError) as error:
            raise click.ClickException(f"{dump}: {error}; nothing was imported") from None
        for one in imported:
            unusable = f", {one.unusable} without usable ids left out" if one.unusable else ""
            click.echo(f"{one.table}: {one.new} new, {one.there} there before{unusable}")
        for words in left_out(loaded):
            click.echo(f"left out: {words}")
        if loaded.may_be_cut:
            click.echo(MAY_BE_CUT, err=True)


async def _client(config: Config, store: Store, client_id: int) -> Client:
    from server.store import directory
    from server.store.vault import Vault

    for client in (await directory.load(store, Vault(config.secret_key))).clients:
        if client.client_id == client_id:
            return client
    raise click.ClickException(f"there is no client {client_id}")


@contextmanager
def _bar(label: str) -> Iterator[Told]:
    """A progress bar that appears with the first that is done: a refusal is one line."""
    with ExitStack() as shown:
        bars: list[ProgressBar[int]] = []

        def told(done: int, total: int) -> None:
            if not bars:
                bars.append(shown.enter_context(click.progressbar(length=total, label=label)))
            bars[0].update(done - bars[0].pos)

        yield told
