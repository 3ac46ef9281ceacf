"""What salespeople make of a lead: first contact, steps of the sale, owners and notes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from server.domain.clock import to_text
from server.domain.engagement import EngagementLabel
from server.domain.lead import Lead
from server.domain.lead_status import LeadStatus
from server.domain.suspicion import SuspicionLabel
from server.store.seeding import ChangeRow, FollowUpRow, Salesperson, SeedRow, moment_text
from server.usecases.demo_data import property as market

NOBODY = "demo"
"""Who makes the changes where there are no users."""

_FIRST_CONTACT_HOURS = {
    EngagementLabel.VERY_HOT: 0.3,
    EngagementLabel.HOT: 1.4,
    EngagementLabel.WARM: 14.0,
    EngagementLabel.COLD: 40.0,
}
"""On average; chance makes some of them overdue."""

_NEVER_CALLED_SHARE, _NOTE_SHARE = 0.04, 0.3


@dataclass(frozen=True, slots=True)
class _Step:
    """What may follow a status, with weights that add up to 100; None ends the way there."""

    days: float
    ways: dict[LeadStatus | None, int]


_STEPS = {
    LeadStatus.CONTACTED: _Step(4, {LeadStatus.VIEWING: 44, LeadStatus.LOST: 30, None: 26}),
    LeadStatus.VIEWING: _Step(8, {LeadStatus.OFFER: 38, LeadStatus.LOST: 36, None: 26}),
    LeadStatus.OFFER: _Step(12, {LeadStatus.WON: 55, LeadStatus.LOST: 35, None: 10}),
}


class FollowUp:
    """Follows leads up to `now`; owners only where there are salespeople."""

    def __init__(self, rng: Random, now: datetime, salespeople: Sequence[Salesperson]) -> None:
        self._rng = rng
        self._now = now
        self._salespeople = salespeople

    def of(self, lead: Lead) -> list[SeedRow]:
        """The changes of a lead and its status now; nothing for one that nobody touched yet."""
        owner = self._rng.choice(self._salespeople) if self._salespeople else None
        steps = list(self._steps(lead))
        changes = list(self._changes(lead, steps, owner))
        if not steps:
            return []
        status, moment = steps[-1]
        contacted = [at for step, at in steps if step is LeadStatus.CONTACTED]
        return [
            *changes,
            FollowUpRow(
                lead.lead_id,
                status,
                moment_text(moment),
                moment_text(contacted[0]) if contacted else None,
                owner.user_id if owner else None,
                len(changes),
                changes[-1].created_at,
            ),
        ]

    def _steps(self, lead: Lead) -> Iterator[tuple[LeadStatus, datetime]]:
        """Each status after `new` with its moment, all of the past."""
        rng, moment = self._rng, lead.created_at
        suspicious = lead.suspicion.label is SuspicionLabel.HIGH
        hours = 6.0 if suspicious else _FIRST_CONTACT_HOURS[lead.engagement.label]
        never = rng.random() < _NEVER_CALLED_SHARE
        status: LeadStatus | None = LeadStatus.SPAM if suspicious else LeadStatus.CONTACTED
        moment += timedelta(hours=0.03 + rng.expovariate(1 / hours))
        while status is not None and not never and moment < self._now:
            yield status, moment
            step = _STEPS.get(status)
            if step is None:
                return
            status = rng.choices(list(step.ways), list(step.ways.values()))[0]
            moment += timedelta(days=0.05 + rng.expovariate(1 / step.days))

    def _changes(
        self, lead: Lead, steps: Sequence[tuple[LeadStatus, datetime]], owner: Salesperson | None
    ) -> Iterator[ChangeRow]:
        before = LeadStatus.NEW
        for status, moment in steps:
            if owner and before is LeadStatus.NEW:
                yield _change(lead, owner, "owner", (None, owner.email), moment)
            yield _change(lead, owner, "status", (before, status), moment)
            noted = moment + timedelta(minutes=self._rng.randint(1, 9))
            if status is not LeadStatus.SPAM and self._notes() and noted < self._now:
                yield _change(lead, owner, "note", (None, self._note()), noted)
            before = status

    def _notes(self) -> bool:
        return self._rng.random() < _NOTE_SHARE

    def _note(self) -> str:
        other = self._rng.choice(market.PROJECTS).name
        return self._rng.choice(market.NOTES).format(other=other)


def _change(
    lead: Lead,
    owner: Salesperson | None,
    kind: str,
    values: tuple[str | None, str],
    moment: datetime,
) -> ChangeRow:
    return ChangeRow(
        lead.client_id,
        lead.lead_id,
        owner.user_id if owner else None,
        owner.email if owner else NOBODY,
        kind,
        *values,
        to_text(moment),
    )
