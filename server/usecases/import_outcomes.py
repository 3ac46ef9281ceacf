"""Import outcomes: match each line of a file to a lead, show what will change, apply it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, tzinfo

from server.domain.clock import from_text, to_text
from server.domain.contact import parse_phone
from server.domain.directory import Client
from server.domain.ids import ClientId, LeadId
from server.domain.lead_status import LeadStatus
from server.domain.outcome_file import Fault, OutcomeLine
from server.store import lead_changes, outcomes
from server.store.contract import Row, Store
from server.store.lead_changes import Actor, Change, ChangeKind
from server.usecases.work_lead import TRIES, UNCONTACTED


@dataclass(frozen=True, slots=True)
class Planned:
    """One change to come; `others` counts older leads of the same person, left as they are.

    `at` is the line's moment; of the day on which the lead came, not before it came.
    """

    line: OutcomeLine
    at: datetime
    lead_id: LeadId
    person: str
    before: LeadStatus
    others: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What a file will do: changes, lines that say what is so already, lines left out."""

    changes: tuple[Planned, ...]
    unchanged: int
    faults: tuple[Fault, ...]


async def plan(
    store: Store,
    client: Client,
    lines: Sequence[OutcomeLine],
    faults: Sequence[Fault],
    zone: tzinfo = UTC,
) -> Plan:
    """Match lines to the client's leads; e-mail and phone name the person's newest lead.

    By `zone` it is told on which day a lead came.
    """
    found = await _Matcher.of(store, client, lines)
    changes: dict[str, Planned] = {}
    left, unchanged = list(faults), 0
    for line in lines:
        row = found.lead_of(line)
        if row is None:
            left.append(Fault(line.number, f"no lead is known as {line.name[:80]}"))
        elif earlier := changes.get(row["lead_id"]):
            left.append(Fault(line.number, f"names the same lead as line {earlier.line.number}"))
        elif _day(line.at, zone) < _day(from_text(row["created_at"]), zone):
            left.append(Fault(line.number, "date lies before the lead came"))
        elif row["status"] == line.status:
            unchanged += 1
        else:
            changes[row["lead_id"]] = _planned(line, row)
    return Plan(tuple(changes.values()), unchanged, tuple(sorted(left, key=_number)))


async def apply(
    store: Store, client_id: ClientId, changes: Sequence[Planned], actor: Actor, now: datetime
) -> int:
    """Make the changes, each with its history; how many were made.

    The status is as of the line's date, the history entry of now.
    """
    made = 0
    for planned in changes:
        made += await _apply(store, client_id, planned, actor, now)
    return made


@dataclass(frozen=True, slots=True)
class _Matcher:
    client: Client
    by_id: dict[str, Row]
    by_email: dict[str, Row]
    by_phone: dict[str, Row]

    @classmethod
    async def of(cls, store: Store, client: Client, lines: Sequence[OutcomeLine]) -> _Matcher:
        client_id = client.client_id
        ids = [line.lead_id for line in lines if line.lead_id]
        emails = [line.email.lower() for line in lines if line.email]
        phones = [_e164(client, line) for line in lines if line.phone]
        return cls(
            client,
            await outcomes.leads_by(store, client_id, "lead_id", ids),
            await outcomes.leads_by(store, client_id, "email", emails),
            await outcomes.leads_by(store, client_id, "phone", phones),
        )

    def lead_of(self, line: OutcomeLine) -> Row | None:
        """The lead that a line names, by the surest name that it gives."""
        if line.lead_id:
            return self.by_id.get(line.lead_id)
        if line.email:
            return self.by_email.get(line.email.lower())
        return self.by_phone.get(_e164(self.client, line))


def _e164(client: Client, line: OutcomeLine) -> str:
    """The number; a table takes the plus for a sign and saves the number without it."""
    given = parse_phone(line.phone, client.default_region).e164
    return given or parse_phone(f"+{line.phone}", None).e164 or line.phone


def _number(fault: Fault) -> int:
    return fault.number


def _day(moment: datetime, zone: tzinfo) -> date:
    return moment.astimezone(zone).date()


def _planned(line: OutcomeLine, row: Row) -> Planned:
    person = row["person"] or row["email"] or row["phone"] or row["lead_id"]
    others = 0 if line.lead_id else row["leads"] - 1
    at = max(line.at, from_text(row["created_at"]))
    return Planned(line, at, LeadId(row["lead_id"]), person, LeadStatus(row["status"]), others)


async def _apply(
    store: Store, client_id: ClientId, planned: Planned, actor: Actor, now: datetime
) -> bool:
    status, moment = planned.line.status, to_text(planned.at)
    for _ in range(TRIES):
        state = await lead_changes.state_of(store, client_id, planned.lead_id)
        if state is None or state.status is status:
            return False
        reached = "" if status in UNCONTACTED else moment
        after = replace(
            state,
            status=status,
            status_at=moment,
            first_contact_at=state.first_contact_at or reached,
        )
        change = Change(ChangeKind.STATUS, state.status, status)
        if await lead_changes.save(store, client_id, after, [change], actor, now):
            return True
    return False
