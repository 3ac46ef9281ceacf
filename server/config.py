"""Settings: wrangler-alike.toml, .dev.vars and the environment become one frozen Config.

The environment wins over `.dev.vars`, which wins over `[vars]`. Empty means unset.
"""

from __future__ import annotations

import io
import ipaddress
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import maxminddb
from dotenv.parser import parse_stream

from server import secret_key
from server.form_ai.contract import ModelSpec
from server.geo import read_ranges
from server.setting_values import MIN_SECRET_KEY_CHARS, Network
from server.settings import SETTINGS, Setting

CONFIG_FILE = "wrangler-alike.toml"
SECRETS_FILE = ".dev.vars"
ROOT: Final = Path(__file__).resolve().parent.parent

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
_ALIASES = ("tracker_path", "form_path", "track_path")


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
    try:
        kept = secret_key.kept(data_dir)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(f"DATA_DIR: {str(data_dir)!r} cannot be used: {reason}") from None
    if len(kept) < MIN_SECRET_KEY_CHARS:
        place = str(secret_key.place(data_dir))
        raise ConfigError(f"SECRET_KEY: the one kept in {place!r} is too short")
    return kept
