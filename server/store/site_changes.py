"""Clients, sites and keys changed, each with its entry in the audit trail.

Change and entry stand in one batch; the row's client is in every WHERE.
"""

from __future__ import annotations

import json
from datetime import datetime

from server.domain.clock import to_text
from server.domain.directory import ApiKey, Client, Site
from server.domain.field_mapping import FieldMapping
from server.domain.ids import ClientId
from server.store import directory
from server.store.audit import Entry, entry_if_changed, entry_of_new_client, entry_statement
from server.store.contract import Statement, Store
from server.store.vault import Vault

_CHANGE_CLIENT = "UPDATE clients SET name = ?, default_region = ? WHERE id = ?"

_CHANGE_SITE = """
UPDATE sites SET name = ?, allowed_origins = ? WHERE site_key = ? AND client_id = ?"""

_END_SITE = """
DELETE FROM sites WHERE site_key = ?1 AND client_id = ?2
  AND NOT EXISTS (SELECT 1 FROM sessions AS v
    WHERE v.client_id = ?2 AND v.site_key = ?1 AND v.last_seen_at >= ?3)
  AND NOT EXISTS (SELECT 1 FROM Leads AS l
    WHERE l.ClientId = ?2 AND l.CreatedAt >= ?3 AND l.SiteKey = ?1)"""

_MAP_KEY = """
UPDATE api_keys SET field_mapping = ? WHERE id = ? AND client_id = ? AND revoked_at IS NULL"""

_REVOKE_KEY = """
UPDATE api_keys SET revoked_at = ? WHERE id = ? AND client_id = ? AND revoked_at IS NULL"""


async def add_client(
    store: Store, vault: Vault, client: Client, entry: Entry, now: datetime
) -> ClientId:
    """Store a client under a new id, its secrets encrypted; the entry becomes that client's."""
    added, _kept = await store.write(
        [directory.new_client_statement(vault, client, now), entry_of_new_client(entry, now)]
    )
    return ClientId(added.rows[0]["id"])


async def change_client(store: Store, client: Client, entry: Entry, now: datetime) -> None:
    """Store a client's name and default region."""
    args = (client.name, client.default_region, client.client_id)
    await store.write([Statement(_CHANGE_CLIENT, args), entry_statement(entry, now)])


async def add_site(store: Store, site: Site, entry: Entry, now: datetime) -> None:
    """Store a site; raises ConstraintError for a taken key or an unknown client."""
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
    return await _change(store, Statement(_END_SITE, args), entry, now)


async def add_key(store: Store, key: ApiKey, entry: Entry, now: datetime) -> None:
    """Store a key's hash; raises ConstraintError for an unknown client."""
    await store.write([directory.key_statement(key, now), entry_statement(entry, now)])


async def map_key(
    store: Store, key_id: int, mapping: FieldMapping, entry: Entry, now: datetime
) -> bool:
    """Replace the field mapping of a key of the entry's client; False when it is not in force."""
    args = (json.dumps(dict(mapping)), key_id, entry.client_id)
    return await _change(store, Statement(_MAP_KEY, args), entry, now)


async def revoke_key(store: Store, key_id: int, entry: Entry, now: datetime) -> bool:
    """End a key of the entry's client; False when it is not in force."""
    args = (to_text(now), key_id, entry.client_id)
    return await _change(store, Statement(_REVOKE_KEY, args), entry, now)


async def _change(store: Store, change: Statement, entry: Entry, now: datetime) -> bool:
    changed, _kept = await store.write([change, entry_if_changed(entry, now)])
    return changed.changes > 0
