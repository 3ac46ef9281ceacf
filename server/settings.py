"""Which settings there are, with their defaults and what they mean."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from server import setting_values as values
from server.form_ai.catalogue import DEFAULT_MODELS
from server.form_ai.chain import parse_models


class Setting(NamedTuple):
    """One setting: its name, default (as text), parser and one line of help."""

    name: str
    default: str
    parse: Callable[[str], Any]
    help: str
    secret: bool = False


SETTINGS: tuple[Setting, ...] = (
    Setting("HOST", "127.0.0.1", values.host, "Address to listen on."),
    Setting("PORT", "8787", values.port, "Port to listen on; also `[dev] port`."),
    Setting("DATA_DIR", "data", Path, "Folder of the database and the made secret key."),
    Setting(
        "DATABASE_URL",
        "",
        values.database_url,
        "The database; `file:<DATA_DIR>/propgauge.db` when unset.",
    ),
    Setting(
        "LIBSQL_AUTH_TOKEN",
        "",
        values.token,
        "Token of the libSQL server that DATABASE_URL names.",
        secret=True,
    ),
    Setting(
        "ALLOW_PLAIN_DATABASE",
        "off",
        values.switch,
        "`on` lets `http://` and `ws://` databases stand on other machines, unencrypted.",
    ),
    Setting(
        "PUBLIC_URL",
        "",
        values.base_url,
        "Address under which browsers reach this server, when it is behind a proxy.",
    ),
    Setting(
        "TRACKER_PATH",
        "",
        values.alias,
        "Further path of tracker.js, such as `/assets/pg.js`: ad-block lists know the plain one.",
    ),
    Setting(
        "FORM_PATH",
        "",
        values.alias,
        "Further path of form.js, such as `/assets/pg-form.js`.",
    ),
    Setting(
        "TRACK_PATH",
        "",
        values.alias,
        "Further path of `/api/track`, such as `/assets/pg`; the tracker then posts there.",
    ),
    Setting(
        "MAKE_WEBHOOK_URL",
        "",
        values.http_url,
        "Make.com webhook of client 1. Unset: leads go to the demo receiver.",
        secret=True,
    ),
    Setting(
        "MAKE_WEBHOOK_SECRET",
        "",
        values.signing_secret,
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
        values.switch,
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
        "GEMINI_BASE_URL",
        "",
        values.base_url,
        "Address of the Gemini API, where it is not Google's.",
    ),
    Setting("OPENAI_API_KEY", "", str, "Key of the OpenAI API.", secret=True),
    Setting(
        "OPENAI_BASE_URL",
        "",
        values.base_url,
        "Address of the OpenAI API, where it is not OpenAI's.",
    ),
    Setting(
        "META_GRAPH_URL",
        "https://graph.facebook.com/v26.0",
        values.base_url,
        "Address of Meta's Graph API, with its version.",
    ),
    Setting(
        "ADMIN_PASSWORD",
        "",
        values.admin_password,
        "Password of the admin that the first start makes. Unset: one is made and printed once.",
        secret=True,
    ),
    Setting(
        "SECRET_KEY",
        "",
        values.secret_key,
        "Encrypts secrets in the database; 32 characters or more. Made in DATA_DIR when unset.",
        secret=True,
    ),
    Setting(
        "TRUSTED_PROXIES",
        "",
        values.networks,
        "Proxies whose X-Forwarded-For and CF-IPCountry count: addresses or networks, by comma.",
    ),
    Setting(
        "ALLOW_PRIVATE_TARGETS",
        "off",
        values.switch,
        "`on` lets webhooks go to private and loopback addresses.",
    ),
    Setting(
        "COUNTRY_DB",
        "",
        values.path,
        "MaxMind-format database (.mmdb) of the countries of addresses.",
    ),
    Setting(
        "NETWORK_DB",
        "",
        values.path,
        "MaxMind-format database (.mmdb) of the networks (ASN) of addresses.",
    ),
    Setting(
        "VPN_RANGES",
        "",
        values.path,
        "File of the networks of VPNs, one a line; their visitors are suspected of one.",
    ),
    Setting(
        "HOSTING_RANGES",
        "",
        values.path,
        "File of the networks of data centres, one a line; also one of two signs of a bot.",
    ),
    Setting(
        "REQUIRE_API_KEY",
        "off",
        values.switch,
        "`on` refuses leads that name a SOURCE and come without an API key.",
    ),
    Setting(
        "RATE_LIMIT",
        "address=600 key=6000 form=3000",
        values.rate_limit,
        "Leads a minute per address, API key and form; one number for all three, or `off`.",
    ),
    Setting(
        "RETENTION_DAYS",
        "",
        values.days,
        "Days that visits, leads and responses are kept, unless a client chose; unset: for ever.",
    ),
    Setting(
        "DEMO", "on", values.switch, "`off` takes the demo site and its webhook receiver away."
    ),
    Setting("LOG_LEVEL", "info", values.log_level, "debug, info, warning or error."),
)
