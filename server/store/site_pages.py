"""Clients, sites and API keys as the dashboard lists them: with counts and last signs of life."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from server.domain.clock import to_text
from server.domain.directory import Scope
from server.domain.field_mapping import FieldMapping
from server.domain.ids import ClientId
from server.store.contract import Store

_COUNTS = """
SELECT c.value AS client_id,
  (SELECT COUNT(*) FROM sites AS s WHERE s.client_id = c.value) AS sites,
  (SELECT COUNT(*) FROM api_keys AS k WHERE k.client_id = c.value AND k.revoked_at IS NULL) AS keys,
  (SELECT COUNT(*) FROM Leads AS l WHERE l.ClientId = c.value AND l.CreatedAt >= ?2) AS leads
FROM json_each(?1) AS c"""

# The newest sessions of a site stand at the end of its index; older ones were seen before them.
_ACTIVITY = """
SELECT s.site_key, s.created_at,
  (SELECT MAX(last_seen_at) FROM (
    SELECT v.last_seen_at FROM sessions AS v
    WHERE v.client_id = s.client_id AND v.site_key = s.site_key
    ORDER BY v.id DESC LIMIT 50)) AS last_beacon_at,
  l.last_lead_at, COALESCE(l.leads, 0) AS leads
FROM sites AS s LEFT JOIN (
  SELECT SiteKey, MAX(CreatedAt) AS last_lead_at, COUNT(*) AS leads FROM Leads
  WHERE ClientId = ?1 AND CreatedAt >= ?2 GROUP BY SiteKey) AS l ON l.SiteKey = s.site_key
WHERE s.client_id = ?1"""

_KEYS = """
SELECT id, name, scope, field_mapping, created_at, last_used_at FROM api_keys
WHERE client_id = ? AND revoked_at IS NULL ORDER BY id DESC"""


@dataclass(frozen=True, slots=True)
class ClientCounts:
    """What a client has; `leads` since the moment that was asked for."""

    sites: int
    keys: int
    leads: int


@dataclass(frozen=True, slots=True)
class SiteActivity:
    """When a site was added and last heard of; `leads` and the last of them since a moment."""

    created_at: str
    last_beacon_at: str
    last_lead_at: str
    leads: int


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key in force, without what would open anything."""

    key_id: int
    name: str
    scope: Scope
    field_mapping: FieldMapping
    created_at: str
    last_used_at: str


async def client_counts(
    store: Store, client_ids: Collection[ClientId], since: datetime
) -> Mapping[ClientId, ClientCounts]:
    """Counts of each of the clients."""
    rows = await store.query(_COUNTS, (json.dumps(sorted(client_ids)), to_text(since)))
    return {
        ClientId(row["client_id"]): ClientCounts(row["sites"], row["keys"], row["leads"])
        for row in rows
    }


async def site_activity(
    store: Store, client_id: ClientId, since: datetime
) -> Mapping[str, SiteActivity]:
    """What each site of a client was heard of, by its key."""
    rows = await store.query(_ACTIVITY, (client_id, to_text(since)))
    return {
        row["site_key"]: SiteActivity(
            row["created_at"], row["last_beacon_at"] or "", row["last_lead_at"] or "", row["leads"]
        )
        for row in rows
    }


async def keys_of(store: Store, client_id: ClientId) -> list[ListedKey]:
    """A client's keys in force, newest first."""
    return [
        ListedKey(
            row["id"],
            row["name"],
            Scope(row["scope"]),
            json.loads(row["field_mapping"]),
            row["created_at"],
            row["last_used_at"] or "",
        )
        for row in await store.query(_KEYS, (client_id,))
    ]
