"""A lead as the inbox shows it: its row, its clock, its links."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from server.domain.clock import from_text, to_text
from server.domain.contact_clock import ContactClock, contact_clock, contact_deadline
from server.domain.contact_links import ContactLinks, contact_links
from server.store.contract import Row
from server.web.dashboard.presenting import duration

DELIVERY_TONES = {
    "delivered": "good",
    "pending": "",
    "failed": "bad",
    "paused": "warm",
    "not_configured": "warm",
}
"""The states of a delivery, and how they look."""


@dataclass(frozen=True, slots=True)
class InboxRow:
    """What the template needs beside the row's own columns."""

    row: Row
    clock: ContactClock
    links: ContactLinks

    @property
    def tracked(self) -> bool:
        """Whether engagement applies."""
        return bool(self.row["match_kind"] != "none")

    @property
    def title(self) -> str:
        """Whom the row is about: the name, else what they can be reached by."""
        row = self.row
        return row["name"] or row["email"] or row["phone"] or "No name"

    @property
    def due_text(self) -> str:
        """The deadline as an attribute, "" where nothing urges."""
        return to_text(self.clock.due_at) if self.clock.due_at else ""

    @property
    def reasons(self) -> list[str]:
        """Why the lead is suspicious."""
        return [signal["reason"] for signal in json.loads(self.row["suspicion_signals"] or "[]")]

    def clock_text(self, now: datetime) -> str:
        """The clock in words, as app.js goes on writing it."""
        clock = self.clock
        if clock.seconds_taken is not None:
            return f"contacted after {duration(clock.seconds_taken)}"
        if not clock.runs:
            return ""
        if clock.due_at is None:
            return f"waiting {duration(max(0.0, (now - clock.received_at).total_seconds()))}"
        left = (clock.due_at - now).total_seconds()
        return f"{duration(left)} left" if left > 0 else f"overdue by {duration(-left)}"

    def clock_tone(self, now: datetime) -> str:
        """How the clock looks."""
        if self.clock.is_overdue(now):
            return "overdue"
        return "late" if self.clock.was_late else ""


def present(rows: Sequence[Row]) -> list[InboxRow]:
    """Rows of the store as rows of the page."""
    return [InboxRow(row, _clock(row), _links(row)) for row in rows]


def clock_of(
    received_at: str, contacted_at: str | None, label: str, status: str, *, tracked: bool
) -> ContactClock:
    """The clock of a stored lead's first contact; times are the store's texts."""
    deadline = contact_deadline(label, tracked=tracked)
    contacted = from_text(contacted_at) if contacted_at else None
    return contact_clock(from_text(received_at), deadline, contacted, status)


def _clock(row: Row) -> ContactClock:
    tracked = row["match_kind"] != "none"
    times = row["received_at"], row["contacted_at"]
    return clock_of(*times, row["label"], row["status"], tracked=tracked)


def _links(row: Row) -> ContactLinks:
    return contact_links(row["phone"] or "", row["phone_e164"] or "", row["email"] or "")
