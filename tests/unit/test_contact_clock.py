from datetime import UTC, datetime, timedelta

import pytest

from server.domain.contact_clock import contact_clock, contact_deadline

RECEIVED = datetime(2026, 11, 22, 10, tzinfo=UTC)
DEADLINE = timedelta(hours=2)


@pytest.mark.parametrize(
    ("label", "tracked", "minutes"),
    [
        ("Very Hot", True, 5),
        ("Hot", True, 120),
        ("Warm", True, 1440),
        ("Cold", True, None),
        ("Cold", False, 1440),
    ],
)
def test_contact_deadline_of_a_label_is_what_its_action_promises(
    label: str, *, tracked: bool, minutes: int | None
) -> None:
    expected = None if minutes is None else timedelta(minutes=minutes)
    assert contact_deadline(label, tracked=tracked) == expected


@pytest.mark.parametrize(("minutes", "overdue"), [(119, False), (120, True), (121, True)])
def test_clock_of_a_new_lead_is_overdue_from_its_deadline_on(
    minutes: int, *, overdue: bool
) -> None:
    clock = contact_clock(RECEIVED, DEADLINE, None, "new")
    assert clock.runs
    assert clock.is_overdue(RECEIVED + timedelta(minutes=minutes)) is overdue


@pytest.mark.parametrize("status", ["spam", "lost", "won"])
def test_clock_of_a_lead_closed_without_contact_stands_still(status: str) -> None:
    clock = contact_clock(RECEIVED, DEADLINE, None, status)
    assert not clock.runs
    assert not clock.is_overdue(RECEIVED + timedelta(days=9))


@pytest.mark.parametrize(("minutes", "late"), [(119, False), (121, True)])
def test_clock_of_a_contacted_lead_tells_how_long_it_took(minutes: int, *, late: bool) -> None:
    contacted = RECEIVED + timedelta(minutes=minutes)
    clock = contact_clock(RECEIVED, DEADLINE, contacted, "contacted")
    assert (clock.seconds_taken, clock.was_late) == (minutes * 60, late)
    assert not clock.is_overdue(RECEIVED + timedelta(days=9))


def test_clock_without_a_deadline_never_is_overdue() -> None:
    clock = contact_clock(RECEIVED, None, None, "new")
    assert clock.runs
    assert not clock.is_overdue(RECEIVED + timedelta(days=99))


def test_clock_before_the_first_contact_tells_no_time_taken() -> None:
    assert contact_clock(RECEIVED, DEADLINE, None, "new").seconds_taken is None
