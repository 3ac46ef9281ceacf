"""The leads inbox: leads of one client by filter, order and place, with what their rows show.

Every order has an index that begins with it and holds what is filtered by (012_inbox.sql), so a
page is read off one index, from its place on, and only the rows shown are looked up.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, NamedTuple

from server.domain.ids import ClientId
from server.domain.search_terms import Term
from server.domain.user import UserId
from server.store.contract import Row, Store

UNTRACKED = "none"
"""Stands for "no tracked visit" among the labels."""

DUE = (
    "IIF(Status <> 'new' OR FirstContactAt IS NOT NULL, '9',"
    " IIF(MatchKind = 'none' OR EngagementLabel = 'Warm',"
    " strftime('%Y-%m-%dT%H:%M:%fZ', CreatedAt, '+24 hours'),"
    " IIF(EngagementLabel = 'Hot', strftime('%Y-%m-%dT%H:%M:%fZ', CreatedAt, '+2 hours'),"
    " IIF(EngagementLabel = 'Very Hot',"
    " strftime('%Y-%m-%dT%H:%M:%fZ', CreatedAt, '+5 minutes'), '9'))))"
)
"""Until when the first contact is due, '9' (after all times) where nothing urges.

As in the index `leads_by_due`, and by the numbers of `domain/contact_clock.py`.
"""

SCORE = "IIF(MatchKind = 'none', -1, EngagementScore)"
"""A lead without a tracked visit comes after all others."""


class InboxOrder(StrEnum):
    """Which lead stands first."""

    NEWEST = "newest"
    OLDEST = "oldest"
    SCORE = "score"
    SUSPICIOUS = "suspicious"
    TRUSTED = "trusted"
    DUE = "due"


class _Keys(NamedTuple):
    """What is ordered by, by which index, and whether key and row ascend."""

    key: str
    walked: str
    key_ascends: bool
    row_ascends: bool


_ORDERS: dict[InboxOrder, _Keys] = {
    InboxOrder.NEWEST: _Keys("CreatedAt", "leads_by_time", key_ascends=False, row_ascends=False),
    InboxOrder.OLDEST: _Keys("CreatedAt", "leads_by_time", key_ascends=True, row_ascends=True),
    InboxOrder.SCORE: _Keys(SCORE, "leads_by_score", key_ascends=False, row_ascends=False),
    InboxOrder.SUSPICIOUS: _Keys(
        "SuspicionScore", "leads_by_suspicion", key_ascends=False, row_ascends=False
    ),
    InboxOrder.TRUSTED: _Keys(
        "SuspicionScore", "leads_by_suspicion", key_ascends=True, row_ascends=True
    ),
    InboxOrder.DUE: _Keys(DUE, "leads_by_due", key_ascends=True, row_ascends=False),
}

_BY_TIME = (InboxOrder.NEWEST, InboxOrder.OLDEST)


@dataclass(frozen=True, slots=True)
class InboxFilter:
    """What leads must fulfil; an empty field asks nothing. Times are texts of the clock.

    `without` names fields that have no value: "project", "landing_page", "first_campaign",
    "last_campaign", "country", "device".
    """

    terms: tuple[Term, ...] = ()
    labels: tuple[str, ...] = ()
    grades: tuple[str, ...] = ()
    suspicion: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    landing_pages: tuple[str, ...] = ()
    first_campaigns: tuple[str, ...] = ()
    last_campaigns: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    owner_id: UserId | None = None
    unowned: bool = False
    since: str = ""
    before: str = ""
    due_before: str = ""


class Place(NamedTuple):
    """Where a lead stands in an order."""

    key: str | float
    row_id: int


@dataclass(frozen=True, slots=True)
class Listing:
    """Which leads of which client are asked for, and in which order."""

    client_id: ClientId
    chosen: InboxFilter = field(default_factory=InboxFilter)
    order: InboxOrder = InboxOrder.NEWEST


_MAX_SPELLINGS = 50
_MAX_STEPS = 20_000
"""Values that are looked through for other spellings: some 50 ms."""

_OF_GRADE = "SELECT email FROM leadscoring_results WHERE client_id = ?1 AND rotator IN ({marks})"

_LISTS: tuple[tuple[str, str], ...] = (
    ("labels", "IIF(MatchKind = 'none', 'none', EngagementLabel) IN ({marks})"),
    ("suspicion", "SuspicionLabel IN ({marks})"),
    ("statuses", "Status IN ({marks})"),
    ("sources", "LeadSource IN ({marks})"),
    ("projects", "Project IN ({marks})"),
    ("landing_pages", "LandingPage COLLATE NOCASE IN ({marks})"),
    ("first_campaigns", "substr(FirstCampaign, 1, 200) COLLATE NOCASE IN ({marks})"),
    ("last_campaigns", "substr(UtmCampaign, 1, 200) COLLATE NOCASE IN ({marks})"),
    ("countries", "Country COLLATE NOCASE IN ({marks})"),
    ("devices", "Device COLLATE NOCASE IN ({marks})"),
    (
        "grades",
        f"Email IN ({_OF_GRADE})",
    ),
)

_WITHOUT = {
    "project": "Project",
    "landing_page": "LandingPage",
    "first_campaign": "FirstCampaign",
    "last_campaign": "UtmCampaign",
    "country": "Country",
    "device": "Device",
}

_SINGLE: tuple[tuple[str, str], ...] = (
    ("owner_id", "OwnerId = ?"),
    ("since", "CreatedAt >= ?"),
    ("before", "CreatedAt < ?"),
    ("due_before", f"{DUE} < ?"),
)

_FROM = "Leads"
_FROM_FOUND = "lead_search CROSS JOIN Leads ON Leads.Id = lead_search.rowid"

# The pluses keep out indexes that begin with the client: by them every lead, and for each row every
# delivery newer than its own, was walked through.
_ROWS = """
SELECT l.Id AS id, l.PublicId AS lead_id, l.CreatedAt AS received_at, l.Channel AS channel,
  l.Name AS name, l.Email AS email, l.Phone AS phone, l.PhoneE164 AS phone_e164,
  l.Project AS project, l.LeadSource AS lead_source, l.MatchKind AS match_kind,
  l.EngagementScore AS score, l.EngagementLabel AS label, l.RecommendedAction AS action,
  l.PagesVisited AS pages, l.SessionDuration AS seconds, l.ReturnVisits AS returns,
  l.SuspicionScore AS suspicion_score, l.SuspicionLabel AS suspicion_label,
  l.SuspicionSignals AS suspicion_signals, l.Status AS status, l.FirstContactAt AS contacted_at,
  l.Message AS message, l.PageUrl AS page_url, l.Country AS country, l.UtmSource AS utm_source,
  l.UtmMedium AS utm_medium, l.UtmCampaign AS utm_campaign, u.email AS owner,
  (SELECT r.rotator FROM leadscoring_results AS r
   WHERE r.client_id = l.ClientId AND r.email = l.Email) AS grade,
  (SELECT IIF(d.state = 'pending' AND p.client_id IS NOT NULL, 'paused', d.state)
   FROM deliveries AS d LEFT JOIN paused_destinations AS p
     ON p.client_id = d.client_id AND p.destination = d.destination
   WHERE d.lead_id = l.PublicId AND +d.client_id = l.ClientId AND d.destination = ?
   ORDER BY +d.created_at DESC LIMIT 1) AS delivery
FROM Leads AS l LEFT JOIN users AS u ON u.id = l.OwnerId
WHERE +l.ClientId = ? AND l.Id IN (SELECT value FROM json_each(?))"""

# Steps through the index from each value to the next, so that a million leads of three sources
# cost three look-ups. {column} is one of the two below.
_EACH = """
WITH RECURSIVE each (value) AS (
  SELECT MIN({column}) FROM Leads WHERE ClientId = ?1 AND {column} > ''
  UNION ALL
  SELECT (SELECT MIN({column}) FROM Leads WHERE ClientId = ?1 AND {column} > each.value)
  FROM each WHERE each.value IS NOT NULL{limit}
)
SELECT value FROM each WHERE value IS NOT NULL"""

_CHOICES = _EACH.replace("{limit}", " LIMIT ?2")

_SPELLINGS = _EACH.replace("{limit}", f" LIMIT {_MAX_STEPS}") + (
    " AND substr(value, 1, 200) COLLATE NOCASE IN (SELECT value FROM json_each(?2))"
)
"""What the overview counts as one value: it passes over case, and cuts what is long."""

_NEWEST = "SELECT COALESCE(MAX(Id), 0) AS id FROM Leads"

# By the row id: only what came since is looked at, however many leads there are.
_SINCE = """
SELECT Id AS id, PublicId AS lead_id, Name AS name, RecommendedAction AS action,
  MatchKind <> 'none' AND EngagementLabel = 'Very Hot' AS very_hot
FROM Leads WHERE Id > ? AND +ClientId = ? ORDER BY Id LIMIT ?"""


async def places(
    store: Store, listing: Listing, after: Place | None, limit: int, *, backwards: bool = False
) -> list[Place]:
    """Up to `limit` leads of a listing from behind `after` on, or from before it backwards."""
    keys = _keys(listing)
    conditions, args = _conditions(await _spelled(store, listing))
    key_ascends, row_ascends = keys.key_ascends ^ backwards, keys.row_ascends ^ backwards
    if after is not None:
        conditions.append(_beyond(keys.key, key_ascends=key_ascends, row_ascends=row_ascends))
        args += [after.key, after.key, after.row_id]
    is_search = bool(listing.chosen.terms)
    row = "lead_search.rowid" if is_search else "Id"
    indexed = f" INDEXED BY {keys.walked}" if keys.walked else ""
    sql = (
        f"SELECT {keys.key} AS place, {row} AS id"
        f" FROM {_FROM_FOUND if is_search else _FROM}{indexed} WHERE {' AND '.join(conditions)}"
        f" ORDER BY {_sorting(keys.key, row, key_ascends=key_ascends, row_ascends=row_ascends)}"
        " LIMIT ?"
    )
    found = [Place(row["place"], row["id"]) for row in await store.query(sql, (*args, limit))]
    return found[::-1] if backwards else found


async def count(store: Store, listing: Listing, limit: int) -> int:
    """How many leads a listing has; counting ends at `limit`."""
    conditions, args = _conditions(await _spelled(store, listing))
    source = _FROM_FOUND if listing.chosen.terms else _FROM
    sql = (
        f"SELECT COUNT(*) AS number FROM (SELECT 1 FROM {source}"
        f" WHERE {' AND '.join(conditions)} LIMIT ?)"
    )
    rows = await store.query(sql, (*args, limit))
    return int(rows[0]["number"])


async def rows(
    store: Store, client_id: ClientId, row_ids: Sequence[int], destination: str
) -> list[Row]:
    """What the inbox shows of leads of the client, in the order of the ids.

    `delivery` is the state of the lead's delivery to a destination, or "paused".
    """
    args = (destination, client_id, json.dumps(row_ids))
    found = {row["id"]: row for row in await store.query(_ROWS, args)}
    return [found[row_id] for row_id in row_ids if row_id in found]


async def sources(store: Store, client_id: ClientId, limit: int) -> list[str]:
    """The lead sources that a client's leads came from."""
    return await _choices(store, "LeadSource", client_id, limit)


async def projects(store: Store, client_id: ClientId, limit: int) -> list[str]:
    """The projects that a client's leads asked for."""
    return await _choices(store, "Project", client_id, limit)


async def newest_row(store: Store) -> int:
    """The row of the lead stored last, of whatever client; 0 without any."""
    return int((await store.query(_NEWEST))[0]["id"])


async def stored_since(store: Store, client_id: ClientId, row_id: int, limit: int) -> list[Row]:
    """Leads of a client that were stored after a row, oldest first."""
    return await store.query(_SINCE, (row_id, client_id, limit))


async def _choices(store: Store, column: str, client_id: ClientId, limit: int) -> list[str]:
    found = await store.query(_CHOICES.format(column=column), (client_id, limit))
    return [row["value"] for row in found]


async def _spelled(store: Store, listing: Listing) -> Listing:
    """The listing with its sources and projects in every spelling that there is."""
    chosen, client_id = listing.chosen, listing.client_id
    sources = await _spellings(store, "LeadSource", client_id, chosen.sources)
    projects = await _spellings(store, "Project", client_id, chosen.projects)
    return replace(listing, chosen=replace(chosen, sources=sources, projects=projects))


async def _spellings(
    store: Store, column: str, client_id: ClientId, wanted: tuple[str, ...]
) -> tuple[str, ...]:
    if not wanted:
        return wanted
    found = await store.query(_SPELLINGS.format(column=column), (client_id, json.dumps(wanted)))
    return tuple(dict.fromkeys([*wanted, *(row["value"] for row in found)]))[:_MAX_SPELLINGS]


def _keys(listing: Listing) -> _Keys:
    """A search is read in the order of its own index, which is that of storing.

    What source, project or grade leave over is sorted: the plus keeps the order's index out, which
    would be walked to its end for a rare one. Elsewhere the index is named, since the planner's
    choice was seen to differ from connection to connection.
    """
    keys, chosen = _ORDERS[listing.order], listing.chosen
    is_narrow = bool(chosen.sources or chosen.projects or chosen.grades)
    if listing.order in _BY_TIME:
        if chosen.terms:
            return keys._replace(key="lead_search.rowid", walked="")
        return keys._replace(walked="") if is_narrow or chosen.due_before else keys
    if is_narrow or chosen.terms:
        return keys._replace(key=f"+{keys.key}", walked="")
    return keys


def _sorting(key: str, row: str, *, key_ascends: bool, row_ascends: bool) -> str:
    by_key = f"{key} {'ASC' if key_ascends else 'DESC'}"
    return by_key if key == row else f"{by_key}, {row} {'ASC' if row_ascends else 'DESC'}"


def _beyond(key: str, *, key_ascends: bool, row_ascends: bool) -> str:
    """Behind a place. The first half is what an index can seek; it stands alone for that."""
    far, near = (">", "<")[not key_ascends], (">", "<")[not row_ascends]
    return f"{key} {far}= ? AND ({key} {far} ? OR Leads.Id {near} ?)"


def _conditions(listing: Listing) -> tuple[list[str], list[Any]]:
    chosen = listing.chosen
    conditions = ["Leads.ClientId = ?1"]
    args: list[Any] = [listing.client_id]
    for name, condition in _LISTS:
        wanted = getattr(chosen, name)
        if wanted:
            conditions.append(condition.format(marks=", ".join("?" * len(wanted))))
            args += wanted
    conditions += [f"COALESCE({_WITHOUT[name]}, '') = ''" for name in chosen.without]
    for name, condition in _SINGLE:
        if getattr(chosen, name):
            conditions.append(condition)
            args.append(getattr(chosen, name))
    if chosen.unowned:
        conditions.append("OwnerId IS NULL")
    if chosen.terms:
        conditions.append("lead_search MATCH ?")
        args.append(_match(chosen.terms))
    return conditions, args


def _match(terms: Sequence[Term]) -> str:
    """The terms in FTS5's language: all of them, each by any of its texts."""
    each = (" OR ".join(map(_phrase, term)) for term in terms)
    return " AND ".join(f"({texts})" for texts in each)


def _phrase(text: str) -> str:
    """A text that may stand anywhere; of one or two letters, where a word begins.

    The index knows sequences of three characters, and every word has two spaces before it.
    """
    padded = " " * max(0, 3 - len(text)) + text
    return '"' + padded.replace('"', '""') + '"'
