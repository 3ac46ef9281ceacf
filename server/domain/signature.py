"""Signatures of webhooks that come in: HMAC over the raw bytes, compared in constant time."""

from __future__ import annotations

import base64
import hashlib
import hmac

PREFIX = "sha256="


def is_signed(body: bytes, header: str, secret: str) -> bool:
    """Whether a `Typeform-Signature` header is the body's: `sha256=` and base64 of its HMAC."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    expected = PREFIX + base64.b64encode(digest).decode()
    return hmac.compare_digest(expected.encode(), header.strip().encode("utf-8", "replace"))
