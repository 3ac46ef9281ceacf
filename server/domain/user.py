"""Users of the dashboard: who they are, and what they may see."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from email_validator import EmailNotValidError, validate_email

from server.domain.ids import ClientId

UserId = NewType("UserId", int)

MIN_PASSWORD_CHARS = 12
MAX_PASSWORD_CHARS = 256
"""Far above any real one; what is longer is work for an attacker to give, not a password."""

MAX_EMAIL_CHARS = 254


class Role(StrEnum):
    """What a user may do: an admin also settings, a salesperson leads only."""

    ADMIN = "admin"
    SALES = "sales"


@dataclass(frozen=True, slots=True)
class User:
    """Someone who signs in. An admin without a list of clients sees all there are."""

    user_id: UserId
    email: str
    role: Role
    client_ids: frozenset[ClientId] = frozenset()
    disabled_at: str = ""

    @property
    def sees_all(self) -> bool:
        """Whether every client is theirs, those to come included."""
        return self.role is Role.ADMIN and not self.client_ids

    def seen_of(self, all_ids: Iterable[ClientId]) -> frozenset[ClientId]:
        """Which of all clients the user may see."""
        return frozenset(all_ids) if self.sees_all else self.client_ids & frozenset(all_ids)


def password_fault(password: str) -> str:
    """Why a password cannot be taken, "" when it can (ASVS 2.1: length, no rules of characters)."""
    if len(password) < MIN_PASSWORD_CHARS:
        return f"must have at least {MIN_PASSWORD_CHARS} characters"
    if len(password) > MAX_PASSWORD_CHARS:
        return f"must have at most {MAX_PASSWORD_CHARS} characters"
    return ""


def email_fault(email: str) -> str:
    """Why an address cannot name a user, "" when it can."""
    try:
        validate_email(email, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        return str(error)
    return ""


def hash_of_token(token: str) -> str:
    """What is stored of a session's token, itself random and long."""
    return hashlib.sha256(token.encode()).hexdigest()


FREE_TRIES = {"account": 5, "address": 20}
"""Failures without a wait: an address may be a whole office's."""

MAX_WAIT_SECONDS = 900
FORGET_SECONDS = 24 * 3600


def wait_seconds(kind: str, failures: int) -> int:
    """How long after the last of so many failures no other try is taken: doubles from 1 s."""
    over = failures - FREE_TRIES[kind]
    return 0 if over < 0 else min(int(2 ** min(over, 20)), MAX_WAIT_SECONDS)
