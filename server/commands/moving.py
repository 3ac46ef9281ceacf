"""`propgauge backup|restore|import-d1`: a database that moves house."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
from click._termui_impl import ProgressBar

from server.commands.running import run
from server.config import Config
from server.domain import clock
from server.store.contract import Store, Told

_FILE = click.Path(path_type=Path, dir_okay=False)
_THERE = click.Path(path_type=Path, dir_okay=False, exists=True)

KEEP_KEY = "Secrets in it are encrypted: keep SECRET_KEY (or the file secret_key) apart from it."


@click.command("backup")
@click.argument("file", type=_FILE)
def backup(file: Path) -> None:
    """Copy the whole database to a new FILE, as it stands now; servers go on meanwhile."""
    from server.app import MIGRATIONS
    from server.usecases.backup import backup as back_up

    async def work(_config: Config, store: Store) -> None:
        with _bar("Backing up") as told:
            await back_up(store, file, MIGRATIONS, clock.now(), told)

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
    from server.usecases.restore import RestoreRefusedError
    from server.usecases.restore import restore as put_back

    async def work(_config: Config, store: Store) -> int:
        with _bar("Restoring") as told:
            return await put_back(store, file, MIGRATIONS, clock.now(), told)

    try:
        rows = run(work)
    except RestoreRefusedError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{rows:,} rows restored; they need the SECRET_KEY of where they came from")


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
