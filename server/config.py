"""Settings: wrangler-alike.toml, .dev.vars and the environment become one frozen Config.

The environment wins over `.dev.vars`, which wins over `[vars]`. Empty means unset.
"""

from __future__ import annotations

import base64
import io
import ipaddress
import os
import re
import secrets
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import maxminddb
from dotenv.parser import parse_stream

from server.domain.retention import MAX_DAYS
from server.domain.user import password_fault
from server.form_ai.catalogue import DEFAULT_MODELS
from server.form_ai.chain import parse_models
from server.form_ai.contract import ModelSpec
from server.geo import read_ranges

CONFIG_FILE = "wrangler-alike.toml"
SECRETS_FILE = ".dev.vars"
ROOT: Final = Path(__file__).resolve().parent.parent
MIN_SECRET_KEY_CHARS = 32
RATE_LIMITED = ("address", "key", "form")
MAX_QUOTA = 1_000_000

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_TOP_LEVEL_KEYS = frozenset(
    [
        "name",
        "main",
        "compatibility_date",
        "compatibility_flags",
        "vars",
        "d1_databases",
        "triggers",
        "assets",
        "observability",
        "dev",
        "env",
    ]
)
"""Keys of real wrangler that may stand in the file; settings of ours stand under [vars]."""

_DEV_KEYS = frozenset(
    ["ip", "port", "inspector_port", "local_protocol", "upstream_protocol", "host"]
)
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+(%\w+)?")
_SIGNING_PREFIX = "whsec_"
_ALIAS = re.compile(r"(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+")
_ALIASES = ("tracker_path", "form_path", "track_path")
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


class ConfigError(Exception):
    """A setting that cannot be used; the message is one line that names it."""


@dataclass(frozen=True, slots=True)
class Config:
    """All settings, parsed. Secrets are left out of its repr by `secret_values` users."""

    host: str
    port: int
    data_dir: Path
    database_url: str
    libsql_auth_token: str
    allow_plain_database: bool
    public_url: str
    tracker_path: str
    form_path: str
    track_path: str
    make_webhook_url: str
    make_webhook_secret: str
    admin_password: str
    secret_key: str
    trusted_proxies: tuple[Network, ...]
    allow_private_targets: bool
    country_db: Path | None
    network_db: Path | None
    vpn_ranges: Path | None
    hosting_ranges: Path | None
    typeform_secret: str
    allow_unsigned_webhooks: bool
    form_ai_models: tuple[ModelSpec, ...]
    gemini_api_key: str
    gemini_base_url: str
    openai_api_key: str
    openai_base_url: str
    meta_graph_url: str
    require_api_key: bool
    rate_limit: Mapping[str, int]
    retention_days: int | None
    demo: bool
    log_level: str

    def __repr__(self) -> str:
        """Without secrets, so that a logged config gives nothing away."""
        return f"Config(host={self.host!r}, port={self.port}, data_dir={str(self.data_dir)!r})"

    @property
    def database_is_file(self) -> bool:
        """Whether DATABASE_URL names a file, not a server."""
        return self.database_url.startswith("file:")

    @property
    def database_path(self) -> Path:
        """The file that DATABASE_URL names."""
        return Path(self.database_url.removeprefix("file:"))

    @property
    def local_url(self) -> str:
        """Where this server can be reached from its own machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104  read, not bound
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def secret_values(self) -> tuple[str, ...]:
        """Texts that must never be logged."""
        values = (
            self.libsql_auth_token,
            self.make_webhook_url,
            self.make_webhook_secret,
            self.secret_key,
            self.typeform_secret,
            self.admin_password,
            self.gemini_api_key,
            self.openai_api_key,
        )
        return tuple(value for value in values if value)


class Setting(NamedTuple):
    """One setting: its name, default (as text), parser and one line of help."""

    name: str
    default: str
    parse: Callable[[str], Any]
    help: str
    secret: bool = False


def _host(value: str) -> str:
    if not _HOST.fullmatch(value):
        raise ValueError("is neither an address nor the name of a host")
    return value


def _port(value: str) -> int:
    port = int(value)
    if not 0 < port < 65_536:
        raise ValueError("is not a port from 1 to 65535")
    return port


def _switch(value: str) -> bool:
    words = {"on": True, "true": True, "1": True, "yes": True}
    words |= {"off": False, "false": False, "0": False, "no": False}
    if value.lower() not in words:
        raise ValueError("is neither on nor off")
    return words[value.lower()]


def _networks(value: str) -> tuple[Network, ...]:
    parts = value.replace(",", " ").split()
    return tuple(ipaddress.ip_network(part, strict=False) for part in parts)


def _http_url(value: str) -> str:
    if value and not _is_http_url(value):
        raise ValueError("is not an http:// or https:// address without credentials")
    return value


def _is_http_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:  # its text would show a part of the value
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc


def _base_url(value: str) -> str:
    return _http_url(value).rstrip("/")


def _alias(value: str) -> str:
    if not value:
        return value
    if not _ALIAS.fullmatch(value) or ".." in value:
        raise ValueError("is no path such as /assets/pg of letters, digits, '.', '_' and '-'")
    if value.split("/")[1] in SERVED_NAMES or _HASHED_NAME.fullmatch(value):
        raise ValueError("is taken by the server itself")
    return value


def _database_url(value: str) -> str:
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
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return False
    known = parts.scheme in ("libsql", "https", "http", "wss", "ws")
    return known and bool(parts.hostname) and not (parts.query or parts.fragment or parts.username)


def _token(value: str) -> str:
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("holds characters that no token has")
    return value


def _path(value: str) -> Path | None:
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


def _secret_key(value: str) -> str:
    if value and len(value) < MIN_SECRET_KEY_CHARS:
        raise ValueError(f"is shorter than {MIN_SECRET_KEY_CHARS} characters")
    return value


def _admin_password(value: str) -> str:
    fault = password_fault(value) if value else ""
    if fault:
        raise ValueError(fault)
    return value


def _log_level(value: str) -> str:
    if value.lower() not in ("debug", "info", "warning", "error"):
        raise ValueError("is none of debug, info, warning, error")
    return value.upper()


def _rate_limit(value: str) -> dict[str, int]:
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


def _days(value: str) -> int | None:
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and 0 < int(value) <= MAX_DAYS):
        raise ValueError(f"is no number of days from 1 to {MAX_DAYS}")
    return int(value)


SETTINGS: tuple[Setting, ...] = (
    Setting("HOST", "127.0.0.1", _host, "Address to listen on."),
    Setting("PORT", "8787", _port, "Port to listen on; also `[dev] port`."),
    Setting("DATA_DIR", "data", Path, "Folder of the database and the made secret key."),
    Setting(
        "DATABASE_URL",
        "",
        _database_url,
        "The database; `file:<DATA_DIR>/propgauge.db` when unset.",
    ),
    Setting(
        "LIBSQL_AUTH_TOKEN",
        "",
        _token,
        "Token of the libSQL server that DATABASE_URL names.",
        secret=True,
    ),
    Setting(
        "ALLOW_PLAIN_DATABASE",
        "off",
        _switch,
        "`on` lets `http://` and `ws://` databases stand on other machines, unencrypted.",
    ),
    Setting(
        "PUBLIC_URL",
        "",
        _base_url,
        "Address under which browsers reach this server, when it is behind a proxy.",
    ),
    Setting(
        "TRACKER_PATH",
        "",
        _alias,
        "Further path of tracker.js, such as `/assets/pg.js`: ad-block lists know the plain one.",
    ),
    Setting(
        "FORM_PATH",
        "",
        _alias,
        "Further path of form.js, such as `/assets/pg-form.js`.",
    ),
    Setting(
        "TRACK_PATH",
        "",
        _alias,
        "Further path of `/api/track`, such as `/assets/pg`; the tracker then posts there.",
    ),
    Setting(
        "MAKE_WEBHOOK_URL",
        "",
        _http_url,
        "Make.com webhook of client 1. Unset: leads go to the demo receiver.",
        secret=True,
    ),
    Setting(
        "MAKE_WEBHOOK_SECRET",
        "",
        signing_secret,
        "Signs client 1's webhooks (Standard Webhooks, `whsec_…` or any text).",
        secret=True,
    ),
    Setting(
        "TYPEFORM_SECRET",
        "",
        str,
        "Secret of client 1's Typeform webhooks.",
        secret=True,
    ),
    Setting(
        "ALLOW_UNSIGNED_WEBHOOKS",
        "off",
        _switch,
        "`on` takes form responses of clients without a secret unsigned.",
    ),
    Setting(
        "FORM_AI_MODELS",
        DEFAULT_MODELS,
        parse_models,
        "Models that score responses, in this order: `provider:model[@temperature]`, by comma.",
    ),
    Setting("GEMINI_API_KEY", "", str, "Key of Google's Gemini API.", secret=True),
    Setting(
        "GEMINI_BASE_URL", "", _base_url, "Address of the Gemini API, where it is not Google's."
    ),
    Setting("OPENAI_API_KEY", "", str, "Key of the OpenAI API.", secret=True),
    Setting(
        "OPENAI_BASE_URL", "", _base_url, "Address of the OpenAI API, where it is not OpenAI's."
    ),
    Setting(
        "META_GRAPH_URL",
        "https://graph.facebook.com/v26.0",
        _base_url,
        "Address of Meta's Graph API, with its version.",
    ),
    Setting(
        "ADMIN_PASSWORD",
        "",
        _admin_password,
        "Password of the admin that the first start makes. Unset: one is made and printed once.",
        secret=True,
    ),
    Setting(
        "SECRET_KEY",
        "",
        _secret_key,
        "Encrypts secrets in the database; 32 characters or more. Made in DATA_DIR when unset.",
        secret=True,
    ),
    Setting(
        "TRUSTED_PROXIES",
        "",
        _networks,
        "Proxies whose X-Forwarded-For and CF-IPCountry count: addresses or networks, by comma.",
    ),
    Setting(
        "ALLOW_PRIVATE_TARGETS",
        "off",
        _switch,
        "`on` lets webhooks go to private and loopback addresses.",
    ),
    Setting(
        "COUNTRY_DB",
        "",
        _path,
        "MaxMind-format database (.mmdb) of the countries of addresses.",
    ),
    Setting(
        "NETWORK_DB",
        "",
        _path,
        "MaxMind-format database (.mmdb) of the networks (ASN) of addresses.",
    ),
    Setting(
        "VPN_RANGES",
        "",
        _path,
        "File of the networks of VPNs, one a line; their visitors are suspected of one.",
    ),
    Setting(
        "HOSTING_RANGES",
        "",
        _path,
        "File of the networks of data centres, one a line; also one of two signs of a bot.",
    ),
    Setting(
        "REQUIRE_API_KEY",
        "off",
        _switch,
        "`on` refuses leads that name a SOURCE and come without an API key.",
    ),
    Setting(
        "RATE_LIMIT",
        "address=600 key=6000 form=3000",
        _rate_limit,
        "Leads a minute per address, API key and form; one number for all three, or `off`.",
    ),
    Setting(
        "RETENTION_DAYS",
        "",
        _days,
        "Days that visits, leads and responses are kept, unless a client chose; unset: for ever.",
    ),
    Setting("DEMO", "on", _switch, "`off` takes the demo site and its webhook receiver away."),
    Setting("LOG_LEVEL", "info", _log_level, "debug, info, warning or error."),
)


def project_root(folder: Path) -> Path:
    """Where settings files and `data` stand: the folder if it has a settings file, else here."""
    return folder if (folder / CONFIG_FILE).is_file() else ROOT


def load(root: Path, environ: Mapping[str, str]) -> Config:
    """Read every source below `root`; raises ConfigError with one line that names the setting.

    Makes SECRET_KEY in DATA_DIR (mode 0600) when it is set nowhere.
    """
    file = _read_toml(root / CONFIG_FILE)
    dev_vars = _read_dotenv(root / SECRETS_FILE)
    _refuse_unknown(file.get("vars", {}), f"{CONFIG_FILE} [vars]")
    _refuse_unknown(dev_vars, SECRETS_FILE)
    texts = {setting.name: setting.default for setting in SETTINGS}
    texts["PORT"] = str(file.get("dev", {}).get("port", texts["PORT"]))
    for source in (file.get("vars", {}), dev_vars, environ):
        given = {name: _as_text(name, source.get(name, "")) for name in texts}
        texts |= {name: text for name, text in given.items() if text}
    values = {setting.name.lower(): _parse(setting, texts[setting.name]) for setting in SETTINGS}
    _refuse_equal_aliases(values)
    data_dir = values["data_dir"] = _resolve(root, values["data_dir"])
    values["database_url"] = _database(root, data_dir, values["database_url"])
    _refuse_plain_database(values)
    for name in ("country_db", "network_db"):
        values[name] = _mmdb(root, name.upper(), values[name])
    for name in ("vpn_ranges", "hosting_ranges"):
        values[name] = _ranges(root, name.upper(), values[name])
    values["secret_key"] = values["secret_key"] or _kept_secret_key(data_dir)
    return Config(**values)


def _read_toml(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{path.name}: {error}") from error
    unknown = sorted(content.keys() - _TOP_LEVEL_KEYS)
    if unknown:
        raise ConfigError(f"{path.name}: unknown key {unknown[0]!r}; settings stand under [vars]")
    for name in ("vars", "dev"):
        if not isinstance(content.get(name, {}), dict):
            raise ConfigError(f"{path.name}: {name!r} must be a table")
    unknown = sorted(content.get("dev", {}).keys() - _DEV_KEYS)
    if unknown:
        raise ConfigError(f"{path.name} [dev]: unknown key {unknown[0]!r}")
    return content


def _read_dotenv(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    try:
        bindings = list(parse_stream(io.StringIO(path.read_text("utf-8"))))
    except (UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{path.name}: {error}") from error
    for binding in bindings:
        if binding.error:
            raise ConfigError(f"{path.name}: line {binding.original.line} cannot be read")
    return {binding.key: binding.value or "" for binding in bindings if binding.key}


def _refuse_unknown(settings: Mapping[str, Any], place: str) -> None:
    unknown = sorted(settings.keys() - {setting.name for setting in SETTINGS})
    if unknown:
        raise ConfigError(f"{place}: unknown setting {unknown[0]!r}")


def _as_text(name: str, value: Any) -> str:
    if isinstance(value, dict | list):
        raise ConfigError(f"{name}: must be a text, a number, true or false")
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value).strip()


def _parse(setting: Setting, text: str) -> Any:
    try:
        return setting.parse(text)
    except ValueError as error:
        shown = "the value" if setting.secret else repr(text)
        raise ConfigError(f"{setting.name}: {shown} cannot be used: {error}") from None


def _refuse_equal_aliases(values: Mapping[str, Any]) -> None:
    taken: dict[str, str] = {}
    for name in _ALIASES:
        path = values[name]
        if path and taken.setdefault(path, name) != name:
            message = f"{path!r} cannot be used: is taken by {taken[path].upper()}"
            raise ConfigError(f"{name.upper()}: {message}")


def _resolve(root: Path, path: Path) -> Path:
    return path if path.is_absolute() else root / path


def _database(root: Path, data_dir: Path, url: str) -> str:
    if not url:
        return f"file:{data_dir / 'propgauge.db'}"
    if not url.startswith("file:"):
        return url
    path = url.removeprefix("file:").removeprefix("//")
    return f"file:{_resolve(root, Path(path))}"


def _refuse_plain_database(values: Mapping[str, Any]) -> None:
    url = values["database_url"]
    plain = url.startswith(("http:", "ws:")) and not _is_loopback(urlsplit(url).hostname or "")
    if plain and not values["allow_plain_database"]:
        raise ConfigError(
            f"DATABASE_URL: {url!r} cannot be used: data and token would travel unencrypted;"
            " use https:// or wss://, or set ALLOW_PLAIN_DATABASE=on within a private network"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _mmdb(root: Path, name: str, path: Path | None) -> Path | None:
    if path is None:
        return None
    try:
        maxminddb.open_database(_resolve(root, path)).close()
    except (OSError, ValueError, maxminddb.InvalidDatabaseError):
        raise ConfigError(f"{name}: {str(path)!r} is no MaxMind-format database") from None
    return _resolve(root, path)


def _ranges(root: Path, name: str, path: Path | None) -> Path | None:
    if path is None:
        return None
    try:
        for _network in read_ranges(_resolve(root, path)):
            pass
    except OSError as error:
        raise ConfigError(f"{name}: {str(path)!r} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(f"{name}: {str(path)!r}: {error}") from None
    return _resolve(root, path)


def _kept_secret_key(data_dir: Path) -> str:
    path = data_dir / "secret_key"
    try:
        if not path.exists():
            _make_secret_key(path)
        kept = path.read_text("utf-8").strip()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(f"DATA_DIR: {str(data_dir)!r} cannot be used: {reason}") from None
    if len(kept) < MIN_SECRET_KEY_CHARS:
        raise ConfigError(f"SECRET_KEY: the one kept in {str(path)!r} is too short")
    return kept


def _make_secret_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{secrets.token_hex(4)}")
    draft.touch(mode=0o600)
    with draft.open("w", encoding="utf-8") as file:
        file.write(secrets.token_urlsafe(48))
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
