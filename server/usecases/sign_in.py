"""Sign in, and tell whose a session is; passwords are hashed with argon2id."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from server.domain.clock import from_text
from server.domain.errors import AppError, ErrorCode, RateLimitedError, invalid_field
from server.domain.ids import ClientId
from server.domain.user import (
    Role,
    User,
    UserId,
    email_fault,
    hash_of_token,
    password_fault,
    wait_seconds,
)
from server.store import users
from server.store.contract import Statement, Store, StoreError
from server.store.users import SessionLimits

FIRST_ADMIN = "admin@localhost"
SESSION_DAYS = 14
IDLE_HOURS = 24
TOUCH_SECONDS = 300
"""How stale a session's last sight may be, so that not every page writes."""

_HASHING_AT_ONCE = 2
"""Each takes 64 MiB and a core (RFC 9106, second recommended option)."""


class Passwords:
    """Hashes and checks passwords in threads, few at once."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._turns = asyncio.Semaphore(_HASHING_AT_ONCE)

    async def hash(self, password: str) -> str:
        """The argon2id hash of a password."""
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, password_hash: str, password: str) -> bool:
        """Whether the password is the hash's; without a hash it takes as long and is not."""
        async with self._turns:
            return await asyncio.to_thread(self._matches, password_hash, password)

    @cached_property
    def _nobodys(self) -> str:
        """A hash to spend time on for an address that nobody has, made at the first such try."""
        return self._hasher.hash(secrets.token_hex())

    def _matches(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash or self._nobodys, password) and bool(
                password_hash
            )
        except (Argon2Error, InvalidHashError):
            return False


@dataclass(frozen=True, slots=True)
class NewUser:
    """Someone to be added."""

    email: str
    password: str
    role: Role
    client_ids: Collection[ClientId] = ()


class SignIn:
    """Accounts and sessions of the dashboard."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self._passwords = Passwords()

    async def sign_in(self, email: str, password: str, address: str) -> str:
        """The token of a new session.

        Raises AppError: rate_limited while account or address must wait, invalid when address
        or password is wrong (the same words for both).
        """
        await self._count_try(email, address)
        found = await users.find_by_email(self._store, email)
        usable = found if found and not found.user.disabled_at else None
        password_hash = usable.password_hash if usable else ""
        if not await self._passwords.matches(password_hash, password) or usable is None:
            raise AppError(ErrorCode.INVALID, "The address or the password is wrong")
        token = secrets.token_urlsafe(32)
        now = self._now()
        hashed = hash_of_token(token)
        await users.open_session(self._store, usable.user, address, hashed, _limits(now), now)
        return token

    async def user_of(self, token: str) -> User | None:
        """Whose session a token is, None when it is none or over."""
        if not token:
            return None
        now, hashed = self._now(), hash_of_token(token)
        found = await users.user_of_session(self._store, hashed, _limits(now))
        if found is None:
            return None
        user, seen_at = found
        if now - from_text(seen_at) > timedelta(seconds=TOUCH_SECONDS):
            # A store that takes no writes still lets people read.
            with contextlib.suppress(StoreError):
                await users.touch_session(self._store, hashed, now)
        return user

    async def is_open(self, token: str) -> bool:
        """Whether a session still is one; asking does not keep it open."""
        now = self._now()
        return (
            await users.user_of_session(self._store, hash_of_token(token), _limits(now)) is not None
        )

    async def sign_out(self, token: str) -> None:
        """End a session on the server."""
        await users.end_session(self._store, hash_of_token(token))

    async def add(self, new: NewUser, *kept: Statement) -> UserId:
        """Store a user, and what is `kept` of it in the same batch.

        Raises AppError naming `email` or `password`, ConstraintError if taken.
        """
        fault = email_fault(new.email)
        if fault:
            raise invalid_field("email", fault)
        password_hash = await self._new_hash(new.password)
        now = self._now()
        return await users.add_user(
            self._store, new.email, password_hash, new.role, new.client_ids, now, *kept
        )

    async def set_password(
        self, user_id: UserId, password: str, *kept: Statement, keep: str = ""
    ) -> None:
        """Give a user another password; ends all sessions but the one of token `keep`.

        What is `kept` of it stands in the same batch.
        """
        password_hash = await self._new_hash(password)
        but_for = hash_of_token(keep) if keep else ""
        await users.set_password(self._store, user_id, password_hash, *kept, but_for=but_for)

    async def change_own_password(self, user: User, old: str, new: str, token: str) -> None:
        """As `set_password`, for someone who knows the old one; raises AppError naming it."""
        stored = await users.find(self._store, user.user_id)
        if stored is None or not await self._passwords.matches(stored.password_hash, old):
            raise invalid_field("old_password", "is not your password")
        await self.set_password(user.user_id, new, keep=token)

    async def make_first_admin(self, password: str) -> str:
        """Make the first admin where nobody can sign in; the password, "" where users are.

        Without a password one is made.
        """
        if await users.list_users(self._store):
            return ""
        chosen = password or secrets.token_urlsafe(12)
        password_hash = await self._passwords.hash(chosen)
        made = await users.add_first_admin(self._store, FIRST_ADMIN, password_hash, self._now())
        return chosen if made else ""

    async def _new_hash(self, password: str) -> str:
        fault = password_fault(password)
        if fault:
            raise invalid_field("password", fault)
        return await self._passwords.hash(password)

    async def _count_try(self, email: str, address: str) -> None:
        """Count a try as failed until it succeeds; raises TooManyTriesError where one must wait.

        Of tries at the same moment, which all found the way free, only the free ones pass.
        """
        now = self._now()
        before = await users.failures(self._store, email, address)
        for kind, (count, last) in before.items():
            free_at = from_text(last) + timedelta(seconds=wait_seconds(kind, count))
            left = (free_at - now).total_seconds()
            if left > 0 and wait_seconds(kind, count):
                raise TooManyTriesError(int(left) + 1)
        after = await users.count_failure(self._store, email, address, now)
        for kind, count in after.items():
            known, _last = before.get(kind, (0, ""))
            wait = wait_seconds(kind, count - 1)
            if wait and count - 1 > known:
                raise TooManyTriesError(wait)


class TooManyTriesError(RateLimitedError):
    """Sign-in must wait; `seconds` tells how long."""

    def __init__(self, seconds: int) -> None:
        super().__init__("account", 0, seconds, {})
        self.message = f"Too many tries. Please wait {seconds} seconds and try again"


def _limits(now: datetime) -> SessionLimits:
    return SessionLimits(now - timedelta(days=SESSION_DAYS), now - timedelta(hours=IDLE_HOURS))
