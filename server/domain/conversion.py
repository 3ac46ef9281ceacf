"""Conversion events: what happened, who did it, and what Meta accepts of their ids and ages."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

MAX_AGE = timedelta(days=7)
MAX_STORE_AGE = timedelta(days=62)
MAX_AHEAD = timedelta(minutes=1)
"""Meta refuses older events, visits to a store excepted, and those further in the future."""

MAX_EVENT_ID_CHARS = 100
_MAX_HASHED_NAME_CHARS = MAX_EVENT_ID_CHARS - len(":") - hashlib.sha256().digest_size * 2

_UNSAFE_IN_NAME = re.compile(r"[^a-z0-9_-]")
_SAFE_ID = re.compile(r"[A-Za-z0-9_-]+:[A-Za-z0-9_-]+:[A-Za-z0-9_-]+")

_FBCLID = re.compile(r"[A-Za-z0-9_-]+")
_META_COOKIE = re.compile(r"fb\.[0-9]\.[0-9]+(?:\.[!-\-/-~]+){1,2}")
_SUBDOMAIN_INDEX = 1
"""What Meta asks of servers that set no cookie."""


class ActionSource(StrEnum):
    """Where a conversion happened, by Meta's list."""

    WEBSITE = "website"
    EMAIL = "email"
    APP = "app"
    PHONE_CALL = "phone_call"
    CHAT = "chat"
    PHYSICAL_STORE = "physical_store"
    SYSTEM_GENERATED = "system_generated"
    BUSINESS_MESSAGING = "business_messaging"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class UserData:
    """Who converted, as typed and never hashed; "" where unknown.

    `phone_region` (ISO 3166) reads a phone without a country code; `external_id` is the visitor
    id; `fbc` and `fbp` are Meta's cookies; `lead_id` is for leads of Meta's Instant Forms only.
    """

    email: str = ""
    phone: str = ""
    phone_region: str | None = None
    first_name: str = ""
    last_name: str = ""
    city: str = ""
    state: str = ""
    zip_code: str = ""
    country: str = ""
    birth_date: str = ""
    gender: str = ""
    external_id: str = ""
    client_ip: str = ""
    client_user_agent: str = ""
    fbc: str = ""
    fbp: str = ""
    lead_id: str = ""


@dataclass(frozen=True, slots=True)
class ConversionEvent:
    """Something worth telling Meta; it has no room for custom data, which might tell finances.

    `event_time` is aware. A browser's pixel that tells the same under the same name and
    `event_id` within 48 hours counts once.
    """

    event_name: str
    event_id: str
    event_time: datetime
    action_source: ActionSource
    event_source_url: str = ""
    user: UserData = field(default_factory=UserData, repr=False)


def event_id_of(event_name: str, form_id: str, *, token: str = "", email: str = "") -> str:
    """The same id for the same event: `lead:{form_id}:{token}`, so that a repeat counts once.

    Without a token the e-mail address tells events apart; it is hashed, as is all that is not
    of `[A-Za-z0-9_-]` or longer than 100 characters. Raises ValueError without either.
    """
    subject = token or email.strip().lower()
    if not subject:
        raise ValueError("an event id needs a token or an e-mail address")
    parts = [event_name.lower(), form_id, subject]
    plain = ":".join(parts)
    if _SAFE_ID.fullmatch(plain) and len(plain) <= MAX_EVENT_ID_CHARS:
        return plain
    name = _UNSAFE_IN_NAME.sub("_", parts[0])[:_MAX_HASHED_NAME_CHARS]
    return f"{name}:{hashlib.sha256(json.dumps(parts).encode()).hexdigest()}"


def is_too_old(event_time: datetime, action_source: str, now: datetime) -> bool:
    """Whether Meta would refuse the event for its age."""
    in_store = action_source == ActionSource.PHYSICAL_STORE
    return now - event_time > (MAX_STORE_AGE if in_store else MAX_AGE)


def seconds_early(event_time: datetime, now: datetime) -> float:
    """How long Meta would still refuse the event for being of the future; 0 when it would not."""
    return max(0.0, (event_time - now - MAX_AHEAD).total_seconds())


def is_meta_cookie(text: str) -> bool:
    """Whether `_fbc` or `_fbp` has Meta's form: 4 segments, or 5 with its builder's appendix."""
    return _META_COOKIE.fullmatch(text) is not None


def click_id_from(fbclid: str, clicked_at: datetime) -> str:
    """`fbc` of a click that landed at `clicked_at`; "" for what is no click id of Meta's."""
    if not _FBCLID.fullmatch(fbclid):
        return ""
    return f"fb.{_SUBDOMAIN_INDEX}.{round(clicked_at.timestamp() * 1000)}.{fbclid}"


def click_id_of(cookie: str, fbclid: str, clicked_at: datetime) -> str:
    """`fbc`: the cookie as it is where it has Meta's form, otherwise made of the click's address.

    There is no such function for `fbp`: one that Meta did not make names nobody.
    """
    return cookie if is_meta_cookie(cookie) else click_id_from(fbclid, clicked_at)
