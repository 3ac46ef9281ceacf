"""What left and what came back, made fit to be looked at: indented, and without secrets."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from server.destinations import make_webhook
from server.domain.directory import Client
from server.domain.redaction import REDACTED, redacted
from server.store.contract import Row


@dataclass(frozen=True, slots=True)
class RequestView:
    """A request as it is sent: `address` tells where to, without what only the target may know."""

    address: str
    headers: tuple[tuple[str, str], ...]
    body: str


@dataclass(frozen=True, slots=True)
class AttemptView:
    """An attempt; `requests` are the bodies it sent where they differ from the payload."""

    row: Row
    error: str
    response: str
    requests: tuple[str, ...]


def secrets_of(client: Client) -> tuple[str, ...]:
    """What of a client's settings no page may show."""
    scoring = client.scoring
    held = (
        client.make_webhook_url,
        client.make_webhook_secret,
        scoring.capi_token,
        scoring.app_secret,
        scoring.typeform_secret,
    )
    return tuple(secret for secret in held if secret)


def cleaner(client: Client) -> Callable[[str], str]:
    """What takes a client's secrets out of a text."""
    secrets = secrets_of(client)
    return lambda text: redacted(text, secrets)


def request_of(row: Row, client: Client, graph_url: str) -> RequestView:
    """The request of a delivery by the settings of now."""
    is_make = row["destination"] == make_webhook.NAME
    address, headers = _to_make(row, client) if is_make else _to_meta(client, graph_url)
    return RequestView(address, headers, readable(row["payload"], secrets_of(client)))


_Head = tuple[str, tuple[tuple[str, str], ...]]


def _to_make(row: Row, client: Client) -> _Head:
    headers = [
        ("Content-Type", "application/json"),
        ("webhook-id", row["delivery_id"]),
        ("webhook-timestamp", "seconds since 1970, of each attempt"),
    ]
    if client.make_webhook_secret:
        headers.append(("webhook-signature", f"v1,{REDACTED}"))
    return "POST to the Make.com webhook, whose address is a secret", tuple(headers)


def _to_meta(client: Client, graph_url: str) -> _Head:
    pixel = client.scoring.pixel_id or "(no pixel set)"
    query = f"?appsecret_proof={REDACTED}" if client.scoring.app_secret else ""
    headers = (("Content-Type", "application/json"), ("Authorization", f"Bearer {REDACTED}"))
    return f"POST {graph_url.rstrip('/')}/{pixel}/events{query}", headers


def attempts_of(
    attempts: Sequence[Row], log: Sequence[Row], secrets: Sequence[str]
) -> list[AttemptView]:
    """The attempts, each with the requests of the event log that it made."""
    views, left = [], list(log)
    for row in attempts:
        own = [entry for entry in left if entry["created_at"] >= row["started_at"]]
        left = [entry for entry in left if entry["created_at"] < row["started_at"]]
        views.append(
            AttemptView(
                row,
                redacted(row["error"] or "", secrets),
                readable(row["response"] or "", secrets),
                tuple(readable(entry["request_body"], secrets) for entry in reversed(own)),
            )
        )
    return views


def readable(text: str, secrets: Sequence[str]) -> str:
    """JSON indented, anything else as it is; secrets taken out."""
    try:
        shown = json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        shown = text
    return redacted(shown, secrets)
