"""The inbox's reads over a real store: order, pages, filters, search, and whose rows they give."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from server.app import MIGRATIONS
from server.domain.clock import from_text, to_text
from server.domain.contact_clock import contact_deadline
from server.domain.engagement import EngagementLabel
from server.domain.ids import ClientId
from server.domain.lead_status import LeadStatus
from server.domain.search_terms import search_terms
from server.domain.user import UserId
from server.store import inbox
from server.store.contract import Statement, Store
from server.store.file import FileStore
from server.store.inbox import DUE, InboxFilter, InboxOrder, Listing
from server.store.migrate import migrate, migration_files
from tests.stored_leads import insert_statement, lead_row

CLIENT, OTHER = ClientId(1), ClientId(2)
SCORES = (90, 75, 50, 50, 30, 10, 0, None, None)
DESTINATION = "make_webhook"


async def fill(store: Store, *rows: dict[str, Any]) -> None:
    await store.write([insert_statement(row) for row in rows])


async def fill_variously(store: Store, client_id: int = 1) -> None:
    """45 leads: ties in every order, all labels, some contacted."""
    rows = [
        lead_row(
            SCORES[number % len(SCORES)],
            ClientId=client_id,
            Name=f"Ada {number}",
            Project="Creek View",
            CreatedAt=f"2026-11-{1 + number // 3:02}T10:00:00.000Z",
            SuspicionScore=number % 4 * 20,
            Status=tuple(LeadStatus)[number % 3],
            FirstContactAt="2026-11-20T10:00:00.000Z" if number % 5 == 0 else None,
        )
        for number in range(45)
    ]
    await fill(store, *rows)


async def names(store: Store, chosen: InboxFilter, client_id: ClientId = CLIENT) -> list[str]:
    places = await inbox.places(store, Listing(client_id, chosen), None, 100)
    rows = await inbox.rows(store, client_id, [place.row_id for place in places], DESTINATION)
    return [row["name"] for row in rows]


async def test_value_is_found_in_every_spelling_that_the_overview_counts_as_one(
    store: FileStore,
) -> None:
    spelled = ("Creek View", "creek view", "CREEK VIEW", "Creek", "x" * 201)
    await fill(store, *(lead_row(Name=one[:20], Project=one, LeadSource=one) for one in spelled))
    for asked in (InboxFilter(projects=("Creek view",)), InboxFilter(sources=("Creek view",))):
        assert set(await names(store, asked)) == set(spelled[:3])
        assert await inbox.count(store, Listing(CLIENT, asked), 10) == 3
    assert await names(store, InboxFilter(projects=("X" * 200,))) == ["x" * 20]


async def test_leads_without_a_value_are_found_by_what_they_lack(store: FileStore) -> None:
    await fill(store, lead_row(Name="None", Country="GB"), lead_row(Name="Empty", Project=""))
    await fill(store, lead_row(Name="Some", Project="Creek View"))
    assert set(await names(store, InboxFilter(without=("project",)))) == {"None", "Empty"}
    assert await names(store, InboxFilter(without=("project", "country"))) == ["Empty"]


def found_by(text: str) -> InboxFilter:
    return InboxFilter(terms=search_terms(text, "GB"))


@pytest.mark.parametrize("order", InboxOrder)
@pytest.mark.parametrize("text", ["", "ada"])
async def test_pages_of_an_order_hold_every_lead_once_both_ways(
    store: FileStore, order: InboxOrder, text: str
) -> None:
    await fill_variously(store)
    listing = Listing(CLIENT, found_by(text), order)
    whole = await inbox.places(store, listing, None, 100)
    forwards = await inbox.places(store, listing, None, 7)
    while page := await inbox.places(store, listing, forwards[-1], 7):
        forwards += page
    backwards = [forwards[-1]]
    while page := await inbox.places(store, listing, backwards[0], 7, backwards=True):
        backwards = page + backwards
    assert len(whole) == len({place.row_id for place in whole}) == 45
    assert forwards == whole == backwards


async def test_order_by_score_puts_leads_without_a_tracked_visit_last(store: FileStore) -> None:
    await fill_variously(store)
    places = await inbox.places(store, Listing(CLIENT, order=InboxOrder.SCORE), None, 100)
    rows = await inbox.rows(store, CLIENT, [place.row_id for place in places], DESTINATION)
    scores = [row["score"] if row["match_kind"] != "none" else -1 for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert scores[-10:] == [-1] * 10


async def test_order_by_due_puts_the_most_overdue_first_and_settled_leads_last(
    store: FileStore,
) -> None:
    day = "2026-11-01T"
    await fill(
        store,
        lead_row(10, Name="cold", CreatedAt=day + "01:00:00.000Z"),
        lead_row(90, Name="very hot", CreatedAt=day + "11:00:00.000Z"),
        lead_row(50, Name="hot", CreatedAt=day + "09:30:00.000Z"),
        lead_row(None, Name="untracked", CreatedAt=day + "02:00:00.000Z"),
        lead_row(90, Name="lost", CreatedAt=day + "01:00:00.000Z", Status="lost"),
        lead_row(90, Name="met", CreatedAt=day + "01:00:00.000Z", FirstContactAt=day),
    )
    places = await inbox.places(store, Listing(CLIENT, order=InboxOrder.DUE), None, 10)
    rows = await inbox.rows(store, CLIENT, [place.row_id for place in places], DESTINATION)
    ordered = [row["name"] for row in rows]
    assert ordered == ["very hot", "hot", "untracked", "met", "lost", "cold"]


async def test_due_in_sql_is_the_deadline_of_the_domain(store: FileStore) -> None:
    kinds = itertools.product(
        (LeadStatus.NEW, LeadStatus.VIEWING), EngagementLabel, ("visitor_id", "none")
    )
    rows = [
        lead_row(0, EngagementLabel=label, Status=status, MatchKind=match)
        for status, label, match in kinds
    ]
    await fill(store, *rows)
    found = await store.query(f"SELECT {DUE} AS due FROM Leads ORDER BY Id")
    assert [row["due"] for row in found] == [expected_due(row) for row in rows]


def expected_due(row: dict[str, Any]) -> str:
    deadline = contact_deadline(row["EngagementLabel"], tracked=row["MatchKind"] != "none")
    if row["Status"] != LeadStatus.NEW or deadline is None:
        return "9"
    return to_text(from_text(row["CreatedAt"]) + deadline)


@pytest.mark.parametrize("order", InboxOrder)
@pytest.mark.parametrize(
    "chosen",
    [InboxFilter(), InboxFilter(labels=("Hot",), statuses=("new",), suspicion=("Low",))],
    ids=["all", "filtered"],
)
async def test_plan_of_an_order_walks_its_index_alone(
    store: FileStore, order: InboxOrder, chosen: InboxFilter
) -> None:
    asked: list[tuple[str, Sequence[Any]]] = []

    class Watched:
        async def query(self, sql: str, args: Sequence[Any]) -> list[Any]:
            asked.append((sql, args))
            return []

    await inbox.places(Watched(), Listing(CLIENT, chosen, order), None, 51)  # type: ignore[arg-type]  # only asks
    ((sql, args),) = asked
    steps = [step["detail"] for step in await store.query(f"EXPLAIN QUERY PLAN {sql}", args)]
    assert "COVERING INDEX leads_by_" in steps[0]
    assert not any("TEMP B-TREE" in step for step in steps)


async def test_plan_of_the_rows_looks_up_leads_and_deliveries_by_their_ids(
    store: FileStore,
) -> None:
    args = (DESTINATION, CLIENT, "[1]")
    plan = await store.query(f"EXPLAIN QUERY PLAN {inbox._ROWS}", args)
    steps = [step["detail"] for step in plan]
    assert "SEARCH l USING INTEGER PRIMARY KEY (rowid=?)" in steps
    assert "SEARCH d USING INDEX deliveries_by_lead (lead_id=?)" in steps


FILTERS: dict[str, tuple[InboxFilter, dict[str, Any]]] = {
    "label": (InboxFilter(labels=("Very Hot",)), {"score": 80}),
    "untracked": (InboxFilter(labels=("none",)), {"score": None}),
    "suspicion": (InboxFilter(suspicion=("High",)), {"SuspicionScore": 70}),
    "status": (InboxFilter(statuses=("won", "lost")), {"Status": "won"}),
    "source": (InboxFilter(sources=("Portal",)), {"LeadSource": "Portal"}),
    "project": (InboxFilter(projects=("Creek View",)), {"Project": "Creek View"}),
    "landing page": (
        InboxFilter(landing_pages=("www.example.com/Villas",)),
        {"LandingPage": "www.example.com/villas"},
    ),
    "first campaign": (InboxFilter(first_campaigns=("Spring",)), {"FirstCampaign": "spring"}),
    "last campaign": (InboxFilter(last_campaigns=("spring",)), {"UtmCampaign": "Spring"}),
    "country": (InboxFilter(countries=("AE",)), {"Country": "AE"}),
    "device": (InboxFilter(devices=("mobile",)), {"Device": "mobile"}),
    "owner": (InboxFilter(owner_id=UserId(1)), {"OwnerId": 1}),
    "grade": (InboxFilter(grades=("A",)), {"Email": "graded@example.com"}),
    "since": (InboxFilter(since="2026-11-20"), {"CreatedAt": "2026-11-21T10:00:00.000Z"}),
    "before": (InboxFilter(before="2026-10-01"), {"CreatedAt": "2026-09-21T10:00:00.000Z"}),
    "overdue": (
        InboxFilter(due_before="2026-10-01"),
        {"score": 30, "CreatedAt": "2026-09-21T10:00:00.000Z"},
    ),
    "search": (found_by("ada"), {"Name": "Ada"}),
}
GRADE = Statement(
    "INSERT INTO leadscoring_results (client_id, email, rotator, created_at, updated_at)"
    " VALUES (1, 'Graded@example.com', 'A', '', ''), (2, 'graded@example.com', 'A', '', '')"
)
USER = Statement(
    "INSERT INTO users (email, password_hash, role, created_at) VALUES ('o@example.com','','','')"
)


@pytest.mark.parametrize("name", FILTERS)
async def test_filter_passes_what_fulfils_it_of_the_client_alone(
    store: FileStore, name: str
) -> None:
    chosen, columns = FILTERS[name]
    usual: dict[str, Any] = {"score": 10, "Name": "Bea", "CreatedAt": "2026-11-10T10:00:00.000Z"}
    wanted = lead_row(**usual | columns)
    others = lead_row(**usual | columns | {"ClientId": int(OTHER)})
    await store.write([USER, GRADE])
    await fill(store, wanted, lead_row(**usual), others)
    for order in InboxOrder:
        listing = Listing(CLIENT, chosen, order)
        places = await inbox.places(store, listing, None, 10)
        rows = await inbox.rows(store, CLIENT, [place.row_id for place in places], DESTINATION)
        assert [row["lead_id"] for row in rows] == [wanted["PublicId"]]
    assert await inbox.count(store, listing, 10) == 1


async def test_filter_by_nobody_passes_leads_without_an_owner(store: FileStore) -> None:
    await store.write([USER])
    await fill(store, lead_row(Name="owned", OwnerId=1), lead_row(Name="free"))
    assert await names(store, InboxFilter(unowned=True)) == ["free"]


SEARCHES = {
    "lovelace": True,
    "LOVELACE ada": True,
    "velac": True,
    "a": True,
    "lo": True,
    "ve": False,
    "example.com": True,
    "al1906234x@example.com": True,
    "creek": True,
    "T-190623/b": True,
    "bedroom": True,
    "ada nobody": False,
    "020 7946 0123": True,
    "+44 20 7946 0123": True,
    "0044 (0)20-7946-0123": True,
    "7946 0123": True,
    "020 7946 0999": False,
    '"': False,
    "ada' OR 1=1 --": False,
    "NEAR(ada)": False,
    "* ^ada": False,
    "😀": True,
}
"""What is searched for, and whether it finds the lead below."""


async def test_search_finds_words_parts_of_them_and_numbers_however_written(
    store: FileStore,
) -> None:
    lead = lead_row(
        Name="Ada Lovelace",
        Email="al1906234x@example.com",
        Phone="020 7946 0123",
        PhoneE164="+442079460123",
        Project="Creek View T-190623/b",
        Message="A two\nbedroom home 😀",
    )
    await fill(store, lead)
    found = {text: await names(store, found_by(text)) == ["Ada Lovelace"] for text in SEARCHES}
    assert found == SEARCHES


async def test_search_of_a_number_stored_without_country_finds_it(store: FileStore) -> None:
    await fill(store, lead_row(Name="Ada", Phone="(020) 7946.0123"))
    assert await names(store, found_by("+44 20 7946 0123")) == ["Ada"]


async def test_search_after_a_change_finds_the_new_text_only(store: FileStore) -> None:
    await fill(store, lead_row(Name="Ada Byron", Message="x" * 70_000))
    await store.write([Statement("UPDATE Leads SET Name = 'Ada Lovelace', Message = NULL")])
    assert await names(store, found_by("byron")) == []
    assert await names(store, found_by("lovelace")) == ["Ada Lovelace"]


async def test_search_after_an_erasure_keeps_nothing_of_the_text(store: FileStore) -> None:
    await fill(store, lead_row(Name="Zyxwvut"), lead_row(Name="Ada"))
    await store.write([Statement("DELETE FROM Leads WHERE Name = 'Zyxwvut'")])
    blocks = await store.query("SELECT block FROM lead_search_data")
    assert not any(b"wvu" in row["block"] for row in blocks)
    check = "INSERT INTO lead_search (lead_search, rank) VALUES ('integrity-check', 1)"
    await store.write([Statement(check)])


async def test_migration_of_a_database_with_leads_makes_them_findable(tmp_path: Path) -> None:
    folder = tmp_path / "earlier"
    folder.mkdir()
    for path in migration_files(MIGRATIONS):
        if int(path.name.split("_")[0]) < 12:
            (folder / path.name).write_text(path.read_text("utf-8"))
    store = FileStore.open(tmp_path / "propgauge.db")
    await migrate(store, folder)
    await fill(store, lead_row(Name="Ada"))
    await migrate(store, MIGRATIONS)
    assert await names(store, found_by("ada")) == ["Ada"]
    await store.close()


DELIVER = """
INSERT INTO deliveries (delivery_id, client_id, destination, lead_id, payload, state, created_at,
  due_at) VALUES (?, 1, ?, ?, '{}', ?, '', '')"""


async def test_row_tells_the_state_of_the_leads_delivery_to_make(store: FileStore) -> None:
    states = ("pending", "delivered", "failed", "not_configured")
    leads = [lead_row() for _ in states]
    await fill(store, *leads, lead_row())
    for lead, state in zip(leads, states, strict=True):
        lead_id = lead["PublicId"]
        await store.write(
            [
                Statement(DELIVER, (f"make {state}", DESTINATION, lead_id, state)),
                Statement(DELIVER, (f"meta {state}", "meta_capi", lead_id, "delivered")),
            ]
        )
    assert await deliveries(store) == ["pending", "delivered", "failed", "not_configured", None]
    await store.write(
        [Statement(f"INSERT INTO paused_destinations VALUES (1, '{DESTINATION}','','')")]
    )
    assert await deliveries(store) == ["paused", "delivered", "failed", "not_configured", None]


async def deliveries(store: Store) -> list[str | None]:
    rows = await inbox.rows(store, CLIENT, [1, 2, 3, 4, 5], DESTINATION)
    return [row["delivery"] for row in rows]


async def test_rows_of_another_client_are_not_given_by_their_ids(store: FileStore) -> None:
    await fill(store, lead_row(ClientId=2), lead_row())
    rows = await inbox.rows(store, CLIENT, [1, 2], DESTINATION)
    assert [row["id"] for row in rows] == [2]


async def test_choices_are_the_clients_own_values_in_order(store: FileStore) -> None:
    await fill(
        store,
        lead_row(LeadSource="Portal", Project="Creek View"),
        lead_row(LeadSource="Portal", Project=""),
        lead_row(LeadSource="API", Project=None),
        lead_row(LeadSource="Other", Project="Theirs", ClientId=2),
    )
    assert await inbox.sources(store, CLIENT, 10) == ["API", "Portal"]
    assert await inbox.projects(store, CLIENT, 10) == ["Creek View"]
    assert await inbox.sources(store, CLIENT, 1) == ["API"]
    assert await inbox.projects(store, ClientId(3), 10) == []


async def test_count_ends_at_its_limit(store: FileStore) -> None:
    await fill_variously(store)
    assert await inbox.count(store, Listing(CLIENT), 20) == 20
