import pytest

from server.domain.ids import ClientId
from server.domain.user import (
    FREE_TRIES,
    MAX_PASSWORD_CHARS,
    MAX_WAIT_SECONDS,
    MIN_PASSWORD_CHARS,
    Role,
    User,
    UserId,
    email_fault,
    hash_of_token,
    password_fault,
    wait_seconds,
)

ALL = {ClientId(1), ClientId(2)}


@pytest.mark.parametrize(
    ("role", "listed", "seen"),
    [
        (Role.ADMIN, set(), ALL),
        (Role.ADMIN, {1}, {1}),
        (Role.SALES, set(), set()),
        (Role.SALES, {2}, {2}),
        (Role.SALES, {3}, set()),
    ],
)
def test_user_sees_the_listed_clients_and_an_admin_without_a_list_all(
    role: Role, listed: set[int], seen: set[int]
) -> None:
    user = User(UserId(1), "ada@example.com", role, frozenset(map(ClientId, listed)))
    assert user.seen_of(ALL) == seen
    assert user.sees_all == (seen == ALL)


@pytest.mark.parametrize(
    ("chars", "is_taken"),
    [
        (MIN_PASSWORD_CHARS - 1, False),
        (MIN_PASSWORD_CHARS, True),
        (MAX_PASSWORD_CHARS, True),
        (MAX_PASSWORD_CHARS + 1, False),
    ],
)
def test_password_is_taken_by_its_length(chars: int, is_taken: bool) -> None:  # noqa: FBT001
    assert (password_fault("x" * chars) == "") == is_taken


@pytest.mark.parametrize(
    ("email", "is_one"), [("ada@example.com", True), ("ada", False), ("ada@", False), ("", False)]
)
def test_email_of_a_user_must_be_an_address(email: str, is_one: bool) -> None:  # noqa: FBT001
    assert (email_fault(email) == "") == is_one


def test_hash_of_a_token_is_the_same_each_time_and_not_the_token() -> None:
    assert hash_of_token("token") == hash_of_token("token") != "token"


@pytest.mark.parametrize("kind", FREE_TRIES)
def test_wait_doubles_after_the_free_tries_up_to_its_limit(kind: str) -> None:
    free = FREE_TRIES[kind]
    waits = [wait_seconds(kind, free + more) for more in (-1, 0, 1, 2, 30)]
    assert waits == [0, 1, 2, 4, MAX_WAIT_SECONDS]
