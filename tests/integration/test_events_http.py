"""Own events of a site: stored with their page view, and never the cause of one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.http_fixtures import Person, SharedServer, dropped, fields_at_fault


def test_event_when_its_page_view_is_stored_is_kept_with_its_props(person: Person) -> None:
    person.track(person.view())
    props = {"plan": "2-bed – Süd", "floor": 7, "sqm": 91.5, "seen": True, "note": None}
    assert dropped(person.track(person.event(name="floor_plan_view", props=props))) == {}
    (row,) = person.event_rows()
    assert (row["name"], row["page_view_id"]) == ("floor_plan_view", "p1")
    assert json.loads(row["props"]) == props


def test_event_when_it_waited_in_an_outbox_keeps_the_time_it_happened(person: Person) -> None:
    person.track(
        person.view(age_ms=90_000), person.event(age_ms=60_000), person.event(event_id="2")
    )
    earlier, later = person.event_rows()
    assert earlier["event_id"] == "e1"
    assert earlier["occurred_at"] < later["occurred_at"]


def test_event_when_it_comes_with_its_view_in_one_request_is_kept(person: Person) -> None:
    assert dropped(person.track(person.view(), person.event())) == {}
    assert len(person.event_rows()) == 1


def test_event_without_its_page_view_creates_nothing(shared: SharedServer, person: Person) -> None:
    before = shared.stored()
    assert dropped(person.track(person.event())) == {"no_page_view": 1}
    assert shared.stored() == before


def test_event_when_sent_again_is_kept_once(person: Person) -> None:
    person.track(person.view(), person.event())
    again = person.track(person.event(), person.event(age_ms=5))
    assert dropped(again) == {"duplicate": 2}
    assert len(person.event_rows()) == 1


def test_event_when_totals_came_before_and_after_it_changes_none(person: Person) -> None:
    person.track(person.view(age_ms=60_000), person.engage(seq=4, clicks=3, duration_ms=20_000))
    person.track(person.event(clicks=99, seq=50))
    assert dropped(person.track(person.engage(seq=5, clicks=4, duration_ms=30_000))) == {}
    (page,) = person.page_rows()
    assert (page["clicks"], page["duration_ms"], page["seq"]) == (4, 30_000, 5)


@pytest.mark.parametrize(
    ("fields", "at_fault"),
    [
        ({"event_id": None}, "event_id"),
        ({"event_id": "a b"}, "event_id"),
        ({"name": ""}, "name"),
        ({"name": "\x00"}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": 3}, "name"),
        ({"props": []}, "props"),
        ({"props": {str(number): 1 for number in range(21)}}, "props"),
        ({"props": {"nested": {"deep": 1}}}, "props"),
        ({"props": {"long": "x" * 501}}, "props"),
        ({"props": {"x" * 65: 1}}, "props"),
    ],
)
def test_event_when_it_cannot_be_kept_is_refused_by_its_field(
    person: Person, fields: dict[str, Any], at_fault: str
) -> None:
    person.track(person.view())
    refused = fields_at_fault(person.track(person.event(**fields)), 422)
    assert any(field.startswith(at_fault) for field in refused), refused
    assert person.event_rows() == []


def test_event_of_a_leads_page_state_is_not_taken_for_totals(
    shared: SharedServer, person: Person
) -> None:
    person.visit(seconds=30)
    row = shared.lead_row(person.tracked_lead({"__pg_state": json.dumps(person.event())}))
    assert row["SessionDuration"] == 30
    assert person.event_rows() == []
