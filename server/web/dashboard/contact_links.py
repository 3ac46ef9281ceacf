"""Addresses that call, message or mail somebody; "" where a contact does not allow it."""

from __future__ import annotations

import re
from urllib.parse import quote

_NOT_DIALLED = re.compile(r"[^0-9+]")
_MAX_DIALLED_CHARS = 20
_MAX_EMAIL_CHARS = 254
_EMAIL = re.compile(r"[^@\s\"<>]+@[^@\s\"<>]+\.[^@\s\"<>]+")


def call_link(e164: str | None, as_given: str | None) -> str:
    """`tel:`, also for a number that could not be understood, as far as it can be dialled."""
    number = _NOT_DIALLED.sub("", e164 or as_given or "")
    return f"tel:{number}" if 3 <= len(number) <= _MAX_DIALLED_CHARS else ""


def whatsapp_link(e164: str | None) -> str:
    """A chat; WhatsApp knows numbers with their country only."""
    return f"https://wa.me/{e164[1:]}" if e164 else ""


def mail_link(email: str | None) -> str:
    """`mailto:`, for what looks like an address."""
    fits = email and len(email) <= _MAX_EMAIL_CHARS and _EMAIL.fullmatch(email)
    return f"mailto:{quote(email, safe='@+.-_')}" if email and fits else ""
