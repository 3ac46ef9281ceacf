"""Preview settings: what other thresholds would make of a client's past responses."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from server.domain.ids import ClientId
from server.domain.qualification import LeadScoringConfig, Rotator
from server.store import scoring_preview
from server.store.contract import Row, Store
from server.store.scoring_preview import ScorePair

MAX_LEADS = 10


@dataclass(frozen=True, slots=True)
class MovedLead:
    """A lead that would be judged in another way."""

    email: str
    name: str
    lead_id: str
    p_fin: float
    p_show: float
    updated_at: str
    before: Rotator
    after: Rotator
    fired: bool
    fires: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """Counts of scored addresses; `moves` tells how many go from one grade to another.

    `events_before` and `events_after` are of SubmitApplication.
    """

    total: int
    moves: Mapping[tuple[Rotator, Rotator], int]
    events_before: int
    events_after: int
    events_gained: int
    events_lost: int
    leads: tuple[MovedLead, ...]

    @property
    def moved(self) -> int:
        """How many would have another grade."""
        return sum(count for (before, after), count in self.moves.items() if before is not after)


async def preview(
    store: Store, client_id: ClientId, before: LeadScoringConfig, after: LeadScoringConfig
) -> Preview:
    """Judge every address's latest scores by both settings."""
    pairs = await scoring_preview.score_pairs(store, client_id)
    # Many distinct scores take some tenths of a second, for which nobody else should wait.
    counted, moved_ids = await asyncio.to_thread(_count, pairs, before, after)
    if not moved_ids:
        return counted
    rows = await scoring_preview.people_of(store, client_id, moved_ids, MAX_LEADS)
    leads = tuple(_lead(row, before, after) for row in rows)
    return replace(counted, leads=leads)


def _count(
    pairs: Sequence[ScorePair], before: LeadScoringConfig, after: LeadScoringConfig
) -> tuple[Preview, list[int]]:
    """The counts, and the newest result of the pairs that change and were seen last.

    The ten newest leads that change have one of the ten pairs whose newest result is newest.
    """
    moves = {(old, new): 0 for old in Rotator for new in Rotator}
    events = {(old, new): 0 for old in (False, True) for new in (False, True)}
    changed: list[int] = []
    for pair in pairs:
        grades = before.rotator(*pair[:2]), after.rotator(*pair[:2])
        fires = before.fires(*pair[:2]), after.fires(*pair[:2])
        moves[grades] += pair.results
        events[fires] += pair.results
        if grades[0] is not grades[1] or fires[0] is not fires[1]:
            changed.append(pair.newest_id)
    kept = events[True, True]
    counted = Preview(
        sum(moves.values()),
        moves,
        kept + events[True, False],
        kept + events[False, True],
        events[False, True],
        events[True, False],
        (),
    )
    return counted, sorted(changed, reverse=True)[:MAX_LEADS]


def _lead(row: Row, before: LeadScoringConfig, after: LeadScoringConfig) -> MovedLead:
    scores = row["p_fin"], row["p_show"]
    return MovedLead(
        row["email"],
        row["name"] or "",
        row["lead_id"] or "",
        *scores,
        row["updated_at"],
        before.rotator(*scores),
        after.rotator(*scores),
        before.fires(*scores),
        after.fires(*scores),
    )
