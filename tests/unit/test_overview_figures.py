"""How the overview's figures are compared."""

from __future__ import annotations

from server.store.overview import Sums
from server.web.dashboard.overview_figures import Figure, Totals, tiles


def spam(now: int, before: int, leads: int = 1_000) -> tuple[str, str]:
    """What the tile of the spam share says, and how the share has changed."""
    made = tiles(Totals(Sums(leads=leads, spam=now)), Totals(Sums(leads=leads, spam=before)))
    (tile,) = [one for one in made if one.figure is Figure.SPAM]
    assert tile.change is not None
    return tile.value, tile.change.text


def test_shares_differ_by_as_much_as_they_are_seen_to() -> None:
    assert spam(21_160, 21_505, 1_000_000) == ("2.1 %", "0.1 points less")
    assert spam(21_160, 21_205, 1_000_000) == ("2.1 %", "no change")
