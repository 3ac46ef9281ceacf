"""Secrets taken out of texts that people look at."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from urllib.parse import quote

REDACTED = "[secret]"
MIN_SECRET_CHARS = 6
"""Shorter ones would take ordinary words out."""

_SHAPES = re.compile(
    r"https?://[\w.-]*hook[\w.-]*/[^\s\"'<>\\]+"
    r"|\bEAA[A-Za-z0-9]{20,}"
    r"|\bwhsec_[A-Za-z0-9+/=]{8,}"
    r"|(?<=access_token=)[^&\s\"']+"
    r"|(?<=appsecret_proof=)[^&\s\"']+"
)
"""Webhook addresses, Meta's tokens and Standard Webhooks' secrets, also those of the past."""


def redacted(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets that are long enough, and without what looks like one."""
    long_enough = (secret for secret in secrets if len(secret) >= MIN_SECRET_CHARS)
    return _SHAPES.sub(REDACTED, without_secrets(text, long_enough))


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets, in any form that JSON or an address gives them."""
    for secret in filter(None, secrets):
        in_json = json.dumps(secret)[1:-1]
        for form in (in_json.replace("/", r"\/"), in_json, secret, quote(secret, safe="")):
            text = text.replace(form, REDACTED)
    return text
