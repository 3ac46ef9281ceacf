"""How long a client's rows are kept, and when what is past that goes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum

MAX_DAYS = 36_500
PURGE_AT = time(3, tzinfo=UTC)
"""When the nightly purge is due."""


class Kept(StrEnum):
    """What has a retention of its own."""

    VISITS = "visits"
    """Sessions, page views, events, fingerprints."""

    LEADS = "leads"
    """Leads with their history, deliveries, reported events and results."""

    RESPONSES = "responses"
    """Form responses as received, with the scores of each."""


@dataclass(frozen=True, slots=True)
class Retention:
    """Days that each kind is kept; None is without end."""

    visits: int | None = None
    leads: int | None = None
    responses: int | None = None

    def days(self, kind: Kept) -> int | None:
        """The days of one kind."""
        return {
            Kept.VISITS: self.visits,
            Kept.LEADS: self.leads,
            Kept.RESPONSES: self.responses,
        }[kind]

    def or_else(self, default_days: int | None) -> Retention:
        """With the server's default where the client has chosen nothing."""
        return replace(
            self,
            visits=self.visits or default_days,
            leads=self.leads or default_days,
            responses=self.responses or default_days,
        )

    def cutoff(self, kind: Kept, now: datetime) -> datetime | None:
        """Before which moment rows of a kind go; None where they stay."""
        days = self.days(kind)
        return None if days is None else now - timedelta(days=days)


def last_purge_due(now: datetime) -> datetime:
    """The last moment at or before `now` at which a nightly purge was due."""
    today = datetime.combine(now.date(), PURGE_AT)
    return today if today <= now else today - timedelta(days=1)
