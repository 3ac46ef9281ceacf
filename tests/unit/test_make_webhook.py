"""The body Make.com gets, its signature, and how answers become outcomes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from server.destinations.egress import (
    Answer,
    Egress,
    EgressError,
    PrivateTargetError,
    TargetRefusedError,
)
from server.destinations.make_webhook import (
    LEAD_KEYS,
    MAX_EXCERPT_CHARS,
    NAME,
    SCORE_PREFIXES,
    MakeWebhook,
    WebhookTarget,
    body_of,
    payload,
)
from server.domain.attribution import CLICK_ID_FIELDS, UTM_FIELDS, Attribution
from server.domain.contact import Phone
from server.domain.delivery import MAX_RETRY_AFTER_SECONDS, Delivery, Outcome, Verdict
from server.domain.engagement import (
    NO_ENGAGEMENT,
    NOT_AVAILABLE_ACTION,
    Engagement,
    EngagementLabel,
    FactorScore,
)
from server.domain.ids import ClientId, DeliveryId, LeadId, SessionId, VisitorId
from server.domain.lead import Channel, Lead, LeadDraft
from server.domain.suspicion import SignalFinding, Suspicion, SuspicionLabel
from server.domain.visitor import MatchKind, Peer, Visit

URL = "https://hook.eu2.make.com/abcdefgh?key=ijkl"
PAGE_URL = "https://marina.example/prices?utm_source=google"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = datetime(2026, 11, 3, 10, 20, 30, 987_654, tzinfo=UTC)

VISIT = Visit(
    SessionId("sess-1"),
    duration_seconds=340,
    max_scroll_percent=80,
    clicks=9,
    pages_visited=3,
    return_visits=2,
)
ENGAGEMENT = Engagement(
    77,
    EngagementLabel.VERY_HOT,
    MatchKind.VISITOR_ID,
    (
        FactorScore("duration", 340, 34, 35),
        FactorScore("scroll_depth", 80, 24, 30),
        FactorScore("clicks", 9, 9, 20),
        FactorScore("return_visits", 2, 10, 15),
    ),
    VISIT,
)
PEER = Peer("192.0.2.7", "AE", "Mozilla/5.0")
NO_ATTRIBUTION = Attribution()
DRAFT = LeadDraft(
    channel=Channel.FORM,
    lead_source="WebSite",
    first_name="Ada",
    last_name="Lovelace",
    email="ada@example.com",
    phone="050 123 4567",
    message="Is the penthouse still free?",
    project="Marina Quay",
    referrer="https://www.google.com/",
    consent=True,
    visitor_id=VisitorId("visitor-1"),
    session_id=SessionId("claimed-by-the-form"),
    site="demo",
    submission_id="sub-1",
)

UNSUSPICIOUS = Suspicion(0, SuspicionLabel.LOW, ())


def make_lead(
    *,
    draft: LeadDraft = DRAFT,
    engagement: Engagement = ENGAGEMENT,
    suspicion: Suspicion = UNSUSPICIOUS,
    attribution: Attribution = NO_ATTRIBUTION,
    peer: Peer = PEER,
    vpn_suspected: bool = False,
    page_url: str = PAGE_URL,
) -> Lead:
    return Lead(
        lead_id=LeadId("ld_1"),
        client_id=ClientId(7),
        created_at=NOW,
        draft=draft,
        phone=Phone("+971501234567", possible=True, countries=("AE",)),
        peer=peer,
        engagement=engagement,
        suspicion=suspicion,
        vpn_suspected=vpn_suspected,
        attribution=attribution,
        page_url=page_url,
        idempotency_key=None,
        idempotency_hash=None,
    )


def lead_with(extra: Mapping[str, Any]) -> Lead:
    return make_lead(draft=replace(DRAFT, extra=extra))


def extras_of(extra: Mapping[str, Any]) -> dict[str, object]:
    plain = payload(make_lead())
    sent = payload(lead_with(extra))
    assert {key: sent[key] for key in plain} == plain
    return {key: value for key, value in sent.items() if key not in plain}


# ---- the body


def test_payload_of_a_full_lead_holds_every_field_by_its_name() -> None:
    suspicion = Suspicion(
        35,
        SuspicionLabel.MEDIUM,
        (
            SignalFinding("vpn", 15, "Time zone of another country"),
            SignalFinding("links", 20, "A link"),
        ),
    )
    attribution = Attribution(
        {"utm_source": "google", "utm_campaign": "launch"}, {"gclid": "g-1", "li_fat_id": "l-1"}
    )

    sent = payload(make_lead(suspicion=suspicion, attribution=attribution, vpn_suspected=True))

    assert sent == {
        "lead_id": "ld_1",
        "client_id": 7,
        "created_at": "2026-11-03T10:20:30.987Z",
        "channel": "form",
        "name": "Ada Lovelace",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "email": "ada@example.com",
        "phone": "050 123 4567",
        "phone_e164": "+971501234567",
        "message": "Is the penthouse still free?",
        "project": "Marina Quay",
        "page_url": PAGE_URL,
        "referrer": "https://www.google.com/",
        "ip": "192.0.2.7",
        "user_agent": "Mozilla/5.0",
        "country": "AE",
        "site": "demo",
        "lead_source": "WebSite",
        "consent": True,
        "utm_source": "google",
        "utm_medium": None,
        "utm_campaign": "launch",
        "utm_term": None,
        "utm_content": None,
        "gclid": "g-1",
        "li_fat_id": "l-1",
        "visitor_id": "visitor-1",
        "session_id": "sess-1",
        "engagement_score": 77,
        "engagement_label": "Very Hot",
        "pages_visited": 3,
        "session_duration_seconds": 340,
        "return_visits": 2,
        "vpn_suspected": 1,
        "engagement_available": True,
        "match_kind": "visitor_id",
        "recommended_action": ENGAGEMENT.recommended_action,
        "engagement_duration_value": 340,
        "engagement_duration_points": 34,
        "engagement_scroll_depth_value": 80,
        "engagement_scroll_depth_points": 24,
        "engagement_clicks_value": 9,
        "engagement_clicks_points": 9,
        "engagement_return_visits_value": 2,
        "engagement_return_visits_points": 10,
        "suspicion_score": 35,
        "suspicion_label": "Medium",
        "suspicion_reasons": ["Time zone of another country", "A link"],
    }


def test_payload_without_a_visit_holds_zeros_and_says_not_available() -> None:
    draft = replace(DRAFT, visitor_id=None)

    sent = payload(make_lead(draft=draft, engagement=NO_ENGAGEMENT))

    scores = {key: value for key, value in sent.items() if key.startswith("engagement_")}
    assert scores == {
        "engagement_score": 0,
        "engagement_label": "Cold",
        "engagement_available": False,
    }
    assert (sent["visitor_id"], sent["session_id"]) == (None, None)
    assert (sent["pages_visited"], sent["session_duration_seconds"]) == (0, 0)
    assert (sent["return_visits"], sent["vpn_suspected"]) == (0, 0)
    assert (sent["match_kind"], sent["recommended_action"]) == ("none", NOT_AVAILABLE_ACTION)


def test_payload_with_an_unmatched_visitor_keeps_the_visitor_id() -> None:
    sent = payload(make_lead(engagement=NO_ENGAGEMENT))
    assert (sent["visitor_id"], sent["session_id"]) == ("visitor-1", None)


def test_payload_when_texts_are_absent_holds_nulls() -> None:
    draft = LeadDraft(channel=Channel.API, lead_source="Facebook", email="a@example.com")

    sent = payload(
        make_lead(draft=draft, peer=Peer("", "", ""), engagement=NO_ENGAGEMENT, page_url="")
    )

    absent = {"name", "first_name", "last_name", "phone", "message", "project", "page_url"}
    absent |= {"referrer", "ip", "user_agent", "country", "site", "consent", *UTM_FIELDS}
    assert {key for key, value in sent.items() if value is None} >= absent
    assert "" not in sent.values()
    assert not set(sent) & set(CLICK_ID_FIELDS)


@pytest.mark.parametrize("consent", [True, False, None])
def test_payload_consent_is_sent_as_true_false_or_null(*, consent: bool | None) -> None:
    assert payload(make_lead(draft=replace(DRAFT, consent=consent)))["consent"] is consent


def test_payload_keys_are_all_reserved_from_extras() -> None:
    attribution = Attribution(click_ids=dict.fromkeys(CLICK_ID_FIELDS, "x"))
    keys = payload(make_lead(attribution=attribution))
    assert {key for key in keys if key not in LEAD_KEYS and not key.startswith(SCORE_PREFIXES)} == (
        set()
    )
    assert set(keys) >= LEAD_KEYS


# ---- fields not known by name


@pytest.mark.parametrize(
    ("field", "key"),
    [
        ("budget", "budget"),
        ("Preferred Unit", "preferred_unit"),
        ("preferredUnit", "preferred_unit"),
        ("HTMLFormID", "html_form_id"),
        ("bedrooms[]", "bedrooms"),
        ("unit-2 type", "unit_2_type"),
        ("  _odd__ ", "odd"),
    ],
)
def test_extra_key_when_free_is_sent_in_snake_case(field: str, key: str) -> None:
    assert extras_of({field: "x"}) == {key: "x"}


@pytest.mark.parametrize(
    ("field", "key"),
    [
        ("engagement_score", "extra_engagement_score"),
        ("Engagement Score", "extra_engagement_score"),
        ("engagementScore", "extra_engagement_score"),
        ("ENGAGEMENT__SCORE!", "extra_engagement_score"),
        ("engagement_moonlight_points", "extra_engagement_moonlight_points"),
        ("suspicion-label", "extra_suspicion_label"),
        ("lead_id", "extra_lead_id"),
        ("Email", "extra_email"),
        ("vpn suspected", "extra_vpn_suspected"),
        ("gclid", "extra_gclid"),
        ("UtmTerm", "extra_utm_term"),
        ("recommendedAction", "extra_recommended_action"),
    ],
)
def test_extra_key_when_it_names_a_known_field_is_prefixed(field: str, key: str) -> None:
    assert extras_of({field: "forged"}) == {key: "forged"}


@pytest.mark.parametrize(
    ("field", "key"), [("بريد", "بريد"), ("Prénom", "prénom"), ("Бюджет €", "бюджет")]
)
def test_extra_key_when_in_another_script_keeps_its_letters(field: str, key: str) -> None:
    assert extras_of({field: "x"}) == {key: "x"}


@pytest.mark.parametrize("field", ["", "!!", "__"])
def test_extra_key_when_nothing_is_left_of_it_is_extra(field: str) -> None:
    assert extras_of({field: "x"}) == {"extra": "x"}


def test_extra_keys_when_they_meet_are_numbered() -> None:
    fields = {"Unit Type": 1, "unit_type": 2, "unitType": 3, "unit_type_2": 4}
    assert extras_of(fields) == {
        "unit_type": 1,
        "unit_type_2": 2,
        "unit_type_3": 3,
        "unit_type_2_2": 4,
    }


def test_extra_keys_when_a_prefixed_one_is_sent_too_are_both_kept() -> None:
    assert extras_of({"extra_email": "a", "E-mail": "b", "Email": "c"}) == {
        "extra_email": "a",
        "e_mail": "b",
        "extra_email_2": "c",
    }


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("text", "text"),
        (3, 3),
        (2.5, 2.5),
        (True, True),
        (None, None),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        ({"a": [1, {"é": None}]}, '{"a":[1,{"é":null}]}'),
        (["1 bed", "2 bed"], '["1 bed","2 bed"]'),
    ],
)
def test_extra_value_is_sent_flat(value: object, sent: object) -> None:
    assert extras_of({"field": value}) == {"field": sent}


# ---- the text


def test_body_of_a_lead_is_compact_and_keeps_letters() -> None:
    draft = replace(DRAFT, message='Привет, "Zürich" 🏠\n\u2028\x00', extra={"a": {"b": 1}})

    body = body_of(make_lead(draft=draft))

    assert body.startswith('{"lead_id":"ld_1","client_id":7,')
    assert "Привет" in body
    assert "🏠" in body
    assert json.loads(body) == payload(make_lead(draft=draft))


def test_body_of_a_lead_with_lone_surrogates_is_valid_utf_8() -> None:
    draft = replace(
        DRAFT, message="a\ud83db \ud83d\ude00", extra={"\udc00key": ["\udfff"], "k": "\ud800"}
    )

    sent = json.loads(body_of(make_lead(draft=draft)).encode())

    assert sent["message"] == "a\ufffdb 😀"
    assert sent["key"] == '["\ufffd"]'
    assert sent["k"] == "\ufffd"


TEXTS = st.text(st.sampled_from('aZ_ 2é\ud83d\ude00"\\\n\x00'), max_size=8)
KEYS = TEXTS | st.sampled_from(sorted(LEAD_KEYS))
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(st.dictionaries(KEYS, JSON_VALUES))
def test_body_of_a_lead_with_any_extras_is_flat_whole_and_strict_json(
    extra: dict[str, Any],
) -> None:
    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is not JSON")

    sent = json.loads(body_of(lead_with(extra)).encode(), parse_constant=refuse)

    plain = payload(make_lead())
    assert {key: sent[key] for key in plain} == plain
    assert len(sent) == len(plain) + len(extra)
    assert not any(isinstance(sent[key], dict | list) for key in sent.keys() - plain.keys())


# ---- sending


class ScriptedEgress(Egress):
    """Stands where the network leaves the process: keeps what was posted, answers as told."""

    def __init__(self, result: Answer | Exception) -> None:
        self.result = result
        self.posted: list[tuple[str, dict[str, str], bytes]] = []

    async def post(self, url: str, *, headers: Mapping[str, str], content: bytes) -> Answer:
        self.posted.append((url, dict(headers), content))
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


OK = Answer(200, {}, b"Accepted")
UNSIGNED = WebhookTarget(URL, "")


def a_delivery(body: str = '{"name":"Zoë"}') -> Delivery:
    return Delivery(DeliveryId("dl_1"), ClientId(7), NAME, "ld_1", body)


async def outcome_of(
    result: Answer | Exception, target: WebhookTarget | None = UNSIGNED
) -> Outcome:
    return await MakeWebhook(ScriptedEgress(result), lambda _client: target).send(a_delivery(), NOW)


async def posted_by(secret: str, now: datetime = NOW) -> tuple[str, dict[str, str], bytes]:
    egress = ScriptedEgress(OK)
    destination = MakeWebhook(egress, {ClientId(7): WebhookTarget(URL, secret)}.get)
    assert (await destination.send(a_delivery(), now)).verdict is Verdict.DELIVERED
    (posted,) = egress.posted
    return posted


async def test_send_without_a_secret_posts_the_stored_bytes_unsigned() -> None:
    url, headers, content = await posted_by("")

    assert url == URL
    assert content == '{"name":"Zoë"}'.encode()
    assert headers.pop("user-agent").startswith("propgauge")
    assert headers == {
        "content-type": "application/json",
        "webhook-id": "dl_1",
        "webhook-timestamp": str(int(NOW.timestamp())),
    }


@pytest.mark.parametrize(
    ("secret", "receiver"),
    [(SECRET, Webhook(SECRET)), ("plain wörds", Webhook("plain wörds".encode()))],
)
@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=4))])
async def test_send_with_a_secret_signs_so_that_the_package_verifies(
    secret: str, receiver: Webhook, zone: timezone
) -> None:
    _url, headers, content = await posted_by(secret, datetime.now(zone))

    assert receiver.verify(content, headers) == {"name": "Zoë"}
    with pytest.raises(WebhookVerificationError):
        receiver.verify(content.replace(b"Zo", b"Zu"), headers)
    with pytest.raises(WebhookVerificationError):
        receiver.verify(content, {**headers, "webhook-id": "dl_2"})


@pytest.mark.parametrize("secret", ["whsec_a", "whsec_", "whsec_ü"])
async def test_send_with_an_unreadable_secret_pauses_and_posts_nothing(secret: str) -> None:
    egress = ScriptedEgress(OK)
    outcome = await MakeWebhook(egress, lambda _client: WebhookTarget(URL, secret)).send(
        a_delivery(), NOW
    )
    assert outcome == Outcome(Verdict.PAUSE, error="the webhook secret is not base64 after whsec_")
    assert egress.posted == []


@pytest.mark.parametrize("target", [None, WebhookTarget("", "")])
async def test_send_without_a_target_pauses(target: WebhookTarget | None) -> None:
    assert await outcome_of(OK, target) == Outcome(
        Verdict.PAUSE, error="no webhook address is configured for this client"
    )


async def test_send_to_a_private_target_pauses_and_names_the_setting() -> None:
    outcome = await outcome_of(PrivateTargetError("intra.example has an address …"))
    assert outcome.verdict is Verdict.PAUSE
    assert outcome.error == (
        "intra.example has an address …; the setting ALLOW_PRIVATE_TARGETS allows it"
    )


async def test_send_to_a_refused_target_pauses_and_names_no_setting() -> None:
    outcome = await outcome_of(TargetRefusedError("the address is not a URL"))
    assert outcome == Outcome(Verdict.PAUSE, error="the address is not a URL")


async def test_send_when_no_answer_comes_is_retried() -> None:
    outcome = await outcome_of(EgressError("hook.example could not be resolved"))
    assert outcome == Outcome(Verdict.RETRY, error="hook.example could not be resolved")


async def test_send_when_something_breaks_is_retried_and_tells_no_secret() -> None:
    outcome = await outcome_of(RuntimeError(URL))
    assert outcome == Outcome(Verdict.RETRY, error="sending failed: RuntimeError")


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (201, Verdict.DELIVERED),
        (302, Verdict.RETRY),
        (400, Verdict.FAIL),
        (401, Verdict.PAUSE),
        (410, Verdict.PAUSE),
        (429, Verdict.RETRY),
        (503, Verdict.RETRY),
    ],
)
async def test_send_when_answered_judges_by_the_status(status: int, verdict: Verdict) -> None:
    outcome = await outcome_of(Answer(status, {}, b"why"))
    error = "" if verdict is Verdict.DELIVERED else f"the webhook answered {status}"
    assert outcome == Outcome(verdict, status=status, error=error, response="why")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("9" * 400, MAX_RETRY_AFTER_SECONDS),
        ("Tue, 03 Nov 2026 10:21:00 GMT", 29.012346),
        ("Tue, 03 Nov 2026 10:21:00 -0000", 29.012346),
        ("Tue, 03 Nov 2026 14:21:00 +0400", 29.012346),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_RETRY_AFTER_SECONDS),
        ("Mon, 02 Nov 2026 10:21:00 GMT", 0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("Oct 1 99999999999999999999 -99:99 0 -", None),
    ],
)
async def test_send_when_answered_reads_retry_after(text: str, seconds: float | None) -> None:
    outcome = await outcome_of(Answer(429, {"retry-after": text}, b""))
    assert (outcome.status, outcome.retry_after_seconds) == (429, seconds)


async def test_send_when_the_answer_is_long_and_odd_keeps_an_excerpt() -> None:
    outcome = await outcome_of(Answer(500, {}, b"\xff\x00" + b"x" * 60_000))
    assert len(outcome.response) == MAX_EXCERPT_CHARS
    assert outcome.response.startswith("\ufffd\x00x")


def test_webhook_target_when_printed_shows_no_secret() -> None:
    assert repr(WebhookTarget(URL, SECRET)) == "WebhookTarget()"


def test_field_of_a_form_that_would_pass_for_a_score_is_renamed() -> None:
    extra = {"rotator": "A", "P Fin Model": 1, "form_token": "x"}
    body = payload(make_lead(draft=replace(DRAFT, extra=extra)))
    assert "rotator" not in body
    assert (body["extra_rotator"], body["extra_p_fin_model"], body["extra_form_token"]) == (
        "A",
        1,
        "x",
    )
