"""Links that call, write to or message someone, made of what they gave; "" where there is none."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

_NOT_DIALLED = re.compile(r"[^\d*#]")
_ADDRESS = re.compile(r"[^\s@<>\"'(),:;\\]{1,64}@[^\s@<>\"'(),:;\\]{1,190}\Z")
MAX_DIGITS = 20
"""More than any number has, extensions included."""


@dataclass(frozen=True, slots=True)
class ContactLinks:
    """Addresses for `href`."""

    call: str
    whatsapp: str
    mail: str


def contact_links(phone: str, e164: str, email: str) -> ContactLinks:
    """WhatsApp needs the whole number with its country; a call takes what was given."""
    digits = e164.removeprefix("+")
    return ContactLinks(
        f"tel:{_dialled(e164 or phone)}" if _dialled(e164 or phone) else "",
        f"https://wa.me/{digits}" if digits.isdecimal() else "",
        f"mailto:{quote(email, safe='@')}" if _ADDRESS.match(email) else "",
    )


def _dialled(phone: str) -> str:
    plus = "+" if phone.lstrip().startswith("+") else ""
    digits = _NOT_DIALLED.sub("", phone)
    return plus + digits if 3 <= len(digits) <= MAX_DIGITS else ""
