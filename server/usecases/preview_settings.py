"""Preview settings: what other thresholds would make of a client's past responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from server.domain.ids import ClientId
from server.domain.qualification import THRESHOLDS, LeadScoringConfig, Rotator
from server.store import scoring_preview
from server.store.contract import Row, Store
from server.store.scoring_preview import Band, Cuts

MAX_LEADS = 10
_BELOW_ALL = -1.0


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
    cuts = Cuts(_cuts("fin", before, after), _cuts("show", before, after))
    bands = await scoring_preview.bands(store, client_id, cuts)
    counted, changed = _count(bands, cuts, before, after)
    if not changed:
        return counted
    rows = await scoring_preview.people_in(store, client_id, cuts, changed, MAX_LEADS)
    return replace(counted, leads=tuple(_lead(row, before, after) for row in rows))


def _cuts(kind: str, *configs: LeadScoringConfig) -> list[float]:
    """All thresholds for one score: between two of them, all scores are judged alike."""
    names = [name for name in THRESHOLDS if name.endswith(kind)]
    return sorted({getattr(config, name) for config in configs for name in names})


def _count(
    bands: Sequence[Band], cuts: Cuts, before: LeadScoringConfig, after: LeadScoringConfig
) -> tuple[Preview, list[Band]]:
    """The counts, and the bands that would be judged in another way."""
    moves = {(old, new): 0 for old in Rotator for new in Rotator}
    events = {(old, new): 0 for old in (False, True) for new in (False, True)}
    changed: list[Band] = []
    for band in bands:
        scores = _lowest(cuts.fin, band.fin), _lowest(cuts.show, band.show)
        grades = before.rotator(*scores), after.rotator(*scores)
        fires = before.fires(*scores), after.fires(*scores)
        moves[grades] += band.results
        events[fires] += band.results
        if grades[0] is not grades[1] or fires[0] is not fires[1]:
            changed.append(band)
    gained, lost, kept = events[False, True], events[True, False], events[True, True]
    total = sum(moves.values())
    return Preview(total, moves, kept + lost, kept + gained, gained, lost, ()), changed


def _lowest(cuts: Sequence[float], reached: int) -> float:
    """The lowest score that reaches so many cuts."""
    return cuts[reached - 1] if reached else _BELOW_ALL


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
