"""What beacons make of sessions, page views and fingerprints, and how those are found again."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.domain.delivery import Delivery
from server.domain.ids import ClientId, DeliveryId, SessionId, VisitorId
from server.domain.lead import Channel, LeadDraft
from server.domain.visitor import Arrival, Beacon, BeaconType, DropReason, Fingerprint, Peer
from server.store import leads, outbox, tracking, visitors
from server.store.contract import Result, Row, Statement, Store
from server.store.file import FileStore
from server.usecases.record_beacons import BeaconRecorder
from tests.running import BROWSER_AGENT

START = datetime(2026, 11, 3, 10, 0, tzinfo=UTC)
DAY_MS = 86_400_000
ONE, OTHER = ClientId(1), ClientId(2)
ANA = VisitorId("ana")
LONDON = Peer("192.0.2.1", "GB", BROWSER_AGENT)
CRAWLER = Peer("192.0.2.1", "GB", "Mozilla/5.0 (compatible; Googlebot/2.1)")


def beacon(
    kind: BeaconType,
    session: str,
    page: str,
    *,
    visitor: str = ANA,
    at: float = 0,
    client: ClientId = ONE,
    peer: Peer = LONDON,
    **fields: Any,
) -> Arrival:
    """A beacon that is received `at` seconds after START."""
    ids: dict[str, Any] = {"visitor_id": visitor, "session_id": session, "page_view_id": page}
    common = {"timezone": "Europe/London", "url": "https://www.example.com/residences"}
    made = Beacon(type=kind, **ids, **{**common, **fields})
    return Arrival(made, client, peer, START + timedelta(seconds=at))


def view(session: str = "s1", page: str = "p1", **fields: Any) -> Arrival:
    return beacon(BeaconType.VIEW, session, page, **fields)


def engage(session: str = "s1", page: str = "p1", **fields: Any) -> Arrival:
    return beacon(BeaconType.ENGAGE, session, page, **{"seq": 1, **fields})


async def record(store: Store, *arrivals: Arrival) -> list[DropReason | None]:
    """Store the beacons in one batch; why each was dropped, or None."""
    results = await store.write(tracking.beacon_batch(arrivals))
    return tracking.drop_reasons(arrivals, results)


async def the_row(store: Store, table: str) -> Row:
    (row,) = await store.query(f"SELECT * FROM {table}")
    return row


async def everything(store: Store) -> list[list[Row]]:
    tables = ("sessions", "page_views", "fingerprints")
    return [await store.query(f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in tables]


async def count(store: Store, table: str) -> int:
    (row,) = await store.query(f"SELECT COUNT(*) AS rows FROM {table}")
    rows: int = row["rows"]
    return rows


async def visit_count(store: Store, client: ClientId = ONE, visitor: VisitorId = ANA) -> int:
    found = await visitors.fingerprint_of(store, client, visitor)
    return found.visit_count if found else 0


# ---- a view, and what follows it


async def test_view_of_a_new_session_stores_session_page_view_and_fingerprint(
    store: FileStore,
) -> None:
    first = view(
        site="demo",
        url="https://www.example.com/?utm_source=news&utm_campaign=autumn&gclid=g-1",
        referrer="https://search.example/",
        title="Résidences",
        screen="1440x900",
        language="en-GB",
        fingerprint="f-1",
        fbp="fb.1.2.3",
        age_ms=2_000,
    )
    assert await record(store, first) == [None]
    session = await the_row(store, "sessions")
    expected = {
        "client_id": 1,
        "session_id": "s1",
        "visitor_id": "ana",
        "site_key": "demo",
        "ip": "192.0.2.1",
        "country": "GB",
        "user_agent": BROWSER_AGENT,
        "browser": "Chrome",
        "os": "Windows",
        "device": "desktop",
        "language": "en-GB",
        "timezone": "Europe/London",
        "screen": "1440x900",
        "landing_url": first.beacon.url,
        "referrer": "https://search.example/",
        "utm_source": "news",
        "utm_medium": None,
        "utm_campaign": "autumn",
        "click_ids": '{"gclid":"g-1"}',
        "started_at": "2026-11-03T09:59:58.000Z",
        "last_seen_at": "2026-11-03T09:59:58.000Z",
        "pages_visited": 1,
        "duration_seconds": 0,
        "fbp": "fb.1.2.3",
        "fbc": None,
        "is_bot": 0,
        "bot_reason": None,
    }
    assert {name: session[name] for name in expected} == expected
    page = await the_row(store, "page_views")
    assert (page["page_view_id"], page["title"], page["seq"]) == ("p1", "Résidences", 0)
    assert page["started_at"] == "2026-11-03T09:59:58.000Z"
    kept = await the_row(store, "fingerprints")
    assert (kept["visitor_id"], kept["fingerprint"], kept["visit_count"]) == ("ana", "f-1", 1)


async def test_engage_on_an_unknown_view_is_dropped_and_creates_nothing(store: FileStore) -> None:
    assert await record(store, engage(duration_ms=5_000)) == [DropReason.NO_PAGE_VIEW]
    assert await everything(store) == [[], [], []]


async def test_engage_on_another_page_of_a_known_session_is_dropped(store: FileStore) -> None:
    await record(store, view())
    before = await everything(store)
    assert await record(store, engage(page="p2", clicks=3)) == [DropReason.NO_PAGE_VIEW]
    assert await everything(store) == before


async def test_engage_in_the_batch_of_its_view_counts(store: FileStore) -> None:
    sent = [view(), engage(at=9, duration_ms=8_000, scroll_percent=40, clicks=2)]
    assert await record(store, *sent) == [None, None]
    session = await the_row(store, "sessions")
    assert (session["duration_seconds"], session["max_scroll_percent"]) == (8, 40)
    assert (session["clicks"], session["pages_visited"]) == (2, 1)


async def test_engage_ahead_of_its_view_in_one_batch_counts_and_so_does_the_view(
    store: FileStore,
) -> None:
    assert await record(store, engage(at=9, clicks=2), view(age_ms=9_000, at=9)) == [None, None]
    assert (await the_row(store, "sessions"))["clicks"] == 2


# ---- duplicates, order, maxima


@pytest.mark.parametrize("again", [view(), engage(at=5, clicks=9), engage(at=5, seq=0)])
async def test_beacon_with_a_seq_already_stored_is_a_duplicate_and_changes_nothing(
    store: FileStore, again: Arrival
) -> None:
    await record(store, view(), engage(at=5, clicks=4, duration_ms=3_000))
    before = await everything(store)
    assert await record(store, again) == [DropReason.DUPLICATE]
    assert await everything(store) == before


async def test_beacons_repeated_within_one_batch_count_once(store: FileStore) -> None:
    twice = [view(), view(), engage(at=5, clicks=4), engage(at=5, clicks=4)]
    reasons = await record(store, *twice)
    assert reasons == [None, DropReason.DUPLICATE, None, DropReason.DUPLICATE]
    assert (await the_row(store, "sessions"))["clicks"] == 4


async def test_beacons_out_of_order_leave_the_latest_totals(store: FileStore) -> None:
    await record(store, view(), engage(at=20, seq=3, duration_ms=15_000, clicks=6))
    late = engage(at=21, seq=2, duration_ms=9_000, clicks=5)
    assert await record(store, late) == [DropReason.DUPLICATE]
    page = await the_row(store, "page_views")
    assert (page["seq"], page["duration_ms"], page["clicks"]) == (3, 15_000, 6)


async def test_beacons_out_of_order_in_one_batch_leave_the_maxima(store: FileStore) -> None:
    batch = [
        view(),
        engage(at=20, seq=2, duration_ms=15_000, scroll_percent=80, clicks=6),
        engage(at=21, seq=1, duration_ms=9_000, scroll_percent=30, clicks=5),
    ]
    assert await record(store, *batch) == [None, None, None]
    page = await the_row(store, "page_views")
    assert (page["seq"], page["duration_ms"]) == (2, 15_000)
    assert (page["scroll_percent"], page["clicks"]) == (80, 6)


async def test_totals_that_shrink_are_kept_at_their_maximum(store: FileStore) -> None:
    await record(store, view(), engage(at=20, duration_ms=15_000, scroll_percent=80, clicks=6))
    await record(store, engage(at=30, seq=2, duration_ms=100, scroll_percent=10, clicks=1))
    page = await the_row(store, "page_views")
    assert (page["seq"], page["duration_ms"]) == (2, 15_000)
    assert (page["scroll_percent"], page["clicks"]) == (80, 6)


async def test_batch_repeated_as_a_whole_changes_nothing(store: FileStore) -> None:
    batch = [
        view(fingerprint="f-1"),
        engage(at=9, duration_ms=8_000, clicks=2),
        view("s2", "p1", at=20, fbp="fb.1"),
        view("t1", "p1", visitor="tom", client=OTHER),
        engage(page="nowhere"),
    ]
    assert await record(store, *batch) == [None, None, None, None, DropReason.NO_PAGE_VIEW]
    before = await everything(store)
    reasons = await record(store, *batch)
    assert reasons == [DropReason.DUPLICATE] * 4 + [DropReason.NO_PAGE_VIEW]
    assert await everything(store) == before


async def test_concurrent_beacons_of_one_new_session_make_one_session(store: FileStore) -> None:
    recorder = BeaconRecorder(store)
    pages = [f"p{number}" for number in range(10)]
    first = [recorder.record([view(page=page)]) for page in pages for _again in range(3)]
    later = [recorder.record([engage(page=page, at=60, duration_ms=1_500)]) for page in pages]
    answers = await asyncio.gather(*first, *later)
    await recorder.close()
    dropped = [reason for answer in answers for reason in answer]
    assert dropped == [DropReason.DUPLICATE] * 20
    session = await the_row(store, "sessions")
    assert (session["pages_visited"], session["duration_seconds"]) == (10, 15)
    assert await visit_count(store) == 1


# ---- durations


@pytest.mark.parametrize(
    ("claimed_ms", "at", "age_ms", "kept_ms"),
    [
        (9_999, 10, 0, 9_999),
        (10_000, 10, 0, 10_000),
        (10_001, 10, 0, 10_000),
        (DAY_MS, 60, 0, 60_000),
        (DAY_MS + 1, 3 * 86_400, 0, DAY_MS),
        (7_000, 0, 8_000, 7_000),
        (9_000, 0, 8_000, 8_000),
        (5_000, -30, 0, 0),
    ],
)
async def test_duration_beyond_the_time_since_the_view_began_is_clamped(
    store: FileStore, claimed_ms: int, at: float, age_ms: int, kept_ms: int
) -> None:
    await record(store, view())
    await record(store, engage(at=at, duration_ms=claimed_ms, age_ms=age_ms))
    assert (await the_row(store, "page_views"))["duration_ms"] == kept_ms


async def test_duration_of_a_first_beacon_is_bounded_by_its_own_age(store: FileStore) -> None:
    await record(store, view(at=100, age_ms=90_000, duration_ms=80_000))
    await record(store, view("s2", "p1", at=100, age_ms=90_000, duration_ms=95_000))
    rows = await store.query("SELECT duration_ms, started_at FROM page_views ORDER BY session_id")
    assert [row["duration_ms"] for row in rows] == [80_000, 90_000]
    assert {row["started_at"] for row in rows} == {"2026-11-03T10:00:10.000Z"}


async def test_duration_of_a_view_sent_a_day_late_is_at_most_a_day(store: FileStore) -> None:
    await record(store, view(at=5, age_ms=DAY_MS, duration_ms=DAY_MS + 1))
    page = await the_row(store, "page_views")
    assert page["started_at"] == "2026-11-02T10:00:05.000Z"
    assert page["duration_ms"] == DAY_MS


# ---- sums of a session


async def test_session_sums_its_page_views(store: FileStore) -> None:
    await record(
        store,
        view(page="p1"),
        engage(page="p1", at=60, duration_ms=1_600, scroll_percent=30, clicks=2),
        view(page="p2", at=60),
        engage(page="p2", at=90, duration_ms=1_600, scroll_percent=90, clicks=3),
        view(page="p3", at=90),
        engage(page="p3", at=99, duration_ms=1_900, scroll_percent=10),
    )
    session = await the_row(store, "sessions")
    assert session["duration_seconds"] == 5
    assert session["max_scroll_percent"] == 90
    assert session["clicks"] == 5
    assert session["pages_visited"] == 3
    assert session["last_seen_at"] == "2026-11-03T10:01:39.000Z"
    found = await visitors.last_session_of_visitor(store, ONE, ANA)
    assert found is not None
    assert found.session.duration_ms == 5_100


async def test_page_too_short_to_scroll_gives_no_scroll_depth(store: FileStore) -> None:
    await record(store, view(), engage(at=5, scroll_percent=100, scrollable=False))
    assert (await the_row(store, "page_views"))["scrollable"] == 0
    assert (await the_row(store, "sessions"))["max_scroll_percent"] == 0


async def test_last_seen_when_an_older_beacon_comes_late_stays(store: FileStore) -> None:
    await record(store, view(), engage(at=60))
    await record(store, engage(at=70, seq=2, age_ms=30_000))
    assert (await the_row(store, "sessions"))["last_seen_at"] == "2026-11-03T10:01:00.000Z"


async def test_session_keeps_the_landing_page_of_its_first_view(store: FileStore) -> None:
    landing = view(page="p1", url="https://www.example.com/?utm_source=news")
    later = view(page="p2", at=9, url="https://www.example.com/plans?utm_source=other")
    await record(store, landing, later)
    await record(store, view(page="p3", at=20, url="https://www.example.com/prices"))
    session = await the_row(store, "sessions")
    assert (session["landing_url"], session["utm_source"]) == (landing.beacon.url, "news")


@pytest.mark.parametrize("together", [True, False])
async def test_session_takes_up_what_only_a_later_view_tells(
    store: FileStore, *, together: bool
) -> None:
    first, second = view(), view(page="p2", at=9, fbp="fb.1", fbc="fb.2", automation=True)
    if together:
        await record(store, first, second)
    else:
        await record(store, first)
        await record(store, second)
    session = await the_row(store, "sessions")
    assert (session["fbp"], session["fbc"], session["automation"]) == ("fb.1", "fb.2", 1)


async def test_session_takes_up_the_pixels_cookies_from_an_engage(store: FileStore) -> None:
    """Meta's pixel sets them after the view was sent; a visit may have no second view."""
    await record(store, view())
    await record(store, engage(at=9, fbp="fb.1"))
    await record(store, engage(at=19, seq=2, fbp="fb.other", fbc="fb.2"))
    session = await the_row(store, "sessions")
    assert (session["fbp"], session["fbc"]) == ("fb.1", "fb.2")


# ---- fingerprints


async def test_visit_count_is_the_number_of_sessions(store: FileStore) -> None:
    await record(store, view("s1"))
    await record(store, view("s2", at=3_600))
    await record(store, view("s2", "p2", at=3_700), engage("s2", "p2", at=3_800))
    assert await visit_count(store) == 2


async def test_visit_count_when_beacons_are_repeated_stays(store: FileStore) -> None:
    for _again in range(3):
        await record(store, view("s1"), view("s1", "p2"), engage("s1", at=5))
    assert await visit_count(store) == 1


async def test_visit_count_when_two_new_sessions_share_a_batch_is_two(store: FileStore) -> None:
    await record(store, view("s1"), view("s1", "p2"), view("s2"), view("t1", visitor="tom"))
    assert await visit_count(store) == 2
    assert await visit_count(store, visitor=VisitorId("tom")) == 1


async def test_fingerprint_keeps_first_and_last_time_and_the_latest_print(
    store: FileStore,
) -> None:
    await record(store, view("s1", fingerprint="f-1"))
    await record(store, view("s2", at=60, fingerprint="f-2"))
    await record(store, view("s3", at=120))
    kept = await the_row(store, "fingerprints")
    assert kept["fingerprint"] == "f-2"
    assert kept["first_seen_at"] == "2026-11-03T10:00:00.000Z"
    assert kept["last_seen_at"] == "2026-11-03T10:02:00.000Z"


async def test_vpn_when_time_zone_and_address_disagree_is_suspected_with_its_reason(
    store: FileStore,
) -> None:
    await record(store, view(timezone="Asia/Dubai"))
    reason = "browser time zone Asia/Dubai belongs to AE, OM, RE, SC, TF, address to GB"
    found = await visitors.fingerprint_of(store, ONE, ANA)
    assert found == Fingerprint(1, vpn_suspected=True, vpn_reason=reason)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("suspected", [True, False])
async def test_vpn_is_what_the_latest_session_says(
    store: FileStore, *, suspected: bool, together: bool
) -> None:
    zones = ("Europe/London", "Asia/Dubai") if suspected else ("Asia/Dubai", "Europe/London")
    sessions = [view(f"s{at}", timezone=zone, at=at) for at, zone in enumerate(zones)]
    if together:
        await record(store, *sessions)
    else:
        await record(store, sessions[0])
        await record(store, sessions[1])
    found = await visitors.fingerprint_of(store, ONE, ANA)
    assert found is not None
    assert (found.vpn_suspected, bool(found.vpn_reason)) == (suspected, suspected)


async def test_fingerprint_of_an_unknown_visitor_is_none(store: FileStore) -> None:
    await record(store, view())
    assert await visitors.fingerprint_of(store, ONE, VisitorId("tom")) is None
    assert await visitors.fingerprint_of(store, OTHER, ANA) is None


# ---- bots


async def test_bot_is_stored_with_its_reason_and_counts_as_no_visit(store: FileStore) -> None:
    assert await record(store, view(peer=CRAWLER), engage(peer=CRAWLER, at=9, clicks=3)) == [
        None,
        None,
    ]
    session = await the_row(store, "sessions")
    assert (session["is_bot"], session["clicks"], session["pages_visited"]) == (1, 3, 1)
    assert "crawler" in session["bot_reason"]
    assert await count(store, "fingerprints") == 0


async def test_bot_beside_a_persons_session_of_the_same_visitor_is_not_counted(
    store: FileStore,
) -> None:
    await record(store, view("s1", peer=CRAWLER), view("s2"))
    assert await visit_count(store) == 1


async def test_session_that_shows_itself_a_bot_later_becomes_one(store: FileStore) -> None:
    await record(store, view())
    await record(store, view(page="p2", at=9, peer=CRAWLER))
    session = await the_row(store, "sessions")
    assert (session["is_bot"], bool(session["bot_reason"])) == (1, True)


async def test_last_session_when_a_bots_says_why(store: FileStore) -> None:
    await record(store, view(peer=CRAWLER))
    found = await visitors.last_session_of_visitor(store, ONE, ANA)
    assert found is not None
    assert "crawler" in found.bot_reason
    assert await visitors.last_session_of_address(store, ONE, LONDON.ip) is None


# ---- clients


async def test_same_ids_under_two_clients_stay_apart(store: FileStore) -> None:
    await record(store, view(), view(client=OTHER))
    await record(store, engage(at=9, clicks=3), engage(at=9, clicks=8, client=OTHER))
    await record(store, view("s2", client=OTHER, at=20))
    rows = await store.query("SELECT client_id, session_id, clicks FROM sessions ORDER BY id")
    assert [tuple(row.values()) for row in rows] == [(1, "s1", 3), (2, "s1", 8), (2, "s2", 0)]
    assert await visit_count(store, ONE) == 1
    assert await visit_count(store, OTHER) == 2


async def test_engage_under_another_client_finds_no_page_view(store: FileStore) -> None:
    await record(store, view())
    assert await record(store, engage(client=OTHER)) == [DropReason.NO_PAGE_VIEW]


async def test_look_ups_within_another_client_find_nothing(store: FileStore) -> None:
    await record(store, view())
    assert await visitors.last_session_of_visitor(store, OTHER, ANA) is None
    assert await visitors.last_session_of_address(store, OTHER, LONDON.ip) is None


# ---- look-ups


@pytest.mark.parametrize("together", [True, False])
async def test_last_session_is_the_one_that_began_to_arrive_last(
    store: FileStore, *, together: bool
) -> None:
    sessions = [view(f"s{number}", at=number) for number in (1, 2, 3)]
    if together:
        await record(store, *sessions)
    else:
        for session in sessions:
            await record(store, session)
    await record(store, engage("s1", at=60, duration_ms=9_000))
    by_visitor = await visitors.last_session_of_visitor(store, ONE, ANA)
    by_address = await visitors.last_session_of_address(store, ONE, LONDON.ip)
    assert by_visitor is not None
    assert by_visitor == by_address
    assert by_visitor.session.session_id == SessionId("s3")


async def test_last_session_of_an_address_passes_over_bots_and_other_addresses(
    store: FileStore,
) -> None:
    await record(store, view("person"))
    await record(store, view("crawler", peer=CRAWLER))
    await record(store, view("elsewhere", peer=Peer("192.0.2.2", "GB", BROWSER_AGENT)))
    found = await visitors.last_session_of_address(store, ONE, LONDON.ip)
    assert found is not None
    assert found.session.session_id == SessionId("person")


async def test_last_session_brings_what_a_lead_needs_of_it(store: FileStore) -> None:
    landing = "https://www.example.com/?utm_source=news&utm_medium=email&fbclid=f-1"
    await record(store, view(url=landing), engage(at=30, duration_ms=29_500, clicks=4))
    found = await visitors.last_session_of_visitor(store, ONE, ANA)
    assert found is not None
    session = found.session
    assert found.bot_reason == ""
    assert (session.visitor_id, session.started_at) == (ANA, START)
    assert (session.duration_ms, session.clicks, session.pages_visited) == (29_500, 4, 1)
    assert session.attribution.utm == {"utm_source": "news", "utm_medium": "email"}
    assert session.attribution.click_ids == {"fbclid": "f-1"}


async def test_session_with_a_page_view_has_its_totals_of_the_same_moment(
    store: FileStore,
) -> None:
    await record(store, view(age_ms=500), engage(at=30, duration_ms=29_000, clicks=4))
    found = await visitors.last_session_of_visitor(store, ONE, ANA, engage().beacon)
    assert found is not None
    page_view = found.page_view
    assert page_view is not None
    assert (page_view.duration_ms, page_view.clicks) == (29_000, 4)
    assert page_view.started_at == START - timedelta(milliseconds=500)
    other = await visitors.last_session_of_visitor(store, ONE, ANA, engage(page="p2").beacon)
    assert other is not None
    assert other.page_view is None


# ---- odd input


async def test_odd_texts_come_back_as_they_were_sent(store: FileStore) -> None:
    odd = "quote ' double \" back\\slash \u2028 \U0001f3e0 \x00 end \u202e"
    await record(store, view("123", "0", title=odd, visitor="7"))
    page = await the_row(store, "page_views")
    assert page["title"] == odd
    assert (page["session_id"], page["page_view_id"]) == ("123", "0")
    found = await visitors.last_session_of_visitor(store, ONE, VisitorId("7"))
    assert found is not None


# ---- query plans


class Explaining:
    """A store that runs everything and keeps the query plan of each statement."""

    def __init__(self, store: FileStore) -> None:
        self._store = store
        self.plans: list[tuple[str, list[str]]] = []

    async def _explain(self, sql: str, args: Sequence[Any]) -> None:
        rows = await self._store.query(f"EXPLAIN QUERY PLAN {sql}", args)
        self.plans.append((sql, [row["detail"] for row in rows]))

    async def query(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        await self._explain(sql, args)
        return await self._store.query(sql, args)

    async def write(
        self, statements: Sequence[Statement], *, patience_seconds: float | None = None
    ) -> list[Result]:
        del patience_seconds
        for statement in statements:
            await self._explain(statement.sql, statement.args)
        return await self._store.write(statements)

    async def health(self) -> None:
        await self._store.health()

    async def close(self) -> None:
        await self._store.close()


# A scan of the bound JSON, of a constant or of a subquery's own rows is what it is meant to be.
TABLE_SCAN = re.compile(r"^SCAN (?!.*VIRTUAL TABLE)(?!CONSTANT ROW)(?!\()(?!(?:w|waiting|due)$)")


async def explain_beacons(store: Store) -> None:
    await store.write(tracking.beacon_batch([view(), engage(at=9)]))


async def explain_by_visitor(store: Store) -> None:
    await visitors.last_session_of_visitor(store, ONE, ANA, view().beacon)


async def explain_by_address(store: Store) -> None:
    await visitors.last_session_of_address(store, ONE, LONDON.ip)


async def explain_fingerprint(store: Store) -> None:
    await visitors.fingerprint_of(store, ONE, ANA)


async def explain_history(store: Store) -> None:
    draft = LeadDraft(
        Channel.FORM,
        "WebSite",
        email="ana@example.com",
        phone="+44 20 7946 0123",
        message="May I see it?",
    )
    enquirer = leads.Enquirer(draft, "+442079460123", LONDON.ip)
    await leads.contact_history(store, ONE, enquirer, START)


async def explain_idempotency_key(store: Store) -> None:
    await leads.lead_of_key(store, ONE, "key", START)


async def explain_delivery(store: Store) -> None:
    delivery = Delivery(DeliveryId("msg_1"), ONE, "make_webhook", "lead_1", "{}")
    await store.write([outbox.delivery_statement(delivery, START)])


async def explain_lease(store: Store) -> None:
    request = outbox.LeaseRequest(
        "me", START, START, ["make_webhook"], {}, per_destination=4, limit=32
    )
    await outbox.lease_due(store, request)


@pytest.mark.parametrize(
    "work",
    [
        explain_beacons,
        explain_by_visitor,
        explain_by_address,
        explain_fingerprint,
        explain_history,
        explain_idempotency_key,
        explain_delivery,
        explain_lease,
    ],
)
async def test_hot_statement_never_walks_a_whole_table(
    store: FileStore, work: Callable[[Store], Awaitable[None]]
) -> None:
    explaining = Explaining(store)
    await work(explaining)
    assert explaining.plans
    scans = [
        f"{line} in {sql}"
        for sql, lines in explaining.plans
        for line in lines
        if TABLE_SCAN.match(line)
    ]
    assert scans == []


@pytest.mark.parametrize(
    ("work", "line"),
    [
        (explain_beacons, "SEARCH s USING INDEX sqlite_autoindex_sessions_1"),
        (explain_beacons, "SEARCH page_views USING PRIMARY KEY"),
        (explain_beacons, "SEARCH sessions USING INDEX sqlite_autoindex_sessions_1"),
        (explain_by_visitor, "SEARCH s USING INDEX sessions_by_visitor"),
        (explain_by_address, "SEARCH s USING INDEX sessions_by_ip"),
        (explain_lease, "SEARCH d USING INDEX deliveries_due"),
        (explain_history, "SEARCH Leads USING INDEX leads_by_ip"),
    ],
)
async def test_hot_statement_goes_by_its_index(
    store: FileStore, work: Callable[[Store], Awaitable[None]], line: str
) -> None:
    explaining = Explaining(store)
    await work(explaining)
    lines = [each for _sql, found in explaining.plans for each in found]
    assert [each for each in lines if each.replace("COVERING ", "").startswith(line)], lines


@pytest.mark.parametrize("work", [explain_by_visitor, explain_by_address])
async def test_latest_session_is_read_off_the_index_without_sorting(
    store: FileStore, work: Callable[[Store], Awaitable[None]]
) -> None:
    explaining = Explaining(store)
    await work(explaining)
    lines = [line for _sql, found in explaining.plans for line in found]
    assert not [line for line in lines if "ORDER BY" in line]
