"""Rows of an earlier Worker's tables as rows of ours: names, times, scores, ids."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from server.domain.attribution import CLICK_ID_FIELDS
from server.domain.clock import to_text
from server.domain.contact import parse_phone
from server.domain.engagement import (
    NOT_AVAILABLE_ACTION,
    RECOMMENDED_ACTIONS,
    EngagementLabel,
    label_of,
)
from server.domain.ids import is_outside_id
from server.domain.lead import WEBSITE, Channel
from server.domain.lead_fields import CONTROL_FIELDS, our_name
from server.domain.suspicion import SuspicionLabel
from server.domain.suspicion import label_of as suspicion_label_of
from server.domain.user_agent import parse as parse_agent
from server.domain.visitor import MatchKind
from server.store import moving_in
from server.store.leads import message_hash

Source = Mapping[str, Any]

_SQUEEZE = re.compile(r"[^a-z0-9]")
_EPOCH_MS_FROM = 100_000_000_000
"""A number above it counts milliseconds."""

_TEXTS = {
    "name": "Name",
    "first_name": "FirstName",
    "last_name": "LastName",
    "email": "Email",
    "phone": "Phone",
    "message": "Message",
    "project": "Project",
    "lead_source": "LeadSource",
    "page_url": "PageUrl",
    "referrer": "Referrer",
}
_TIMES = ("createdat", "created", "submittedat", "timestamp", "createdon", "date")

_LEAD = {
    **{name.replace("_", ""): name for name in CLICK_ID_FIELDS},
    **dict.fromkeys(_TIMES, "CreatedAt"),
    "publicid": "PublicId",
    "channel": "Channel",
    "ip": "Ip",
    "ipaddress": "Ip",
    "clientip": "Ip",
    "useragent": "UserAgent",
    "country": "Country",
    "visitorid": "VisitorId",
    "sessionid": "SessionId",
    "engagementscore": "EngagementScore",
    "engagementlabel": "EngagementLabel",
    "pagesvisited": "PagesVisited",
    "sessionduration": "SessionDuration",
    "sessiondurationseconds": "SessionDuration",
    "returnvisits": "ReturnVisits",
    "vpnsuspected": "VpnSuspected",
    "suspicionscore": "SuspicionScore",
    "suspicionlabel": "SuspicionLabel",
    "utmsource": "UtmSource",
    "utmmedium": "UtmMedium",
    "utmcampaign": "UtmCampaign",
    "utmterm": "UtmTerm",
    "utmcontent": "UtmContent",
    "sitekey": "SiteKey",
}
_VISIT_TIMES = {
    **dict.fromkeys(("startedat", "createdat", "firstseenat", "firstseen"), "started_at"),
    **dict.fromkeys(
        ("lastseenat", "lastseen", "updatedat", "lastactivity", "lastactivityat", "endedat"),
        "last_seen_at",
    ),
}
_SESSION = {
    **_VISIT_TIMES,
    **{
        name.replace("_", ""): name
        for name in moving_in.SESSION_COLUMNS
        if name not in ("client_id", "started_at", "last_seen_at", "bot_reason")
    },
    "ipaddress": "ip",
    **dict.fromkeys(("url", "pageurl", "landingpage", "entryurl"), "landing_url"),
    **dict.fromkeys(("duration", "sessionduration", "totalduration"), "duration_seconds"),
    "durationms": "duration_ms",
    **dict.fromkeys(
        ("scrolldepth", "maxscroll", "maxscrolldepth", "scrollpercent"), "max_scroll_percent"
    ),
    **dict.fromkeys(("clickcount", "totalclicks"), "clicks"),
    **dict.fromkeys(("pages", "pageviews", "pagecount", "pageviewcount"), "pages_visited"),
}
_FINGERPRINT = {
    **_VISIT_TIMES,
    **dict.fromkeys(("firstseenat", "firstseen", "createdat"), "first_seen_at"),
    "visitorid": "visitor_id",
    "fingerprint": "fingerprint",
    "fingerprinthash": "fingerprint",
    "visitcount": "visit_count",
    "visits": "visit_count",
    "returnvisits": "return_visits",
    "vpnsuspected": "vpn_suspected",
    "isvpn": "vpn_suspected",
    "vpnreason": "vpn_reason",
}
_PAGE_VIEW = {
    "pageviewid": "page_view_id",
    "id": "page_view_id",
    "sessionid": "session_id",
    "url": "url",
    "pageurl": "url",
    "title": "title",
    "referrer": "referrer",
    **dict.fromkeys(("startedat", "createdat", "viewedat", "timestamp"), "started_at"),
    "durationms": "duration_ms",
    **dict.fromkeys(("duration", "durationseconds", "timeonpage"), "duration_seconds"),
    **dict.fromkeys(("scrollpercent", "scrolldepth", "maxscroll"), "scroll_percent"),
    **dict.fromkeys(("clicks", "clickcount"), "clicks"),
}
_NAMES: Mapping[str, Mapping[str, str]] = {
    "sessions": _SESSION,
    "fingerprints": _FINGERPRINT,
    "page_views": _PAGE_VIEW,
}


def table_of(name: str) -> str | None:
    """Our name of a Worker's table, None for one we do not know."""
    squeezed = _squeezed(name)
    tables = {"leads": "Leads", "sessions": "sessions", "pageviews": "page_views"}
    return {**tables, "fingerprints": "fingerprints"}.get(squeezed)


def unknown_columns(table: str, columns: Iterable[str]) -> list[str]:
    """Columns of sessions, fingerprints and page views that have no place here."""
    known = _NAMES[table]
    return [column for column in columns if _squeezed(column) not in known]


def lead(row: Source, client_id: int, region: str | None, now: datetime) -> dict[str, Any]:
    """A lead's columns; what has no place among them stands in Extra."""
    known, extra, clicks = _lead_columns(row)
    created = moment(known.pop("CreatedAt", None))
    scores = _scores(known)
    source = _text(known.get("LeadSource")) or WEBSITE
    channel = _text(known.get("Channel"))
    phone, country = _text(known.get("Phone")), _text(known.get("Country"))
    texts = {name: _text(value) for name, value in known.items() if name not in scores}
    full_name = texts.get("Name") or _joined(texts.get("FirstName"), texts.get("LastName"))
    return {
        **texts,
        **scores,
        "PublicId": _lead_id(row, texts.get("PublicId"), client_id),
        "ClientId": client_id,
        "Channel": channel
        if channel in set(Channel)
        else (Channel.FORM if source == WEBSITE else Channel.API),
        "CreatedAt": created or to_text(now),
        "UpdatedAt": to_text(now),
        "Name": full_name,
        "PhoneE164": (parse_phone(phone, region or country).e164 or None) if phone else None,
        "LeadSource": source,
        "Ip": texts.get("Ip") or "",
        "UserAgent": texts.get("UserAgent") or "",
        "ClickIds": json.dumps(clicks) if clicks else None,
        "Extra": json.dumps(extra, ensure_ascii=False, default=_hex) if extra else None,
        "MessageHash": message_hash(texts.get("Message") or ""),
    }


def session(row: Source, client_id: int, now: datetime) -> dict[str, Any] | None:
    """A session's columns; None for a row without usable ids."""
    known = _known(_SESSION, row)
    ids = _text(known.get("session_id")), _text(known.get("visitor_id"))
    if not all(one and is_outside_id(one) for one in ids):
        return None
    started = moment(known.get("started_at")) or moment(known.get("last_seen_at")) or to_text(now)
    agent = parse_agent(_text(known.get("user_agent")) or "")
    duration = known.get("duration_seconds")
    if duration is None:
        duration = _number(known.get("duration_ms")) // 1000
    told_agent = {"browser": agent.browser, "os": agent.os, "device": agent.device}
    texts = {name: _text(value) for name, value in known.items()}
    texts.pop("duration_ms", None)
    return {
        **{name: value for name, value in told_agent.items() if texts.get("user_agent")},
        **{name: value for name, value in texts.items() if value is not None},
        "client_id": client_id,
        "started_at": started,
        "last_seen_at": max(started, moment(known.get("last_seen_at")) or started),
        "duration_seconds": _number(duration),
        "max_scroll_percent": min(100, _number(known.get("max_scroll_percent"))),
        "clicks": _number(known.get("clicks")),
        "pages_visited": max(1, _number(known.get("pages_visited"))),
        "is_bot": int(bool(_number(known.get("is_bot")) or agent.bot_reason)),
        "bot_reason": agent.bot_reason or None,
    }


def fingerprint(row: Source, client_id: int, now: datetime) -> dict[str, Any] | None:
    """A fingerprint's columns; None for a row without a usable visitor id."""
    known = _known(_FINGERPRINT, row)
    visitor_id = _text(known.get("visitor_id"))
    if not visitor_id or not is_outside_id(visitor_id):
        return None
    first = moment(known.get("first_seen_at")) or moment(known.get("started_at"))
    last = moment(known.get("last_seen_at"))
    first = first or last or to_text(now)
    visits = _number(known.get("visit_count")) or _number(known.get("return_visits")) + 1
    return {
        "client_id": client_id,
        "visitor_id": visitor_id,
        "fingerprint": _text(known.get("fingerprint")),
        "visit_count": visits,
        "vpn_suspected": int(_is_set(known.get("vpn_suspected"))),
        "vpn_reason": _text(known.get("vpn_reason")),
        "first_seen_at": first,
        "last_seen_at": max(first, last or first),
    }


def page_view(row: Source, client_id: int, now: datetime) -> dict[str, Any] | None:
    """A page view's columns; None for a row without a usable session id."""
    known = _known(_PAGE_VIEW, row)
    session_id = _text(known.get("session_id"))
    if not session_id or not is_outside_id(session_id):
        return None
    given = _text(known.get("page_view_id")) or ""
    seconds = _number(known.get("duration_seconds"))
    return {
        "client_id": client_id,
        "session_id": session_id,
        "page_view_id": given if is_outside_id(given) else f"pv_d1_{_hash(row)}",
        "url": _text(known.get("url")),
        "title": _text(known.get("title")),
        "referrer": _text(known.get("referrer")),
        "started_at": moment(known.get("started_at")) or to_text(now),
        "seq": 0,
        "duration_ms": _number(known.get("duration_ms")) or seconds * 1000,
        "scroll_percent": min(100, _number(known.get("scroll_percent"))),
        "scrollable": 1,
        "clicks": _number(known.get("clicks")),
    }


def moment(value: Any) -> str | None:
    """A time as the store keeps it, of ISO 8601, SQLite's form (UTC) or an epoch; else None."""
    try:
        if isinstance(value, int | float) or (isinstance(value, str) and value.isdigit()):
            number = float(value)
            seconds = number / 1000 if number > _EPOCH_MS_FROM else number
            return to_text(datetime.fromtimestamp(seconds, UTC))
        read = datetime.fromisoformat(str(value).strip())
        return to_text(read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC))
    except (ValueError, OverflowError, OSError):
        return None


def _lead_columns(row: Source) -> tuple[dict[str, Any], dict[str, Any], dict[str, str]]:
    """The known columns, what else there is, and the click ids; the first of a name wins."""
    known: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    clicks: dict[str, str] = {}
    for column, value in row.items():
        if value in (None, ""):
            continue
        name = _lead_column(column)
        text = _text(value)
        if name in CLICK_ID_FIELDS and text:
            clicks.setdefault(name, text)
        elif name is None or name in known or text is None or _is_unread(name, value):
            extra[column] = _plain(value)
        else:
            known[name] = value
    return known, extra, clicks


def _is_unread(name: str, value: Any) -> bool:
    """Whether a value says more than its column can hold."""
    if name == "CreatedAt":
        return moment(value) is None
    return name in ("VisitorId", "SessionId") and not is_outside_id(str(value))


def _lead_column(column: str) -> str | None:
    squeezed = _squeezed(column)
    if squeezed in _LEAD:
        return _LEAD[squeezed]
    name = our_name(column)
    return None if name is None or name in CONTROL_FIELDS else _TEXTS.get(name)


def _scores(known: Mapping[str, Any]) -> dict[str, Any]:
    """The eight columns as they were carried, and what follows from them; nothing is judged."""
    score = min(100, _number(known.get("EngagementScore")))
    matched = bool(known.get("SessionId")) or score > 0
    given = known.get("EngagementLabel")
    label = EngagementLabel(given) if given in set(EngagementLabel) else label_of(score)
    suspicion = min(100, _number(known.get("SuspicionScore")))
    told = known.get("SuspicionLabel")
    seen = MatchKind.VISITOR_ID if known.get("VisitorId") else MatchKind.IP
    return {
        "EngagementScore": score,
        "EngagementLabel": label,
        "PagesVisited": _number(known.get("PagesVisited")),
        "SessionDuration": _number(known.get("SessionDuration")),
        "ReturnVisits": _number(known.get("ReturnVisits")),
        "VpnSuspected": int(_is_set(known.get("VpnSuspected"))),
        "MatchKind": seen if matched else MatchKind.NONE,
        "RecommendedAction": RECOMMENDED_ACTIONS[label] if matched else NOT_AVAILABLE_ACTION,
        "SuspicionScore": suspicion,
        "SuspicionLabel": told if told in set(SuspicionLabel) else suspicion_label_of(suspicion),
    }


def _lead_id(row: Source, given: str | None, client_id: int) -> str:
    """The id that stands, else one made of what does not change when it is exported again."""
    if given and is_outside_id(given):
        return given
    squeezed = {_squeezed(name): value for name, value in row.items()}
    number = squeezed.get("id", squeezed.get("leadid"))
    created = next((squeezed[name] for name in _TIMES if squeezed.get(name)), None)
    named = {"id": number, "created": created} if number is not None else dict(row)
    return f"lead_d1_{_hash({'client': client_id, **named})}"


def _known(names: Mapping[str, str], row: Source) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for column, value in row.items():
        name = names.get(_squeezed(column))
        if name is not None and value is not None:
            known.setdefault(name, value)
    return known


def _squeezed(name: str) -> str:
    return _SQUEEZE.sub("", name.lower())


def _text(value: Any) -> str | None:
    return None if value is None or isinstance(value, bytes) else str(value).strip() or None


def _number(value: Any) -> int:
    """A whole number of 0 or more; 0 for what is none."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return 0
    return max(0, min(int(number), 10**12)) if math.isfinite(number) else 0


def _is_set(value: Any) -> bool:
    return str(value).strip().lower() in ("1", "1.0", "true", "yes", "on")


def _joined(*names: str | None) -> str | None:
    return " ".join(name for name in names if name) or None


def _hash(value: Source) -> str:
    told = json.dumps(value, sort_keys=True, default=_hex)
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _hex(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
