"""What a preview of thresholds reads: results counted by the thresholds that they reach."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from server.domain.ids import ClientId
from server.store.contract import Row, Store

MAX_CUTS = 8
"""Thresholds for each of the two scores: four of the settings in force, four of the others."""

_UNREACHABLE = 2.0
_BASE = MAX_CUTS + 1


def _reached(column: str, first: int) -> str:
    """SQL for how many cuts a score reaches; they are bound from that place on."""
    return " + ".join(f"({column} >= ?{first + place})" for place in range(MAX_CUTS))


_BAND = f"({_reached('p_fin_model', 2)}) * {_BASE} + {_reached('p_show_model', 2 + MAX_CUTS)}"

# Both read the index alone, but for the people that are shown. There is one result an address, of
# its latest scored response.
_BANDS = f"""
SELECT {_BAND} AS band, COUNT(*) AS results FROM leadscoring_results
WHERE client_id = ?1 AND p_fin_model IS NOT NULL AND p_show_model IS NOT NULL GROUP BY band"""

_PEOPLE = f"""
WITH newest AS (
  SELECT id FROM leadscoring_results
  WHERE client_id = ?1 AND p_fin_model IS NOT NULL AND p_show_model IS NOT NULL
    AND {_BAND} IN (SELECT value FROM json_each(?{2 + 2 * MAX_CUTS}))
  ORDER BY id DESC LIMIT ?{3 + 2 * MAX_CUTS})
SELECT r.email, r.p_fin_model AS p_fin, r.p_show_model AS p_show, r.updated_at,
  l.PublicId AS lead_id, l.Name AS name
FROM newest AS n JOIN leadscoring_results AS r ON r.id = n.id
LEFT JOIN Leads AS l ON l.ClientId = r.client_id AND l.PublicId = (
  SELECT lead_id FROM form_responses
  WHERE client_id = r.client_id AND email = r.email AND lead_id IS NOT NULL
  ORDER BY id DESC LIMIT 1)
ORDER BY n.id DESC"""


class Cuts(NamedTuple):
    """Thresholds, ascending, at most MAX_CUTS of each."""

    fin: Sequence[float]
    show: Sequence[float]


class Band(NamedTuple):
    """Results that reach so many of the cuts for each score."""

    fin: int
    show: int
    results: int


async def bands(store: Store, client_id: ClientId, cuts: Cuts) -> list[Band]:
    """All scored results of a client, by the cuts that they reach."""
    rows = await store.query(_BANDS, (client_id, *_bound(cuts)))
    return [Band(row["band"] // _BASE, row["band"] % _BASE, row["results"]) for row in rows]


async def people_in(
    store: Store, client_id: ClientId, cuts: Cuts, chosen: Sequence[Band], limit: int
) -> list[Row]:
    """The newest results of some bands, with their leads."""
    numbers = json.dumps([band.fin * _BASE + band.show for band in chosen])
    return await store.query(_PEOPLE, (client_id, *_bound(cuts), numbers, limit))


def _bound(cuts: Cuts) -> tuple[float, ...]:
    """Cuts as bound values: as JSON, numbers might come back as others."""
    padded = [(*one, *[_UNREACHABLE] * (MAX_CUTS - len(one))) for one in cuts]
    return (*padded[0], *padded[1])
