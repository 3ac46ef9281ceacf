"""Consent: what a visitor answered is stored, and a refusal is honoured wherever leads go."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.http_fixtures import Person, SharedServer, dropped

TRACKED_URL = "https://www.example.com/residences?utm_source=google&gclid=g-1#plans"


def test_session_when_consent_was_granted_keeps_that(person: Person) -> None:
    person.track(person.view(consent=True))
    assert person.session_row()["consent"] == 1


def test_session_when_nobody_asked_has_no_consent(person: Person) -> None:
    person.track(person.view())
    assert person.session_row()["consent"] is None


def test_session_when_consent_comes_later_keeps_it(person: Person) -> None:
    person.track(person.view())
    person.track(person.engage(consent=True))
    assert person.session_row()["consent"] == 1


def test_consent_when_withdrawn_ends_it_for_every_session_of_the_visitor(person: Person) -> None:
    person.track(person.view(session=f"{person.visitor}-s0", consent=True))
    person.track(person.view(consent=True))
    assert dropped(person.track(person.engage(clicks=5, consent=False))) == {"no_consent": 1}
    assert person.session_row()["consent"] == 0
    assert person.session_row(f"{person.visitor}-s0")["consent"] == 0
    assert person.session_row()["clicks"] == 0


def test_consent_when_withdrawn_is_not_given_again_by_a_late_beacon(person: Person) -> None:
    person.track(person.view(consent=True))
    person.track(person.engage(consent=False))
    person.track(person.view(consent=True), person.engage(seq=9, consent=True))
    assert person.session_row()["consent"] == 0


def test_consent_when_withdrawn_leaves_other_visitors_alone(
    shared: SharedServer, person: Person
) -> None:
    other = Person(shared)
    other.track(other.view(consent=True))
    person.track(person.view(consent=True))
    person.track(person.engage(consent=False))
    assert other.session_row()["consent"] == 1


def test_view_when_consent_is_refused_creates_nothing(shared: SharedServer, person: Person) -> None:
    before = shared.stored()
    sent = person.track(person.view(consent=False), person.event(consent=False))
    assert dropped(sent) == {"no_consent": 2}
    assert shared.stored() == before


def assert_untracked(shared: SharedServer, answer: Any) -> None:
    """The lead is whole as an enquiry, and says nothing of a visit, in store and webhook."""
    row, body = shared.lead_row(answer), shared.webhook(answer)
    assert row["Consent"] == 0
    assert body["consent"] is False
    assert row["Email"] == body["email"]
    assert [row[name] for name in ("VisitorId", "SessionId", "ClickIds")] == [None] * 3
    assert (row["MatchKind"], row["EngagementScore"], row["EngagementLabel"]) == ("none", 0, "Cold")
    assert body["engagement_available"] is False
    for name in ("visitor_id", "session_id", "ip", "user_agent"):
        assert body[name] is None
    assert "gclid" not in body
    assert "?" not in (body["page_url"] or "")


@pytest.mark.parametrize("refusal", ["false", "0", "no", "denied", False])
def test_lead_when_its_form_says_no_consent_is_not_tied_to_the_visit(
    shared: SharedServer, person: Person, refusal: object
) -> None:
    person.visit(seconds=300, scroll=100, url=TRACKED_URL)
    fields = {"__consent": refusal, "page_url": TRACKED_URL, "gclid": "g-1"}
    assert_untracked(shared, person.tracked_lead(fields))


def test_lead_when_the_visitor_withdrew_consent_is_not_tied_to_the_visit(
    shared: SharedServer, person: Person
) -> None:
    person.visit(seconds=300, consent=True)
    person.track(person.engage(consent=False))
    state = person.page_state(duration_ms=200_000)
    answer = person.tracked_lead({"page_url": TRACKED_URL, "__pg_state": state})
    assert_untracked(shared, answer)
    assert person.page_rows()[0]["seq"] == 0


def test_lead_when_the_visitor_of_its_address_withdrew_consent_does_not_fall_back_to_it(
    shared: SharedServer, person: Person
) -> None:
    person.visit(seconds=300, consent=True)
    person.track(person.engage(consent=False))
    row = shared.lead_row(person.lead({"__visitor_id": f"{person.visitor}-new"}))
    assert (row["MatchKind"], row["Consent"]) == ("none", None)


def test_lead_when_the_browser_asks_for_privacy_control_is_not_tied_to_the_visit(
    shared: SharedServer, person: Person
) -> None:
    person.visit(seconds=300)
    answer = person.tracked_lead({"page_url": TRACKED_URL}, sec_gpc="1", referer=TRACKED_URL)
    assert_untracked(shared, answer)


def test_lead_when_its_form_grants_consent_counts_despite_privacy_control(
    shared: SharedServer, person: Person
) -> None:
    person.visit(seconds=300)
    row = shared.lead_row(person.tracked_lead({"__consent": "true"}, sec_gpc="1"))
    assert (row["Consent"], row["MatchKind"]) == (1, "visitor_id")


def test_lead_of_a_partner_whose_connection_asks_for_privacy_control_is_not_concerned(
    shared: SharedServer, person: Person
) -> None:
    row = shared.lead_row(person.lead(key=shared.keys.write, sec_gpc="1"))
    assert row["Consent"] is None


def test_lead_when_consent_was_granted_is_scored(shared: SharedServer, person: Person) -> None:
    person.visit(seconds=300, consent=True)
    answer = person.tracked_lead({"__consent": "true"})
    assert shared.lead_row(answer)["EngagementScore"] == 30
    assert shared.webhook(answer)["ip"] == person.ip


def test_lead_when_refused_consent_is_on_a_plain_form_keeps_no_query_of_its_page(
    shared: SharedServer, person: Person
) -> None:
    answer = person.form({"__consent": "false"}, referer=TRACKED_URL)
    assert answer.status_code == 303
    (row,) = person.lead_rows()
    assert row["PageUrl"] == "https://www.example.com/residences"
    assert shared.stored()["Leads"]
