"""`propgauge deliveries`: what is forwarded, and what waits or failed."""

from __future__ import annotations

import click

from server.commands.running import NUMBER, entry, run
from server.config import Config
from server.domain import clock
from server.domain.delivery import DeliveryState
from server.domain.ids import ClientId
from server.store.contract import Store


@click.group()
def deliveries() -> None:
    """What is forwarded, and what waits or failed."""


@deliveries.command("list")
@click.option("--state", type=click.Choice([state.value for state in DeliveryState]))
@click.option("--limit", type=NUMBER, default=50, show_default=True)
def list_deliveries(state: str | None, limit: int) -> None:
    """The newest deliveries."""
    from server.store import outbox

    for row in run(lambda _c, store: outbox.list_deliveries(store, state=state or "", limit=limit)):
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
    ids = run(
        lambda _c, store: outbox.replay(store, clock.now(), delivery_id=delivery_id, state=state)
    )
    if delivery_id and not ids:
        raise click.ClickException(f"there is no delivery {delivery_id} that can be replayed")
    click.echo(f"{len(ids)} to be sent again")


@deliveries.command("resume")
@click.option("--client", "client_id", type=NUMBER, default=1, show_default=True)
@click.option("--destination", default="make_webhook", show_default=True)
def resume_destination(client_id: int, destination: str) -> None:
    """Take a paused destination up again; everything pending is sent now."""
    from server.store import audit, outbox

    async def work(_config: Config, store: Store) -> str | None:
        now, of = clock.now(), ClientId(client_id)
        reason = await outbox.resume(store, of, destination, now)
        if reason is not None:
            kept = entry(of, "destination_resumed", destination, {"paused_for": reason})
            await store.write([audit.entry_statement(kept, now)])
        return reason

    reason = run(work)
    if reason is None:
        raise click.ClickException(f"{destination} of client {client_id} is not paused")
    click.echo(f"{destination} of client {client_id} resumed; it was paused because {reason}")
