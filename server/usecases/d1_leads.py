"""Leads of an earlier Worker as rows of ours: names, times, scores, ids."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
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
from server.domain.visitor import MatchKind
from server.store.leads import UTM_COLUMNS, message_hash
from server.usecases import d1_values as values
from server.usecases.d1_values import Source

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
    **{column.lower(): column for column in UTM_COLUMNS},
    "sitekey": "SiteKey",
}


def lead(row: Source, client_id: int, region: str | None, now: datetime) -> dict[str, Any]:
    """A lead's columns; what has no place among them stands in Extra."""
    known, extra, clicks = _lead_columns(row)
    created = values.moment(known.pop("CreatedAt", None))
    scores = _scores(known)
    source = values.text(known.get("LeadSource")) or WEBSITE
    channel = values.text(known.get("Channel"))
    phone, country = values.text(known.get("Phone")), values.text(known.get("Country"))
    texts = {name: values.text(value) for name, value in known.items() if name not in scores}
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
        "Extra": json.dumps(extra, ensure_ascii=False, default=values.hex_of) if extra else None,
        "MessageHash": message_hash(texts.get("Message") or ""),
    }


def _lead_columns(row: Source) -> tuple[dict[str, Any], dict[str, Any], dict[str, str]]:
    """The known columns, what else there is, and the click ids; the first of a name wins."""
    known: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    clicks: dict[str, str] = {}
    for column, value in row.items():
        if value in (None, ""):
            continue
        name = _lead_column(column)
        text = values.text(value)
        if name in CLICK_ID_FIELDS and text:
            clicks.setdefault(name, text)
        elif name is None or name in known or text is None or _is_unread(name, value):
            extra[column] = values.plain(value)
        else:
            known[name] = value
    return known, extra, clicks


def _is_unread(name: str, value: Any) -> bool:
    """Whether a value says more than its column can hold."""
    if name == "CreatedAt":
        return values.moment(value) is None
    return name in ("VisitorId", "SessionId") and not is_outside_id(str(value))


def _lead_column(column: str) -> str | None:
    squeezed = values.squeezed(column)
    if squeezed in _LEAD:
        return _LEAD[squeezed]
    name = our_name(column)
    return None if name is None or name in CONTROL_FIELDS else _TEXTS.get(name)


def _scores(known: Mapping[str, Any]) -> dict[str, Any]:
    """The eight columns as they were carried, and what follows from them; nothing is judged."""
    score = min(100, values.number(known.get("EngagementScore")))
    matched = bool(known.get("SessionId")) or score > 0
    given = known.get("EngagementLabel")
    label = EngagementLabel(given) if given in set(EngagementLabel) else label_of(score)
    suspicion = min(100, values.number(known.get("SuspicionScore")))
    told = known.get("SuspicionLabel")
    seen = MatchKind.VISITOR_ID if known.get("VisitorId") else MatchKind.IP
    return {
        "EngagementScore": score,
        "EngagementLabel": label,
        "PagesVisited": values.number(known.get("PagesVisited")),
        "SessionDuration": values.number(known.get("SessionDuration")),
        "ReturnVisits": values.number(known.get("ReturnVisits")),
        "VpnSuspected": int(values.is_set(known.get("VpnSuspected"))),
        "MatchKind": seen if matched else MatchKind.NONE,
        "RecommendedAction": RECOMMENDED_ACTIONS[label] if matched else NOT_AVAILABLE_ACTION,
        "SuspicionScore": suspicion,
        "SuspicionLabel": told if told in set(SuspicionLabel) else suspicion_label_of(suspicion),
    }


def _lead_id(row: Source, given: str | None, client_id: int) -> str:
    """The id that stands, else one made of what does not change when it is exported again."""
    if given and is_outside_id(given):
        return given
    squeezed = {values.squeezed(name): value for name, value in row.items()}
    number = squeezed.get("id", squeezed.get("leadid"))
    created = next((squeezed[name] for name in _TIMES if squeezed.get(name)), None)
    named = {"id": number, "created": created} if number is not None else dict(row)
    return f"lead_d1_{values.digest({'client': client_id, **named})}"


def _joined(*names: str | None) -> str | None:
    return " ".join(name for name in names if name) or None
