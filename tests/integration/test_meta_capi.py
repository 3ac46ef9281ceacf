"""Conversion events on their way to Meta: real worker, store and HTTP, a Graph API under orders."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.destinations.egress import Egress
from server.destinations.meta_capi import (
    MAX_RESPONSE_CHARS,
    NAME,
    MetaCapi,
    MetaTarget,
    body_of,
)
from server.domain.clock import from_text
from server.domain.conversion import ActionSource, ConversionEvent, UserData
from server.domain.delivery import BACKOFF_SECONDS, Delivery, Outcome, Verdict
from server.domain.ids import ClientId, DeliveryId
from server.store import outbox
from server.store.contract import Row
from server.store.file import FileStore
from server.usecases.deliver_outbox import Clocks, OutboxWorker
from tests.graph_server import (
    TRACE_ID,
    GraphAnswer,
    GraphServer,
    NoAnswer,
    accepted,
    page,
    refused,
)

NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
CLIENT = ClientId(7)
TOKEN = "EAAB/kept|secret+token="
APP_SECRET = "kept-secret-of-the-app"
PIXEL = "880000000000001"
FBC = "fb.1.1554763741205.IwAR2F4"
ANA = UserData(
    email="ana@example.com",
    client_ip="203.0.113.7",
    client_user_agent="Mozilla/5.0",
    fbc=FBC,
)


def body(
    *,
    age: timedelta = timedelta(0),
    source: ActionSource = ActionSource.WEBSITE,
    url: str = "https://www.example.com/",
    user: UserData = ANA,
) -> str:
    """A stored event that happened so long before NOON."""
    return body_of(ConversionEvent("Lead", "lead:form:token", NOON - age, source, url, user))


def delivery(payload: str) -> Delivery:
    return Delivery(DeliveryId("msg_1"), CLIENT, NAME, "", payload)


@dataclass
class Meta:
    """The destination with a target for one client, over a Graph API of its own."""

    graph: GraphServer
    egress: Egress
    target: MetaTarget | None
    seen: list[Outcome] = field(default_factory=list)

    @property
    def destination(self) -> MetaCapi:
        return MetaCapi(self.egress, lambda client: self.target if client == CLIENT else None)

    def set(self, **changes: Any) -> None:
        assert self.target is not None
        self.target = replace(self.target, **changes)

    async def send(self, payload: str = "", now: datetime = NOON) -> Outcome:
        return await self.destination.send(delivery(payload or body()), now)

    async def send_answered(self, *answers: GraphAnswer | NoAnswer) -> Outcome:
        self.graph.answer_with(*answers)
        return await self.send()


@pytest.fixture
def graph() -> Iterator[GraphServer]:
    with GraphServer() as started:
        yield started


NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts nobody; loading the real authorities for every test takes its time."""


@pytest.fixture
async def meta(graph: GraphServer) -> AsyncIterator[Meta]:
    egress = Egress(allow_private=True, ssl_context=NO_AUTHORITIES)
    yield Meta(graph, egress, MetaTarget(PIXEL, TOKEN, graph.url))
    await egress.close()


# ---- the request


async def test_event_when_sent_is_posted_to_the_pixel_as_stored(
    meta: Meta, graph: GraphServer
) -> None:
    outcome = await meta.send()

    (request,) = graph.requests
    assert request.path == f"/v26.0/{PIXEL}/events"
    assert request.query == {}
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["content-type"] == "application/json"
    assert request.body == {"data": [json.loads(body())]}
    assert (outcome.verdict, outcome.status, outcome.error) == (Verdict.DELIVERED, 200, "")


async def test_graph_url_with_a_slash_at_its_end_is_the_same(
    meta: Meta, graph: GraphServer
) -> None:
    meta.set(graph_url=graph.url + "/")
    await meta.send()
    assert graph.requests[0].path == f"/v26.0/{PIXEL}/events"


async def test_test_event_code_when_set_stands_beside_the_event(
    meta: Meta, graph: GraphServer
) -> None:
    meta.set(test_event_code="TEST12345")
    await meta.send()
    assert graph.requests[0].body["test_event_code"] == "TEST12345"
    assert "test_event_code" not in graph.requests[0].event


async def test_limited_data_use_when_on_stands_in_the_event(meta: Meta, graph: GraphServer) -> None:
    meta.set(limited_data_use=True)
    await meta.send()
    assert graph.requests[0].event == {
        **json.loads(body()),
        "data_processing_options": ["LDU"],
        "data_processing_options_country": 0,
        "data_processing_options_state": 0,
    }


async def test_app_secret_when_set_proves_the_token_and_stays_here(
    meta: Meta, graph: GraphServer
) -> None:
    meta.set(app_secret=APP_SECRET)
    outcome = await meta.send()

    proof = hmac.new(APP_SECRET.encode(), TOKEN.encode(), hashlib.sha256).hexdigest()
    assert graph.requests[0].query == {"appsecret_proof": proof}
    assert proof not in json.dumps(asdict(outcome))
    assert APP_SECRET not in str(graph.requests[0])


# ---- what is not sent


@pytest.mark.parametrize(
    ("source", "days"), [(ActionSource.WEBSITE, 7), (ActionSource.PHYSICAL_STORE, 62)]
)
async def test_event_past_its_days_fails_unsent(
    meta: Meta, graph: GraphServer, source: ActionSource, days: int
) -> None:
    in_time, late = timedelta(days=days), timedelta(days=days, seconds=1)
    assert (await meta.send(body(age=in_time, source=source))).verdict is Verdict.DELIVERED

    outcome = await meta.send(body(age=late, source=source))

    assert (outcome.verdict, outcome.status, outcome.log) == (Verdict.FAIL, None, ())
    assert "too old" in outcome.error
    assert len(graph.requests) == 1


async def test_event_of_the_future_waits_until_meta_takes_it(
    meta: Meta, graph: GraphServer
) -> None:
    outcome = await meta.send(body(age=timedelta(seconds=-360)))

    assert (outcome.verdict, outcome.retry_after_seconds) == (Verdict.RETRY, 300)
    assert graph.requests == []
    sent = await meta.send(body(age=timedelta(seconds=-360)), NOON + timedelta(seconds=300))
    assert sent.verdict is Verdict.DELIVERED


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"pixel_id": ""}, "no pixel id and access token are configured"),
        ({"token": ""}, "no pixel id and access token are configured"),
        ({"pixel_id": "12a"}, "the pixel id is not a number"),
        ({"pixel_id": "1/../2"}, "the pixel id is not a number"),
        ({"pixel_id": "١٢"}, "the pixel id is not a number"),
        ({"token": "EAAB\r\nx: y"}, "the access token holds characters"),
        ({"token": "EAAB secret"}, "the access token holds characters"),
        ({"token": "EAABé"}, "the access token holds characters"),
        ({"graph_url": "ftp://example.com"}, "the address does not begin with https://"),
    ],
)
async def test_target_that_cannot_work_pauses_unsent(
    meta: Meta, graph: GraphServer, changes: dict[str, str], reason: str
) -> None:
    meta.set(**changes)
    outcome = await meta.send()
    assert outcome.verdict is Verdict.PAUSE
    assert reason in outcome.error
    assert "EAAB" not in outcome.error
    assert graph.requests == []


async def test_client_without_a_target_pauses_unsent(meta: Meta, graph: GraphServer) -> None:
    meta.target = None
    outcome = await meta.send()
    assert outcome.verdict is Verdict.PAUSE
    assert "configured" in outcome.error
    assert graph.requests == []


async def test_private_address_when_not_allowed_pauses_unsent(
    meta: Meta, graph: GraphServer
) -> None:
    meta.egress = Egress(ssl_context=NO_AUTHORITIES)
    outcome = await meta.send()
    await meta.egress.close()
    assert outcome.verdict is Verdict.PAUSE
    assert "ALLOW_PRIVATE_TARGETS" in outcome.error
    assert graph.requests == []


@pytest.mark.parametrize("payload", ["no JSON", "[]", "{}"])
async def test_payload_that_is_no_event_is_told_and_raises_nothing(
    meta: Meta, graph: GraphServer, payload: str
) -> None:
    outcome = await meta.send(payload)
    assert outcome.verdict is Verdict.RETRY
    assert "sending failed" in outcome.error
    assert graph.requests == []


# ---- what Meta answers


@pytest.mark.parametrize(
    ("answer", "verdict", "reason"),
    [
        (accepted(), Verdict.DELIVERED, ""),
        (accepted(messages=["a hint"]), Verdict.DELIVERED, ""),
        (accepted(events_received=0), Verdict.FAIL, "took no event"),
        (GraphAnswer(200, b"{}"), Verdict.FAIL, "took no event"),
        (GraphAnswer(200, b'{"events_received": true}'), Verdict.FAIL, "took no event"),
        (GraphAnswer(200, b'{"events_received": "1"}'), Verdict.FAIL, "took no event"),
        (refused(190), Verdict.PAUSE, "refuses the access token (error 190): set a new one"),
        (refused(190, 463, status=401), Verdict.PAUSE, "(error 190/463)"),
        (refused(102), Verdict.PAUSE, "refuses the access token"),
        (refused(3), Verdict.PAUSE, "check pixel id and permissions"),
        (refused(10, status=403), Verdict.PAUSE, "check pixel id and permissions"),
        (refused(200, status=403), Verdict.PAUSE, "check pixel id and permissions"),
        (refused(294), Verdict.PAUSE, "check pixel id and permissions"),
        (refused(100, 33), Verdict.PAUSE, "(error 100/33): check pixel id and permissions"),
        (refused(100, 2804003), Verdict.FAIL, "(error 100/2804003): it is too old"),
        (refused(100, 2804009), Verdict.FAIL, "(error 100/2804009)"),
        (refused(100, 2804050), Verdict.FAIL, "it says too little about the person"),
        (refused(100), Verdict.FAIL, "with status 400 (error 100)"),
        (refused(100, 2804019), Verdict.FAIL, "with status 400 (error 100/2804019)"),
        (refused(9_999), Verdict.FAIL, "with status 400 (error 9999)"),
        (refused(9_999, status=200), Verdict.FAIL, "with status 200 (error 9999)"),
        (refused(9_999, status=404), Verdict.PAUSE, "with status 404 (error 9999)"),
        *[
            (refused(code), Verdict.RETRY, f"(error {code})")
            for code in (1, 2, 4, 17, 341, 613, 5_000, 21_009, 80_003)
        ],
        (refused(100, 2804003, is_transient=True), Verdict.RETRY, "cannot take the event now"),
        (refused(190, is_transient=True), Verdict.RETRY, "cannot take the event now"),
        (refused(9_999, status=500), Verdict.RETRY, "cannot take the event now"),
        (refused(190, status=503), Verdict.RETRY, "cannot take the event now"),
        (refused(9_999, status=429), Verdict.RETRY, "status 429"),
        (GraphAnswer(500, b"{}"), Verdict.RETRY, "answered 500"),
        (GraphAnswer(404, b"{}"), Verdict.PAUSE, "answered 404"),
        (GraphAnswer(400, b'{"error": "text"}'), Verdict.FAIL, "answered 400"),
        (GraphAnswer(400, b'{"error": {"code": "190"}}'), Verdict.FAIL, "(error 0)"),
        *[
            (page(status), Verdict.RETRY, f"answered {status} and no JSON object")
            for status in (200, 302, 400, 403, 404, 500, 502, 503, 504)
        ],
        (GraphAnswer(200, b""), Verdict.RETRY, "no JSON object"),
        (GraphAnswer(200, b"[1]"), Verdict.RETRY, "no JSON object"),
        (GraphAnswer(200, b"\xff"), Verdict.RETRY, "no JSON object"),
        (GraphAnswer(200, b"[" * 50_000), Verdict.RETRY, "no JSON object"),
        (NoAnswer.RESET, Verdict.RETRY, "127.0.0.1 "),
    ],
)
async def test_answer_is_judged_by_the_table(
    meta: Meta,
    graph: GraphServer,
    answer: GraphAnswer | NoAnswer,
    verdict: Verdict,
    reason: str,
) -> None:
    outcome = await meta.send_answered(answer)
    assert (outcome.verdict, reason in outcome.error) == (verdict, True), outcome.error
    assert outcome.status == (answer.status if isinstance(answer, GraphAnswer) else None)
    assert len(graph.requests) == 1


async def test_meta_that_never_answers_is_tried_again(meta: Meta) -> None:
    meta.egress = Egress(allow_private=True, timeout_seconds=0.3, ssl_context=NO_AUTHORITIES)
    outcome = await meta.send_answered(NoAnswer.HANG)
    await meta.egress.close()
    assert outcome.verdict is Verdict.RETRY
    assert "0.3 s" in outcome.error


@pytest.mark.parametrize(
    ("header", "seconds"), [("120", 120), ("", None), ("soon", None), ("-1", None), ("²", None)]
)
async def test_wait_that_meta_asks_for_is_kept(
    meta: Meta, header: str, seconds: float | None
) -> None:
    asked = replace(refused(4), headers={"retry-after": header})
    assert (await meta.send_answered(asked)).retry_after_seconds == seconds


# ---- a click id that Meta finds malformed


async def test_malformed_click_id_is_dropped_and_the_event_sent_again_at_once(
    meta: Meta, graph: GraphServer
) -> None:
    outcome = await meta.send_answered(refused(100, 2804001), accepted())

    first, second = graph.events
    assert outcome.verdict is Verdict.DELIVERED
    assert first["user_data"].pop("fbc") == FBC
    assert first == second
    assert [entry.response_status for entry in outcome.log] == [400, 200]
    assert [entry.request_body for entry in outcome.log] == [
        request.raw.decode() for request in graph.requests
    ]


async def test_click_id_malformed_for_the_second_time_fails(meta: Meta, graph: GraphServer) -> None:
    outcome = await meta.send_answered(refused(100, 2804001))
    assert outcome.verdict is Verdict.FAIL
    assert "click id is malformed" in outcome.error
    assert len(graph.requests) == len(outcome.log) == 2


async def test_click_id_malformed_in_an_event_without_one_fails_at_once(
    meta: Meta, graph: GraphServer
) -> None:
    graph.answer_with(refused(100, 2804001))
    outcome = await meta.send(body(user=replace(ANA, fbc="")))
    assert outcome.verdict is Verdict.FAIL
    assert len(graph.requests) == 1


async def test_event_sent_again_without_its_click_id_is_judged_by_the_second_answer(
    meta: Meta,
) -> None:
    outcome = await meta.send_answered(refused(100, 2804001), NoAnswer.RESET)
    assert outcome.verdict is Verdict.RETRY
    assert [entry.response_status for entry in outcome.log] == [400, None]


# ---- the event log


async def test_log_of_an_attempt_holds_the_exact_body_and_the_whole_answer(
    meta: Meta, graph: GraphServer
) -> None:
    meta.set(test_event_code="TEST1", limited_data_use=True)
    outcome = await meta.send_answered(accepted(messages=["a hint"]))

    (entry,) = outcome.log
    assert (entry.event_id, entry.event_name) == ("lead:form:token", "Lead")
    assert entry.request_body == graph.requests[0].raw.decode()
    assert (entry.response_status, entry.trace_id) == (200, TRACE_ID)
    assert json.loads(entry.response_body)["messages"] == ["a hint"]
    assert outcome.response == entry.response_body


async def test_log_of_a_refused_event_holds_metas_trace_id(meta: Meta) -> None:
    (entry,) = (await meta.send_answered(refused(100, 2804050))).log
    assert (entry.response_status, entry.trace_id) == (400, TRACE_ID)


async def test_log_of_an_attempt_without_answer_holds_the_body_alone(
    meta: Meta, graph: GraphServer
) -> None:
    (entry,) = (await meta.send_answered(NoAnswer.RESET)).log
    assert entry.request_body == graph.requests[0].raw.decode()
    assert (entry.response_status, entry.response_body, entry.trace_id) == (None, "", "")


async def test_log_of_a_long_answer_is_cut(meta: Meta) -> None:
    outcome = await meta.send_answered(GraphAnswer(503, b"x" * 100_000))
    assert outcome.log[0].response_body == "x" * MAX_RESPONSE_CHARS


@pytest.mark.parametrize(
    ("changes", "lacking"),
    [
        ({}, ""),
        ({"url": ""}, "sent without event_source_url"),
        ({"user": replace(ANA, client_user_agent="")}, "sent without client_user_agent"),
        (
            {"url": "", "user": UserData(email="ana@example.com")},
            "sent without event_source_url and client_user_agent",
        ),
        ({"url": "", "source": ActionSource.PHONE_CALL}, ""),
    ],
)
async def test_website_event_that_lacks_what_meta_wants_is_sent_and_says_so(
    meta: Meta, changes: dict[str, Any], lacking: str
) -> None:
    outcome = await meta.send(body(**changes))
    assert (outcome.verdict, outcome.error) == (Verdict.DELIVERED, lacking)


# ---- the token


@pytest.mark.parametrize(
    "quoted",
    [
        TOKEN,
        json.dumps(TOKEN)[1:-1].replace("/", r"\/"),
        "EAAB%2Fkept%7Csecret%2Btoken%3D",
    ],
)
async def test_token_that_meta_quotes_is_taken_out_of_all_that_is_kept(
    meta: Meta, quoted: str
) -> None:
    answer = refused(190, message="Malformed access token !")
    outcome = await meta.send_answered(
        replace(answer, body=answer.body.replace(b"!", quoted.encode()))
    )
    assert outcome.verdict is Verdict.PAUSE
    assert "Malformed access token [secret]" in outcome.response
    assert "kept" not in json.dumps(asdict(outcome))


async def test_proof_that_meta_quotes_is_taken_out_of_all_that_is_kept(
    meta: Meta, graph: GraphServer
) -> None:
    meta.set(app_secret=APP_SECRET)
    await meta.send()
    proof = graph.requests[0].query["appsecret_proof"]
    outcome = await meta.send_answered(refused(100, message=f"Invalid proof {proof}"))
    assert "Invalid proof [secret]" in outcome.response
    assert proof not in repr(outcome)


@pytest.mark.parametrize(
    "answer",
    [accepted(), refused(190), refused(100, 2804001), page(500), NoAnswer.RESET],
)
async def test_token_when_sent_stands_in_its_header_alone(
    meta: Meta,
    graph: GraphServer,
    answer: GraphAnswer | NoAnswer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    outcome = await meta.send_answered(answer)

    assert "kept" not in repr(outcome)
    assert "kept" not in "".join(record.getMessage() for record in caplog.records)
    for request in graph.requests:
        assert request.headers.pop("authorization") == f"Bearer {TOKEN}"
        assert "kept" not in str(request)


async def test_error_inside_that_holds_the_token_tells_its_type_alone(meta: Meta) -> None:
    def broken(_client: ClientId) -> MetaTarget:
        raise KeyError(TOKEN)

    outcome = await MetaCapi(meta.egress, broken).send(delivery(body()), NOON)
    assert outcome == Outcome(Verdict.RETRY, error="sending failed: KeyError")


# ---- in the outbox


@dataclass
class Box:
    """An outbox with one event, and a clock to turn."""

    store: FileStore
    meta: Meta
    now: datetime = NOON

    async def work(self) -> None:
        """Deliver what is due."""
        clocks = Clocks(lambda: self.now, lambda: 0.0)
        destination = self.meta.destination
        worker = OutboxWorker(
            self.store,
            {destination.name: destination},
            clocks,
            observe=lambda _delivery, outcome: self.meta.seen.append(outcome),
        )
        while await worker.deliver_due():
            pass

    async def row(self) -> Row:
        (row,) = await self.store.query("SELECT * FROM deliveries")
        return row

    async def work_until_finished(self) -> Row:
        """Turn the clock to each next try until there is none; the delivery as it ended."""
        await self.work()
        while (row := await self.row())["state"] == "pending":
            self.now = from_text(row["due_at"])
            await self.work()
        return row


@pytest.fixture
async def box(store: FileStore, meta: Meta) -> Box:
    await store.write([outbox.delivery_statement(delivery(body()), NOON)])
    return Box(store, meta)


async def test_event_when_meta_was_down_for_a_while_arrives_once_under_its_id(
    box: Box, graph: GraphServer
) -> None:
    graph.answer_with(page(502), refused(2, is_transient=True), NoAnswer.RESET, accepted())
    row = await box.work_until_finished()

    assert (row["state"], row["attempts"]) == ("delivered", 4)
    assert {event["event_id"] for event in graph.events} == {"lead:form:token"}
    assert box.now - NOON == timedelta(seconds=sum(BACKOFF_SECONDS[:3]))


async def test_event_when_meta_stays_down_ends_before_the_seventh_day(
    box: Box, graph: GraphServer
) -> None:
    graph.answer_with(refused(4))
    row = await box.work_until_finished()

    assert (row["state"], row["attempts"]) == ("failed", len(BACKOFF_SECONDS) + 1)
    assert box.now - NOON < timedelta(days=7)


async def test_event_replayed_after_its_seventh_day_fails_unsent(
    box: Box, graph: GraphServer
) -> None:
    graph.answer_with(refused(100, 2804050))
    await box.work_until_finished()
    graph.answer_with(accepted())

    box.now = NOON + timedelta(days=7, seconds=1)
    await outbox.replay(box.store, box.now, delivery_id="msg_1")
    row = await box.work_until_finished()

    assert row["state"] == "failed"
    assert "too old" in row["last_error"]
    assert len(graph.requests) == 1


@pytest.mark.parametrize("answer", [refused(190, 463), refused(10), refused(200), refused(100, 33)])
async def test_event_when_the_token_cannot_work_waits_for_a_person(
    box: Box, graph: GraphServer, answer: GraphAnswer
) -> None:
    graph.answer_with(answer, accepted())
    await box.work()
    box.now += timedelta(days=2)
    await box.work()

    assert (await box.row())["state"] == "pending"
    assert len(graph.requests) == 1
    reason = await outbox.resume(box.store, CLIENT, NAME, box.now)
    assert reason is not None
    assert "Meta" in reason
    await box.work()
    assert (await box.row())["state"] == "delivered"


async def test_every_attempt_hands_its_log_to_the_worker(box: Box, graph: GraphServer) -> None:
    graph.answer_with(refused(1), refused(100, 2804001), accepted())
    await box.work_until_finished()
    logged = [[entry.response_status for entry in outcome.log] for outcome in box.meta.seen]
    assert logged == [[400], [400, 200]]
