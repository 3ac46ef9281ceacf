import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.domain.conversion import (
    MAX_EVENT_ID_CHARS,
    ActionSource,
    ConversionEvent,
    UserData,
    click_id_from,
    click_id_of,
    event_id_of,
    is_meta_cookie,
    is_too_old,
    seconds_early,
)

NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
CLICKED = datetime(2019, 1, 4, 23, 14, 4, 978_000, tzinfo=UTC)
FBCLID = "IwAR2F4-dbP0l7Mn1IawQQGCINEz7PYXQvwjNwB_qa2ofrHyiLjcbCRxTDMgk"
"""Of Meta's page on fbc."""

any_text = st.text(st.characters(exclude_categories=()), max_size=200)
bounded = settings(max_examples=200, deadline=None)


def test_action_sources_are_metas() -> None:
    assert [source.value for source in ActionSource] == [
        "website",
        "email",
        "app",
        "phone_call",
        "chat",
        "physical_store",
        "system_generated",
        "business_messaging",
        "other",
    ]


def test_repr_of_an_event_tells_nothing_of_the_person() -> None:
    user = UserData(email="ana@example.com", phone="+44 20 7946 0123")
    event = ConversionEvent("Lead", "lead:f:t", NOON, ActionSource.WEBSITE, user=user)
    assert "ana" not in repr(event)
    assert "7946" not in repr(event)


# ---- event ids


def test_event_id_with_a_token_is_readable() -> None:
    assert event_id_of("Lead", "XyZ123", token="a-B_9") == "lead:XyZ123:a-B_9"


def test_event_id_of_another_event_name_is_another() -> None:
    lead = event_id_of("Lead", "form", token="token")
    assert event_id_of("SubmitApplication", "form", token="token") != lead


def test_event_id_with_both_goes_by_the_token() -> None:
    by_token = event_id_of("Lead", "form", token="token")
    assert event_id_of("Lead", "form", token="token", email="ana@example.com") == by_token


def test_event_id_by_email_hashes_it() -> None:
    made = event_id_of("Lead", "form", email="ana@example.com")
    # Of the text ["lead", "form", "ana@example.com"].
    assert made == "lead:0229bff4c7b906df9d7d01d60f909b5dfab600737cce1e3c57d7933884e2cfc4"


def test_event_id_by_email_is_the_same_however_it_is_typed() -> None:
    typed = event_id_of("Lead", "form", email=" Ana@Example.com ")
    assert typed == event_id_of("Lead", "form", email="ana@example.com")


def test_event_id_by_token_minds_its_case() -> None:
    assert event_id_of("Lead", "form", token="Aa:") != event_id_of("Lead", "form", token="aa:")


def test_event_id_of_exactly_100_characters_stays_readable() -> None:
    token = "t" * (MAX_EVENT_ID_CHARS - len("lead:form:"))
    assert event_id_of("Lead", "form", token=token) == f"lead:form:{token}"
    assert len(event_id_of("Lead", "form", token=token + "t")) == len("lead:") + 64


def test_event_id_with_a_colon_in_a_part_is_told_from_another_division() -> None:
    assert event_id_of("Lead", "a:b", token="c") != event_id_of("Lead", "a", token="b:c")


def test_event_id_without_token_and_email_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a token or an e-mail address"):
        event_id_of("Lead", "form", email="  ")


@bounded
@given(name=any_text, form_id=any_text, token=any_text.filter(bool))
def test_event_id_of_any_text_is_short_safe_and_the_same_again(
    name: str, form_id: str, token: str
) -> None:
    made = event_id_of(name, form_id, token=token)
    assert made == event_id_of(name, form_id, token=token)
    assert len(made) <= MAX_EVENT_ID_CHARS
    assert re.fullmatch(r"[A-Za-z0-9_:-]+", made)


# ---- ages


@pytest.mark.parametrize(
    ("source", "days"),
    [(source, 62 if source is ActionSource.PHYSICAL_STORE else 7) for source in ActionSource],
)
def test_event_is_too_old_only_after_its_days(source: ActionSource, days: int) -> None:
    limit = NOON - timedelta(days=days)
    assert not is_too_old(limit, source, NOON)
    assert is_too_old(limit - timedelta(seconds=1), source, NOON)


@pytest.mark.parametrize(
    ("ahead_seconds", "early_seconds"), [(-5, 0), (0, 0), (60, 0), (61, 1), (3_660, 3_600)]
)
def test_event_of_the_future_is_early_by_what_exceeds_a_minute(
    ahead_seconds: int, early_seconds: int
) -> None:
    assert seconds_early(NOON + timedelta(seconds=ahead_seconds), NOON) == early_seconds


# ---- click ids


def test_click_id_is_made_of_the_click_and_its_time() -> None:
    assert click_id_from(FBCLID, CLICKED) == f"fb.1.1546643644978.{FBCLID}"


@pytest.mark.parametrize(
    "fbclid", ["", "with space", "dotted.id", "percent%20", "newline\n", "é", "٣", "\ud800"]
)
def test_click_id_from_what_meta_never_made_is_none(fbclid: str) -> None:
    assert click_id_from(fbclid, CLICKED) == ""


@pytest.mark.parametrize(
    "cookie",
    [
        f"fb.1.1554763741205.{FBCLID}",
        f"fb.0.1554763741205.{FBCLID}.AQYBAQIA",
        "fb.2.1596403881668.1116446470",
    ],
)
def test_cookie_of_metas_form_is_kept_as_it_is(cookie: str) -> None:
    assert is_meta_cookie(cookie)
    assert click_id_of(cookie, "another", CLICKED) == cookie


@pytest.mark.parametrize(
    "cookie",
    [
        "",
        FBCLID,
        "fb.1.1554763741205",
        "fb.1.1554763741205.",
        "fb.1.1554763741205.a.b.c",
        "fb.x.1554763741205.a",
        "fb.1.soon.a",
        "FB.1.1554763741205.a",
        "ga.1.1554763741205.a",
        "fb.1.1554763741205.a b",
        "fb.1.1554763741205.a\n",
        "fb.1.١٢.a",
        "fb.1.1554763741205.é",
    ],
)
def test_cookie_of_another_form_gives_way_to_the_click(cookie: str) -> None:
    assert not is_meta_cookie(cookie)
    assert click_id_of(cookie, "click", CLICKED) == "fb.1.1546643644978.click"
    assert click_id_of(cookie, "", CLICKED) == ""


@bounded
@given(any_text)
def test_click_id_of_any_text_is_empty_or_of_metas_form(text: str) -> None:
    made = click_id_of(text, text, CLICKED)
    assert made == "" or is_meta_cookie(made)
