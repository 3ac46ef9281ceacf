"""The Make.com webhook: a lead as flat JSON, signed by Standard Webhooks, and its answer judged."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from server.destinations.egress import (
    Answer,
    Egress,
)
from server.destinations.sending import outcome_of, pause
from server.domain.attribution import CLICK_ID_FIELDS, UTM_FIELDS
from server.domain.clock import to_text
from server.domain.delivery import (
    MAX_RETRY_AFTER_SECONDS,
    Delivery,
    Outcome,
    Verdict,
    verdict_of_status,
)
from server.domain.ids import ClientId
from server.domain.lead import Lead

NAME = "make_webhook"

MAX_EXCERPT_CHARS = 2_000

LEAD_KEYS = frozenset(
    {
        *UTM_FIELDS,
        *CLICK_ID_FIELDS,
        "lead_id",
        "client_id",
        "created_at",
        "channel",
        "name",
        "first_name",
        "last_name",
        "email",
        "phone",
        "phone_e164",
        "message",
        "project",
        "page_url",
        "referrer",
        "ip",
        "user_agent",
        "country",
        "site",
        "lead_source",
        "consent",
        "visitor_id",
        "session_id",
        "pages_visited",
        "session_duration_seconds",
        "return_visits",
        "vpn_suspected",
        "match_kind",
        "recommended_action",
    }
)
"""Keys that say what propgauge knows; no field of a form may pass for one of them."""

RESPONSE_KEYS = frozenset(
    {
        "form_id",
        "form_token",
        "rotator",
        "p_fin_model",
        "p_show_model",
        "p_sql_model",
        "form_ai_model",
        "scheduling_commitment",
        "emotional_urgency",
        "personal_responsibility",
        "financial_stability",
        "investment_readiness",
    }
)
"""Keys that a scored form adds; kept from the fields of every lead."""

SCORE_PREFIXES = ("engagement_", "suspicion_")
"""Scores, and each factor's value and points: kept from forms whatever the factor is called."""

SECRET_PREFIX = "whsec_"  # noqa: S105 # how Standard Webhooks marks a secret

_WORD_STARTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NOT_SNAKE = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """Where a client's leads go. Both are secrets; an empty `secret` sends unsigned."""

    url: str = field(repr=False)
    secret: str = field(repr=False)


def payload(lead: Lead) -> dict[str, object]:
    """A lead as flat snake_case JSON; what is absent is null, fields not known by name follow."""
    known = {**_contact(lead), **_origin(lead), **_engagement(lead), **_suspicion(lead)}
    return {**known, **_extras(lead.draft.extra)}


def body_of(lead: Lead, more: Mapping[str, object] | None = None) -> str:
    """The payload, and more of ours, as compact JSON that any UTF-8 reader takes."""
    return _without_lone_surrogates(_json({**payload(lead), **(more or {})}))


def _contact(lead: Lead) -> dict[str, object]:
    draft = lead.draft
    return {
        "lead_id": lead.lead_id,
        "client_id": lead.client_id,
        "created_at": to_text(lead.created_at),
        "channel": draft.channel.value,
        "name": draft.full_name or None,
        "first_name": draft.first_name or None,
        "last_name": draft.last_name or None,
        "email": draft.email or None,
        "phone": draft.phone or None,
        "phone_e164": lead.phone.e164 or None,
        "message": draft.message or None,
        "project": draft.project or None,
    }


def _origin(lead: Lead) -> dict[str, object]:
    """Where a lead came from; who refuses to be tracked keeps address and browser to themselves."""
    draft, peer, attribution = lead.draft, lead.peer, lead.attribution
    told = draft.consent is not False
    return {
        "page_url": lead.page_url or None,
        "referrer": draft.referrer or None,
        "ip": (peer.ip or None) if told else None,
        "user_agent": (peer.user_agent or None) if told else None,
        "country": peer.country or None,
        "site": draft.site or None,
        "lead_source": draft.lead_source,
        "consent": draft.consent,
        **{name: attribution.utm.get(name) for name in UTM_FIELDS},
        **{
            name: attribution.click_ids[name]
            for name in CLICK_ID_FIELDS
            if name in attribution.click_ids
        },
    }


def _engagement(lead: Lead) -> dict[str, object]:
    """The spec's eight fields first, then how they came about."""
    engagement, visit = lead.engagement, lead.engagement.visit
    scored: dict[str, object] = {
        "visitor_id": lead.draft.visitor_id,
        "session_id": visit.session_id if visit else None,
        "engagement_score": engagement.score,
        "engagement_label": engagement.label.value,
        "pages_visited": visit.pages_visited if visit else 0,
        "session_duration_seconds": visit.duration_seconds if visit else 0,
        "return_visits": visit.return_visits if visit else 0,
        "vpn_suspected": int(lead.vpn_suspected),
        "engagement_available": engagement.available,
        "match_kind": engagement.match.value,
        "recommended_action": engagement.recommended_action,
    }
    for factor in engagement.factors:
        scored[f"engagement_{factor.factor}_value"] = factor.value
        scored[f"engagement_{factor.factor}_points"] = factor.points
    return scored


def _suspicion(lead: Lead) -> dict[str, object]:
    suspicion = lead.suspicion
    return {
        "suspicion_score": suspicion.score,
        "suspicion_label": suspicion.label.value,
        "suspicion_reasons": [finding.reason for finding in suspicion.findings],
    }


def _extras(extra: Mapping[str, Any]) -> dict[str, object]:
    flat: dict[str, object] = {}
    for field_name, value in extra.items():
        flat[_free_key(_extra_key(field_name), flat)] = _flat(value)
    return flat


def _extra_key(field_name: str) -> str:
    key = _NOT_SNAKE.sub("_", _WORD_STARTS.sub("_", field_name).lower()).strip("_")
    if not key or key in LEAD_KEYS | RESPONSE_KEYS or key.startswith(SCORE_PREFIXES):
        return f"extra_{key}".rstrip("_")
    return key


def _free_key(key: str, taken: Iterable[str]) -> str:
    free, place = key, 1
    while free in taken:
        place += 1
        free = f"{key}_{place}"
    return free


def _flat(value: Any) -> object:
    """A value without depth; what JSON has no number for becomes text."""
    if isinstance(value, dict | list):
        return _json(value)
    if isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return None if value is None else str(value)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _without_lone_surrogates(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class MakeWebhook:
    """Sends each client's leads to the webhook that `targets` names for it."""

    name = NAME

    def __init__(self, egress: Egress, targets: Callable[[ClientId], WebhookTarget | None]) -> None:
        self._egress = egress
        self._targets = targets

    async def send(self, delivery: Delivery, now: datetime) -> Outcome:
        """Post the stored payload once and judge the answer; raises nothing but CancelledError.

        An answer that needs a person (401, 403, 404, 410, a target that is missing or refused)
        pauses the client's webhook; one that time may mend is retried.
        """
        return await outcome_of(self._send(delivery, now))

    async def _send(self, delivery: Delivery, now: datetime) -> Outcome:
        target = self._targets(delivery.client_id)
        if target is None or not target.url:
            return pause("no webhook address is configured for this client")
        try:
            headers = _headers(delivery, target.secret, now)
        except (ValueError, EmptyWebhookSecretError):
            return pause(f"the webhook secret is not base64 after {SECRET_PREFIX}")
        answer = await self._egress.post(
            target.url, headers=headers, content=delivery.payload.encode()
        )
        return _judged(answer, now)


def _headers(delivery: Delivery, secret: str, now: datetime) -> dict[str, str]:
    """Standard Webhooks' headers; raises ValueError or EmptyWebhookSecretError for a bad secret."""
    headers = {
        "content-type": "application/json",
        "user-agent": _user_agent(),
        "webhook-id": delivery.delivery_id,
        "webhook-timestamp": str(math.floor(now.timestamp())),
    }
    if secret:
        webhook = Webhook(secret if secret.startswith(SECRET_PREFIX) else secret.encode())
        # sign() takes the clock's digits for UTC, whatever zone they are of.
        moment = now.astimezone(UTC)
        headers["webhook-signature"] = webhook.sign(
            msg_id=delivery.delivery_id, timestamp=moment, data=delivery.payload
        )
    return headers


@cache
def _user_agent() -> str:
    try:
        return f"propgauge/{version('propgauge')}"
    except PackageNotFoundError:
        return "propgauge"


def _judged(answer: Answer, now: datetime) -> Outcome:
    verdict = verdict_of_status(answer.status)
    return Outcome(
        verdict,
        status=answer.status,
        error="" if verdict is Verdict.DELIVERED else f"the webhook answered {answer.status}",
        response=answer.body.decode("utf-8", "replace")[:MAX_EXCERPT_CHARS],
        retry_after_seconds=_retry_after_seconds(answer.headers.get("retry-after", ""), now),
    )


def _retry_after_seconds(text: str, now: datetime) -> float | None:
    """Retry-After, in seconds or as an HTTP date, 0 to 24 h; None when it cannot be read."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), MAX_RETRY_AFTER_SECONDS)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(0.0, (moment - now).total_seconds()), MAX_RETRY_AFTER_SECONDS)
