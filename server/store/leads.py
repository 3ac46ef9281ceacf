"""The Leads table: a lead's row, and what is known of the contact before it is stored."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic_core import to_json

from server.domain.clock import to_text
from server.domain.ids import ClientId, LeadId
from server.domain.lead import Lead, LeadDraft
from server.store.contract import Statement, Store

IDEMPOTENCY_DAYS = 7
NATIVE_PREFIX = "native:"
DUPLICATE_WINDOW = timedelta(hours=24)
VELOCITY_WINDOW = timedelta(minutes=5)

UTM_COLUMNS = {
    "UtmSource": "utm_source",
    "UtmMedium": "utm_medium",
    "UtmCampaign": "utm_campaign",
    "UtmTerm": "utm_term",
    "UtmContent": "utm_content",
}
"""Columns of an attribution's parts, with their names in an address."""


def _lead_values(lead: Lead) -> dict[str, Any]:
    draft, visit = lead.draft, lead.engagement.visit
    return {
        "PublicId": lead.lead_id,
        "ClientId": lead.client_id,
        "Channel": draft.channel,
        "CreatedAt": to_text(lead.created_at),
        "UpdatedAt": to_text(lead.created_at),
        "Name": draft.full_name or None,
        "FirstName": draft.first_name or None,
        "LastName": draft.last_name or None,
        "Email": draft.email or None,
        "Phone": draft.phone or None,
        "PhoneE164": lead.phone.e164 or None,
        "Message": draft.message or None,
        "Project": draft.project or None,
        "LeadSource": draft.lead_source,
        "PageUrl": lead.page_url or None,
        "Referrer": draft.referrer or None,
        "Ip": lead.peer.ip,
        "UserAgent": lead.peer.user_agent,
        "Country": lead.peer.country or None,
        **{column: lead.attribution.utm.get(name) for column, name in UTM_COLUMNS.items()},
        "ClickIds": _json(lead.attribution.click_ids) if lead.attribution.click_ids else None,
        "Consent": None if draft.consent is None else int(draft.consent),
        "Extra": _json(draft.extra) if draft.extra else None,
        "IdempotencyKey": lead.idempotency_key,
        "IdempotencyHash": lead.idempotency_hash,
        "VisitorId": draft.visitor_id,
        "SessionId": visit.session_id if visit else None,
        "EngagementScore": lead.engagement.score,
        "EngagementLabel": lead.engagement.label,
        "PagesVisited": visit.pages_visited if visit else 0,
        "SessionDuration": visit.duration_seconds if visit else 0,
        "ReturnVisits": visit.return_visits if visit else 0,
        "VpnSuspected": int(lead.vpn_suspected),
        "SiteKey": draft.site or None,
        "MatchKind": lead.engagement.match,
        "EngagementFactors": to_json(lead.engagement.factors).decode(),
        "RecommendedAction": lead.engagement.recommended_action,
        "SuspicionScore": lead.suspicion.score,
        "SuspicionLabel": lead.suspicion.label,
        "SuspicionSignals": to_json(lead.suspicion.findings).decode(),
        "MessageHash": message_hash(draft.message),
    }


# Kept with the lead, for sessions are purged sooner than leads.
_OF_SESSION = {
    "LandingPage": "(SELECT landing_page FROM sessions WHERE client_id = ? AND session_id = ?)",
    "Device": "(SELECT device FROM sessions WHERE client_id = ? AND session_id = ?)",
    "FirstCampaign": """(SELECT f.utm_campaign FROM sessions AS s
    JOIN sessions AS f ON f.client_id = s.client_id AND f.visitor_id = s.visitor_id
    WHERE s.client_id = ? AND s.session_id = ? ORDER BY f.id LIMIT 1)""",
}

_FREE_OLD_KEY = """
UPDATE Leads SET IdempotencyKey = NULL
WHERE ClientId = ? AND IdempotencyKey = ? AND CreatedAt < ?"""

_BY_ID = "SELECT 1 FROM Leads WHERE PublicId = ?"

_BY_IDEMPOTENCY_KEY = """
SELECT PublicId, IdempotencyHash, EngagementScore, EngagementLabel, RecommendedAction, MatchKind,
  SuspicionScore, SuspicionLabel, SuspicionSignals
FROM Leads WHERE ClientId = ? AND IdempotencyKey = ? AND CreatedAt >= ?"""

_CONTACT_COLUMNS = (
    "Name",
    "FirstName",
    "LastName",
    "Email",
    "Phone",
    "PhoneE164",
    "Project",
    "PageUrl",
    "Referrer",
    "Country",
    *UTM_COLUMNS,
    "ClickIds",
    "Extra",
    "VisitorId",
    "Consent",
)
"""What a later response of the same form may complete or correct."""

_ENGAGEMENT_COLUMNS = (
    "LeadSource",
    "SessionId",
    "LandingPage",
    "Device",
    "FirstCampaign",
    "EngagementScore",
    "EngagementLabel",
    "PagesVisited",
    "SessionDuration",
    "ReturnVisits",
    "VpnSuspected",
    "EngagementFactors",
    "RecommendedAction",
    "MatchKind",
)
"""What counts as of the last response that was tied to a visit."""

_JUDGED_COLUMNS = ("SuspicionScore", "SuspicionLabel", "SuspicionSignals", "UpdatedAt")

_COMPLETE = " ON CONFLICT (PublicId) DO UPDATE SET " + ", ".join(
    [
        *(f"{name} = COALESCE(excluded.{name}, {name})" for name in _CONTACT_COLUMNS),
        *(
            f"{name} = CASE WHEN excluded.MatchKind <> 'none' THEN excluded.{name} ELSE {name} END"
            for name in _ENGAGEMENT_COLUMNS
        ),
        *(f"{name} = excluded.{name}" for name in _JUDGED_COLUMNS),
    ]
)

# ?1 client, ?2 a day ago, ?3 e-mail, ?4 phone as E.164, ?5 phone as given, ?6 message hash,
# ?7 address, ?8 five minutes ago, ?9 the lead itself where it stands already.
_HISTORY = """
SELECT
  (SELECT COUNT(*) FROM Leads WHERE ClientId = ?1 AND CreatedAt >= ?2 AND PublicId <> ?9
    AND Id IN (
    SELECT Id FROM Leads WHERE ClientId = ?1 AND Email = ?3
    UNION SELECT Id FROM Leads WHERE ClientId = ?1 AND PhoneE164 = ?4
    UNION SELECT Id FROM Leads WHERE ClientId = ?1 AND Phone = ?5)) AS duplicates,
  (SELECT COUNT(*) FROM Leads WHERE ClientId = ?1 AND MessageHash = ?6 AND CreatedAt >= ?2
    AND PublicId <> ?9 AND NOT COALESCE(Email = ?3, 0)
    AND NOT COALESCE(Phone = ?5, 0)) AS same_message,
  (SELECT COUNT(*) FROM Leads WHERE ClientId = ?1 AND Ip = ?7
    AND CreatedAt >= ?8) AS from_address"""


@dataclass(frozen=True, slots=True)
class ContactHistory:
    """Earlier leads of the client: same contact and same message in 24 h, address in 5 min."""

    duplicates: int
    same_message_from_others: int
    from_address: int


NO_HISTORY = ContactHistory(0, 0, 0)


@dataclass(frozen=True, slots=True)
class StoredLead:
    """What an idempotent replay answers with."""

    lead_id: LeadId
    body_hash: str | None
    engagement_score: int
    engagement_label: str
    engagement_available: bool
    recommended_action: str
    suspicion_score: int
    suspicion_label: str
    suspicion_reasons: tuple[str, ...]


def lead_batch(lead: Lead) -> list[Statement]:
    """The statements that store a lead.

    A lead with a taken idempotency key breaks a constraint, and so its whole batch; a key
    older than 7 days is free again, but for a platform's own id of the lead.
    """
    insert = _insert(lead)
    if lead.idempotency_key is None:
        return [insert]
    return [
        Statement(
            _FREE_OLD_KEY,
            (lead.client_id, lead.idempotency_key, _oldest(lead.idempotency_key, lead.created_at)),
        ),
        insert,
    ]


def completing_statement(lead: Lead) -> Statement:
    """Store a lead, or complete the one of the same id with what a later response tells."""
    return _insert(lead, _COMPLETE)


def _insert(lead: Lead, otherwise: str = "") -> Statement:
    values, visit = _lead_values(lead), lead.engagement.visit
    columns, args = dict.fromkeys(values, "?"), list(values.values())
    if visit:
        columns |= _OF_SESSION
        args += [lead.client_id, visit.session_id] * len(_OF_SESSION)
    else:
        columns["FirstCampaign"] = "?"
        args.append(values["UtmCampaign"])
    sql = f"INSERT INTO Leads ({', '.join(columns)}) VALUES ({', '.join(columns.values())})"
    return Statement(sql + otherwise, tuple(args))


async def stands(store: Store, lead_id: LeadId) -> bool:
    """Whether there is a lead of that id."""
    return bool(await store.query(_BY_ID, (lead_id,)))


async def lead_of_key(
    store: Store, client_id: ClientId, key: str, now: datetime
) -> StoredLead | None:
    """The lead that an idempotency key already names."""
    rows = await store.query(_BY_IDEMPOTENCY_KEY, (client_id, key, _oldest(key, now)))
    if not rows:
        return None
    row = rows[0]
    return StoredLead(
        LeadId(row["PublicId"]),
        row["IdempotencyHash"],
        int(row["EngagementScore"]),
        row["EngagementLabel"],
        row["MatchKind"] != "none",
        row["RecommendedAction"],
        row["SuspicionScore"],
        row["SuspicionLabel"],
        tuple(signal["reason"] for signal in json.loads(row["SuspicionSignals"])),
    )


@dataclass(frozen=True, slots=True)
class Enquirer:
    """Who sends a lead, as far as earlier leads can tell; `lead_id` where it stands already."""

    draft: LeadDraft
    e164: str
    ip: str
    lead_id: str = ""


async def contact_history(
    store: Store, client_id: ClientId, enquirer: Enquirer, now: datetime
) -> ContactHistory:
    """Count what came before this lead, itself left out."""
    draft = enquirer.draft
    rows = await store.query(
        _HISTORY,
        (
            client_id,
            to_text(now - DUPLICATE_WINDOW),
            draft.email or None,
            enquirer.e164 or None,
            draft.phone or None,
            message_hash(draft.message),
            enquirer.ip,
            to_text(now - VELOCITY_WINDOW),
            enquirer.lead_id,
        ),
    )
    row = rows[0]
    return ContactHistory(row["duplicates"], row["same_message"], row["from_address"])


def message_hash(message: str) -> str | None:
    """Equal for messages that differ only in case and white space; None without a message."""
    words = " ".join(message.casefold().split())
    return hashlib.sha256(words.encode()).hexdigest()[:32] if words else None


def _oldest(key: str, now: datetime) -> str:
    """From when on a key counts: a platform's own id names one lead for ever."""
    if key.startswith(NATIVE_PREFIX):
        return ""
    return to_text(now - timedelta(days=IDEMPOTENCY_DAYS))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
