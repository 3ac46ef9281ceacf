"""What someone looks for: words and phone numbers, out of one line of text."""

from __future__ import annotations

import re

import phonenumbers

MAX_QUERY_CHARS = 200
MAX_TERMS = 8
"""Enough for a name, an address and a number; each more costs a look-up."""

_PHONE = re.compile(r"(?<!\S)(?:tel:|\()?([+(]?\d(?:[\s()./-]*\d){5,})[),.;:]*(?!\S)")
"""A number by itself: digits inside an e-mail address or the name of a unit are part of it."""
_NOT_DIGITS = re.compile(r"\D")

Term = tuple[str, ...]
"""Any of these texts satisfies it."""


def search_terms(text: str, default_region: str | None) -> tuple[Term, ...]:
    """The terms that must all be found. A phone number is found however it was written."""
    short = text[:MAX_QUERY_CHARS]
    numbers = [_phone_term(found[1], default_region) for found in _PHONE.finditer(short)]
    words = [(word,) for word in _PHONE.sub(" ", short).split()]
    return tuple(dict.fromkeys([*numbers, *words]))[:MAX_TERMS]


def _phone_term(text: str, default_region: str | None) -> Term:
    """The digits as typed, and the number without country code and trunk prefix."""
    digits = _NOT_DIGITS.sub("", text)
    typed = digits.removeprefix("00")
    try:
        parsed = phonenumbers.parse(text.replace("(0)", ""), default_region)
    except phonenumbers.NumberParseException:
        return tuple(dict.fromkeys([typed, digits.lstrip("0") or digits]))
    return tuple(dict.fromkeys([typed, str(parsed.national_number)]))
