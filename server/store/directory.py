"""Clients, their sites and API keys."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from server.domain.clock import to_text
from server.domain.directory import ApiKey, Client, Scope, Site
from server.domain.ids import ClientId
from server.domain.qualification import LeadScoringConfig
from server.domain.retention import Retention
from server.store.contract import Row, Statement, Store
from server.store.vault import Vault

logger = logging.getLogger(__name__)

_ENCRYPTED = ("capi_token", "app_secret")
"""Secrets inside the settings; Typeform's has a column of its own."""

_CLIENTS = """
SELECT id, name, default_region, make_webhook_url, make_webhook_secret, typeform_secret,
  lead_scoring_config, keep_visits_days, keep_leads_days, keep_responses_days, truncate_ip
FROM clients ORDER BY id"""

_SAVE_SCORING = """
UPDATE clients SET lead_scoring_config = ?, typeform_secret = ? WHERE id = ?"""

_SAVE_CLIENT = """
UPDATE clients SET name = ?, default_region = ?, make_webhook_url = ?, make_webhook_secret = ?
WHERE id = ?"""

_SITES = "SELECT site_key, client_id, name, allowed_origins FROM sites ORDER BY site_key"

_KEY_COLUMNS = "id, name, key_hash, client_id, scope, field_mapping"

_KEYS = f"SELECT {_KEY_COLUMNS} FROM api_keys WHERE revoked_at IS NULL ORDER BY id"

_KEY_OF_HASH = f"""
SELECT {_KEY_COLUMNS} FROM api_keys WHERE key_hash = ? AND revoked_at IS NULL"""

_SEED_CLIENT = """
INSERT INTO clients (id, name, created_at) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING"""

_ADD_CLIENT = """
INSERT INTO clients (name, created_at, default_region, make_webhook_url, make_webhook_secret)
VALUES (?, ?, ?, ?, ?) RETURNING id"""

_ADD_SITE = """
INSERT INTO sites (site_key, client_id, name, allowed_origins, created_at)
VALUES (?, ?, ?, ?, ?)"""

_SEED_SITE = _ADD_SITE + " ON CONFLICT (site_key) DO NOTHING"

_ADD_KEY = """
INSERT INTO api_keys (name, key_hash, client_id, scope, field_mapping, created_at)
VALUES (?, ?, ?, ?, ?, ?)"""

_USE_KEY = "UPDATE api_keys SET last_used_at = ? WHERE id = ?"


@dataclass(frozen=True, slots=True)
class Entries:
    """Clients and sites at one moment."""

    clients: tuple[Client, ...]
    sites: tuple[Site, ...]


async def load(store: Store, vault: Vault) -> Entries:
    """Read all clients and sites; they are few."""
    return Entries(
        tuple(_client(row, vault) for row in await store.query(_CLIENTS)),
        tuple(_site(row) for row in await store.query(_SITES)),
    )


async def find_key(store: Store, key_hash: str) -> ApiKey | None:
    """The key in force with that hash."""
    rows = await store.query(_KEY_OF_HASH, (key_hash,))
    return _key(rows[0]) if rows else None


async def list_keys(store: Store) -> list[ApiKey]:
    """All keys in force, oldest first."""
    return [_key(row) for row in await store.query(_KEYS)]


async def seed(store: Store, client_name: str, site_key: str, now: datetime) -> None:
    """Make client 1 and its first site; changes nothing where they stand."""
    moment = to_text(now)
    await store.write(
        [
            Statement(_SEED_CLIENT, (1, client_name, moment)),
            Statement(_SEED_SITE, (site_key, 1, client_name, "[]", moment)),
        ]
    )


def new_client_statement(vault: Vault, client: Client, now: datetime) -> Statement:
    """Store a client under a new id, which its row tells; part of a batch."""
    args = (
        client.name,
        to_text(now),
        client.default_region,
        vault.encrypt(client.make_webhook_url) or None,
        vault.encrypt(client.make_webhook_secret) or None,
    )
    return Statement(_ADD_CLIENT, args)


def scoring_statement(vault: Vault, client_id: ClientId, config: LeadScoringConfig) -> Statement:
    """Store a client's settings for scored responses, the secrets encrypted."""
    stored = config.model_dump(mode="json", exclude={"typeform_secret"})
    stored |= {name: vault.encrypt(stored[name]) for name in _ENCRYPTED}
    secret = vault.encrypt(config.typeform_secret) or None
    return Statement(_SAVE_SCORING, (json.dumps(stored), secret, client_id))


def client_statement(vault: Vault, client: Client) -> Statement:
    """Store what a client is called, its region and its webhook, the secrets encrypted."""
    args = (
        client.name,
        client.default_region,
        vault.encrypt(client.make_webhook_url) or None,
        vault.encrypt(client.make_webhook_secret) or None,
        client.client_id,
    )
    return Statement(_SAVE_CLIENT, args)


def site_statement(site: Site, now: datetime) -> Statement:
    """Store a site; part of a batch."""
    origins = json.dumps(sorted(site.allowed_origins))
    args = (site.site_key, site.client_id, site.name, origins, to_text(now))
    return Statement(_ADD_SITE, args)


def key_statement(key: ApiKey, now: datetime) -> Statement:
    """Store a key's hash; part of a batch."""
    mapping = json.dumps(dict(key.field_mapping))
    args = (key.name, key.key_hash, key.client_id, key.scope, mapping, to_text(now))
    return Statement(_ADD_KEY, args)


async def use_key(store: Store, key_id: int, now: datetime) -> None:
    """Keep that a key opened something."""
    await store.write([Statement(_USE_KEY, (to_text(now), key_id))])


def _client(row: Row, vault: Vault) -> Client:
    return Client(
        ClientId(row["id"]),
        row["name"],
        row["default_region"],
        vault.decrypt(row["make_webhook_url"] or ""),
        vault.decrypt(row["make_webhook_secret"] or ""),
        _scoring(row, vault),
        Retention(row["keep_visits_days"], row["keep_leads_days"], row["keep_responses_days"]),
        truncate_ip=bool(row["truncate_ip"]),
    )


def _scoring(row: Row, vault: Vault) -> LeadScoringConfig:
    """A client's settings; ones that a later version wrote must not stop everybody's leads."""
    stored = json.loads(row["lead_scoring_config"])
    secrets = {name: vault.decrypt(stored.get(name, "")) for name in _ENCRYPTED}
    secrets["typeform_secret"] = vault.decrypt(row["typeform_secret"] or "")
    try:
        return LeadScoringConfig.model_validate({**stored, **secrets})
    except ValidationError:
        logger.exception("client %s: lead scoring settings cannot be read", row["id"])
        return LeadScoringConfig()


def _site(row: Row) -> Site:
    origins: Sequence[str] = json.loads(row["allowed_origins"])
    return Site(row["site_key"], ClientId(row["client_id"]), row["name"], frozenset(origins))


def _key(row: Row) -> ApiKey:
    return ApiKey(
        row["id"],
        row["name"],
        row["key_hash"],
        ClientId(row["client_id"]),
        Scope(row["scope"]),
        json.loads(row["field_mapping"]),
    )
