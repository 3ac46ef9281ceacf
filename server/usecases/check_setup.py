"""Check the set-up: what is configured, what is not, what does not work."""

from __future__ import annotations

from collections.abc import Iterator

from server.config import Config
from server.domain.clock import now
from server.form_ai.catalogue import retirement_notice
from server.store import directory, durability, outbox
from server.store.contract import Store, StoreError
from server.store.vault import Vault
from server.usecases.check_deep import Finding, check_deep


async def check_setup(config: Config, store: Store, *, deep: bool = False) -> list[Finding]:
    """Look at everything; never raises for something that is merely not configured.

    `deep` reads every row of the database too.
    """
    return [
        *await _check_store(config, store),
        *_check_settings(config),
        *await _check_outbox(store),
        *(await check_deep(store) if deep else ()),
    ]


async def _check_store(config: Config, store: Store) -> list[Finding]:
    try:
        await store.health()
        mode = await durability.synchronous(store)
        entries = await directory.load(store, Vault(config.secret_key))
    except StoreError as error:
        return [Finding("FAIL", "store", error.advice)]
    findings = [
        Finding("ok", "store", f"{_driver(config)} {config.database_url} takes writes"),
        _durability(mode),
    ]
    for site in entries.sites:
        if site.allowed_origins:
            text = "allows " + ", ".join(sorted(site.allowed_origins))
            findings.append(Finding("ok", f"site {site.site_key}", text))
        else:
            text = "no allowed origins: browsers elsewhere than on this server are flagged"
            findings.append(Finding("off", f"site {site.site_key}", text))
    for client in entries.clients[1:]:
        if not client.make_webhook_url:
            text = "no Make.com webhook: its leads are kept and wait for one"
            findings.append(Finding("off", f"client {client.client_id}", text))
    return findings


def _driver(config: Config) -> str:
    if config.database_is_file:
        return "SQLite"
    return "libSQL by WebSocket" if config.database_url.startswith("ws") else "libSQL by HTTP"


def _durability(mode: str) -> Finding:
    if durability.survives_power_cuts(mode):
        return Finding("ok", "PRAGMA synchronous", f"{mode}: commits survive a power cut")
    text = f"{mode}: a power cut of the database's machine may lose the last commits"
    return Finding("off", "PRAGMA synchronous", text)


def _check_settings(config: Config) -> Iterator[Finding]:
    if config.make_webhook_url:
        yield Finding("ok", "MAKE_WEBHOOK_URL", "set")
    else:
        receiver = "the demo's receiver" if config.demo else "nowhere"
        yield Finding("off", "MAKE_WEBHOOK_URL", f"not set: client 1's leads go to {receiver}")
    if config.make_webhook_secret:
        yield Finding("ok", "MAKE_WEBHOOK_SECRET", "set: webhooks are signed")
    else:
        yield Finding("off", "MAKE_WEBHOOK_SECRET", "not set: webhooks are not signed")
    if config.country_db:
        yield Finding("ok", "COUNTRY_DB", str(config.country_db))
    else:
        yield Finding("off", "COUNTRY_DB", "not set: countries come from CF-IPCountry alone")
    yield from _check_models(config)
    for name, path in (
        ("NETWORK_DB", config.network_db),
        ("VPN_RANGES", config.vpn_ranges),
        ("HOSTING_RANGES", config.hosting_ranges),
    ):
        yield Finding("ok", name, str(path)) if path else Finding("off", name, "not set")
    if not config.database_is_file:
        text = "every server on this database needs the same one"
        yield Finding("ok", "SECRET_KEY", text)
    if config.trusted_proxies:
        yield Finding("ok", "TRUSTED_PROXIES", ", ".join(map(str, config.trusted_proxies)))
    else:
        yield Finding("off", "TRUSTED_PROXIES", "not set: X-Forwarded-For is ignored")
    if config.allow_private_targets:
        yield Finding("off", "ALLOW_PRIVATE_TARGETS", "on: webhooks may reach private networks")
    yield Finding(
        "ok" if config.public_url else "off", "PUBLIC_URL", config.public_url or "not set"
    )


def _check_models(config: Config) -> Iterator[Finding]:
    """Which models are asked, which are or will be retired, and which have a key."""
    keys = {"gemini": config.gemini_api_key, "openai": config.openai_api_key}
    for model in config.form_ai_models:
        notice = retirement_notice(model, now().date())
        if not keys[model.provider]:
            text = f"{model.provider.upper()}_API_KEY is not set: it is not asked"
            yield Finding("off", f"model {model}", f"{notice}; {text}" if notice else text)
        elif notice:
            gone = "was shut down" in notice
            yield Finding("FAIL" if gone else "off", f"model {model}", notice)
        else:
            yield Finding("ok", f"model {model}", "asked for scores")
    if config.allow_unsigned_webhooks:
        text = "on: anyone may send form responses for clients without a secret"
        yield Finding("off", "ALLOW_UNSIGNED_WEBHOOKS", text)


async def _check_outbox(store: Store) -> list[Finding]:
    try:
        backlog = await outbox.backlog(store)
    except StoreError as error:
        return [Finding("FAIL", "outbox", str(error))]
    findings = [
        Finding(
            "FAIL",
            f"{row['destination']} of client {row['client_id']}",
            f"paused since {row['paused_at']}: {row['reason']}",
        )
        for row in backlog.paused
    ]
    since = f", the oldest since {backlog.oldest_created_at}" if backlog.pending else ""
    return [*findings, Finding("ok", "outbox", f"{backlog.pending} waiting{since}")]
