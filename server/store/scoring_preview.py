"""What a preview of thresholds reads: scores by pair, and the people behind some of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from server.domain.ids import ClientId
from server.store.contract import Row, Store

# Read from the index alone: results hold one row an address, of its latest scored response.
_PAIRS = """
SELECT p_fin_model AS p_fin, p_show_model AS p_show, COUNT(*) AS results, MAX(id) AS newest_id
FROM leadscoring_results
WHERE client_id = ? AND p_fin_model IS NOT NULL AND p_show_model IS NOT NULL
GROUP BY p_fin_model, p_show_model"""

# Pairs are named by one result of each: as JSON, numbers might come back as others.
_PEOPLE = """
WITH pairs AS (
  SELECT p_fin_model, p_show_model FROM json_each(?) AS one
  JOIN leadscoring_results AS r ON r.id = one.value AND r.client_id = ?),
newest AS (
  SELECT r.id, r.client_id, r.email, r.p_fin_model AS p_fin, r.p_show_model AS p_show, r.updated_at
  FROM pairs CROSS JOIN leadscoring_results AS r
    ON r.client_id = ? AND r.p_fin_model = pairs.p_fin_model
    AND r.p_show_model = pairs.p_show_model
  ORDER BY r.id DESC LIMIT ?)
SELECT n.email, n.p_fin, n.p_show, n.updated_at, l.PublicId AS lead_id, l.Name AS name
FROM newest AS n LEFT JOIN Leads AS l ON l.ClientId = n.client_id AND l.PublicId = (
  SELECT lead_id FROM form_responses
  WHERE client_id = n.client_id AND email = n.email AND lead_id IS NOT NULL
  ORDER BY id DESC LIMIT 1)
ORDER BY n.id DESC"""


class ScorePair(NamedTuple):
    """Two scores, how many results have them, and the newest of those."""

    p_fin: float
    p_show: float
    results: int
    newest_id: int


async def score_pairs(store: Store, client_id: ClientId) -> list[ScorePair]:
    """All pairs of scores that the client's results have."""
    rows = await store.query(_PAIRS, (client_id,))
    return [
        ScorePair(row["p_fin"], row["p_show"], row["results"], row["newest_id"]) for row in rows
    ]


async def people_of(
    store: Store, client_id: ClientId, result_ids: Sequence[int], limit: int
) -> list[Row]:
    """The newest results whose scores are those of the results named, with their leads."""
    ids = json.dumps(list(result_ids))
    return await store.query(_PEOPLE, (ids, client_id, client_id, limit))
