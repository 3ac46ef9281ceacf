"""Beacons over HTTP: what is stored of them, what is dropped and how that is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import permutations
from typing import Any

import pytest

from tests.integration.http_fixtures import (
    CRAWLER_AGENT,
    LISTED_ORIGIN,
    OTHER_CLIENT,
    OTHER_ORIGIN,
    OTHER_SITE,
    Person,
    SharedServer,
    dropped,
    exchange,
    fields_at_fault,
    problem_of,
)
from tests.running import BROWSER_AGENT

DAY_MS = 86_400_000
DROPPED, STORED = "propgauge_beacons_dropped_total", "propgauge_beacons_stored_total"


def totals(rows: list[dict[str, Any]]) -> list[tuple[int, int, int]]:
    return [(row["duration_ms"], row["scroll_percent"], row["clicks"]) for row in rows]


# --- what a beacon leaves behind ----------------------------------------------


def test_view_when_accepted_is_acknowledged_without_a_body(person: Person) -> None:
    answer = person.track(person.view())
    assert answer.status_code == 202
    assert answer.content == b""
    assert dropped(answer) == {}


def test_view_when_accepted_opens_the_session_it_describes(person: Person) -> None:
    query = "utm_source=google&utm_medium=cpc&utm_campaign=c&utm_term=t&utm_content=x&gclid=g-1"
    url = f"https://www.example.com/residences?{query}"
    sent = person.view(
        url=url,
        referrer="https://www.google.com/",
        screen="1440x900",
        language="en-GB",
        timezone="Asia/Dubai",
        fbp="fb.1.2.3",
        fbc="fb.1.2.4",
    )
    person.track(sent, cf_ipcountry="ae")

    stored = person.session_row()
    assert stored.pop("id")
    assert stored.pop("started_at") == stored.pop("last_seen_at")
    assert json.loads(stored.pop("click_ids")) == {"gclid": "g-1"}
    assert stored == {
        "client_id": 1,
        "session_id": person.session,
        "visitor_id": person.visitor,
        "site_key": "demo",
        "ip": person.ip,
        "country": "AE",
        "user_agent": BROWSER_AGENT,
        "browser": "Chrome",
        "os": "Windows",
        "device": "desktop",
        "language": "en-GB",
        "timezone": "Asia/Dubai",
        "screen": "1440x900",
        "landing_url": url,
        "landing_bare": url.partition("?")[0],
        "landing_page": url.partition("?")[0].partition("//")[2],
        "referrer": "https://www.google.com/",
        "utm_source": "google",
        "utm_medium": "cpc",
        "utm_campaign": "c",
        "utm_term": "t",
        "utm_content": "x",
        "duration_seconds": 0,
        "max_scroll_percent": 0,
        "clicks": 0,
        "pages_visited": 1,
        "fbp": "fb.1.2.3",
        "fbc": "fb.1.2.4",
        "consent": None,
        "network": None,
        "network_kind": None,
        "automation": 0,
        "is_bot": 0,
        "bot_reason": None,
    }


def test_view_when_accepted_stores_its_page_and_its_visitor(person: Person) -> None:
    person.track(person.view(title="Residences", fingerprint="f1"))
    (page,) = person.page_rows()
    assert (page["url"], page["title"]) == ("https://www.example.com/residences", "Residences")
    seen = person.fingerprint_row()
    assert (seen["fingerprint"], seen["visit_count"]) == ("f1", 1)


def test_totals_when_beacons_follow_are_kept_with_the_page_and_the_session(person: Person) -> None:
    person.track(person.view(age_ms=60_000))
    person.track(person.engage(duration_ms=45_500, scroll_percent=80, clicks=3))
    assert totals(person.page_rows()) == [(45_500, 80, 3)]
    session = person.session_row()
    assert (session["duration_seconds"], session["max_scroll_percent"]) == (45, 80)
    assert (session["clicks"], session["pages_visited"]) == (3, 1)


def test_session_when_it_has_several_pages_sums_them_and_keeps_the_deepest_scroll(
    person: Person,
) -> None:
    for page, seconds, scroll, clicks in (("p1", 30, 90, 2), ("p2", 20, 40, 5), ("p3", 0, 0, 0)):
        person.track(
            person.view(page=page, age_ms=60_000),
            person.engage(
                page=page, duration_ms=seconds * 1000, scroll_percent=scroll, clicks=clicks
            ),
        )
    session = person.session_row()
    assert (session["duration_seconds"], session["max_scroll_percent"]) == (50, 90)
    assert (session["clicks"], session["pages_visited"]) == (7, 3)


def test_beacon_when_it_claims_what_only_the_server_may_say_is_not_believed(person: Person) -> None:
    forged: dict[str, Any] = {
        "ip": "192.0.2.9",
        "user_agent": "x",
        "received_at": "2001-01-01",
        "is_bot": 1,
    }
    person.track(person.view(**forged, country="FR", client_id=2, unknown={"a": [1]}))
    row = person.session_row()
    assert (row["ip"], row["user_agent"], row["is_bot"]) == (person.ip, BROWSER_AGENT, 0)
    assert (row["country"], row["client_id"]) == (None, 1)
    assert row["started_at"] > "2026"


@pytest.mark.parametrize("host", ["https://elsewhere.example/", "not an address", ""])
def test_beacon_when_its_address_is_of_another_host_is_stored(person: Person, host: str) -> None:
    assert dropped(person.track(person.view(url=host))) == {}
    assert person.session_row()["landing_url"] == host


# --- how it may be sent -------------------------------------------------------


@pytest.mark.parametrize(
    "content_type",
    ["text/plain;charset=UTF-8", "application/json", "application/octet-stream", ""],
)
def test_beacon_when_sent_as_any_content_type_is_stored(
    shared: SharedServer, person: Person, content_type: str
) -> None:
    headers = person.headers(**({"content_type": content_type} if content_type else {}))
    body = json.dumps(person.view()).encode()
    assert shared.http.post("/api/track", content=body, headers=headers).status_code == 202
    assert person.session_row()["pages_visited"] == 1


@pytest.mark.parametrize("path", ["/api/track?v=1", "/api/trac%6B"])
def test_beacon_when_its_path_is_written_otherwise_is_stored(
    shared: SharedServer, person: Person, path: str
) -> None:
    assert shared.http.post(path, json=person.view()).status_code == 202
    assert person.session_row()["pages_visited"] == 1


def test_beacon_when_sent_in_chunks_is_stored(shared: SharedServer, person: Person) -> None:
    body = json.dumps(person.view(title="é" * 100), ensure_ascii=False).encode()

    def pieces() -> Iterator[bytes]:
        yield from (body[start : start + 50] for start in range(0, len(body), 50))

    assert shared.http.post("/api/track", content=pieces()).status_code == 202
    assert person.page_rows()[0]["title"] == "é" * 100


def raw_request(body: bytes, *headers: str, version: str = "1.1") -> bytes:
    lines = [f"POST /api/track HTTP/{version}", "Host: x", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


@pytest.mark.parametrize(
    ("version", "headers"),
    [
        ("1.1", ("Connection: close",)),
        ("1.0", ()),
        ("1.1", ("Connection: close", "Expect: 100-continue")),
    ],
)
def test_beacon_when_it_is_the_last_of_its_connection_is_answered_and_the_connection_closed(
    shared: SharedServer, person: Person, version: str, headers: tuple[str, ...]
) -> None:
    body = json.dumps(person.view()).encode()
    answer = exchange(shared.server, raw_request(body, *headers, version=version))
    assert b"HTTP/1.1 202 Accepted" in answer
    assert b"connection: close" in answer
    assert person.session_row()["pages_visited"] == 1


def test_requests_when_pipelined_are_answered_in_order(
    shared: SharedServer, person: Person
) -> None:
    first, second = (json.dumps(person.view(page=page)).encode() for page in ("p1", "p2"))
    health = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    again = raw_request(first, "Connection: close")
    answer = exchange(shared.server, raw_request(first) + health + raw_request(second) + again)
    statuses = [line for line in answer.splitlines() if line.startswith(b"HTTP/1.1 ")]
    assert [status.split()[1] for status in statuses] == [b"202", b"200", b"202", b"202"]
    assert answer.index(b"ok\n") < answer.index(b"x-propgauge-dropped: repeated=1")
    assert person.session_row()["pages_visited"] == 2


def test_requests_when_hundreds_are_pipelined_in_one_burst_are_all_answered(
    shared: SharedServer, person: Person
) -> None:
    one = raw_request(json.dumps(person.view(title="x" * 500)).encode())
    last = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = exchange(shared.server, one * 300 + last)
    assert answer.count(b"HTTP/1.1 202 Accepted") == 300
    assert answer.endswith(b"ok\n")
    assert person.session_row()["pages_visited"] == 1


def test_beacon_when_it_comes_piece_by_piece_is_stored(
    shared: SharedServer, person: Person
) -> None:
    request = raw_request(json.dumps(person.view()).encode(), "Connection: close")
    pieces = [request[start : start + 40] for start in range(0, len(request), 40)]
    assert exchange(shared.server, *pieces).startswith(b"HTTP/1.1 202 ")
    assert person.session_row()["pages_visited"] == 1


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_track_when_called_by_another_method_is_a_problem_that_names_the_allowed_ones(
    shared: SharedServer, method: str
) -> None:
    answer = shared.http.request(method, "/api/track")
    problem_of(answer, 405)
    assert answer.headers["allow"] == "POST, OPTIONS"


# --- arrays -------------------------------------------------------------------


def test_array_when_it_holds_20_beacons_is_stored_whole(person: Person) -> None:
    answer = person.track(*(person.view(page=f"p{number}") for number in range(20)))
    assert dropped(answer) == {}
    assert person.session_row()["pages_visited"] == 20


def test_array_when_it_holds_21_beacons_is_refused_whole(
    shared: SharedServer, person: Person
) -> None:
    before = shared.stored()
    answer = person.track(*(person.view(page=f"p{number}") for number in range(21)))
    assert fields_at_fault(answer, 422) == ["body"]
    assert shared.stored() == before


def test_array_when_it_is_empty_is_refused(shared: SharedServer) -> None:
    assert fields_at_fault(shared.http.post("/api/track", json=[]), 422) == ["body"]


def test_array_when_one_beacon_is_invalid_is_refused_whole_and_names_it(
    shared: SharedServer, person: Person
) -> None:
    before = shared.stored()
    answer = person.track(person.view(), person.view(page="a b"), person.engage(clicks="many"))
    assert fields_at_fault(answer, 422) == ["1.page_view_id", "2.clicks"]
    assert shared.stored() == before


def test_array_when_it_holds_a_view_and_its_engagement_stores_both(person: Person) -> None:
    sent = (person.view(age_ms=20_000), person.engage(duration_ms=15_000, clicks=1))
    assert dropped(person.track(*sent)) == {}
    assert totals(person.page_rows()) == [(15_000, 0, 1)]


# --- what is dropped, and why -------------------------------------------------


def test_engagement_when_its_page_view_never_came_is_dropped_and_creates_nothing(
    shared: SharedServer, person: Person
) -> None:
    before, counted = shared.stored(), shared.counter(DROPPED, reason="no_page_view")
    assert dropped(person.track(person.engage(clicks=3))) == {"no_page_view": 1}
    assert shared.stored() == before
    assert shared.counter(DROPPED, reason="no_page_view") == counted + 1


@pytest.mark.parametrize("seq", [3, 2, 0])
def test_beacon_when_its_number_is_not_new_is_dropped_as_a_duplicate(
    shared: SharedServer, person: Person, seq: int
) -> None:
    person.track(person.view(age_ms=60_000), person.engage(seq=3, clicks=2))
    counted = shared.counter(DROPPED, reason="duplicate")
    again = person.engage(seq=seq, duration_ms=50_000, clicks=9)
    assert dropped(person.track(again)) == {"duplicate": 1}
    assert totals(person.page_rows()) == [(0, 0, 2)]
    assert shared.counter(DROPPED, reason="duplicate") == counted + 1


def test_array_when_parts_of_it_are_dropped_tells_each_reason_with_its_count(
    shared: SharedServer, person: Person
) -> None:
    stored = shared.counter(STORED)
    answer = person.track(
        person.view(),
        person.view(),
        person.engage(seq=1),
        person.engage(seq=1),
        person.engage(page="never", seq=1),
    )
    assert dropped(answer) == {"duplicate": 2, "no_page_view": 1}
    assert shared.counter(STORED) == stored + 2


@pytest.mark.parametrize(
    ("reason", "body"),
    [("malformed", b"{"), ("invalid", b"{}"), ("too_large", b"[" + b" " * 65_536)],
)
def test_request_when_refused_is_counted_by_its_reason(
    shared: SharedServer, reason: str, body: bytes
) -> None:
    counted = shared.counter(DROPPED, reason=reason)
    assert shared.http.post("/api/track", content=body).status_code >= 400
    assert shared.counter(DROPPED, reason=reason) == counted + 1


def test_beacons_when_stored_are_counted(shared: SharedServer, person: Person) -> None:
    counted = shared.counter(STORED)
    person.track(person.view(), person.engage())
    assert shared.counter(STORED) == counted + 2


# --- idempotence and maxima ---------------------------------------------------


def test_beacons_when_all_are_sent_again_change_nothing(person: Person) -> None:
    sent = (
        person.view(age_ms=60_000),
        person.engage(seq=1, duration_ms=10_000, clicks=1),
        person.view(page="p2", age_ms=30_000),
        person.engage(page="p2", seq=1, duration_ms=20_000, scroll_percent=60),
    )

    def kept() -> tuple[object, ...]:
        session = {**person.session_row(), "last_seen_at": None}
        return session, person.page_rows(), person.fingerprint_row()

    person.track(*sent)
    once = kept()
    assert dropped(person.track(*sent, person.engage(seq=1))) == {"duplicate": 5}
    assert kept() == once


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_engagement_when_beacons_come_in_any_order_ends_at_the_last_totals(
    person: Person, order: tuple[int, ...]
) -> None:
    person.track(person.view(age_ms=120_000))
    steps = [(1, 15_000, 20, 0), (2, 45_000, 60, 2), (3, 100_000, 100, 5)]
    for seq, duration, scroll, clicks in (steps[place] for place in order):
        step: dict[str, Any] = {"duration_ms": duration, "scroll_percent": scroll}
        person.track(person.engage(seq=seq, clicks=clicks, **step))
    assert totals(person.page_rows()) == [(100_000, 100, 5)]
    assert person.session_row()["duration_seconds"] == 100


def test_totals_when_a_later_beacon_has_smaller_ones_keep_the_maximum(person: Person) -> None:
    person.track(person.view(age_ms=60_000))
    person.track(person.engage(seq=1, duration_ms=50_000, scroll_percent=90, clicks=7))
    person.track(person.engage(seq=2, duration_ms=10_000, scroll_percent=95, clicks=1))
    assert totals(person.page_rows()) == [(50_000, 95, 7)]


def test_engagement_when_a_beacon_is_lost_is_made_good_by_the_next(person: Person) -> None:
    person.track(person.view(age_ms=60_000))
    person.track(person.engage(seq=7, duration_ms=40_000, clicks=4))
    assert totals(person.page_rows()) == [(40_000, 0, 4)]


def test_view_when_sent_again_with_engagement_keeps_its_first_start(person: Person) -> None:
    person.track(person.view(age_ms=60_000))
    first = person.page_rows()[0]["started_at"]
    again = (person.view(age_ms=1_000), person.engage(duration_ms=30_000))
    assert dropped(person.track(*again)) == {"duplicate": 1}
    assert person.page_rows()[0]["started_at"] == first
    assert totals(person.page_rows()) == [(30_000, 0, 0)]


def test_view_when_it_carries_totals_itself_keeps_them(person: Person) -> None:
    person.track(person.view(age_ms=30_000, duration_ms=20_000, scroll_percent=50, clicks=2))
    assert totals(person.page_rows()) == [(20_000, 50, 2)]


# --- clamping -----------------------------------------------------------------


def test_duration_when_longer_than_the_view_has_been_open_is_clamped(person: Person) -> None:
    person.track(person.view(age_ms=100_000))
    person.track(person.engage(duration_ms=DAY_MS))
    assert 100_000 <= person.page_rows()[0]["duration_ms"] < 130_000


def test_duration_when_the_view_is_older_than_a_day_is_clamped_to_a_day(person: Person) -> None:
    person.track(person.view(age_ms=10 * DAY_MS, duration_ms=10 * DAY_MS))
    assert person.page_rows()[0]["duration_ms"] == DAY_MS
    assert person.session_row()["duration_seconds"] == DAY_MS // 1000


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"scroll_percent": 250}, (0, 100, 0)),
        ({"scroll_percent": 66.6}, (0, 66, 0)),
        ({"scroll_percent": 80, "scrollable": False}, (0, 0, 0)),
        ({"scroll_percent": -3, "clicks": -3, "duration_ms": -3}, (0, 0, 0)),
        ({"clicks": 5_000_000}, (0, 0, 1_000_000)),
        ({"clicks": 1e300}, (0, 0, 1_000_000)),
        ({"clicks": "12"}, (0, 0, 12)),
        ({"duration_ms": 999.9, "age_ms": 5_000}, (999, 0, 0)),
        ({"seq": 10**30, "clicks": 1}, (0, 0, 1)),
    ],
)
def test_totals_when_out_of_bounds_are_clamped(
    person: Person, sent: dict[str, Any], kept: tuple[int, int, int]
) -> None:
    assert dropped(person.track(person.view(**sent))) == {}
    assert totals(person.page_rows()) == [kept]


def test_view_when_its_age_is_negative_does_not_begin_in_the_future(person: Person) -> None:
    other = Person(person.shared)
    person.track(person.view(age_ms=-DAY_MS))
    other.track(other.view())
    assert person.page_rows()[0]["started_at"] <= other.page_rows()[0]["started_at"]


@pytest.mark.parametrize(
    ("field", "column", "limit"),
    [("url", "landing_url", 2_000), ("referrer", "referrer", 2_000), ("language", "language", 128)],
)
def test_text_when_too_long_is_cut(person: Person, field: str, column: str, limit: int) -> None:
    person.track(person.view(**{field: "é" * 3_000}))
    assert person.session_row()[column] == "é" * limit


# --- visits and bots ----------------------------------------------------------


def test_visits_when_sessions_repeat_are_counted_once_each(person: Person) -> None:
    for session, page in (("a", "p"), ("b", "p"), ("a", "q"), ("c", "p"), ("b", "p")):
        person.track(person.view(f"{person.visitor}-{session}", page=page))
    assert person.fingerprint_row()["visit_count"] == 3


@pytest.mark.parametrize(
    "agent",
    [CRAWLER_AGENT, "curl/8.5.0", "python-requests/2.32", "Mozilla/5.0 HeadlessChrome/140.0.0.0"],
)
def test_view_when_sent_by_a_bot_is_stored_with_its_reason_and_is_no_visit(
    shared: SharedServer, person: Person, agent: str
) -> None:
    assert dropped(person.track(person.view(), user_agent=agent)) == {}
    row = person.session_row()
    assert row["is_bot"] == 1
    assert row["bot_reason"] == "the user agent names a crawler or a program"
    assert not shared.server.query(
        "SELECT 1 FROM fingerprints WHERE visitor_id = ?", (person.visitor,)
    )


def test_visits_when_a_bot_uses_the_visitor_id_too_leave_it_out(person: Person) -> None:
    person.track(person.view())
    person.track(person.view(f"{person.visitor}-s2"), user_agent=CRAWLER_AGENT)
    assert person.fingerprint_row()["visit_count"] == 1


@pytest.mark.parametrize(
    ("agent", "automation", "is_bot"),
    [("", 1, 1), ("", 0, 0), (BROWSER_AGENT, 1, 0), (BROWSER_AGENT, 0, 0)],
)
def test_bot_when_its_agent_says_nothing_is_known_by_two_signals_that_agree(
    person: Person, agent: str, automation: int, is_bot: int
) -> None:
    person.track(person.view(automation=bool(automation)), user_agent=agent)
    row = person.session_row()
    assert (row["is_bot"], row["automation"]) == (is_bot, automation)
    assert bool(row["bot_reason"]) == bool(is_bot)


# --- whose it is --------------------------------------------------------------


@pytest.mark.parametrize(
    ("site", "origin", "client_id"),
    [
        (OTHER_SITE, "", OTHER_CLIENT),
        (OTHER_SITE, LISTED_ORIGIN, OTHER_CLIENT),
        ("demo", OTHER_ORIGIN, 1),
        (None, OTHER_ORIGIN, OTHER_CLIENT),
        ("no-such-site", OTHER_ORIGIN, OTHER_CLIENT),
        ("no-such-site", "https://nowhere.example", 1),
        ("no-such-site", "", 1),
        ("", "", 1),
    ],
)
def test_beacon_by_site_key_then_origin_belongs_to_that_client_else_to_the_first(
    person: Person, site: str | None, origin: str, client_id: int
) -> None:
    headers = {"origin": origin} if origin else {}
    assert dropped(person.track(person.view(site=site), **headers)) == {}
    row = person.session_row()
    assert (row["client_id"], row["site_key"]) == (client_id, site or None)


def test_sessions_when_two_clients_use_the_same_ids_are_kept_apart(
    shared: SharedServer, person: Person
) -> None:
    person.track(person.view(age_ms=60_000), person.engage(clicks=5))
    person.track(person.view(site=OTHER_SITE), person.engage(site=OTHER_SITE, clicks=1))
    rows = shared.server.query(
        "SELECT client_id, clicks FROM sessions WHERE session_id = ? ORDER BY client_id",
        (person.session,),
    )
    assert [tuple(row.values()) for row in rows] == [(1, 5), (OTHER_CLIENT, 1)]
    visits = shared.server.query(
        "SELECT visit_count FROM fingerprints WHERE visitor_id = ?", (person.visitor,)
    )
    assert [row["visit_count"] for row in visits] == [1, 1]


def test_engagement_when_its_page_view_is_another_clients_is_dropped(person: Person) -> None:
    person.track(person.view(site=OTHER_SITE))
    assert dropped(person.track(person.engage(clicks=5))) == {"no_page_view": 1}


# --- the address and its country ----------------------------------------------


@pytest.mark.parametrize(
    ("forwarded", "ip"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("203.0.113.7, 127.0.0.1", "203.0.113.7"),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("[2001:db8::7]:443", "2001:db8::7"),
        ("no address", "127.0.0.1"),
        ("203.0.113.7, no address", "127.0.0.1"),
    ],
)
def test_address_when_forwarded_is_the_nearest_hop_that_is_no_proxy(
    person: Person, forwarded: str, ip: str
) -> None:
    person.track(person.view(), x_forwarded_for=forwarded)
    assert person.session_row()["ip"] == ip


@pytest.mark.parametrize(
    ("timezone", "country", "reason"),
    [
        (
            "Europe/London",
            "AE",
            "browser time zone Europe/London belongs to GB, GG, IM, JE, address to AE",
        ),
        ("Asia/Calcutta", "US", "browser time zone Asia/Calcutta belongs to IN, address to US"),
        ("Asia/Calcutta", "IN", None),
        ("Asia/Dubai", "OM", None),
        ("Europe/London", "XX", None),
        ("Europe/London", "T1", None),
        ("Europe/London", "", None),
        ("UTC", "AE", None),
        ("Mars/Olympus", "AE", None),
        ("", "AE", None),
    ],
)
def test_vpn_when_time_zone_and_country_disagree_is_suspected_with_its_reason(
    person: Person, timezone: str, country: str, reason: str | None
) -> None:
    person.track(person.view(timezone=timezone), cf_ipcountry=country)
    seen = person.fingerprint_row()
    assert seen["vpn_reason"] == reason
    assert seen["vpn_suspected"] == int(reason is not None)


@pytest.mark.parametrize(
    ("ip", "country", "suspected"),
    [("81.2.69.142", "GB", 0), ("8.8.8.8", "US", 1), ("192.0.2.1", None, 0)],
)
def test_country_without_a_header_is_looked_up_in_the_database(
    person: Person, ip: str, country: str | None, suspected: int
) -> None:
    person.track(person.view(timezone="Europe/London"), x_forwarded_for=ip)
    assert person.session_row()["country"] == country
    assert person.fingerprint_row()["vpn_suspected"] == suspected


def test_country_when_the_proxy_names_one_goes_before_the_database(person: Person) -> None:
    person.track(person.view(), x_forwarded_for="8.8.8.8", cf_ipcountry="GB")
    assert person.session_row()["country"] == "GB"


# --- what is refused ----------------------------------------------------------


@pytest.mark.parametrize("field", ["visitor_id", "session_id", "page_view_id"])
@pytest.mark.parametrize("value", [None, "", "a b", "a" * 129, "ä", "a\n", "../x", 7, ["a"]])
def test_id_when_malformed_is_refused_by_name(person: Person, field: str, value: Any) -> None:
    answer = person.track(person.view(**{field: value}))
    assert fields_at_fault(answer, 422) == [field]


@pytest.mark.parametrize("field", ["visitor_id", "session_id", "page_view_id", "type"])
def test_field_when_required_and_missing_is_refused_by_name(person: Person, field: str) -> None:
    sent = person.view()
    del sent[field]
    assert fields_at_fault(person.track(sent), 422) == [field]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("type", "leave"),
        ("seq", -1),
        ("seq", 1.5),
        ("duration_ms", "long"),
        ("scroll_percent", None),
        ("clicks", [1]),
        ("scrollable", "perhaps"),
        ("url", 5),
        ("title", {"a": 1}),
    ],
)
def test_value_of_a_wrong_kind_is_refused_by_name(person: Person, field: str, value: Any) -> None:
    assert fields_at_fault(person.track(person.view(**{field: value})), 422) == [field]


def test_id_of_128_letters_of_every_kind_is_accepted(person: Person) -> None:
    page = "azAZ09._-" + "x" * 119
    assert dropped(person.track(person.view(page=page))) == {}
    assert person.page_rows()[0]["page_view_id"] == page
