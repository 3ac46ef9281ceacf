"""Typeform webhooks for tests, as Typeform sends them: about buying property, all invented."""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import json
from typing import Any, Final

FORM_ID = "sQ7hVb2L"
TOKEN = "7f3kq0zr8m5t2c7f3kq01x9w4e6y8u1a"
EVENT_ID = "01KAM5W2T7Q8R9S0V1X2Y3Z4A5"
PARTIAL_EVENT_ID = "01KAM5V0N1P2Q3R4S5T6V7W8X9"
VISITOR_ID = "v-01kam5"
EMAIL = "ann@example.com"
PHONE = "+442079460123"

ABSENT: Final = object()
"""As the value of an override: the key is left out."""

CARD_HOLDER = "A CARDHOLDER"
CARD_DIGITS = "4242"

Json = dict[str, Any]

_ENVELOPE = ("event_id", "event_type")


def question(field_id: str, title: str, kind: str, ref: str = "", **more: Any) -> Json:
    """A field of a form's definition; without a ref, as older forms have it, when none is given."""
    refs = {"ref": ref} if ref else {}
    return {"id": field_id, "title": title, "type": kind, **refs, "properties": {}, **more}


def group(field_id: str, title: str, kind: str, *parts: Json) -> Json:
    """A field that holds others: a group, a matrix, an address, contact_info."""
    return question(field_id, title, kind, f"ref-{field_id}", properties={"fields": list(parts)})


def answer(kind: str, value: Any, field_id: str, field_type: str = "", ref: str = "") -> Json:
    """An answer whose value sits under the key that `type` names."""
    refs = {"ref": ref} if ref else {}
    return {
        "type": kind,
        kind: value,
        "field": {"id": field_id, "type": field_type or kind, **refs},
    }


CONTACT: list[Json] = [
    group(
        "c0ntactInf0",
        "How can we reach you?",
        "contact_info",
        question("c1First", "First name", "short_text", "b1", subfield_key="first_name"),
        question("c2Last", "Last name", "short_text", "b2", subfield_key="last_name"),
        question("c3Phone", "Phone number", "phone_number", "b3", subfield_key="phone_number"),
        question("c4Email", "Email", "email", "b4", subfield_key="email"),
        question("c5Firm", "Company", "short_text", "b5", subfield_key="company"),
    )
]

QUESTIONS: list[Json] = [
    question("qBudget", "What is your budget in pounds?", "number", "budget"),
    question("qWhen", "When do you want to buy?", "multiple_choice", "when"),
    question("qRooms", "Which homes would suit you?", "multiple_choice", "homes"),
    question("qLoan", "Do you need a mortgage?", "yes_no", "mortgage"),
    question("qWhy", "What are you looking for?", "long_text", "why"),
]


def contact_answers(email: str = EMAIL, phone: str = PHONE) -> list[Json]:
    """The answers to `CONTACT`, one for each of its parts."""
    return [
        answer("text", "Ann", "c1First", "short_text", "b1"),
        answer("text", "Example", "c2Last", "short_text", "b2"),
        answer("phone_number", phone, "c3Phone", ref="b3"),
        answer("email", email, "c4Email", ref="b4"),
    ]


def question_answers() -> list[Json]:
    """The answers to `QUESTIONS`."""
    rooms = {"ids": ["h1", "h2"], "labels": ["Two bedrooms", "Penthouse"], "refs": ["r1", "r2"]}
    return [
        answer("number", 450_000, "qBudget", ref="budget"),
        answer(
            "choice",
            {"id": "w1", "label": "Within 3 months", "ref": "w-3"},
            "qWhen",
            "multiple_choice",
            "when",
        ),
        answer("choices", rooms, "qRooms", "multiple_choice", "homes"),
        answer("boolean", False, "qLoan", "yes_no", "mortgage"),
        answer(
            "text", "A quiet home near the river, close to schools.", "qWhy", "long_text", "why"
        ),
    ]


def payload(
    *,
    email: str = EMAIL,
    phone: str = PHONE,
    visitor_id: str = VISITOR_ID,
    **overrides: Any,
) -> Json:
    """A finished form with contact data, five answers and a tracked visitor.

    `overrides` replace keys of the envelope (event_id, event_type) or of form_response (token,
    answers, hidden …); ABSENT leaves one out.
    """
    response: Json = {
        "form_id": FORM_ID,
        "token": TOKEN,
        "response_url": f"https://example.com/forms/{FORM_ID}/responses/{TOKEN}",
        "landed_at": "2026-11-22T09:12:31Z",
        "submitted_at": "2026-11-22T09:15:04Z",
        "hidden": {"visitor_id": visitor_id, "utm_source": "newsletter"},
        "calculated": {"score": 7},
        "variables": [
            {"key": "score", "type": "number", "number": 7},
            {"key": "segment", "type": "text", "text": "family"},
        ],
        "definition": {
            "id": FORM_ID,
            "title": "Saffron Quay: find your home",
            "fields": [*QUESTIONS, *CONTACT],
            "endings": [{"id": "eNd1", "ref": "thanks", "title": "Thank you", "type": "thankyou"}],
            "settings": {"partial_responses_to_all_integrations": True},
        },
        "answers": [*question_answers(), *contact_answers(email, phone)],
        "ending": {"id": "eNd1", "ref": "thanks"},
    }
    envelope: Json = {"event_id": EVENT_ID, "event_type": "form_response"}
    envelope |= {name: overrides.pop(name) for name in _ENVELOPE if name in overrides}
    # The overrides come as they are: some tests nest them deeper than anything can be copied.
    return _present({**envelope, "form_response": _present(copy.deepcopy(response) | overrides)})


def partial(*, email: str = EMAIL, phone: str = PHONE, **overrides: Any) -> Json:
    """The same form left after its contact data: another event, no ending, one other answer."""
    defaults: Json = {
        "event_id": PARTIAL_EVENT_ID,
        "event_type": "form_response_partial",
        "submitted_at": "2026-11-22T09:13:20Z",
        "answers": [question_answers()[0], *contact_answers(email, phone)],
        "calculated": ABSENT,
        "ending": ABSENT,
    }
    return payload(**{**defaults, **overrides})


def _present(fields: Json) -> Json:
    return {name: value for name, value in fields.items() if value is not ABSENT}


def every_type() -> list[tuple[Json, Json, str]]:
    """One question and answer of every type that is no contact data, with its text."""
    files = "https://api.example.com/responses/files/2a4c/proof%20of%20funds.pdf"
    card = {"amount": "500", "last4": CARD_DIGITS, "name": CARD_HOLDER, "success": True}
    chosen = {
        "ids": ["p1", "p2"],
        "labels": ["London", "Leeds"],
        "refs": ["a", "b"],
        "other": "Bath",
    }
    return [
        _pair("short_text", "text", "Near a park", "Near a park"),
        _pair("long_text", "text", "Two lines\nof text", "Two lines\nof text"),
        _pair("number", "number", 450_000, "450000"),
        _pair("rating", "number", 4.5, "4.5"),
        _pair("opinion_scale", "number", 0, "0"),
        _pair("yes_no", "boolean", True, "yes"),
        _pair("legal", "boolean", False, "no"),
        _pair("date", "date", "2027-03-01", "2027-03-01"),
        _pair("multiple_choice", "choice", {"id": "x", "label": "Cash", "ref": "y"}, "Cash"),
        _pair("dropdown", "choice", {"other": "Company funds"}, "Company funds"),
        _pair("picture_choice", "choices", chosen, "London, Leeds, Bath"),
        _pair("ranking", "choices", {"labels": ["View", "Price"]}, "View, Price"),
        _pair("website", "url", "https://example.com/flat", "https://example.com/flat"),
        _pair("calendly", "url", "https://example.com/slot/1", "https://example.com/slot/1"),
        _pair("file_upload", "file_url", files, "(file) proof of funds.pdf"),
        _pair("payment", "payment", card, "500"),
        _pair("signature", "signature", {"url": "s.png"}, '{"url":"s.png"}'),
        _pair("multi_format", "multi_format", {"transcript": "Hé"}, '{"transcript":"Hé"}'),
        _pair("nps", "nps", 9, "9"),
    ]


def _pair(field_type: str, kind: str, value: Any, text: str) -> tuple[Json, Json, str]:
    field_id = f"f_{field_type}"
    asked = question(field_id, f"Question of type {field_type}?", field_type, f"ref_{field_type}")
    return asked, answer(kind, value, field_id, field_type, f"ref_{field_type}"), text


def of_every_type(**overrides: Any) -> Json:
    """A finished form with one answer of every type, contact data too."""
    pairs = every_type()
    fields = [*(asked for asked, _, _ in pairs), *CONTACT]
    answers = [*(given for _, given, _ in pairs), *contact_answers()]
    definition = {"id": FORM_ID, "title": "Everything", "fields": fields}
    return payload(**{"definition": definition, "answers": answers, **overrides})


def encoded(content: Json) -> bytes:
    """A payload as the bytes that are signed and sent."""
    return json.dumps(content).encode()


def signed(body: bytes, secret: str) -> dict[str, str]:
    """The header with which Typeform signs these bytes."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return {"Typeform-Signature": f"sha256={base64.b64encode(digest).decode()}"}
