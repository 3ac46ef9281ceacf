"""Clients, sites and keys changed in the dashboard, each with its entry in the audit trail.

Change and entry stand in one batch where the change cannot be refused; the row's client is in
every WHERE.
"""

from __future__ import annotations

import json
from datetime import datetime

from server.domain.clock import to_text
from server.domain.directory import ApiKey, Client, Site
from server.store import directory
from server.store.audit import Entry, entry_statement
from server.store.contract import Statement, Store
from server.store.site_pages import ListedKey

_CHANGE_CLIENT = "UPDATE clients SET name = ?, default_region = ? WHERE id = ?"

_CHANGE_SITE = """
UPDATE sites SET name = ?, allowed_origins = ? WHERE site_key = ? AND client_id = ?"""

_END_SITE = """
DELETE FROM sites WHERE site_key = ?1 AND client_id = ?2
  AND NOT EXISTS (SELECT 1 FROM sessions AS v
    WHERE v.client_id = ?2 AND v.site_key = ?1 AND v.last_seen_at >= ?3)
  AND NOT EXISTS (SELECT 1 FROM Leads AS l
    WHERE l.ClientId = ?2 AND l.CreatedAt >= ?3 AND l.SiteKey = ?1)"""

_REVOKE_KEY = """
UPDATE api_keys SET revoked_at = ? WHERE id = ? AND client_id = ? AND revoked_at IS NULL"""


async def change_client(store: Store, client: Client, entry: Entry, now: datetime) -> None:
    """Store a client's name and default region."""
    args = (client.name, client.default_region, client.client_id)
    await store.write([Statement(_CHANGE_CLIENT, args), entry_statement(entry, now)])


async def add_site(store: Store, site: Site, entry: Entry, now: datetime) -> None:
    """Store a site; raises ConstraintError for a taken key."""
    await store.write([directory.site_statement(site, now), entry_statement(entry, now)])


async def change_site(store: Store, site: Site, entry: Entry, now: datetime) -> None:
    """Store a site's name and origins."""
    origins = json.dumps(sorted(site.allowed_origins))
    args = (site.name, origins, site.site_key, site.client_id)
    await store.write([Statement(_CHANGE_SITE, args), entry_statement(entry, now)])


async def end_site(
    store: Store, site: Site, quiet_since: datetime, entry: Entry, now: datetime
) -> bool:
    """Take a site away of which nothing came since; False, and nothing changed, where it did."""
    args = (site.site_key, site.client_id, to_text(quiet_since))
    (result,) = await store.write([Statement(_END_SITE, args)])
    if result.changes:
        await store.write([entry_statement(entry, now)])
    return result.changes > 0


async def add_key(store: Store, key: ApiKey, entry: Entry, now: datetime) -> None:
    """Store a key's hash."""
    await store.write([directory.key_statement(key, now), entry_statement(entry, now)])


async def revoke_key(store: Store, key: ListedKey, entry: Entry, now: datetime) -> None:
    """End a key of the entry's client."""
    args = (to_text(now), key.key_id, entry.client_id)
    await store.write([Statement(_REVOKE_KEY, args), entry_statement(entry, now)])
