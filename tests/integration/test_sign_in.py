"""Signing in: waits after failures, sessions that end, accounts that are taken away."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from server.domain.errors import AppError, ErrorCode
from server.domain.ids import ClientId
from server.domain.user import MAX_WAIT_SECONDS, Role
from server.store import users
from server.store.contract import ConstraintError
from server.store.file import FileStore
from server.usecases.sign_in import IDLE_HOURS, SESSION_DAYS, NewUser, SignIn, TooManyTriesError

ANA, PASSWORD = "ana@example.com", "a long enough password"
ADDRESS = "192.0.2.1"


class Clock:
    """The time, moved by hand."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def move(self, **span: float) -> None:
        self.time += timedelta(**span)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def door(store: FileStore, clock: Clock) -> SignIn:
    """A door that one salesperson may pass."""
    door = SignIn(store, clock)
    await door.add(NewUser(ANA, PASSWORD, Role.SALES, {ClientId(1)}))
    return door


async def fail(door: SignIn, times: int, email: str = ANA, address: str = ADDRESS) -> None:
    for _ in range(times):
        with pytest.raises(AppError, match="wrong"):
            await door.sign_in(email, "not the password", address)


async def count(
    store: FileStore, clock: Clock, times: int, email: str = ANA, address: str = "192.0.2.50"
) -> None:
    """Failures as the door counts them, without the second that each takes to hash."""
    for _ in range(times):
        await users.count_failure(store, email, address, clock())


async def test_account_after_five_failures_must_wait_twice_as_long_each_time(
    door: SignIn, store: FileStore, clock: Clock
) -> None:
    await count(store, clock, 4)
    await fail(door, 1)
    for seconds in (1, 2, 4):
        with pytest.raises(TooManyTriesError):
            await door.sign_in(ANA, PASSWORD, "192.0.2.99")
        clock.move(seconds=seconds)
        await fail(door, 1)


async def test_account_that_waited_signs_in_and_begins_anew(
    door: SignIn, store: FileStore, clock: Clock
) -> None:
    await count(store, clock, 5)
    clock.move(seconds=1)
    assert await door.sign_in(ANA.upper(), PASSWORD, ADDRESS)
    await count(store, clock, 4)
    await fail(door, 1)


async def test_account_never_waits_longer_than_a_quarter_of_an_hour(
    door: SignIn, store: FileStore, clock: Clock
) -> None:
    await count(store, clock, 60)
    with pytest.raises(TooManyTriesError) as refused:
        await door.sign_in(ANA, PASSWORD, "192.0.2.99")
    assert refused.value.headers["retry-after"] == str(MAX_WAIT_SECONDS + 1)
    clock.move(seconds=MAX_WAIT_SECONDS)
    assert await door.sign_in(ANA, PASSWORD, "192.0.2.99")


async def test_address_that_tries_many_accounts_must_wait(
    door: SignIn, store: FileStore, clock: Clock
) -> None:
    for number in range(19):
        await count(store, clock, 1, f"{number}@example.com", ADDRESS)
    await fail(door, 1)
    with pytest.raises(TooManyTriesError):
        await door.sign_in(ANA, PASSWORD, ADDRESS)
    assert await door.sign_in(ANA, PASSWORD, "192.0.2.2")


async def test_address_of_an_office_that_signs_in_all_day_never_waits(
    door: SignIn, store: FileStore, clock: Clock
) -> None:
    await count(store, clock, 19, "somebody@example.com", ADDRESS)
    for _ in range(3):
        assert await door.sign_in(ANA, PASSWORD, ADDRESS)


async def test_address_that_signs_in_between_its_tries_is_not_forgiven_them(
    door: SignIn, store: FileStore, clock: Clock
) -> None:
    await count(store, clock, 19, "somebody@example.com", ADDRESS)
    assert await door.sign_in(ANA, PASSWORD, ADDRESS)
    await count(store, clock, 1, "somebody@example.com", ADDRESS)
    with pytest.raises(TooManyTriesError):
        await door.sign_in(ANA, PASSWORD, ADDRESS)


async def test_tries_at_the_same_moment_are_no_more_than_the_free_ones(door: SignIn) -> None:
    tries = [door.sign_in(ANA, f"password {number}", ADDRESS) for number in range(12)]
    answers = await asyncio.gather(*tries, return_exceptions=True)
    refused = [one for one in answers if isinstance(one, TooManyTriesError)]
    assert len(refused) == 7


async def test_failures_of_a_day_ago_are_forgotten(
    door: SignIn, store: FileStore, clock: Clock
) -> None:
    await count(store, clock, 9)
    clock.move(days=1, seconds=1)
    await fail(door, 1)
    assert await door.sign_in(ANA, PASSWORD, ADDRESS)


async def test_unknown_account_is_told_as_a_wrong_password(door: SignIn) -> None:
    told = []
    for email in (ANA, "nobody@example.com", "", "x" * 65_536):
        with pytest.raises(AppError) as refused:
            await door.sign_in(email, "not the password", ADDRESS)
        told.append((refused.value.code, refused.value.message))
    assert set(told) == {(ErrorCode.INVALID, "The address or the password is wrong")}


async def test_session_left_alone_for_a_day_is_over(door: SignIn, clock: Clock) -> None:
    token = await door.sign_in(ANA, PASSWORD, ADDRESS)
    clock.move(hours=IDLE_HOURS, seconds=-1)
    assert await door.user_of(token)
    clock.move(hours=IDLE_HOURS, seconds=-1)
    assert await door.user_of(token)
    clock.move(hours=IDLE_HOURS)
    assert await door.user_of(token) is None


async def test_session_in_daily_use_is_over_after_two_weeks(door: SignIn, clock: Clock) -> None:
    token = await door.sign_in(ANA, PASSWORD, ADDRESS)
    for _ in range(SESSION_DAYS - 1):
        clock.move(hours=IDLE_HOURS, seconds=-1)
        assert await door.user_of(token)
    clock.move(hours=IDLE_HOURS, seconds=-1)
    clock.move(seconds=SESSION_DAYS)
    assert await door.user_of(token) is None


async def test_sessions_that_are_over_leave_the_store_at_the_next_sign_in(
    door: SignIn, store: FileStore, clock: Clock
) -> None:
    await door.sign_in(ANA, PASSWORD, ADDRESS)
    clock.move(days=2)
    await door.sign_in(ANA, PASSWORD, ADDRESS)
    assert len(await store.query("SELECT 1 FROM dashboard_sessions")) == 1


async def test_token_of_a_session_is_stored_as_its_hash_only(
    door: SignIn, store: FileStore
) -> None:
    token = await door.sign_in(ANA, PASSWORD, ADDRESS)
    (row,) = await store.query("SELECT token_hash FROM dashboard_sessions")
    assert len(token) >= 43  # 256 random bits
    assert token not in row["token_hash"]
    assert await door.user_of(row["token_hash"]) is None


async def test_user_who_is_disabled_is_out_at_once(door: SignIn, store: FileStore) -> None:
    token = await door.sign_in(ANA, PASSWORD, ADDRESS)
    found = await users.find_by_email(store, ANA)
    assert found
    await users.change_user(store, replace(found.user, disabled_at="2026-11-22T09:00:00.000Z"))
    assert await door.user_of(token) is None
    with pytest.raises(AppError, match="wrong"):
        await door.sign_in(ANA, PASSWORD, ADDRESS)
    await users.change_user(store, found.user)
    assert await door.user_of(token) is None
    assert await door.sign_in(ANA, PASSWORD, ADDRESS)


async def test_password_that_is_changed_ends_all_sessions_but_ones_own(door: SignIn) -> None:
    mine = await door.sign_in(ANA, PASSWORD, ADDRESS)
    elsewhere = await door.sign_in(ANA, PASSWORD, ADDRESS)
    user = await door.user_of(mine)
    assert user
    with pytest.raises(AppError) as refused:
        await door.change_own_password(user, "not the old one", "another password", mine)
    assert refused.value.fields[0].field == "old_password"
    await door.change_own_password(user, PASSWORD, "another password", mine)
    assert await door.user_of(mine)
    assert await door.user_of(elsewhere) is None


async def test_user_of_a_taken_address_in_other_letters_is_refused(door: SignIn) -> None:
    with pytest.raises(ConstraintError):
        await door.add(NewUser("ANA@example.com", PASSWORD, Role.ADMIN))


@pytest.mark.parametrize("password", ["", "short", "x" * 11, "x" * 257, "x" * 65_536])
async def test_password_that_is_too_short_or_long_is_refused(door: SignIn, password: str) -> None:
    with pytest.raises(AppError) as refused:
        await door.add(NewUser("bo@example.com", password, Role.ADMIN))
    assert refused.value.fields[0].field == "password"


async def test_first_admin_is_made_once(store: FileStore, clock: Clock) -> None:
    door = SignIn(store, clock)
    made = await door.make_first_admin("")
    assert len(made) >= 12
    assert await door.make_first_admin("") == ""
    assert await door.make_first_admin("another password") == ""
    assert await door.sign_in("admin@localhost", made, ADDRESS)
