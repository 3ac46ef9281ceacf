"""Whose rows are meant: a person as their e-mail addresses, phones and visitor ids name them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from server.domain.contact import parse_phone
from server.domain.ids import is_outside_id

_LETTER = re.compile("[A-Za-z]")

MAX_IDENTITIES = 50
MAX_CHARS = 320
"""The longest e-mail address (RFC 5321), and far above any phone or visitor id."""


class IdentityKind(StrEnum):
    """By what rows are found. Never by address: many people share one."""

    EMAIL = "email"
    PHONE = "phone"
    VISITOR = "visitor"


class Identity(NamedTuple):
    """One name of a person; text order groups the kinds."""

    kind: IdentityKind
    value: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"


@dataclass(frozen=True, slots=True)
class Person:
    """The identities that were chosen to be one person; the first is the one searched for."""

    identities: tuple[Identity, ...]

    def values(self, kind: IdentityKind) -> list[str]:
        """The values of one kind."""
        return [one.value for one in self.identities if one.kind is kind]


def recognise(text: str, region: str | None) -> Identity | None:
    """What somebody typed: an e-mail address, else a visitor id, else a phone; None for neither.

    What could be an id and holds a letter is one, however many digits stand in it; of digits only
    it is a phone. `region` reads numbers without a country code.
    """
    text = text.strip()
    if not text or len(text) > MAX_CHARS:
        return None
    if "@" in text:
        return Identity(IdentityKind.EMAIL, text.lower())
    if is_outside_id(text) and _LETTER.search(text):
        return Identity(IdentityKind.VISITOR, text)
    phone = parse_phone(text, region)
    if phone.e164 or phone.possible:
        return Identity(IdentityKind.PHONE, phone.e164 or text)
    if is_outside_id(text):
        return Identity(IdentityKind.VISITOR, text)
    return None


def from_texts(texts: Iterable[str]) -> Person:
    """Identities as `str` wrote them, each once; raises ValueError for anything else."""
    found: dict[Identity, None] = {}
    for text in texts:
        kind, _, value = text.partition(":")
        if not value or len(value) > MAX_CHARS:
            raise ValueError("is no identity")
        found[Identity(IdentityKind(kind), value)] = None
    if not 0 < len(found) <= MAX_IDENTITIES:
        raise ValueError(f"needs 1 to {MAX_IDENTITIES} identities")
    return Person(tuple(found))
