"""`propgauge user`: who may sign in to the dashboard."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Awaitable, Callable

import click

from server.commands.running import NUMBER, entry, run
from server.config import Config
from server.domain import clock
from server.domain.errors import AppError
from server.domain.ids import ClientId
from server.domain.user import Role
from server.store.contract import Store

_PASSWORD = click.option(
    "--password-stdin",
    "from_stdin",
    is_flag=True,
    help="Read the password from the first line of standard input; else one is made.",
)


@click.group()
def user() -> None:
    """Users of the dashboard."""


@user.command("add")
@click.argument("email")
@click.option("--role", type=click.Choice([role.value for role in Role]), default="sales")
@click.option(
    "--client", "client_ids", type=NUMBER, multiple=True, help="A client to see; repeatable."
)
@_PASSWORD
def add_user(email: str, role: str, client_ids: tuple[int, ...], *, from_stdin: bool) -> None:
    """Add a user; a made password stands alone on the last line.

    Salespeople need a client to see. An admin without any sees all.
    """
    from server.store import audit
    from server.usecases.sign_in import NewUser, SignIn

    if role == Role.SALES and not client_ids:
        raise click.UsageError("a salesperson needs --client: which clients may they see?")
    password = _password(from_stdin=from_stdin)
    new = NewUser(email, password, Role(role), frozenset(map(ClientId, client_ids)))

    async def add(_config: Config, store: Store) -> None:
        kept = audit.entry_statement(entry(None, "user_added", email), clock.now())
        await SignIn(store, clock.now).add(new, kept)

    _try(add, refusal=f"{email} signs in here already, or there is no such client")
    click.echo(f"{email} may sign in" + ("" if from_stdin else ", with the password"))
    if not from_stdin:
        click.echo(password)


@user.command("passwd")
@click.argument("email")
@_PASSWORD
def set_password(email: str, *, from_stdin: bool) -> None:
    """Give a user another password; ends their sessions."""
    from server.store import audit, users
    from server.usecases.sign_in import SignIn

    password = _password(from_stdin=from_stdin)

    async def change(_config: Config, store: Store) -> None:
        found = await users.find_by_email(store, email)
        if found is None:
            raise click.ClickException(f"there is no user {email}")
        done = entry(None, "password_set", found.user.email)
        kept = audit.entry_statement(done, clock.now())
        await SignIn(store, clock.now).set_password(found.user.user_id, password, kept)

    _try(change)
    click.echo(f"{email} has a new password" + ("" if from_stdin else ":"))
    if not from_stdin:
        click.echo(password)


@user.command("list")
def list_users() -> None:
    """List the users."""
    from server.store import users

    for one in run(lambda _config, store: users.list_users(store)):
        clients = ", ".join(map(str, sorted(one.user.client_ids))) or "all clients"
        ended = "  (may not sign in)" if one.user.disabled_at else ""
        click.echo(f"{one.user.email}  {one.user.role}  {clients}{ended}")


def _password(*, from_stdin: bool) -> str:
    if not from_stdin:
        return secrets.token_urlsafe(12)
    return sys.stdin.readline().rstrip("\r\n")


def _try(work: Callable[[Config, Store], Awaitable[None]], *, refusal: str = "refused") -> None:
    try:
        run(work, refusal=refusal)
    except AppError as error:
        raise click.ClickException(error.message) from None
