"""Everything stored of a person: found, counted, exported and erased by one literal table.

A table that can hold a person's data stands in HOLDINGS; a test fails for one that does not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from server.domain.ids import ClientId
from server.domain.person import MAX_CHARS, Identity, IdentityKind, Person
from server.store.contract import Row, Statement, Store


@dataclass(frozen=True, slots=True)
class Reach:
    """The keys of all rows of a person, or of what retention lets go."""

    client_id: ClientId
    emails: tuple[str, ...] = ()
    visitors: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    leads: tuple[str, ...] = ()
    responses: tuple[int, ...] = ()
    jobs: tuple[str, ...] = ()
    deliveries: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    """What free text is searched for: rejected bodies and saved views."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to reach."""
        keys = (self.emails, self.visitors, self.sessions, self.leads, self.responses)
        return not any(keys)

    def as_json(self) -> str:
        """The one parameter of every statement below."""
        named = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps(named)


class Holding(NamedTuple):
    """A table, which of its rows are a person's, and what people call them."""

    table: str
    condition: str
    title: str


def _among(column: str, keys: str) -> str:
    return f"{column} IN (SELECT value FROM json_each(?1, '$.{keys}'))"


_CLIENT = "client_id = ?1 ->> 'client_id'"


def _mentions(column: str) -> str:
    return (
        f"EXISTS (SELECT 1 FROM json_each(?1, '$.texts') AS t"
        f" WHERE instr(lower({column}), lower(t.value)))"
    )


HOLDINGS: tuple[Holding, ...] = (
    Holding("events", f"{_CLIENT} AND {_among('session_id', 'sessions')}", "Events"),
    Holding("page_views", f"{_CLIENT} AND {_among('session_id', 'sessions')}", "Page views"),
    Holding("sessions", f"{_CLIENT} AND {_among('session_id', 'sessions')}", "Sessions"),
    Holding("fingerprints", f"{_CLIENT} AND {_among('visitor_id', 'visitors')}", "Fingerprints"),
    Holding("delivery_attempts", _among("delivery_id", "deliveries"), "Delivery attempts"),
    Holding(
        "facebook_capi_event_log",
        f"{_CLIENT} AND ({_among('delivery_id', 'deliveries')} OR {_among('email', 'emails')})",
        "Events reported to Meta",
    ),
    Holding("deliveries", f"{_CLIENT} AND {_among('delivery_id', 'deliveries')}", "Deliveries"),
    Holding("prediction_runs", _among("response_id", "responses"), "Prediction runs"),
    Holding("jobs", _among("subject", "jobs"), "Jobs"),
    Holding("form_responses", f"{_CLIENT} AND {_among('id', 'responses')}", "Form responses"),
    Holding("leadscoring_results", f"{_CLIENT} AND {_among('email', 'emails')}", "Results"),
    Holding("lead_changes", f"{_CLIENT} AND {_among('lead_id', 'leads')}", "Changes and notes"),
    Holding("rejected", f"{_CLIENT} AND {_mentions('body')}", "Rejected requests"),
    Holding("saved_views", f"{_CLIENT} AND {_mentions('query')}", "Saved views that name them"),
    Holding("Leads", f"ClientId = ?1 ->> 'client_id' AND {_among('PublicId', 'leads')}", "Leads"),
)
"""In the order in which rows may go: what refers to others before them."""

_LEADS = """
SELECT PublicId, Email, Phone, PhoneE164, VisitorId FROM Leads
WHERE ClientId = ?1 AND Id IN (
  SELECT Id FROM Leads WHERE ClientId = ?1 AND Email IN (SELECT value FROM json_each(?2))
  UNION SELECT Id FROM Leads WHERE ClientId = ?1 AND PhoneE164 IN (SELECT value FROM json_each(?3))
  UNION SELECT Id FROM Leads WHERE ClientId = ?1 AND Phone IN (SELECT value FROM json_each(?3))
  UNION SELECT Id FROM Leads WHERE ClientId = ?1 AND VisitorId IN (SELECT value FROM json_each(?4)))
ORDER BY Id"""

_RESPONSES = """
SELECT id, event_id, email, lead_id FROM form_responses WHERE client_id = ?1 AND id IN (
  SELECT id FROM form_responses WHERE client_id = ?1 AND email IN (SELECT value FROM json_each(?2))
  UNION SELECT id FROM form_responses
  WHERE client_id = ?1 AND lead_id IN (SELECT value FROM json_each(?3)))
ORDER BY id"""

_DELIVERIES = """
SELECT delivery_id FROM deliveries
WHERE client_id = ?1 AND lead_id IN (SELECT value FROM json_each(?2))
UNION SELECT delivery_id FROM deliveries
WHERE client_id = ?1 AND email COLLATE NOCASE IN (SELECT value FROM json_each(?3))"""

_SESSIONS = """
SELECT session_id FROM sessions
WHERE client_id = ? AND visitor_id IN (SELECT value FROM json_each(?))"""


@dataclass(frozen=True, slots=True)
class Found:
    """A person's rows, and further identities that stand in them, to be chosen or not."""

    reach: Reach
    linked: tuple[Identity, ...]


async def find(store: Store, client_id: ClientId, person: Person) -> Found:
    """Look a person up by the chosen identities within one client."""
    emails, phones = person.values(IdentityKind.EMAIL), person.values(IdentityKind.PHONE)
    visitors = person.values(IdentityKind.VISITOR)
    seeds = (json.dumps(emails), json.dumps(phones), json.dumps(visitors))
    leads = await store.query(_LEADS, (client_id, *seeds))
    lead_ids = tuple(row["PublicId"] for row in leads)
    responses = await store.query(_RESPONSES, (client_id, seeds[0], json.dumps(lead_ids)))
    args = (client_id, json.dumps(lead_ids), seeds[0])
    deliveries = await store.query(_DELIVERIES, args)
    sessions = await store.query(_SESSIONS, (client_id, seeds[2]))
    reach = Reach(
        client_id,
        emails=tuple(emails),
        visitors=tuple(visitors),
        sessions=tuple(row["session_id"] for row in sessions),
        leads=lead_ids,
        responses=tuple(row["id"] for row in responses),
        jobs=tuple(f"{client_id}:{row['event_id']}" for row in responses),
        deliveries=tuple(row["delivery_id"] for row in deliveries),
        texts=tuple(dict.fromkeys(_texts(person))),
    )
    return Found(reach, _linked(person, [*leads, *responses]))


def _texts(person: Person) -> Iterator[str]:
    """How an identity stands in free text: as it is, and inside an address."""
    for one in person.identities:
        yield one.value
        if one.kind is IdentityKind.EMAIL:
            yield one.value.replace("@", "%40")
        if one.kind is IdentityKind.PHONE:
            yield one.value.replace("+", "%2B")


def _linked(person: Person, rows: list[Row]) -> tuple[Identity, ...]:
    chosen = {Identity(one.kind, one.value.lower()) for one in person.identities}
    found: dict[Identity, None] = {}
    for row in rows:
        for one in _identities(row):
            known = Identity(one.kind, one.value.lower()) in chosen
            if not known and len(one.value) <= MAX_CHARS:
                found[one] = None
    return tuple(sorted(found))


def _identities(row: Row) -> Iterator[Identity]:
    if row["Email" if "Email" in row else "email"]:
        yield Identity(IdentityKind.EMAIL, row["Email" if "Email" in row else "email"].lower())
    if phone := row.get("PhoneE164") or row.get("Phone"):
        yield Identity(IdentityKind.PHONE, phone)
    if row.get("VisitorId"):
        yield Identity(IdentityKind.VISITOR, row["VisitorId"])


async def count(store: Store, reach: Reach) -> dict[Holding, int]:
    """How many rows each table holds, tables without any left out."""
    args = (reach.as_json(),)
    counted = {}
    for holding in HOLDINGS:
        sql = f"SELECT COUNT(*) AS rows FROM {holding.table} WHERE {holding.condition}"
        if rows := (await store.query(sql, args))[0]["rows"]:
            counted[holding] = rows
    return counted


async def read(store: Store, holding: Holding, reach: Reach) -> list[dict[str, Any]]:
    """A person's rows of a table, every column: that is what they may ask for."""
    sql = f"SELECT * FROM {holding.table} WHERE {holding.condition}"
    return [_plain(row) for row in await store.query(sql, (reach.as_json(),))]


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        for name, value in row.items()
    }


_SCRUB_TRAIL = f"""
UPDATE audit_trail SET subject = NULL, details = '{{}}'
WHERE {_CLIENT} AND ({_mentions("details")} OR {_mentions("subject")})"""


def erase_statements(reach: Reach) -> list[Statement]:
    """Delete everything within reach; one batch, so that nothing is half erased.

    The audit trail keeps who did what when, also where an entry named the person.
    """
    args = (reach.as_json(),)
    deletions = [
        Statement(f"DELETE FROM {holding.table} WHERE {holding.condition}", args)
        for holding in HOLDINGS
    ]
    return [*deletions, Statement(_SCRUB_TRAIL, args)] if reach.texts else deletions
