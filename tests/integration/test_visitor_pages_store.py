"""The reads of the visitors pages: what they find, and that each walks an index."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from server.domain.clock import to_text
from server.domain.ids import ClientId
from server.store import overview, rollups, visitor_pages
from server.store.contract import Store
from server.store.file import FileStore
from tests.integration.test_visitors_store import ANA, ONE, START, engage, record, view

NOW = START + timedelta(minutes=40)
_HARMLESS = re.compile(r"SCAN ([jd] VIRTUAL|CONSTANT ROW|\(?subquery)")


@pytest.mark.parametrize(
    ("sql", "args"),
    [
        (visitor_pages._PRESENT_COUNT, (1, "", "")),
        (visitor_pages._PRESENT, (1, "", "", 1)),
        (visitor_pages._BY_MINUTE, (1, "", "")),
        (visitor_pages._BOTS, (1, "", "")),
        (visitor_pages._PEOPLE, (1, "", "")),
        (visitor_pages._FINGERPRINT, (1, "")),
        (visitor_pages._SESSIONS, (1, "", 1)),
        (visitor_pages._PAGE_VIEWS, ("[]", 1, 1)),
        (visitor_pages._EVENTS, ("[]", 1, 1)),
        (visitor_pages._LEADS, (1, "", 1)),
        (overview._LEADS_BY_DAY, (1, "", "")),
        (overview._VISITS_BY_DAY, (1, "", "")),
        (overview._HISTOGRAM, (1, "", "", "")),
        (overview._BREAKDOWN, (1, "", "", "", 1)),
        (overview._VISITORS_BY_HOUR, (1, "", "")),
        (overview._LEADS_BY_HOUR, (1, "", "")),
        (overview._ANY, (1,)),
        (rollups._COUNT_VISITS, (1, "", "", "[]")),
        (rollups._COUNT_LEADS, (1, "", "", "[]")),
        (rollups._COUNT_HISTOGRAMS, (1, "", "")),
        (rollups._HOURS_OF_CHANGED_LEADS, (1, "")),
        (rollups._UNCOUNTED, (1, "visits")),
        (rollups._AS_OF, (1, "visits", "", "")),
    ],
)
async def test_read_never_scans_a_table(
    store: FileStore, sql: str, args: tuple[object, ...]
) -> None:
    plan = [row["detail"] for row in await store.query(f"EXPLAIN QUERY PLAN {sql}", args)]
    scans = [step for step in plan if step.startswith("SCAN")]
    assert [step for step in scans if not _HARMLESS.search(step)] == []


async def present(store: Store, client: ClientId = ONE) -> visitor_pages.Presence:
    return await visitor_pages.presence(store, client, NOW)


async def test_presence_counts_visitors_once_and_bars_by_minute(store: FileStore) -> None:
    await record(
        store,
        view("s1", "p1", at=36 * 60),
        view("s2", "p1", at=38 * 60),
        view("s3", "p1", visitor="ben", at=38 * 60 + 30),
        view("s4", "p1", visitor="early", at=10 * 60 + 5),
        view("s5", "p1", visitor="gone", at=9 * 60),
    )
    found = await present(store)
    assert found.count == 2
    assert [row["visitor_id"] for row in found.latest] == ["ben", ANA, ANA]
    assert {place: count for place, count in enumerate(found.minutes) if count} == {
        0: 1,
        26: 1,
        28: 2,
    }


async def test_presence_of_a_long_visit_lasts_while_it_is_seen(store: FileStore) -> None:
    await record(store, view(), engage(at=39 * 60))
    assert (await present(store)).count == 1


async def test_presence_of_another_client_is_not_seen(store: FileStore) -> None:
    await record(store, view(at=39 * 60, client=ClientId(2)))
    assert (await present(store)).count == 0


async def test_profile_is_of_that_client_alone(store: FileStore) -> None:
    await record(store, view(client=ClientId(2)))
    assert await visitor_pages.profile(store, ONE, ANA) is None


async def test_profile_holds_page_views_in_their_order(store: FileStore) -> None:
    await record(store, view(page="p2", at=60), view(page="p1"))
    found = await visitor_pages.profile(store, ONE, ANA)
    assert found is not None
    assert [row["started_at"] for row in found.page_views] == [
        to_text(START),
        to_text(START + timedelta(seconds=60)),
    ]


async def test_profile_of_many_page_views_holds_the_latest(store: FileStore) -> None:
    most = visitor_pages.MAX_PAGE_VIEWS
    early = (view("s1", f"p{second}", at=second) for second in range(most))
    await record(store, *early, view("s2", "last", at=39 * 60))
    found = await visitor_pages.profile(store, ONE, ANA)
    assert found is not None
    shown = [row["page_view_id"] for row in found.page_views]
    assert (len(shown), shown[0], shown[-1]) == (most, "p1", "last")
