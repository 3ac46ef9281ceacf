"""Whose traffic is whose: clients, their sites and their API keys."""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from server.domain.field_mapping import FieldMapping
from server.domain.ids import ClientId
from server.domain.qualification import LeadScoringConfig
from server.domain.retention import Retention

FIRST_CLIENT = ClientId(1)
FIRST_SITE = "demo"
"""Of the first client; every start makes it anew."""

MAX_NAME_CHARS = 80
"""Of a client, site or key; tables show them whole."""

KEY_PREFIX = "pg_"
_HOST = re.compile(r"^[A-Za-z0-9.-]+\Z|^\[[0-9A-Fa-f:.]+\]\Z")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Scope(StrEnum):
    """What a key may do: read the client's leads, store leads, or both and all else.

    A partner that sends leads need not see the leads of others.
    """

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


def name_fault(name: str) -> str:
    """Why nothing can be called so, "" when it can."""
    if not name.strip():
        return "is missing"
    if len(name) > MAX_NAME_CHARS:
        return f"has more than {MAX_NAME_CHARS} characters"
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        return "has characters that cannot be shown"
    return ""


@dataclass(frozen=True, slots=True)
class Client:
    """A customer. `default_region` (ISO 3166) reads phone numbers without a country code.

    `scoring` are its settings for scored responses, secrets in clear. `retention` is its own,
    without the server's default; `truncate_ip` cuts addresses before they are stored.
    """

    client_id: ClientId
    name: str
    default_region: str | None = None
    make_webhook_url: str = ""
    make_webhook_secret: str = ""
    scoring: LeadScoringConfig = field(default_factory=LeadScoringConfig, repr=False)
    retention: Retention = field(default_factory=Retention)
    truncate_ip: bool = False


@dataclass(frozen=True, slots=True)
class Site:
    """A web site of a client; `allowed_origins` such as `https://www.example.com`."""

    site_key: str
    client_id: ClientId
    name: str | None
    allowed_origins: frozenset[str]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A partner's key; only its hash is known after it was shown once.

    `field_mapping` tells where the partner's JSON holds our fields.
    """

    key_id: int
    name: str
    key_hash: str
    client_id: ClientId
    scope: Scope
    field_mapping: FieldMapping = field(default_factory=dict)

    def may(self, scope: Scope) -> bool:
        """Whether it covers what a scope allows."""
        return self.scope in (scope, Scope.ADMIN)


def new_key() -> str:
    """A key of 192 random bits, for people to copy."""
    return KEY_PREFIX + secrets.token_urlsafe(24)


def hash_of_key(key: str) -> str:
    """SHA-256, hex. Enough for random keys; passwords need more."""
    return hashlib.sha256(key.encode()).hexdigest()


def origin_of(url: str) -> str:
    """`scheme://host[:port]` of an http(s) address in the form browsers send, or "".

    Backslashes and user names make browsers and `urlsplit` see different hosts: refused.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    host = (parts.hostname or "").lower()
    shown = f"[{host}]" if ":" in host else host
    if parts.scheme not in _DEFAULT_PORTS or not _HOST.match(shown):
        return ""
    if "@" in parts.netloc or "\\" in url:
        return ""
    is_default = port is None or port == _DEFAULT_PORTS[parts.scheme]
    return f"{parts.scheme}://{shown}" + ("" if is_default else f":{port}")
