"""How soon a lead wants its first contact, and how the wait stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from server.domain.engagement import EngagementLabel
from server.domain.lead_status import LeadStatus

UNTRACKED_DEADLINE = timedelta(hours=24)
"""Without a visit to judge by: as for Warm."""

DEADLINES: dict[EngagementLabel, timedelta | None] = {
    EngagementLabel.VERY_HOT: timedelta(minutes=5),
    EngagementLabel.HOT: timedelta(hours=2),
    EngagementLabel.WARM: timedelta(hours=24),
    EngagementLabel.COLD: None,
}
"""What the recommended actions promise. The index `leads_by_due` holds the same numbers."""


def contact_deadline(label: str, *, tracked: bool) -> timedelta | None:
    """How long the first contact may take; None where nothing urges."""
    return DEADLINES[EngagementLabel(label)] if tracked else UNTRACKED_DEADLINE


@dataclass(frozen=True, slots=True)
class ContactClock:
    """The wait for the first contact.

    It runs while a lead is new and nobody was in touch. `due_at` is None where nothing urges.
    """

    received_at: datetime
    due_at: datetime | None
    contacted_at: datetime | None
    runs: bool

    @property
    def seconds_taken(self) -> float | None:
        """How long the first contact took, None before there was one."""
        if self.contacted_at is None:
            return None
        return max(0.0, (self.contacted_at - self.received_at).total_seconds())

    def is_overdue(self, now: datetime) -> bool:
        """Whether the deadline has passed while the clock ran."""
        return self.runs and self.due_at is not None and self.due_at <= now

    @property
    def was_late(self) -> bool:
        """Whether the first contact came after the deadline."""
        return bool(self.contacted_at and self.due_at and self.contacted_at > self.due_at)


def contact_clock(
    received_at: datetime, deadline: timedelta | None, contacted_at: datetime | None, status: str
) -> ContactClock:
    """The clock of a lead; one that was closed without contact (lost, spam) stands still."""
    due_at = received_at + deadline if deadline is not None else None
    runs = contacted_at is None and status == LeadStatus.NEW
    return ContactClock(received_at, due_at, contacted_at, runs)
