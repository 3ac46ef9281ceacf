"""Users of the dashboard, their sessions, and tries to sign in that failed."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from server.domain.clock import to_text
from server.domain.ids import ClientId
from server.domain.user import FORGET_SECONDS, Role, User, UserId
from server.store.contract import Row, Statement, Store

_COLUMNS = """
  u.id, u.email, u.role, u.disabled_at, u.last_sign_in_at, u.created_at, u.password_hash,
  (SELECT json_group_array(c.client_id) FROM user_clients AS c WHERE c.user_id = u.id) AS clients"""

_ALL = f"SELECT {_COLUMNS} FROM users AS u ORDER BY u.email"

_BY_EMAIL = f"SELECT {_COLUMNS} FROM users AS u WHERE u.email = ?"

_BY_ID = f"SELECT {_COLUMNS} FROM users AS u WHERE u.id = ?"

_ADD = """
INSERT INTO users (email, password_hash, role, created_at) VALUES (?, ?, ?, ?) RETURNING id"""

_ADD_FIRST = """
INSERT INTO users (email, password_hash, role, created_at)
SELECT ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM users) RETURNING id"""

_ADD_CLIENTS = """
INSERT INTO user_clients (user_id, client_id)
SELECT u.id, c.value FROM users AS u, json_each(?) AS c WHERE u.email = ?"""

_CHANGE = "UPDATE users SET role = ?, disabled_at = ? WHERE id = ?"

_FORGET_CLIENTS = "DELETE FROM user_clients WHERE user_id = ?"

_SET_PASSWORD = "UPDATE users SET password_hash = ? WHERE id = ?"  # noqa: S105  SQL, no password

_OPEN = """
INSERT INTO dashboard_sessions (token_hash, user_id, created_at, last_seen_at)
VALUES (?, ?, ?, ?)"""

_SIGNED_IN = "UPDATE users SET last_sign_in_at = ? WHERE id = ?"

_SESSION = f"""
SELECT {_COLUMNS}, s.last_seen_at FROM dashboard_sessions AS s JOIN users AS u ON u.id = s.user_id
WHERE s.token_hash = ? AND s.created_at > ? AND s.last_seen_at > ? AND u.disabled_at IS NULL"""

_TOUCH = "UPDATE dashboard_sessions SET last_seen_at = ? WHERE token_hash = ?"

_END = "DELETE FROM dashboard_sessions WHERE token_hash = ?"

_END_OTHERS = "DELETE FROM dashboard_sessions WHERE user_id = ? AND token_hash <> ?"

_END_OLD = "DELETE FROM dashboard_sessions WHERE created_at <= ? OR last_seen_at <= ?"

_FAILURES = "SELECT subject, failures, last_failed_at FROM sign_in_failures WHERE subject IN (?, ?)"

_FAILED = """
INSERT INTO sign_in_failures (subject, failures, last_failed_at) VALUES (?1, 1, ?2)
ON CONFLICT (subject) DO UPDATE SET last_failed_at = ?2,
  failures = CASE WHEN last_failed_at < ?3 THEN 1 ELSE failures + 1 END
RETURNING failures"""

_SUCCEEDED = "UPDATE sign_in_failures SET failures = failures - 1 WHERE subject = ?"

_FORGIVEN = "DELETE FROM sign_in_failures WHERE subject = ? OR last_failed_at < ?"


@dataclass(frozen=True, slots=True)
class StoredUser:
    """A user with what only sign-in and the list of users need; times are texts of the clock."""

    user: User
    password_hash: str
    created_at: str
    last_sign_in_at: str


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """The moments before which a session must neither have begun nor been last seen."""

    begun_after: datetime
    seen_after: datetime


async def list_users(store: Store) -> list[StoredUser]:
    """All users by address, those that may not sign in any more included."""
    return [_stored(row) for row in await store.query(_ALL)]


async def find_by_email(store: Store, email: str) -> StoredUser | None:
    """The user of an address, without regard to case."""
    rows = await store.query(_BY_EMAIL, (email,))
    return _stored(rows[0]) if rows else None


async def find(store: Store, user_id: UserId) -> StoredUser | None:
    """The user of an id."""
    rows = await store.query(_BY_ID, (user_id,))
    return _stored(rows[0]) if rows else None


async def add_user(
    store: Store,
    email: str,
    password_hash: str,
    role: Role,
    client_ids: Collection[ClientId],
    now: datetime,
    *kept: Statement,
) -> UserId:
    """Store a user, and what is `kept` of it in the same batch.

    Raises ConstraintError for a taken address or an unknown client.
    """
    results = await store.write(
        [
            Statement(_ADD, (email, password_hash, role, to_text(now))),
            Statement(_ADD_CLIENTS, (json.dumps(sorted(client_ids)), email)),
            *kept,
        ]
    )
    return UserId(results[0].rows[0]["id"])


async def add_first_admin(store: Store, email: str, password_hash: str, now: datetime) -> bool:
    """Store an admin where there is no user at all; False where there is one."""
    args = (email, password_hash, Role.ADMIN, to_text(now))
    (added,) = await store.write([Statement(_ADD_FIRST, args)])
    return bool(added.rows)


async def change_user(store: Store, user: User, *kept: Statement) -> None:
    """Store a user's role, clients and end, and what is `kept` of it in the same batch.

    One who may not sign in any more is signed out.
    """
    batch = [
        Statement(_CHANGE, (user.role, user.disabled_at or None, user.user_id)),
        Statement(_FORGET_CLIENTS, (user.user_id,)),
        Statement(_ADD_CLIENTS, (json.dumps(sorted(user.client_ids)), user.email)),
    ]
    if user.disabled_at:
        batch.append(Statement(_END_OTHERS, (user.user_id, "")))
    await store.write([*batch, *kept])


async def set_password(
    store: Store, user_id: UserId, password_hash: str, *kept: Statement, but_for: str = ""
) -> None:
    """Store a password and end the user's sessions, all but the one of a token's hash.

    What is `kept` of it stands in the same batch.
    """
    await store.write(
        [
            Statement(_SET_PASSWORD, (password_hash, user_id)),
            Statement(_END_OTHERS, (user_id, but_for)),
            *kept,
        ]
    )


async def open_session(
    store: Store,
    user: User,
    address: str,
    token_hash: str,
    limits: SessionLimits,
    now: datetime,
) -> None:
    """Store a session; the ones that are over go, and so do the account's failures.

    Of the address only this try is taken back: else one account of its own would let anyone
    behind it try all others.
    """
    moment = to_text(now)
    forgotten = to_text(now - timedelta(seconds=FORGET_SECONDS))
    await store.write(
        [
            Statement(_END_OLD, (to_text(limits.begun_after), to_text(limits.seen_after))),
            Statement(_OPEN, (token_hash, user.user_id, moment, moment)),
            Statement(_SIGNED_IN, (moment, user.user_id)),
            Statement(_SUCCEEDED, (_address(address),)),
            Statement(_FORGIVEN, (_account(user.email), forgotten)),
        ]
    )


async def user_of_session(
    store: Store, token_hash: str, limits: SessionLimits
) -> tuple[User, str] | None:
    """Whose a session is and when it was last seen, None when it is over."""
    args = (token_hash, to_text(limits.begun_after), to_text(limits.seen_after))
    rows = await store.query(_SESSION, args)
    return (_stored(rows[0]).user, rows[0]["last_seen_at"]) if rows else None


async def touch_session(store: Store, token_hash: str, now: datetime) -> None:
    """Keep that the session was seen."""
    await store.write([Statement(_TOUCH, (to_text(now), token_hash))])


async def end_session(store: Store, token_hash: str) -> None:
    """End a session; no error where there is none."""
    await store.write([Statement(_END, (token_hash,))])


async def failures(store: Store, email: str, address: str) -> dict[str, tuple[int, str]]:
    """How often sign-in failed for "account" and "address", and when last."""
    subjects = {_account(email): "account", _address(address): "address"}
    rows = await store.query(_FAILURES, tuple(subjects))
    return {subjects[row["subject"]]: (row["failures"], row["last_failed_at"]) for row in rows}


async def count_failure(store: Store, email: str, address: str, now: datetime) -> dict[str, int]:
    """Count one try against "account" and "address"; the counts with it.

    Counts of more than a day ago begin anew.
    """
    forgotten = to_text(now - timedelta(seconds=FORGET_SECONDS))
    subjects = {"account": _account(email), "address": _address(address)}
    results = await store.write(
        [Statement(_FAILED, (subject, to_text(now), forgotten)) for subject in subjects.values()]
    )
    return {
        kind: result.rows[0]["failures"] for kind, result in zip(subjects, results, strict=True)
    }


def _account(email: str) -> str:
    return f"account:{email.lower()[:254]}"


def _address(address: str) -> str:
    return f"address:{address}"


def _stored(row: Row) -> StoredUser:
    user = User(
        UserId(row["id"]),
        row["email"],
        Role(row["role"]),
        frozenset(map(ClientId, json.loads(row["clients"]))),
        row["disabled_at"] or "",
    )
    return StoredUser(user, row["password_hash"], row["created_at"], row["last_sign_in_at"] or "")
