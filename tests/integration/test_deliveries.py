"""Deliveries: real worker, store and webhook, a receiver that misbehaves, a clock to turn."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from server.destinations import Destination, make_webhook
from server.destinations.egress import Egress
from server.destinations.make_webhook import MakeWebhook, WebhookTarget
from server.domain.clock import from_text, to_text
from server.domain.delivery import BACKOFF_SECONDS, Delivery, DeliveryState, Outcome, Verdict
from server.domain.ids import ClientId, DeliveryId
from server.store import outbox
from server.store.contract import Result, Row, Statement, Store, UnavailableError
from server.store.file import FileStore
from server.usecases.deliver_outbox import LEASE, PER_DESTINATION, Clocks, OutboxWorker
from tests.receiver import Receiver

NOON = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)
ANA, BOB = ClientId(1), ClientId(2)
SECRET = "whsec_" + "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
WAIT_SECONDS = 60.0
"""Patience of the tests; a busy machine needs it, a correct program does not."""


@dataclass
class Moment:
    """A clock that stands still until it is turned."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def turn(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class Held:
    """A destination that holds every delivery until it is let go."""

    name: str = make_webhook.NAME
    begun: list[DeliveryId] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, delivery: Delivery, now: datetime) -> Outcome:  # noqa: ARG002
        self.begun.append(delivery.delivery_id)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.let_go.wait()
        finally:
            self.under_way -= 1
        return Outcome(Verdict.DELIVERED, status=200)


@dataclass
class FailingStore:
    """A store whose writes fail while it is told so."""

    real: Store
    failing: bool = False

    async def query(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        return await self.real.query(sql, args)

    async def write(
        self, statements: Sequence[Statement], *, patience_seconds: float | None = None
    ) -> list[Result]:
        del patience_seconds
        if self.failing:
            raise UnavailableError("the disk is full")
        return await self.real.write(statements)

    async def health(self) -> None:
        await self.write([])

    async def close(self) -> None:
        """The real one is closed by who opened it."""


@dataclass
class Outbox:
    """A store with deliveries, and workers to send them to the targets of each client."""

    store: FileStore
    clock: Moment
    egress: Egress
    targets: dict[ClientId, WebhookTarget] = field(default_factory=dict)
    chance: float = 0.0

    def worker(self, *destinations: Destination, store: Store | None = None) -> OutboxWorker:
        """A worker as a server of its own would have it."""
        used = destinations or (MakeWebhook(self.egress, self.targets.get),)
        named: Mapping[str, Destination] = {one.name: one for one in used}
        clocks = Clocks(self.clock, lambda: self.chance, insist_seconds=0)
        return OutboxWorker(store or self.store, named, clocks)

    async def put(
        self,
        count: int = 1,
        client: ClientId = ANA,
        *,
        state: DeliveryState = DeliveryState.PENDING,
        destination: str = make_webhook.NAME,
    ) -> list[DeliveryId]:
        """Store deliveries as a lead's batch does; their ids."""
        first = len(await self.rows())
        ids = [DeliveryId(f"msg_{first + number:04d}") for number in range(count)]
        deliveries = [
            Delivery(one, client, destination, f"lead-of-{one}", payload_of(one)) for one in ids
        ]
        await self.store.write(
            [outbox.delivery_statement(one, self.clock.now, state=state) for one in deliveries]
        )
        return ids

    async def send_all(self, worker: OutboxWorker | None = None) -> None:
        """Send until nothing more is due."""
        one = worker or self.worker()
        while await one.deliver_due():
            pass

    async def rows(self) -> list[Row]:
        return await self.store.query("SELECT * FROM deliveries ORDER BY delivery_id")

    async def row(self) -> Row:
        (row,) = await self.rows()
        return row

    async def attempts(self) -> list[Row]:
        return await self.store.query("SELECT * FROM delivery_attempts ORDER BY id")

    async def states(self) -> Counter[str]:
        return Counter(row["state"] for row in await self.rows())

    async def paused(self) -> dict[int, str]:
        """Why each client's webhook is paused."""
        rows = await self.store.query("SELECT client_id, reason FROM paused_destinations")
        return {row["client_id"]: row["reason"] for row in rows}

    async def wait_seconds(self) -> float:
        """How long the only delivery has to wait from now."""
        due = from_text((await self.row())["due_at"])
        return (due - self.clock.now).total_seconds()

    async def until(self, look: Callable[[], bool]) -> None:
        """Wait until something is the case."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not look():
                await self.store.query("SELECT 1")


def payload_of(delivery_id: DeliveryId) -> str:
    """The body of a lead, with what JSON writers differ in."""
    return json.dumps({"lead_id": f"lead-of-{delivery_id}", "name": "Zoë", "n": 1.50}) + " "


@pytest.fixture
async def box(store: FileStore, receiver: Receiver) -> AsyncIterator[Outbox]:
    """An outbox whose client Ana is sent to `receiver`."""
    egress = Egress(allow_private=True)
    made = Outbox(store, Moment(), egress, {ANA: WebhookTarget(receiver.url, "")})
    yield made
    await egress.close()


@asynccontextmanager
async def running(
    worker: OutboxWorker, grace_seconds: float = WAIT_SECONDS
) -> AsyncIterator[OutboxWorker]:
    worker.start()
    try:
        yield worker
    finally:
        await worker.stop(grace_seconds)


# Delivered


async def test_delivery_when_the_webhook_takes_it_is_sent_once_as_stored(
    box: Outbox, receiver: Receiver
) -> None:
    (delivery_id,) = await box.put()

    await box.send_all()
    box.clock.turn(days=2)
    await box.send_all()

    (request,) = receiver.requests
    assert request.raw.decode() == payload_of(delivery_id)
    assert request.headers["webhook-id"] == delivery_id
    assert request.headers["content-type"] == "application/json"
    row = await box.row()
    assert (row["state"], row["attempts"], row["last_status"]) == ("delivered", 1, 200)
    assert (row["lease_owner"], row["leased_until"], row["last_error"]) == (None, None, None)
    assert row["finished_at"] == to_text(NOON)
    (attempt,) = await box.attempts()
    assert (attempt["verdict"], attempt["status"], attempt["response"]) == ("delivered", 200, "ok")


async def test_delivery_when_a_secret_is_set_is_signed_at_the_time_of_each_attempt(
    box: Outbox, receiver: Receiver
) -> None:
    box.targets[ANA] = WebhookTarget(receiver.url, SECRET)
    box.clock.now = datetime.now(UTC)
    receiver.status = 500
    await box.put()
    await box.send_all()
    box.clock.turn(seconds=BACKOFF_SECONDS[0])
    receiver.status = 204
    await box.send_all()

    first, second = receiver.requests
    for request in (first, second):
        Webhook(SECRET).verify(request.raw, request.headers)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    moved = int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"])
    assert moved == BACKOFF_SECONDS[0]


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_delivery_when_the_answer_is_any_success_is_delivered(
    box: Outbox, receiver: Receiver, status: int
) -> None:
    receiver.status = status
    await box.put()
    await box.send_all()
    assert (await box.row())["state"] == "delivered"


# Tried again


async def test_delivery_when_the_webhook_fails_is_tried_again_by_the_schedule(
    box: Outbox, receiver: Receiver
) -> None:
    receiver.status = 500
    (delivery_id,) = await box.put()
    waits = []
    for _ in BACKOFF_SECONDS:
        await box.send_all()
        waits.append(await box.wait_seconds())
        box.clock.turn(seconds=waits[-1] - 0.001)
        await box.send_all()
        assert len(receiver.requests) == len(waits)
        box.clock.turn(seconds=0.001)

    assert waits == list(BACKOFF_SECONDS)
    assert {request.headers["webhook-id"] for request in receiver.requests} == {delivery_id}
    row = await box.row()
    assert (row["state"], row["attempts"], row["finished_at"]) == ("pending", 9, None)
    assert (row["last_status"], row["last_error"]) == (500, "the webhook answered 500")


async def test_delivery_when_it_failed_ten_times_is_failed_and_keeps_its_attempts(
    box: Outbox, receiver: Receiver
) -> None:
    receiver.status = 503
    await box.put()
    for _ in range(12):
        await box.send_all()
        box.clock.turn(days=1)

    row = await box.row()
    assert (row["state"], row["attempts"], row["last_status"]) == ("failed", 10, 503)
    assert len(receiver.requests) == 10
    attempts = await box.attempts()
    assert [attempt["verdict"] for attempt in attempts] == ["retry"] * 10
    assert [attempt["response"] for attempt in attempts] == ["ok"] * 10
    assert await box.paused() == {}


async def test_delivery_when_it_recovers_is_delivered(box: Outbox, receiver: Receiver) -> None:
    receiver.status = 500
    await box.put()
    await box.send_all()
    receiver.status = 200
    box.clock.turn(seconds=BACKOFF_SECONDS[0])
    await box.send_all()
    row = await box.row()
    assert (row["state"], row["attempts"], row["last_error"]) == ("delivered", 2, None)


async def test_delivery_when_chance_wants_it_waits_up_to_a_tenth_longer(
    box: Outbox, receiver: Receiver
) -> None:
    receiver.status, box.chance = 500, 1.0
    await box.put()
    await box.send_all()
    assert await box.wait_seconds() == pytest.approx(BACKOFF_SECONDS[0] * 1.1, abs=0.001)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_delivery_when_time_may_mend_the_answer_stays_pending(
    box: Outbox, receiver: Receiver, status: int
) -> None:
    receiver.status = status
    await box.put()
    await box.send_all()
    row = await box.row()
    assert (row["state"], row["last_status"]) == ("pending", status)
    assert await box.paused() == {}


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("120", 120),
        ("0", 5),
        ("1", 5),
        ("-60", 5),
        ("soon", 5),
        ("86400", 86_400),
        ("999999999", 86_400),
        (format_datetime(NOON + timedelta(minutes=7), usegmt=True), 420),
        (format_datetime(NOON - timedelta(minutes=7), usegmt=True), 5),
        (format_datetime(NOON + timedelta(days=9), usegmt=True), 86_400),
    ],
)
async def test_delivery_when_the_webhook_names_a_time_waits_for_it_up_to_a_day(
    box: Outbox, receiver: Receiver, status: int, retry_after: str, seconds: int
) -> None:
    receiver.status, receiver.answer_headers = status, {"retry-after": retry_after}
    await box.put()
    await box.send_all()
    assert await box.wait_seconds() == seconds


async def test_delivery_when_nobody_listens_is_tried_again(box: Outbox, receiver: Receiver) -> None:
    with Receiver() as gone:
        box.targets[ANA] = WebhookTarget(gone.url, "")
    await box.put()
    await box.send_all()
    row = await box.row()
    assert (row["state"], row["last_status"]) == ("pending", None)
    assert row["last_error"] == "127.0.0.1 could not be connected to"
    assert await box.wait_seconds() == BACKOFF_SECONDS[0]
    assert receiver.requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_delivery_when_the_webhook_redirects_is_not_sent_on_but_tried_again(
    box: Outbox, receiver: Receiver, status: int
) -> None:
    with Receiver() as elsewhere:
        receiver.status, receiver.answer_headers = status, {"location": elsewhere.url}
        await box.put()
        await box.send_all()
        assert elsewhere.requests == []
    assert len(receiver.requests) == 1
    assert (await box.row())["state"] == "pending"


# Given up


@pytest.mark.parametrize("status", [400, 405, 413, 422])
async def test_delivery_when_the_webhook_refuses_it_is_failed_for_good(
    box: Outbox, receiver: Receiver, status: int
) -> None:
    receiver.status = status
    await box.put()
    await box.send_all()
    box.clock.turn(days=30)
    await box.send_all()
    row = await box.row()
    assert (row["state"], row["attempts"], row["last_status"]) == ("failed", 1, status)
    assert len(receiver.requests) == 1
    assert await box.paused() == {}


# Paused


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_destination_when_it_needs_a_person_is_paused_and_keeps_everything(
    box: Outbox, receiver: Receiver, status: int
) -> None:
    receiver.status = status
    await box.put(PER_DESTINATION + 3)
    await box.send_all()
    box.clock.turn(days=30)
    await box.send_all()

    assert len(receiver.requests) <= PER_DESTINATION
    rows = await box.rows()
    assert {row["state"] for row in rows} == {"pending"}
    untouched = [row for row in rows if row["attempts"] == 0]
    assert len(untouched) >= 3
    assert {row["due_at"] for row in untouched} == {to_text(NOON)}
    assert {row["lease_owner"] for row in rows} == {None}
    assert await box.paused() == {ANA: f"the webhook answered {status}"}


async def test_destination_when_it_is_resumed_is_sent_everything_at_once(
    box: Outbox, receiver: Receiver
) -> None:
    receiver.status = 410
    ids = await box.put(PER_DESTINATION + 3)
    await box.send_all()
    receiver.status = 200
    receiver.requests.clear()

    reason = await outbox.resume(box.store, ANA, make_webhook.NAME, box.clock.now)
    await box.send_all()

    assert reason == "the webhook answered 410"
    assert await box.paused() == {}
    assert await box.states() == {"delivered": len(ids)}
    assert sorted(request.headers["webhook-id"] for request in receiver.requests) == ids


async def test_destination_when_it_waits_for_a_retry_is_sent_at_once_when_resumed(
    box: Outbox, receiver: Receiver
) -> None:
    receiver.status = 500
    await box.put()
    await box.send_all()
    receiver.status = 404
    await box.put()
    await box.send_all()
    receiver.status = 200
    await outbox.resume(box.store, ANA, make_webhook.NAME, box.clock.now)
    await box.send_all()
    assert await box.states() == {"delivered": 2}


async def test_destination_when_it_was_paused_often_still_has_all_its_retries(
    box: Outbox, receiver: Receiver
) -> None:
    await box.put()
    receiver.status = 403
    for _ in range(12):
        await box.send_all()
        assert await outbox.resume(box.store, ANA, make_webhook.NAME, box.clock.now)
    receiver.status = 500
    await box.send_all()
    assert (await box.row())["state"] == "pending"


async def test_resume_when_nothing_is_paused_changes_nothing(
    box: Outbox, receiver: Receiver
) -> None:
    receiver.status = 500
    await box.put()
    await box.send_all()
    assert await outbox.resume(box.store, ANA, make_webhook.NAME, box.clock.now) is None
    assert await box.wait_seconds() == BACKOFF_SECONDS[0]


async def test_pause_of_one_client_leaves_the_others_alone(box: Outbox, receiver: Receiver) -> None:
    with Receiver(status=404) as bobs:
        box.targets[BOB] = WebhookTarget(bobs.url, "")
        await box.put(6, BOB)
        ids = await box.put(6, ANA)
        await box.send_all()
    assert await box.paused() == {BOB: "the webhook answered 404"}
    assert sorted(request.headers["webhook-id"] for request in receiver.requests) == ids


async def test_target_when_its_address_is_private_is_refused_and_paused(
    box: Outbox, receiver: Receiver
) -> None:
    strict = Egress(allow_private=False)
    await box.put(PER_DESTINATION + 1)
    await box.send_all(box.worker(MakeWebhook(strict, box.targets.get)))
    await strict.close()
    assert receiver.requests == []
    assert await box.states() == {"pending": PER_DESTINATION + 1}
    reason = (await box.paused())[ANA]
    assert "127.0.0.1" in reason
    assert "ALLOW_PRIVATE_TARGETS" in reason
    assert "/hook" not in reason


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (None, "no webhook address is configured for this client"),
        (WebhookTarget("", ""), "no webhook address is configured for this client"),
        (WebhookTarget("ftp://example.com/hidden", ""), "the address does not begin with"),
        (WebhookTarget("http://127.0.0.1/hidden", "whsec_!"), "the webhook secret is not base64"),
    ],
)
async def test_target_when_it_cannot_be_used_is_paused_with_the_reason(
    box: Outbox, target: WebhookTarget | None, reason: str
) -> None:
    box.targets = {} if target is None else {ANA: target}
    await box.put()
    await box.send_all()
    paused = (await box.paused())[ANA]
    assert paused.startswith(reason)
    assert "hidden" not in paused
    assert (await box.row())["state"] == "pending"


# Several destinations, several workers


async def test_destination_when_it_hangs_holds_nobody_else_up(
    box: Outbox, receiver: Receiver
) -> None:
    connected = 0

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connected
        connected += 1
        await reader.read()
        writer.transport.abort()

    hanging = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = hanging.sockets[0].getsockname()[1]
    box.targets[BOB] = WebhookTarget(f"http://127.0.0.1:{port}/", "")
    await box.put(40, BOB)
    ids = await box.put(40, ANA)

    async with running(box.worker(), grace_seconds=0):
        await box.until(lambda: len(receiver.requests) == len(ids))
        assert 0 < connected <= PER_DESTINATION

    hanging.close()
    await hanging.wait_closed()
    assert sorted(request.headers["webhook-id"] for request in receiver.requests) == ids


async def test_destination_when_it_is_slow_is_never_sent_more_than_its_share_at_once(
    box: Outbox,
) -> None:
    class QuickOnce(Held):
        """Holds all but the first."""

        async def send(self, delivery: Delivery, now: datetime) -> Outcome:
            if not self.begun:
                self.begun.append(delivery.delivery_id)
                return Outcome(Verdict.DELIVERED, status=200)
            return await super().send(delivery, now)

    held = QuickOnce()
    await box.put(12)
    async with running(box.worker(held), grace_seconds=0):
        await box.until(lambda: held.under_way >= PER_DESTINATION)
        for _ in range(20):
            await box.store.query("SELECT 1")
        assert held.most_under_way == PER_DESTINATION


@pytest.mark.parametrize("bobs", ["due", "paused", "in retry"])
async def test_look_for_due_deliveries_when_thousands_wait_reads_no_more_than_when_few_do(
    box: Outbox, bobs: str
) -> None:
    """The look is a write: while it reads, nothing else is committed."""
    steps = 0

    def count() -> bool:
        nonlocal steps
        steps += 1
        return False

    async def look(waiting: int) -> int:
        nonlocal steps
        now = box.clock.now
        if bobs == "in retry":
            box.clock.turn(hours=1)
        await box.put(waiting, BOB)
        box.clock.now = now
        box.store._writer_db.set_progress_handler(count, 10)
        steps = 0
        await box.worker(Held(let_go=let_go)).deliver_due()
        box.store._writer_db.set_progress_handler(None)
        return steps

    let_go = asyncio.Event()
    let_go.set()
    await box.put(3, ANA)
    if bobs == "paused":
        pause = "INSERT INTO paused_destinations VALUES (?, ?, '', '')"
        await box.store.write([Statement(pause, (BOB, make_webhook.NAME))])
    few = await look(20)
    await box.put(3, ANA)
    assert await look(4_000) < 2 * few


async def test_delivery_when_another_worker_holds_its_lease_is_left_to_it(
    box: Outbox, receiver: Receiver
) -> None:
    held = Held()
    await box.put()
    first = asyncio.create_task(box.worker(held).deliver_due())
    await box.until(lambda: held.under_way == 1)
    box.clock.turn(seconds=LEASE.total_seconds() - 0.001)

    assert await box.worker().deliver_due() == 0

    held.let_go.set()
    await first
    assert receiver.requests == []
    assert (await box.row())["state"] == "delivered"


async def test_delivery_when_its_lease_is_over_is_taken_over(
    box: Outbox, receiver: Receiver
) -> None:
    held = Held()
    (delivery_id,) = await box.put()
    first = asyncio.create_task(box.worker(held).deliver_due())
    await box.until(lambda: held.under_way == 1)
    box.clock.turn(seconds=LEASE.total_seconds())

    assert await box.worker().deliver_due() == 1

    assert [request.headers["webhook-id"] for request in receiver.requests] == [delivery_id]
    held.let_go.set()
    await first
    row = await box.row()
    assert (row["state"], row["attempts"]) == ("delivered", 1)
    assert len(await box.attempts()) == 2


async def test_attempt_when_it_ends_after_its_lease_was_taken_over_moves_nothing(
    box: Outbox,
) -> None:
    late, second = Held(), Held()
    await box.put()
    first = asyncio.create_task(box.worker(late).deliver_due())
    await box.until(lambda: late.under_way == 1)
    box.clock.turn(seconds=LEASE.total_seconds())
    other = asyncio.create_task(box.worker(second).deliver_due())
    await box.until(lambda: second.under_way == 1)
    owner = (await box.row())["lease_owner"]

    late.let_go.set()
    await first

    row = await box.row()
    assert (row["state"], row["attempts"], row["lease_owner"]) == ("pending", 0, owner)
    second.let_go.set()
    await other


async def test_workers_when_two_servers_share_a_store_send_each_delivery_once(
    box: Outbox, receiver: Receiver, tmp_path: Path
) -> None:
    ids = await box.put(100)
    async with AsyncExitStack() as stack:
        for _ in range(2):
            opened = FileStore.open(tmp_path / "propgauge.db", busy_timeout_ms=60_000)
            stack.push_async_callback(opened.close)
            await stack.enter_async_context(running(box.worker(store=opened)))
        await box.until(lambda: len(receiver.requests) >= len(ids))
    sent = Counter(request.headers["webhook-id"] for request in receiver.requests)
    assert sent == dict.fromkeys(ids, 1)
    assert await box.states() == {"delivered": 100}


# Faults


class Breaking(MakeWebhook):
    """A webhook after whose answer the store breaks: the crash between 2xx and our mark."""

    store: FailingStore

    async def send(self, delivery: Delivery, now: datetime) -> Outcome:
        outcome = await super().send(delivery, now)
        self.store.failing = True
        return outcome


async def test_delivery_when_its_success_was_not_marked_is_sent_again_under_the_same_id(
    box: Outbox, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    (delivery_id,) = await box.put()
    breaking = Breaking(box.egress, box.targets.get)
    breaking.store = FailingStore(box.store)
    with caplog.at_level(logging.WARNING):
        await box.worker(breaking, store=breaking.store).deliver_due()
    assert len(receiver.requests) == 1
    assert (await box.row())["state"] == "pending"
    assert f"attempt of {delivery_id} not recorded: the disk is full" in caplog.text

    assert await box.worker().deliver_due() == 0
    box.clock.turn(seconds=LEASE.total_seconds())
    assert await box.worker().deliver_due() == 1

    first, second = receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == delivery_id
    assert first.raw == second.raw
    assert (await box.row())["state"] == "delivered"


async def test_worker_when_the_store_breaks_goes_on_once_it_is_mended(
    box: Outbox, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    ids = await box.put(3)
    failing = FailingStore(box.store, failing=True)
    async with running(box.worker(store=failing)) as worker:
        await box.until(lambda: "outbox cannot be read: the disk is full" in caplog.text)
        assert receiver.requests == []
        failing.failing = False
        worker.wake()
        await box.until(lambda: len(receiver.requests) == len(ids))


async def test_delivery_when_no_destination_of_this_server_has_its_name_is_left_to_others(
    box: Outbox, receiver: Receiver
) -> None:
    await box.put(1, destination="meta_capi")
    await box.put(1)
    await box.send_all()
    first, second = await box.rows()
    assert (first["state"], first["lease_owner"], first["attempts"]) == ("pending", None, 0)
    assert second["state"] == "delivered"
    assert len(receiver.requests) == 1


# Replayed


@pytest.mark.parametrize("status", [200, 422])
async def test_replay_of_a_delivery_sends_it_again_under_the_same_id(
    box: Outbox, receiver: Receiver, status: int
) -> None:
    receiver.status = status
    first, second = await box.put(2)
    await box.send_all()
    receiver.status = 200
    receiver.requests.clear()

    assert await outbox.replay(box.store, box.clock.now, delivery_id=first) == [first]
    await box.send_all()

    assert [request.headers["webhook-id"] for request in receiver.requests] == [first]
    rows = {row["delivery_id"]: row for row in await box.rows()}
    assert (rows[first]["state"], rows[first]["attempts"]) == ("delivered", 1)
    assert rows[second]["state"] == ("delivered" if status == 200 else "failed")
    assert len(await box.attempts()) == 3


async def test_replay_of_all_that_failed_sends_these_only(box: Outbox, receiver: Receiver) -> None:
    receiver.status = 400
    failed = await box.put(5)
    await box.send_all()
    receiver.status = 200
    await box.put(2)
    await box.send_all()
    receiver.requests.clear()

    assert sorted(await outbox.replay(box.store, box.clock.now, state="failed")) == failed
    await box.send_all()

    assert sorted(request.headers["webhook-id"] for request in receiver.requests) == failed
    assert await box.states() == {"delivered": 7}


async def test_replay_of_what_had_no_address_sends_it_once_there_is_one(
    box: Outbox, receiver: Receiver
) -> None:
    ids = await box.put(3, state=DeliveryState.NOT_CONFIGURED)
    await box.send_all()
    assert receiver.requests == []

    assert sorted(await outbox.replay(box.store, box.clock.now, state="not_configured")) == ids
    await box.send_all()

    assert sorted(request.headers["webhook-id"] for request in receiver.requests) == ids


async def test_replay_of_a_delivery_that_waits_for_a_retry_sends_it_now(
    box: Outbox, receiver: Receiver
) -> None:
    receiver.status = 500
    (delivery_id,) = await box.put()
    await box.send_all()
    receiver.status = 200
    assert await outbox.replay(box.store, box.clock.now, delivery_id=delivery_id) == [delivery_id]
    await box.send_all()
    assert (await box.row())["state"] == "delivered"


async def test_replay_of_a_delivery_under_way_is_refused(box: Outbox) -> None:
    held = Held()
    (delivery_id,) = await box.put()
    sending = asyncio.create_task(box.worker(held).deliver_due())
    await box.until(lambda: held.under_way == 1)
    assert await outbox.replay(box.store, box.clock.now, delivery_id=delivery_id) == []
    held.let_go.set()
    await sending


async def test_replay_of_an_unknown_delivery_is_nothing(box: Outbox) -> None:
    await box.put()
    assert await outbox.replay(box.store, box.clock.now, delivery_id="msg_none") == []


# The end


async def test_stop_when_a_delivery_is_being_sent_lets_it_end_and_takes_no_more(
    box: Outbox,
) -> None:
    held = Held()
    await box.put(PER_DESTINATION + 2)
    worker = box.worker(held)
    worker.start()
    await box.until(lambda: held.under_way == PER_DESTINATION)

    stopping = asyncio.create_task(worker.stop(WAIT_SECONDS))
    await box.store.query("SELECT 1")
    assert not stopping.done()
    held.let_go.set()
    await stopping

    assert len(held.begun) == PER_DESTINATION
    assert await box.states() == {"delivered": PER_DESTINATION, "pending": 2}


async def test_stop_when_a_delivery_takes_too_long_leaves_it_to_its_lease(
    box: Outbox, receiver: Receiver
) -> None:
    held = Held()
    await box.put()
    worker = box.worker(held)
    worker.start()
    await box.until(lambda: held.under_way == 1)

    await worker.stop(0.05)

    assert held.under_way == 0
    row = await box.row()
    assert (row["state"], row["attempts"]) == ("pending", 0)
    box.clock.turn(seconds=LEASE.total_seconds())
    await box.send_all()
    assert len(receiver.requests) == 1


async def test_stop_when_nothing_was_started_ends_at_once(box: Outbox) -> None:
    await box.worker().stop(WAIT_SECONDS)


async def test_worker_when_it_is_woken_sends_without_waiting_for_its_poll(
    box: Outbox, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.usecases.background.POLL_SECONDS", WAIT_SECONDS)
    async with running(box.worker()) as worker:
        for _ in range(10):
            await box.store.query("SELECT 1")
        await box.put()
        worker.wake()
        await box.until(lambda: len(receiver.requests) == 1)


async def test_worker_when_the_clock_jumps_a_day_sends_what_is_due_once(
    box: Outbox, receiver: Receiver
) -> None:
    await box.put(5)
    box.clock.turn(days=1)
    await box.send_all()
    box.clock.turn(days=-2)
    await box.send_all()
    assert len(receiver.requests) == 5


async def test_list_of_deliveries_tells_what_became_of_each(
    box: Outbox, receiver: Receiver
) -> None:
    await box.put()
    await box.send_all()
    box.clock.turn(seconds=1)
    receiver.status = 410
    await box.put()
    await box.send_all()
    listed: list[Mapping[str, Any]] = [*await outbox.list_deliveries(box.store, state="", limit=9)]
    assert [(row["state"], row["last_status"], row["paused_reason"]) for row in listed] == [
        ("pending", 410, "the webhook answered 410"),
        ("delivered", 200, "the webhook answered 410"),
    ]
    assert len(await outbox.list_deliveries(box.store, state="delivered", limit=9)) == 1
    assert len(await outbox.list_deliveries(box.store, state="", limit=1)) == 1
