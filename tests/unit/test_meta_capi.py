"""The event as it is stored for Meta."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.destinations.meta_capi import MetaTarget, body_of
from server.domain.conversion import ActionSource, ConversionEvent, UserData

TIME = datetime(2026, 11, 22, 10, 20, 30, 987_654, tzinfo=UTC)
URL = "https://www.example.com/prices/"
ANA = UserData(
    email="ana@example.com",
    phone="+44 20 7946 0123",
    first_name="Ana",
    last_name="Example",
    client_ip="203.0.113.7",
    client_user_agent="Mozilla/5.0",
)

any_text = st.text(st.characters(exclude_categories=()), max_size=60)
bounded = settings(max_examples=200, deadline=None)


def event(
    *,
    name: str = "Lead",
    url: str = URL,
    time: datetime = TIME,
    source: ActionSource = ActionSource.WEBSITE,
    user: UserData = ANA,
) -> ConversionEvent:
    return ConversionEvent(name, "lead:form:token", time, source, url, user)


def fields_of(made: ConversionEvent) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(body_of(made))
    return fields


def test_body_of_an_event_has_metas_fields_and_no_custom_data() -> None:
    fields = fields_of(event())
    assert list(fields.pop("user_data")) == [
        "em",
        "ph",
        "fn",
        "ln",
        "client_ip_address",
        "client_user_agent",
    ]
    assert fields == {
        "event_name": "Lead",
        "event_time": 1795342830,
        "event_id": "lead:form:token",
        "action_source": "website",
        "event_source_url": URL,
    }


def test_body_of_an_event_holds_no_person_in_clear() -> None:
    body = body_of(event()).lower()
    assert not [text for text in ("ana", 'example.com"', "7946", "phone") if text in body]


def test_body_of_an_event_is_compact() -> None:
    assert ": " not in body_of(event())
    assert ", " not in body_of(event())


def test_event_time_is_the_moment_whatever_its_zone() -> None:
    in_dubai = TIME.astimezone(timezone(timedelta(hours=4)))
    assert fields_of(event(time=in_dubai))["event_time"] == 1795342830


@pytest.mark.parametrize("source", list(ActionSource))
def test_action_source_is_sent_by_metas_name(source: ActionSource) -> None:
    assert fields_of(event(source=source))["action_source"] == source.value


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("http://example.com", "http://example.com"),
        (f"{URL}?email=ana@example.com&fbclid=x#top", URL),
        ("", None),
        ("www.example.com", None),
        ("javascript:alert(1)", None),
        ("https://[broken", None),
    ],
)
def test_event_source_url_is_an_address_without_query_or_left_out(
    url: str, sent: str | None
) -> None:
    assert fields_of(event(url=url)).get("event_source_url") == sent


@bounded
@given(name=any_text, url=any_text, email=any_text)
def test_body_of_any_text_can_be_stored_and_sent(name: str, url: str, email: str) -> None:
    made = event(name=name, url=f"https://{url}", user=UserData(email=email))
    assert body_of(made).isascii()


def test_repr_of_a_target_tells_no_secret() -> None:
    target = MetaTarget("123", "EAAB-token", app_secret="app-secret")
    assert "EAAB" not in repr(target)
    assert "app-secret" not in repr(target)
