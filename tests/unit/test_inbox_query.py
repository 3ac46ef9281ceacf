from datetime import UTC, datetime
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import pytest

from server.domain.directory import Client
from server.domain.errors import AppError
from server.domain.ids import ClientId
from server.domain.user import UserId
from server.store.inbox import InboxFilter, InboxOrder, Place
from server.web.dashboard.inbox_query import InboxQuery, parse

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def read(text: str) -> InboxQuery:
    return parse(parse_qsl(text, keep_blank_values=True))


def asked(text: str, zone: str = "UTC") -> InboxFilter:
    listing = read(text).listing(Client(ClientId(1), "Demo"), UserId(7), NOW, ZoneInfo(zone))
    return listing.chosen


def test_address_of_a_query_leaves_out_empty_unknown_and_default_parts() -> None:
    query = read("q=&label=Hot&label=hot&from=&utm_source=x&sort=newest&after=abc")
    assert query.address() == "label=Hot"
    assert read(query.address()).address() == query.address()


def test_address_with_another_order_keeps_the_filters() -> None:
    assert read("status=new&overdue=1").address(sort="due") == "status=new&overdue=1&sort=due"


def test_chips_of_a_query_each_lead_to_it_without_them() -> None:
    query = read("label=Hot&label=none&owner=me&q=ada&sort=score&overdue=1")
    assert {chip.text: chip.without for chip in query.chips({})} == {
        "Label: Hot": "label=none&q=ada&owner=me&overdue=1&sort=score",
        "Label: No tracked visit": "label=Hot&q=ada&owner=me&overdue=1&sort=score",
        "Search: ada": "label=Hot&label=none&owner=me&overdue=1&sort=score",
        "Owner: me": "label=Hot&label=none&q=ada&overdue=1&sort=score",
        "Overdue": "label=Hot&label=none&q=ada&owner=me&sort=score",
    }


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("label=Lukewarm", "label"),
        ("status=sold", "status"),
        ("grade=D", "grade"),
        ("from=yesterday", "from"),
        ("from=0001-01-01", "from"),
        ("to=2026-13-01", "to"),
        ("from=2026-02-02&to=2026-02-01", "to"),
        ("owner=ada", "owner"),
        ("owner=²", "owner"),
        ("sort=name", "sort"),
        ("&".join(f"source=s{number}" for number in range(21)), "source"),
    ],
)
def test_query_that_cannot_be_names_its_field(text: str, field: str) -> None:
    assert field in read(text).errors


def test_listing_of_days_is_bounded_by_the_viewers_midnights() -> None:
    chosen = asked("from=2026-11-01&to=2026-11-02", "Asia/Dubai")
    assert chosen.since == "2026-10-31T20:00:00.000Z"
    assert chosen.before == "2026-11-02T20:00:00.000Z"


@pytest.mark.parametrize("viewer", ["UTC", "America/New_York"])
def test_listing_of_the_overviews_days_is_bounded_by_the_midnights_of_their_zone(
    viewer: str,
) -> None:
    chosen = asked("from=2026-10-25&to=2026-10-25&days=Europe%2FLondon", viewer)
    assert chosen.since == "2026-10-24T23:00:00.000Z"
    assert chosen.before == "2026-10-26T00:00:00.000Z"


def test_days_of_another_zone_are_told_and_kept_in_the_address() -> None:
    query = "from=2026-11-01&to=2026-11-02&days=UTC"
    assert read(query).address() == query
    assert read(query).panel_filters == 2
    assert [chip.text for chip in read(query).chips({})] == [
        "From: 2026-11-01 (UTC)",
        "Until: 2026-11-02 (UTC)",
    ]
    assert read("from=2026-11-01&days=UTC").chips({})[0].without == ""
    assert read("from=2026-11-01&days=..%2Fno_zone").days_of == "UTC"
    assert not read("days=UTC").is_filtered


def test_query_for_what_leads_lack_is_told_and_can_be_taken_away() -> None:
    query = read("source=WebSite&without=project&without=label")
    assert query.address() == "source=WebSite&without=project"
    assert [chip.text for chip in query.chips({})] == ["Source: WebSite", "No project"]
    assert query.chips({})[1].without == "source=WebSite"


@pytest.mark.parametrize(
    ("owner", "owner_id", "unowned"), [("me", 7, False), ("none", None, True), ("12", 12, False)]
)
def test_listing_of_an_owner_asks_for_their_leads(
    owner: str, owner_id: int | None, *, unowned: bool
) -> None:
    chosen = asked(f"owner={owner}")
    assert (chosen.owner_id, chosen.unowned) == (owner_id, unowned)


def test_place_is_read_back_from_its_cursor() -> None:
    query, place = read("sort=score"), Place(71.0, 12)
    assert query.place(query.cursor(place)) == place
    assert query.order is InboxOrder.SCORE


@pytest.mark.parametrize("cursor", ["x", "äöü", "eyJhIjoxfQ", "W10", "=" * 9])
def test_place_of_a_broken_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(AppError, match="page"):
        read("").place(cursor)


def test_place_of_another_order_is_refused() -> None:
    cursor = read("sort=score").cursor(Place(71.0, 12))
    with pytest.raises(AppError, match="other filters"):
        read("").place(cursor)
