"""How the text of one setting becomes its value; raises ValueError that says what is wrong."""

from __future__ import annotations

import base64
import ipaddress
import re
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from server.domain.retention import MAX_DAYS
from server.domain.user import password_fault

MIN_SECRET_KEY_CHARS = 32
RATE_LIMITED = ("address", "key", "form")
MAX_QUOTA = 1_000_000

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+(%\w+)?")
_SIGNING_PREFIX = "whsec_"
_ALIAS = re.compile(r"(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+")
_HASHED_NAME = re.compile(r"/(tracker|form)-[0-9a-f]{16}\.js")

SERVED_NAMES = frozenset(
    [
        "account",
        "api",
        "clients",
        "dashboard",
        "demo",
        "docs",
        "favicon.ico",
        "form.js",
        "healthz",
        "metrics",
        "openapi.json",
        "readyz",
        "sign-in",
        "sign-out",
        "thank-you",
        "tracker.js",
        "users",
    ]
)
"""First segments of the paths that the server has itself, which no alias may take."""


def host(value: str) -> str:
    """An address or the name of a host."""
    if not _HOST.fullmatch(value):
        raise ValueError("is neither an address nor the name of a host")
    return value


def port(value: str) -> int:
    """A port, 1 to 65535."""
    number = int(value)
    if not 0 < number < 65_536:
        raise ValueError("is not a port from 1 to 65535")
    return number


def switch(value: str) -> bool:
    """Whether the word says on."""
    words = {"on": True, "true": True, "1": True, "yes": True}
    words |= {"off": False, "false": False, "0": False, "no": False}
    if value.lower() not in words:
        raise ValueError("is neither on nor off")
    return words[value.lower()]


def networks(value: str) -> tuple[Network, ...]:
    """Addresses and networks, by comma or space."""
    parts = value.replace(",", " ").split()
    return tuple(ipaddress.ip_network(part, strict=False) for part in parts)


def http_url(value: str) -> str:
    """An HTTP address without credentials, or nothing."""
    if value and not _is_http_url(value):
        raise ValueError("is not an http:// or https:// address without credentials")
    return value


def _is_http_url(value: str) -> bool:
    parts = _url_parts(value)
    if parts is None or parts.scheme not in ("http", "https"):
        return False
    return bool(parts.hostname) and "@" not in parts.netloc


def _url_parts(value: str) -> SplitResult | None:
    """None for what is no address: the error's text would show a part of the value."""
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return None
    return parts


def base_url(value: str) -> str:
    """An HTTP address that paths are put behind, or nothing."""
    return http_url(value).rstrip("/")


def alias(value: str) -> str:
    """A path that the server does not have itself, or nothing."""
    if not value:
        return value
    if not _ALIAS.fullmatch(value) or ".." in value:
        raise ValueError("is no path such as /assets/pg of letters, digits, '.', '_' and '-'")
    if value.split("/")[1] in SERVED_NAMES or _HASHED_NAME.fullmatch(value):
        raise ValueError("is taken by the server itself")
    return value


def database_url(value: str) -> str:
    """The address as the drivers take it: `libsql:` is HTTPS by another name."""
    if not value:
        return value
    if value.startswith("file:"):
        if not value.strip("/").removeprefix("file:"):
            raise ValueError("is not a file: address with a path")
        return value
    if not _is_database_server(value):
        schemes = "file:, libsql://, https://, wss://, http:// or ws://"
        raise ValueError(f"is no address of {schemes}, with a host and without user and query")
    return re.sub("^libsql:", "https:", value).rstrip("/")


def _is_database_server(value: str) -> bool:
    parts = _url_parts(value)
    if parts is None or parts.scheme not in ("libsql", "https", "http", "wss", "ws"):
        return False
    return bool(parts.hostname) and not (parts.query or parts.fragment or parts.username)


def token(value: str) -> str:
    """What may stand in an Authorization header."""
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("holds characters that no token has")
    return value


def path(value: str) -> Path | None:
    """A path, or None."""
    return Path(value) if value else None


def signing_secret(value: str) -> str:
    """A webhook's secret as given; raises ValueError for a `whsec_` one that is not base64."""
    if value.startswith(_SIGNING_PREFIX):
        try:
            decoded = base64.b64decode(value.removeprefix(_SIGNING_PREFIX), validate=True)
        except ValueError:
            decoded = b""
        if not decoded:
            raise ValueError(f"is not base64 after {_SIGNING_PREFIX}")
    return value


def secret_key(value: str) -> str:
    """A key of at least MIN_SECRET_KEY_CHARS, or nothing."""
    if value and len(value) < MIN_SECRET_KEY_CHARS:
        raise ValueError(f"is shorter than {MIN_SECRET_KEY_CHARS} characters")
    return value


def admin_password(value: str) -> str:
    """A password that an admin may have, or nothing."""
    fault = password_fault(value) if value else ""
    if fault:
        raise ValueError(fault)
    return value


def log_level(value: str) -> str:
    """A level as `logging` names it."""
    if value.lower() not in ("debug", "info", "warning", "error"):
        raise ValueError("is none of debug, info, warning, error")
    return value.upper()


def rate_limit(value: str) -> dict[str, int]:
    """Requests a minute by what they are counted for; empty when switched off."""
    if value.lower() == "off":
        return {}
    if value.isascii() and value.isdigit():
        return dict.fromkeys(RATE_LIMITED, _quota(value))
    parts = [part.partition("=") for part in value.replace(",", " ").split()]
    quotas = {name: _quota(number) for name, _, number in parts}
    if not quotas.keys() <= set(RATE_LIMITED):
        raise ValueError(f"is neither off, a number, nor {'=…, '.join(RATE_LIMITED)}=…")
    return quotas


def _quota(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= MAX_QUOTA):
        raise ValueError(f"is no number of requests a minute from 1 to {MAX_QUOTA}")
    return int(text)


def days(value: str) -> int | None:
    """Days from 1 to MAX_DAYS, or None."""
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and 0 < int(value) <= MAX_DAYS):
        raise ValueError(f"is no number of days from 1 to {MAX_DAYS}")
    return int(value)
