"""Seed a database with demonstration data: visits, leads, responses, deliveries, follow-up.

Nothing of it ever leaves: pending deliveries are leased to nobody for ever, and no job is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from server.destinations import make_webhook
from server.domain.directory import Client
from server.form_ai.contract import ModelSpec
from server.store import seeding
from server.store.contract import Store
from server.usecases.demo_data.dispatch import Dispatch
from server.usecases.demo_data.enquiries import Enquiries
from server.usecases.demo_data.follow_up import FollowUp
from server.usecases.demo_data.people import People
from server.usecases.demo_data.plan import Plan, Slot
from server.usecases.demo_data.responses import Responses
from server.usecases.demo_data.rhythm import Rhythm
from server.usecases.demo_data.told import Makers, Storyteller, Told
from server.usecases.demo_data.visits import Visits

ROWS_PER_WRITE = 3_000
"""Under a tenth of a second of the database's lock, for which a running server may wait too."""

_UNCONFIGURED_SHARE = 0.03
"""Of the days, at their beginning, there was no webhook yet."""


class SeedRefusedError(Exception):
    """The client has leads already; the message says how many."""


@dataclass(frozen=True, slots=True)
class SeedOrder:
    """What to make. The same order on an empty database makes the same data.

    `more` allows it where the client has leads; `paused` makes Make.com a paused destination;
    `conversion` is the share of visitors who leave a lead, from above 0 to 1.
    """

    client: Client
    site_key: str
    models: Sequence[ModelSpec]
    leads: int
    days: int
    seed: int
    now: datetime
    more: bool = False
    paused: bool = False
    conversion: float = 0.04


async def check(store: Store, order: SeedOrder) -> int:
    """How many leads the client has; raises SeedRefusedError where they are in the way."""
    client_id = order.client.client_id
    existing = await seeding.count_leads(store, client_id)
    if existing and not order.more:
        raise SeedRefusedError(f"client {client_id} has {existing} leads already")
    return existing


async def seed(store: Store, order: SeedOrder, on_leads: Callable[[int], None]) -> int:
    """Make the data; how many rows beside leads and responses were written.

    `on_leads` is told how many more leads are committed. Raises SeedRefusedError, StoreError;
    what was committed before an error stays.
    """
    client_id = order.client.client_id
    existing = await check(store, order)
    rng = Random(f"{order.seed}:{client_id}:{existing}")  # noqa: S311 # to be repeatable
    people = People(rng)
    rhythm = Rhythm(rng, order.now, order.days)
    visits = Visits(rng, people, client_id, order.site_key)
    salespeople = await seeding.salespeople(store, client_id)
    makers = Makers(
        visits,
        Enquiries(rng, people, order.client, order.site_key),
        Responses(rng, order.client, order.models),
        _dispatch(rng, order, rhythm.begins_at),
        FollowUp(rng, order.now, salespeople),
    )
    plan = Plan(rng, rhythm, people, visits)
    plan.enquire(order.leads, order.now)
    storyteller = Storyteller(rng, order.client, makers, order.now)
    return await _write(store, plan.days(order.now, order.conversion), storyteller, on_leads)


def _dispatch(rng: Random, order: SeedOrder, begins_at: datetime) -> Dispatch:
    unconfigured = timedelta(days=order.days * _UNCONFIGURED_SHARE)
    paused = make_webhook.NAME if order.paused else ""
    return Dispatch(rng, order.now, begins_at + unconfigured, paused)


async def _write(
    store: Store,
    days: Iterable[Sequence[Slot]],
    storyteller: Storyteller,
    on_leads: Callable[[int], None],
) -> int:
    told, rows = Told(), 0
    for slots in days:
        for slot in slots:
            storyteller.tell(slot, told)
            if len(told.rows) >= ROWS_PER_WRITE:
                rows += await _flush(store, told, on_leads)
                told = Told()
    return rows + await _flush(store, told, on_leads)


async def _flush(store: Store, told: Told, on_leads: Callable[[int], None]) -> int:
    await store.write(seeding.statements(told.rows, told.statements))
    on_leads(told.leads)
    return len(told.rows)
