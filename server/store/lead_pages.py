"""Leads read back by pages: filters from a literal table, keyset paging, one client at a time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from server.domain.ids import ClientId
from server.store.contract import Row, Store


class Filter(StrEnum):
    """What leads can be chosen by; times are texts of the clock."""

    CREATED_SINCE = "created_since"
    CREATED_BEFORE = "created_before"
    UPDATED_SINCE = "updated_since"
    ENGAGEMENT_LABEL = "engagement_label"
    MIN_ENGAGEMENT_SCORE = "min_engagement_score"
    TRACKED = "tracked"
    SUSPICION_LABEL = "suspicion_label"
    MAX_SUSPICION_SCORE = "max_suspicion_score"
    LEAD_SOURCE = "lead_source"
    CHANNEL = "channel"
    PROJECT = "project"
    EMAIL = "email"
    PHONE = "phone"
    VISITOR_ID = "visitor_id"


_CONDITIONS: dict[Filter, str] = {
    Filter.CREATED_SINCE: "CreatedAt >= ?",
    Filter.CREATED_BEFORE: "CreatedAt < ?",
    Filter.UPDATED_SINCE: "UpdatedAt >= ?",
    Filter.ENGAGEMENT_LABEL: "MatchKind <> 'none' AND EngagementLabel = ? COLLATE NOCASE",
    Filter.MIN_ENGAGEMENT_SCORE: "MatchKind <> 'none' AND EngagementScore >= ?",
    Filter.TRACKED: "(MatchKind <> 'none') = ?",
    Filter.SUSPICION_LABEL: "SuspicionLabel = ? COLLATE NOCASE",
    Filter.MAX_SUSPICION_SCORE: "SuspicionScore <= ?",
    Filter.LEAD_SOURCE: "LeadSource = ? COLLATE NOCASE",
    Filter.CHANNEL: "Channel = ?",
    Filter.PROJECT: "Project = ? COLLATE NOCASE",
    Filter.EMAIL: "Email = ?",
    Filter.PHONE: "? IN (PhoneE164, Phone)",
    Filter.VISITOR_ID: "VisitorId = ?",
}
"""A lead without a tracked visit has no engagement to be chosen by."""


class LeadOrder(StrEnum):
    """Which lead stands first."""

    NEWEST_FIRST = "newest"
    OLDEST_CHANGE_FIRST = "oldest_change"


class LeadPlace(NamedTuple):
    """Where a page ended: the moment that the order goes by, and the row."""

    moment: str
    row_id: int


_ORDERS: dict[LeadOrder, tuple[str, str, str]] = {
    LeadOrder.NEWEST_FIRST: ("CreatedAt", "<", "DESC"),
    LeadOrder.OLDEST_CHANGE_FIRST: ("UpdatedAt", ">", "ASC"),
}


@dataclass(frozen=True, slots=True)
class ListedLead:
    """A lead under the names that the webhook gives its fields, and its place in the order."""

    content: dict[str, Any]
    place: LeadPlace


_COLUMNS = """
  Id, PublicId AS lead_id, ClientId AS client_id, CreatedAt AS created_at, UpdatedAt AS updated_at,
  Channel AS channel, Name AS name, FirstName AS first_name, LastName AS last_name, Email AS email,
  Phone AS phone, PhoneE164 AS phone_e164, Message AS message, Project AS project,
  PageUrl AS page_url, Referrer AS referrer, Country AS country, SiteKey AS site,
  LeadSource AS lead_source, Consent AS consent, UtmSource AS utm_source, UtmMedium AS utm_medium,
  UtmCampaign AS utm_campaign, UtmTerm AS utm_term, UtmContent AS utm_content,
  ClickIds AS click_ids, VisitorId AS visitor_id, SessionId AS session_id,
  EngagementScore AS engagement_score, EngagementLabel AS engagement_label,
  PagesVisited AS pages_visited, SessionDuration AS session_duration_seconds,
  ReturnVisits AS return_visits, VpnSuspected AS vpn_suspected, MatchKind AS match_kind,
  RecommendedAction AS recommended_action, EngagementFactors AS engagement_factors,
  SuspicionScore AS suspicion_score, SuspicionLabel AS suspicion_label,
  SuspicionSignals AS suspicion_signals, Extra AS extra"""

_JSON_COLUMNS = ("click_ids", "engagement_factors", "suspicion_signals", "extra")


async def list_leads(
    store: Store,
    client_id: ClientId,
    filters: Sequence[tuple[Filter, Any]],
    order: LeadOrder,
    after: LeadPlace | None,
    limit: int,
) -> list[ListedLead]:
    """Up to `limit` leads of a client that pass all filters, from behind `after` on."""
    moment, beyond, direction = _ORDERS[order]
    conditions = ["ClientId = ?", *(_CONDITIONS[name] for name, _value in filters)]
    args: list[Any] = [client_id, *(value for _name, value in filters)]
    if after is not None:
        conditions.append(f"({moment}, Id) {beyond} (?, ?)")
        args += after
    sql = (
        f"SELECT {_COLUMNS} FROM Leads WHERE {' AND '.join(conditions)}"
        f" ORDER BY {moment} {direction}, Id {direction} LIMIT ?"
    )
    rows = await store.query(sql, (*args, limit))
    return [ListedLead(_content(row), _place(row, moment)) for row in rows]


def _place(row: Row, moment: str) -> LeadPlace:
    return LeadPlace(row["created_at" if moment == "CreatedAt" else "updated_at"], row["Id"])


def _content(row: Row) -> dict[str, Any]:
    content = {name: value for name, value in row.items() if name != "Id"}
    for name in _JSON_COLUMNS:
        content[name] = json.loads(row[name]) if row[name] else {}
    content["engagement_score"] = int(row["engagement_score"])
    content["engagement_available"] = row["match_kind"] != "none"
    content["consent"] = None if row["consent"] is None else bool(row["consent"])
    signals = content.pop("suspicion_signals")
    content["suspicion_reasons"] = [signal["reason"] for signal in signals]
    return content
