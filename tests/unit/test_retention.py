from datetime import UTC, datetime

import pytest

from server.domain.retention import Kept, Retention, last_purge_due

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def test_cutoff_of_kept_days_lies_so_many_days_back() -> None:
    assert Retention(visits=30).cutoff(Kept.VISITS, NOW) == datetime(2026, 10, 23, 10, tzinfo=UTC)


def test_cutoff_of_what_is_kept_for_ever_is_none() -> None:
    assert Retention(visits=30).cutoff(Kept.LEADS, NOW) is None


def test_retention_with_a_default_fills_only_what_the_client_left_open() -> None:
    assert Retention(visits=30).or_else(90) == Retention(30, 90, 90)
    assert Retention(visits=30).or_else(None) == Retention(30)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (datetime(2026, 11, 22, 3, tzinfo=UTC), datetime(2026, 11, 22, 3, tzinfo=UTC)),
        (datetime(2026, 11, 22, 2, 59, tzinfo=UTC), datetime(2026, 11, 21, 3, tzinfo=UTC)),
        (datetime(2026, 11, 22, 23, tzinfo=UTC), datetime(2026, 11, 22, 3, tzinfo=UTC)),
    ],
)
def test_last_purge_due_is_the_nearest_night_before(now: datetime, due: datetime) -> None:
    assert last_purge_due(now) == due
