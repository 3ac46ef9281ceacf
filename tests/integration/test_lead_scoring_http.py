"""Scores over HTTP: engagement by the spec's rules, its degradation, and every signal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest

from tests.integration.http_fixtures import (
    CRAWLER_AGENT,
    LISTED_ORIGIN,
    LISTED_SITE,
    OTHER_SITE,
    UNLISTED_ORIGIN,
    Person,
    SharedServer,
    running_shared,
    signals_of,
)

pytestmark = pytest.mark.both_stores

COLUMNS = {
    "visitor_id": "VisitorId",
    "session_id": "SessionId",
    "engagement_score": "EngagementScore",
    "engagement_label": "EngagementLabel",
    "pages_visited": "PagesVisited",
    "session_duration_seconds": "SessionDuration",
    "return_visits": "ReturnVisits",
    "vpn_suspected": "VpnSuspected",
}
"""The spec's eight webhook fields, and the eight columns of migration 005."""

NOTHING = {
    "session_id": None,
    "engagement_score": 0,
    "engagement_label": "Cold",
    "pages_visited": 0,
    "session_duration_seconds": 0,
    "return_visits": 0,
    "vpn_suspected": 0,
}
NO_SESSION = "no_tracking_session"
DISPOSABLE = "mailinator.com"

THROW_AWAY = f"{DISPOSABLE} gives out throw-away addresses"
ROLE = "The e-mail address belongs to a role, not a person"
IMPOSSIBLE = "The phone number is not a possible one"
CRAWLER = "Not a browser: the user agent names a crawler or a program"
IN_NAME = "The name holds a link or markup"
ABROAD = "Phone from AE, address from GB"
UNLISTED = f"Sent from {UNLISTED_ORIGIN}, which is not on the site's list"


def eight(shared: SharedServer, answer: httpx.Response) -> dict[str, Any]:
    """The spec's eight fields; fails unless the columns and the webhook agree."""
    row, body = shared.lead_row(answer), shared.webhook(answer)
    fields = {name: body[name] for name in COLUMNS}
    assert fields == {name: row[column] for name, column in COLUMNS.items()}
    return fields


def match_of(shared: SharedServer, answer: httpx.Response) -> tuple[str, bool]:
    """How the lead was matched and whether engagement is available, in row and webhook alike."""
    row, body = shared.lead_row(answer), shared.webhook(answer)
    assert row["MatchKind"] == body["match_kind"]
    available: bool = body["engagement_available"]
    return row["MatchKind"], available


def points_of(shared: SharedServer, answer: httpx.Response) -> dict[str, int]:
    """Each factor's points, in row and webhook alike."""
    row, body = shared.lead_row(answer), shared.webhook(answer)
    factors = json.loads(row["EngagementFactors"])
    for factor in factors:
        name = f"engagement_{factor['factor']}"
        sent = (body[f"{name}_value"], body[f"{name}_points"])
        assert sent == (factor["value"], factor["points"])
    return {factor["factor"]: factor["points"] for factor in factors}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Iterator[SharedServer]:
    """As that of all HTTP tests, of this file's own: on a file, then on a libSQL server."""
    folder = tmp_path_factory.mktemp("scores") / "data"
    with running_shared(folder, database_url=database_url) as shared:
        yield shared


# --- engagement ---------------------------------------------------------------


def test_lead_of_a_returning_reader_carries_all_eight_fields(
    shared: SharedServer, person: Person
) -> None:
    for visit in ("a", "b"):
        person.visit(f"{person.visitor}-{visit}", seconds=300, scroll=100, clicks=9)
    person.track(
        person.view(age_ms=400_000),
        person.engage(duration_ms=340_900, scroll_percent=70, clicks=4),
        person.view(page="p2", age_ms=30_000),
        person.view(page="p3", age_ms=30_000),
        cf_ipcountry="AE",
    )
    answer = person.tracked_lead()
    assert eight(shared, answer) == {
        "visitor_id": person.visitor,
        "session_id": person.session,
        "engagement_score": 34 + 21 + 4 + 10,
        "engagement_label": "Hot",
        "pages_visited": 3,
        "session_duration_seconds": 340,
        "return_visits": 2,
        "vpn_suspected": 1,
    }
    expected = {"duration": 34, "scroll_depth": 21, "clicks": 4, "return_visits": 10}
    assert points_of(shared, answer) == expected
    assert match_of(shared, answer) == ("visitor_id", True)


@pytest.mark.parametrize(
    ("read", "visits", "score"),
    [
        ({"seconds": 0, "scroll": 0, "clicks": 0}, 1, 0),
        ({"seconds": 9, "scroll": 3, "clicks": 0}, 1, 0),
        ({"seconds": 10, "scroll": 4, "clicks": 1}, 1, 3),
        ({"seconds": 350, "scroll": 100, "clicks": 20}, 4, 100),
        ({"seconds": 3_600, "scroll": 100, "clicks": 500}, 9, 100),
        ({"seconds": 349, "scroll": 99, "clicks": 19}, 3, 34 + 29 + 19 + 10),
    ],
)
def test_engagement_by_its_factors_is_floored_and_capped(
    shared: SharedServer, person: Person, read: dict[str, Any], visits: int, score: int
) -> None:
    for number in range(visits - 1):
        person.visit(f"{person.visitor}-{number}")
    person.visit(**read)
    assert eight(shared, person.tracked_lead())["engagement_score"] == score


COLD = ("Cold", "Bounced or bot — low priority")
WARM = ("Warm", "Browsed briefly — follow up within 24h")
HOT = ("Hot", "Read the page, looked at details — call within 2h")
VERY_HOT = ("Very Hot", "Deep engagement + return visits — call immediately")


@pytest.mark.parametrize(
    ("read", "score", "label"),
    [
        ({"seconds": 200, "clicks": 0}, 20, COLD),
        ({"seconds": 200, "clicks": 1}, 21, WARM),
        ({"seconds": 350, "clicks": 10}, 45, WARM),
        ({"seconds": 350, "clicks": 11}, 46, HOT),
        ({"seconds": 350, "scroll": 100, "clicks": 5}, 70, HOT),
        ({"seconds": 350, "scroll": 100, "clicks": 6}, 71, VERY_HOT),
    ],
)
def test_label_at_each_boundary_is_the_specs_with_its_action(
    shared: SharedServer, person: Person, read: dict[str, Any], score: int, label: tuple[str, str]
) -> None:
    person.visit(**read)
    answer = person.tracked_lead()
    row, body = shared.lead_row(answer), shared.webhook(answer)
    assert eight(shared, answer)["engagement_score"] == score
    assert (row["EngagementLabel"], row["RecommendedAction"]) == label
    assert (body["engagement_label"], body["recommended_action"]) == label


def test_engagement_of_a_visitor_with_several_sessions_is_the_most_recents(
    shared: SharedServer, person: Person
) -> None:
    person.visit("old", seconds=300, scroll=100, clicks=20)
    person.visit(f"{person.visitor}-new", clicks=2)
    fields = eight(shared, person.tracked_lead())
    assert fields["session_id"] == f"{person.visitor}-new"
    assert fields["engagement_score"] == 2 + 5


def test_engagement_on_a_page_too_short_to_scroll_earns_no_points_for_depth(
    shared: SharedServer, person: Person
) -> None:
    person.track(person.view(scroll_percent=100, scrollable=False))
    assert points_of(shared, person.tracked_lead())["scroll_depth"] == 0


def test_return_visits_by_a_bot_with_the_same_visitor_id_are_not_counted(
    shared: SharedServer, person: Person
) -> None:
    bots = {"user_agent": CRAWLER_AGENT}
    person.track(person.view("crawl"), **bots)
    person.track(person.view())
    assert eight(shared, person.tracked_lead())["return_visits"] == 0


def test_engagement_of_a_bots_session_is_left_out(shared: SharedServer, person: Person) -> None:
    sent = person.view(age_ms=300_000, duration_ms=300_000, clicks=20)
    person.track(sent, user_agent=CRAWLER_AGENT)
    answer = person.tracked_lead()
    assert eight(shared, answer) == {"visitor_id": person.visitor, **NOTHING}
    assert match_of(shared, answer) == ("none", False)
    assert set(signals_of(shared, answer)) == {NO_SESSION, "automation"}


# --- graceful degradation -----------------------------------------------------


def test_lead_without_a_visitor_id_is_cold_even_where_its_address_has_a_session(
    shared: SharedServer, person: Person
) -> None:
    person.visit(seconds=300, clicks=9)
    answer = person.lead()
    assert eight(shared, answer) == {"visitor_id": None, **NOTHING}
    assert match_of(shared, answer) == ("none", False)
    assert points_of(shared, answer) == {}


@pytest.mark.parametrize("visitor", ["", "a b", "x" * 129, "ä", None])
def test_lead_with_an_empty_or_malformed_visitor_id_has_no_fallback(
    shared: SharedServer, person: Person, visitor: str | None
) -> None:
    person.visit(seconds=300)
    answer = person.lead({"__visitor_id": visitor})
    assert eight(shared, answer) == {"visitor_id": None, **NOTHING}


@pytest.mark.parametrize("source", ["Facebook", "WhatsApp", "JustLead"])
def test_lead_of_a_partner_is_cold_and_not_available_even_at_a_known_address(
    shared: SharedServer, person: Person, source: str
) -> None:
    person.visit(seconds=300)
    answer = person.lead({"SOURCE": source}, key=shared.keys.write)
    assert eight(shared, answer) == {"visitor_id": None, **NOTHING}
    assert match_of(shared, answer) == ("none", False)
    assert shared.webhook(answer)["lead_source"] == source
    assert signals_of(shared, answer)[NO_SESSION][0] == 15


def test_lead_with_a_visitor_id_that_has_no_session_falls_back_to_the_address(
    shared: SharedServer, person: Person
) -> None:
    person.visit(f"{person.visitor}-a", seconds=100)
    person.visit(seconds=300, clicks=9)
    answer = person.lead({"__visitor_id": f"{person.visitor}-phone"})
    fields = eight(shared, answer)
    assert fields["visitor_id"] == f"{person.visitor}-phone"
    assert fields["session_id"] == person.session
    assert (fields["engagement_score"], fields["return_visits"]) == (30 + 9 + 5, 1)
    assert match_of(shared, answer) == ("ip", True)
    assert NO_SESSION not in signals_of(shared, answer)


def test_lead_of_a_visitor_with_a_session_never_takes_the_addresss(
    shared: SharedServer, person: Person
) -> None:
    person.visit(clicks=1)
    neighbour = Person(shared)
    neighbour.ip = person.ip
    neighbour.visit(seconds=300, clicks=20)
    answer = person.tracked_lead()
    assert eight(shared, answer)["engagement_score"] == 1
    assert match_of(shared, answer) == ("visitor_id", True)


def test_fallback_by_address_never_takes_another_clients_session(
    shared: SharedServer, person: Person
) -> None:
    person.visit(seconds=300, site=OTHER_SITE)
    answer = person.lead({"__visitor_id": f"{person.visitor}-phone"})
    assert eight(shared, answer)["engagement_score"] == 0
    assert match_of(shared, answer) == ("none", False)


def test_look_up_by_visitor_id_never_takes_another_clients_session(
    shared: SharedServer, person: Person
) -> None:
    person.visit(seconds=300, site=OTHER_SITE)
    ours = person.tracked_lead(x_forwarded_for=Person(shared).ip)
    theirs = person.tracked_lead({"__site": OTHER_SITE})
    assert match_of(shared, ours) == ("none", False)
    assert match_of(shared, theirs) == ("visitor_id", True)


def test_fallback_by_address_never_takes_a_bots_session(
    shared: SharedServer, person: Person
) -> None:
    person.track(person.view(clicks=9), user_agent=CRAWLER_AGENT)
    answer = person.lead({"__visitor_id": f"{person.visitor}-phone"})
    assert match_of(shared, answer) == ("none", False)


def test_fallback_by_address_when_nothing_is_found_leaves_the_lead_cold(
    shared: SharedServer, person: Person
) -> None:
    answer = person.tracked_lead()
    assert eight(shared, answer) == {"visitor_id": person.visitor, **NOTHING}
    assert match_of(shared, answer) == ("none", False)
    assert signals_of(shared, answer)[NO_SESSION][0] == 15


def test_action_for_a_lead_without_engagement_is_not_the_one_for_cold(
    shared: SharedServer, person: Person
) -> None:
    action = shared.webhook(person.lead())["recommended_action"]
    assert action == "No tracked visit — judge by the enquiry itself"


# --- the page's state sent with the lead --------------------------------------


def test_page_state_when_newer_than_the_beacons_wins(shared: SharedServer, person: Person) -> None:
    person.track(person.view(age_ms=200_000), person.engage(duration_ms=20_000, clicks=1))
    state = person.page_state(duration_ms=150_000, scroll_percent=50, clicks=4)
    fields = eight(shared, person.tracked_lead({"__pg_state": state}))
    assert fields["engagement_score"] == 15 + 15 + 4
    assert (fields["pages_visited"], fields["session_duration_seconds"]) == (1, 150)


def test_page_state_as_an_object_in_json_is_read(shared: SharedServer, person: Person) -> None:
    person.track(person.view())
    state = json.loads(person.page_state(clicks=4))
    assert eight(shared, person.tracked_lead({"__pg_state": state}))["engagement_score"] == 4


def test_page_state_when_applied_is_stored_with_the_session(person: Person) -> None:
    person.track(person.view(age_ms=200_000))
    person.tracked_lead({"__pg_state": person.page_state(duration_ms=150_000, clicks=4)})
    row = person.session_row()
    assert (row["duration_seconds"], row["clicks"]) == (150, 4)


def test_page_state_when_sent_again_counts_once(shared: SharedServer, person: Person) -> None:
    person.track(
        person.view(age_ms=200_000), person.view(page="p2", duration_ms=10_000, age_ms=10_000)
    )
    state = person.page_state(duration_ms=150_000, clicks=4)
    scores = [
        eight(shared, person.tracked_lead({"__pg_state": state}))["engagement_score"]
        for _ in range(3)
    ]
    assert scores == [16 + 4] * 3
    assert person.session_row()["duration_seconds"] == 160


@pytest.mark.parametrize("seq", [5, 30])
def test_page_state_when_beacons_lag_behind_it_is_not_undone(person: Person, seq: int) -> None:
    person.track(person.view(age_ms=200_000))
    person.tracked_lead({"__pg_state": person.page_state(seq=9, duration_ms=150_000, clicks=4)})
    person.track(person.engage(seq=seq, duration_ms=20_000, clicks=1))
    row = person.session_row()
    assert (row["duration_seconds"], row["clicks"]) == (150, 4)


def test_page_state_when_older_than_the_beacons_lowers_nothing(
    shared: SharedServer, person: Person
) -> None:
    person.track(person.view(age_ms=200_000), person.engage(seq=20, duration_ms=90_000, clicks=6))
    state = person.page_state(seq=3, duration_ms=10_000, clicks=1)
    assert eight(shared, person.tracked_lead({"__pg_state": state}))["engagement_score"] == 9 + 6


def test_page_state_when_longer_than_the_view_has_been_open_is_clamped(
    shared: SharedServer, person: Person
) -> None:
    person.track(person.view(age_ms=60_000))
    state = person.page_state(duration_ms=86_000_000)
    duration = eight(shared, person.tracked_lead({"__pg_state": state}))
    assert 60 <= duration["session_duration_seconds"] < 90
    assert person.session_row()["duration_seconds"] == duration["session_duration_seconds"]


def test_page_state_when_the_view_never_arrived_opens_the_session(
    shared: SharedServer, person: Person
) -> None:
    state = json.dumps(person.view(age_ms=90_000, duration_ms=80_000, clicks=2))
    answer = person.tracked_lead({"__pg_state": state}, cf_ipcountry="AE")
    fields = eight(shared, answer)
    assert fields == {
        "visitor_id": person.visitor,
        "session_id": person.session,
        "engagement_score": 8 + 2,
        "engagement_label": "Cold",
        "pages_visited": 1,
        "session_duration_seconds": 80,
        "return_visits": 0,
        "vpn_suspected": 1,
    }
    assert match_of(shared, answer) == ("visitor_id", True)
    row = person.session_row()
    assert (row["duration_seconds"], row["clicks"], row["pages_visited"]) == (80, 2, 1)
    assert person.fingerprint_row()["visit_count"] == 1


def test_page_state_when_it_opens_a_later_session_counts_the_return(
    shared: SharedServer, person: Person
) -> None:
    person.visit(f"{person.visitor}-before")
    answer = person.tracked_lead({"__pg_state": json.dumps(person.view(clicks=2))})
    fields = eight(shared, answer)
    assert (fields["session_id"], fields["return_visits"]) == (person.session, 1)
    assert person.fingerprint_row()["visit_count"] == 2


def test_page_state_when_the_view_arrives_after_it_counts_it_once(person: Person) -> None:
    person.tracked_lead({"__pg_state": json.dumps(person.view(seq=4, clicks=2))})
    person.track(person.view(), person.engage(seq=3, clicks=2))
    row = person.session_row()
    assert (row["pages_visited"], row["clicks"]) == (1, 2)
    assert person.fingerprint_row()["visit_count"] == 1


def test_page_state_of_another_page_of_the_session_adds_to_it(
    shared: SharedServer, person: Person
) -> None:
    person.visit(seconds=100, clicks=1)
    state = json.dumps(person.view(page="p2", age_ms=60_000, duration_ms=50_000, clicks=2))
    fields = eight(shared, person.tracked_lead({"__pg_state": state}))
    assert (fields["pages_visited"], fields["session_duration_seconds"]) == (2, 150)
    assert fields["engagement_score"] == 15 + 3


@pytest.mark.parametrize(
    "state",
    [
        "{",
        "[]",
        "{}",
        "null",
        "not json",
        '{"visitor_id":"VISITOR","session_id":"a b","page_view_id":"p1","type":"engage"}',
        '{"visitor_id":"VISITOR","session_id":"SESSION","page_view_id":"p1","type":"x"}',
        '{"visitor_id":"else","session_id":"SESSION","page_view_id":"p1","type":"view","clicks":9}',
        "[" * 10_000,
    ],
)
def test_page_state_when_malformed_or_another_visitors_is_ignored(
    shared: SharedServer, person: Person, state: str
) -> None:
    person.visit(clicks=3)
    state = state.replace("VISITOR", person.visitor).replace("SESSION", person.session)
    assert eight(shared, person.tracked_lead({"__pg_state": state}))["engagement_score"] == 3
    assert person.session_row()["clicks"] == 3


def test_page_state_without_a_visitor_id_is_ignored(shared: SharedServer, person: Person) -> None:
    answer = person.lead({"__pg_state": json.dumps(person.view(clicks=9))})
    assert eight(shared, answer) == {"visitor_id": None, **NOTHING}
    assert person.page_rows() == []


def test_page_state_of_a_bot_is_stored_and_left_out_of_scoring(
    shared: SharedServer, person: Person
) -> None:
    state = json.dumps(person.view(clicks=9))
    answer = person.tracked_lead({"__pg_state": state}, user_agent=CRAWLER_AGENT)
    assert match_of(shared, answer) == ("none", False)
    assert person.session_row()["is_bot"] == 1


def test_page_state_when_the_lead_is_refused_leaves_no_trace(
    shared: SharedServer, person: Person
) -> None:
    before = shared.stored()
    fields = {"email": "", "__pg_state": json.dumps(person.view(clicks=9))}
    assert person.tracked_lead(fields).status_code == 422
    assert shared.stored() == before


# --- suspicion ----------------------------------------------------------------


def test_suspicion_of_an_ordinary_lead_is_nothing(shared: SharedServer, person: Person) -> None:
    person.visit(seconds=60)
    fields = {"name": "Ana Example", "phone": person.phone, "message": f"I am {person.visitor}"}
    answer = person.tracked_lead({**fields, "timeToSubmit": 42_000}, cf_ipcountry="GB")
    assert signals_of(shared, answer) == {}


@pytest.mark.parametrize(
    ("fields", "headers", "found"),
    [
        ({"honeypot": "x"}, {}, ("honeypot", 60, "The hidden trap field was filled in")),
        ({"timeToSubmit": 0}, {}, ("time_to_submit", 30, "Submitted after 0.0 s")),
        ({"timeToSubmit": "1940"}, {}, ("time_to_submit", 30, "Submitted after 1.9 s")),
        ({"timeToSubmit": 2_000}, {}, ("time_to_submit", 10, "Submitted after 2.0 s")),
        ({"timeToSubmit": 4_940}, {}, ("time_to_submit", 10, "Submitted after 4.9 s")),
        ({"email": "nobody"}, {}, ("email_domain", 20, "The e-mail address is not valid")),
        ({"email": f"x@{DISPOSABLE}"}, {}, ("email_domain", 40, THROW_AWAY)),
        ({"email": "info@role.example.com"}, {}, ("email_domain", 5, ROLE)),
        ({"phone": "+44 1"}, {}, ("phone", 15, IMPOSSIBLE)),
        ({"phone": "ring the bell"}, {}, ("phone", 15, IMPOSSIBLE)),
        ({}, {"user_agent": CRAWLER_AGENT}, ("automation", 40, CRAWLER)),
        ({"message": "see www.x.example"}, {}, ("links", 15, "The message holds 1 link")),
        ({"message": "http://a.example b.com"}, {}, ("links", 15, "The message holds 2 links")),
        ({"message": "www.a.b b.com c.net"}, {}, ("links", 30, "The message holds 3 links")),
        ({"name": "http://a.example"}, {}, ("links", 40, IN_NAME)),
        ({"last_name": "<b>Ana</b>"}, {}, ("links", 40, IN_NAME)),
        ({"phone": "+971 50 123 4567"}, {"cf_ipcountry": "GB"}, ("country_mismatch", 5, ABROAD)),
        ({"__site": LISTED_SITE}, {"origin": UNLISTED_ORIGIN}, ("origin", 10, UNLISTED)),
    ],
)
def test_signal_when_it_fires_adds_its_points_and_reason(
    shared: SharedServer,
    person: Person,
    fields: dict[str, Any],
    headers: dict[str, str],
    found: tuple[str, int, str],
) -> None:
    person.visit(site=fields.get("__site", "demo"))
    signal, points, reason = found
    answer = person.tracked_lead(fields, **headers)
    assert signals_of(shared, answer) == {signal: (points, reason)}


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({"timeToSubmit": 5_000}, {}),
        ({"timeToSubmit": "soon"}, {}),
        ({"honeypot": "  "}, {}),
        ({"phone": "020 7946 0124"}, {}),
        ({"message": "Mail me at ana@example.com"}, {}),
        ({"phone": "+44 20 7946 0125"}, {"cf_ipcountry": "GB"}),
        ({"phone": "+971 50 123 4568"}, {}),
        ({"__site": LISTED_SITE}, {"origin": LISTED_ORIGIN}),
        ({"email": "ana.example@gmail.com"}, {}),
    ],
)
def test_signal_when_there_is_no_cause_stays_silent(
    shared: SharedServer, person: Person, fields: dict[str, Any], headers: dict[str, str]
) -> None:
    person.visit(site=fields.get("__site", "demo"))
    assert signals_of(shared, person.tracked_lead(fields, **headers)) == {}


def test_signal_for_a_missing_session_is_15_points(shared: SharedServer, person: Person) -> None:
    reason = "No tracked visit belongs to this lead"
    assert signals_of(shared, person.lead()) == {NO_SESSION: (15, reason)}


def test_signal_for_a_vpn_tells_zone_and_country(shared: SharedServer, person: Person) -> None:
    person.visit(timezone="Asia/Dubai", headers={"cf_ipcountry": "GB"})
    points, reason = signals_of(shared, person.tracked_lead())["vpn"]
    assert points == 15
    assert reason.startswith("VPN suspected: browser time zone Asia/Dubai belongs to ")
    assert reason.endswith(", address to GB")


def test_signal_for_a_vpn_when_the_database_knows_the_country_fires(
    shared: SharedServer, person: Person
) -> None:
    person.visit(timezone="Asia/Dubai", headers={"x_forwarded_for": "81.2.69.142"})
    answer = person.tracked_lead()
    assert signals_of(shared, answer)["vpn"][0] == 15
    assert eight(shared, answer)["vpn_suspected"] == 1


def test_signal_for_time_to_submit_is_bounded_by_the_page_views_age(
    shared: SharedServer, person: Person
) -> None:
    person.track(person.view(age_ms=0))
    fields = {"timeToSubmit": 60_000, "__pg_state": person.page_state()}
    signals = signals_of(shared, person.tracked_lead(fields))
    assert set(signals) == {"time_to_submit"}


@pytest.mark.parametrize(
    ("contacts", "points"),
    [
        (["email"], [0, 10, 20, 30, 30]),
        (["phone"], [0, 10, 20, 30, 30]),
        (["email", "phone"], [0, 0, 10, 10, 20]),
        (["email", "phone", "both"], [0, 0, 20, 20, 20]),
    ],
)
def test_signal_for_duplicates_adds_10_points_each_up_to_30(
    shared: SharedServer, person: Person, contacts: list[str], points: list[int]
) -> None:
    person.visit()
    fields = {"email": {}, "phone": {"email": "", "phone": person.phone}}
    fields["both"] = {"phone": person.phone.replace(" ", "-")}
    answers = [person.tracked_lead(fields[contacts[n % len(contacts)]]) for n in range(5)]
    found = [signals_of(shared, answer).get("duplicates", (0, ""))[0] for answer in answers]
    assert found == points


def test_signal_for_duplicates_counts_one_day_and_one_client(
    shared: SharedServer, person: Person
) -> None:
    person.lead({"__site": OTHER_SITE})
    assert "duplicates" not in signals_of(shared, person.lead())
    day_ago = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-1 day', '-1 minute')"
    shared.execute(f"UPDATE Leads SET CreatedAt = {day_ago} WHERE Email = ?", (person.email,))
    assert "duplicates" not in signals_of(shared, person.lead())
    assert signals_of(shared, person.lead())["duplicates"] == (
        10,
        "The same e-mail or phone came 1 time before in 24 h",
    )


def test_signal_for_a_repeated_message_fires_for_another_contact_only(
    shared: SharedServer, person: Person
) -> None:
    message = f"Hello from {person.visitor}, call me"
    other = Person(shared)
    assert "repeated_message" not in signals_of(shared, person.lead({"message": message}))
    assert "repeated_message" not in signals_of(shared, person.lead({"message": message}))
    signals = signals_of(shared, other.lead({"message": f"  {message.upper()} "}))
    assert signals["repeated_message"] == (20, "2 other contacts sent the same message in 24 h")


def test_signal_for_velocity_fires_from_the_sixth_lead_of_an_address(
    shared: SharedServer, person: Person
) -> None:
    fired = [
        signals_of(shared, person.lead({"email": f"{n}-{person.email}"})).get("velocity")
        for n in range(7)
    ]
    assert fired[:5] == [None] * 5
    assert fired[5:] == [
        (20, "6 leads from this address in 5 min"),
        (20, "7 leads from this address in 5 min"),
    ]


def test_signal_for_automation_fires_for_a_driven_browser(
    shared: SharedServer, person: Person
) -> None:
    person.visit(automation=True)
    reason = "The browser was driven by a program"
    assert signals_of(shared, person.tracked_lead()) == {"automation": (40, reason)}


def test_suspicion_when_signals_add_up_beyond_100_is_capped(
    shared: SharedServer, person: Person
) -> None:
    fields = {"honeypot": "x", "timeToSubmit": 1, "name": "<a>", "phone": person.visitor}
    answer = person.lead({**fields, "email": f"x@{DISPOSABLE}"}, user_agent=CRAWLER_AGENT)
    signals = signals_of(shared, answer)
    assert sum(points for points, _reason in signals.values()) > 100
    assert shared.lead_row(answer)["SuspicionScore"] == 100
    assert shared.lead_row(answer)["SuspicionLabel"] == "High"


def test_suspicion_of_a_partners_lead_is_computed_from_what_it_sends(
    shared: SharedServer, person: Person
) -> None:
    fields = {"SOURCE": "Facebook", "honeypot": "x", "timeToSubmit": 1_000}
    contact = {"phone": person.visitor, "email": f"{person.visitor}@{DISPOSABLE}"}
    sent = {**fields, **contact}
    answer = person.lead(sent, key=shared.keys.write)
    signals = signals_of(shared, answer)
    assert {name: points for name, (points, _reason) in signals.items()} == {
        "honeypot": 60,
        "time_to_submit": 30,
        NO_SESSION: 15,
        "email_domain": 40,
        "phone": 15,
    }


@pytest.mark.parametrize(
    "headers",
    [{"user_agent": "python-requests/2.32"}, {"cf_ipcountry": "US"}, {"origin": UNLISTED_ORIGIN}],
)
def test_suspicion_of_a_partners_lead_leaves_its_servers_connection_out(
    shared: SharedServer, person: Person, headers: Mapping[str, str]
) -> None:
    fields = {"SOURCE": "Facebook", "phone": person.phone}
    answers = [person.lead({"SOURCE": "x", "email": f"{n}{person.email}"}) for n in range(5)]
    answers.append(person.lead(fields, **headers))
    assert set(signals_of(shared, answers[-1])) == {NO_SESSION}


@pytest.mark.parametrize(
    ("send", "label"),
    [
        (lambda person: person.tracked_lead({"timeToSubmit": 3_000}), "Low"),
        (lambda person: person.tracked_lead({"timeToSubmit": 1_000}), "Medium"),
        (lambda person: person.tracked_lead({"honeypot": "x"}), "High"),
    ],
)
def test_suspicion_label_by_score_is_low_medium_or_high(
    shared: SharedServer, person: Person, send: Callable[[Person], httpx.Response], label: str
) -> None:
    person.visit()
    assert shared.lead_row(send(person))["SuspicionLabel"] == label
