"""Rows that come from another database: what is there already stays as it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from server.store.contract import Statement, Store
from server.store.leads import UTM_COLUMNS
from server.store.visit_rows import FingerprintRow, PageViewRow, SessionRow

PATIENCE_SECONDS = 60.0

_LEADS = [
    "PublicId",
    "ClientId",
    "Channel",
    "CreatedAt",
    "UpdatedAt",
    "Name",
    "FirstName",
    "LastName",
    "Email",
    "Phone",
    "PhoneE164",
    "Message",
    "Project",
    "LeadSource",
    "PageUrl",
    "Referrer",
    "Ip",
    "UserAgent",
    "Country",
    *UTM_COLUMNS,
    "ClickIds",
    "Extra",
    "VisitorId",
    "SessionId",
    "EngagementScore",
    "EngagementLabel",
    "PagesVisited",
    "SessionDuration",
    "ReturnVisits",
    "VpnSuspected",
    "SiteKey",
    "MatchKind",
    "RecommendedAction",
    "SuspicionScore",
    "SuspicionLabel",
    "MessageHash",
]

_NEVER_KEPT = frozenset(["click_ids", "consent", "network", "network_kind", "automation"])
"""What no Worker kept of a session."""

SESSION_COLUMNS = [name for name in SessionRow._fields if name not in _NEVER_KEPT]

_COLUMNS: Mapping[str, Sequence[str]] = {
    "Leads": _LEADS,
    "sessions": SESSION_COLUMNS,
    "fingerprints": FingerprintRow._fields,
    "page_views": PageViewRow._fields,
}

_OF_VISIT = {
    "LandingPage": "(SELECT s.landing_page FROM sessions AS s WHERE s.client_id = {c}"
    " AND s.session_id = {s})",
    "Device": "(SELECT s.device FROM sessions AS s WHERE s.client_id = {c} AND s.session_id = {s})",
    "FirstCampaign": "COALESCE((SELECT f.utm_campaign FROM sessions AS s JOIN sessions AS f"
    " ON f.client_id = s.client_id AND f.visitor_id = s.visitor_id WHERE s.client_id = {c}"
    " AND s.session_id = {s} ORDER BY f.started_at LIMIT 1), {u})",
}

_WITH_SESSION = """EXISTS (SELECT 1 FROM sessions AS s
  WHERE s.client_id = j.value ->> 'client_id' AND s.session_id = j.value ->> 'session_id')"""


async def add(store: Store, table: str, rows: Iterable[Mapping[str, Any]]) -> int:
    """Store the rows that are not there, in one batch; how many that were. Raises StoreError."""
    statement = Statement(_insert(table), (json.dumps(list(rows), ensure_ascii=False),))
    (result,) = await store.write([statement], patience_seconds=PATIENCE_SECONDS)
    return len(result.rows)


def _insert(table: str) -> str:
    columns = {name: f"j.value ->> '{name}'" for name in _COLUMNS[table]}
    where = _WITH_SESSION if table == "page_views" else "true"
    if table == "Leads":
        known = {"c": columns["ClientId"], "s": columns["SessionId"], "u": columns["UtmCampaign"]}
        columns |= {name: sql.format(**known) for name, sql in _OF_VISIT.items()}
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(columns.values())}"
        f" FROM json_each(?) AS j WHERE {where} ON CONFLICT DO NOTHING RETURNING 1 AS added"
    )
