"""What became of leads: those that an outcome names, and counts by label and grade."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from server.domain.ids import ClientId
from server.domain.lead_status import LeadStatus
from server.store.contract import Row, Store

# The newest lead of each name, and how many there are of it; from name to name by the index.
_BY_NAMES = """
SELECT n.value AS name, l.PublicId AS lead_id, l.Name AS person, l.Email AS email,
  l.Phone AS phone, l.Status AS status, l.CreatedAt AS created_at, MAX(l.Id), COUNT(*) AS leads
FROM json_each(?2) AS n CROSS JOIN Leads AS l ON l.ClientId = ?1 AND {0} GROUP BY n.value"""

_CONDITIONS = {
    "lead_id": "l.PublicId = n.value",
    "email": "l.Email = n.value",
    "phone": "l.PhoneE164 = n.value",
}

_SUMS = f"""COUNT(*) AS leads,
  SUM(l.FirstContactAt IS NOT NULL
    OR l.Status NOT IN ('{LeadStatus.NEW}', '{LeadStatus.SPAM}')) AS contacted,
  SUM(l.Status = '{LeadStatus.WON}') AS won, SUM(l.Status = '{LeadStatus.LOST}') AS lost"""

_BY_LABEL = f"""
SELECT CASE WHEN l.MatchKind = 'none' THEN '' ELSE l.EngagementLabel END AS name, {_SUMS}
FROM Leads AS l WHERE l.ClientId = ? AND l.CreatedAt >= ? AND l.Status <> '{LeadStatus.SPAM}'
GROUP BY 1"""

# From the results on, for few leads have one; the plus keeps the index by time from being taken.
_BY_GRADE = f"""
SELECT r.rotator AS name, {_SUMS}
FROM leadscoring_results AS r
CROSS JOIN Leads AS l ON l.ClientId = r.client_id AND l.Email = r.email
WHERE r.client_id = ? AND r.rotator IS NOT NULL AND +l.CreatedAt >= ?
  AND l.Status <> '{LeadStatus.SPAM}'
GROUP BY 1"""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many leads of a group, and how far they came; spam is in none."""

    leads: int = 0
    contacted: int = 0
    won: int = 0
    lost: int = 0

    def __sub__(self, other: Counts) -> Counts:
        return Counts(
            self.leads - other.leads,
            self.contacted - other.contacted,
            self.won - other.won,
            self.lost - other.lost,
        )

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.leads + other.leads,
            self.contacted + other.contacted,
            self.won + other.won,
            self.lost + other.lost,
        )


async def leads_by(
    store: Store, client_id: ClientId, column: str, names: Sequence[str]
) -> dict[str, Row]:
    """The newest lead of each `lead_id`, `email` or `phone` (E.164); `leads` tells how many."""
    sql = _BY_NAMES.format(_CONDITIONS[column])
    rows = await store.query(sql, (client_id, json.dumps(sorted(set(names)))))
    return {row["name"]: row for row in rows}


async def counts_by_label(store: Store, client_id: ClientId, since: str) -> dict[str, Counts]:
    """Leads from a moment on by engagement label, "" for those without a tracked visit."""
    return await _counts(store, _BY_LABEL, client_id, since)


async def counts_by_grade(store: Store, client_id: ClientId, since: str) -> dict[str, Counts]:
    """Leads from a moment on whose responses were scored, by rotator grade."""
    return await _counts(store, _BY_GRADE, client_id, since)


async def _counts(store: Store, sql: str, client_id: ClientId, since: str) -> dict[str, Counts]:
    return {
        row["name"]: Counts(row["leads"], row["contacted"], row["won"], row["lost"])
        for row in await store.query(sql, (client_id, since))
    }
