"""Watching a visit arrive: for minutes, bounded, and for the marked page only."""

from __future__ import annotations

import pytest

from server.channels import beacon as channel
from server.domain.ids import ClientId
from server.usecases.watch_site import MAX_WATCHES, WATCH_SECONDS, SiteWatches, mark_of
from tests import beacons

ORIGIN = "https://www.towers.example"


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watches(clock: Clock) -> SiteWatches:
    return SiteWatches(clock)


def see(watches: SiteWatches, url: str, origin: str = ORIGIN) -> None:
    beacon = channel.BeaconModel.model_validate(beacons.view("visitor", url=url)).to_beacon()
    watches.saw_beacons([beacon], ClientId(1), origin)


def test_watches_while_nobody_watches_are_not_active(watches: SiteWatches) -> None:
    assert not watches.active
    watches.watch("one", ORIGIN)
    assert watches.active


def test_watches_that_are_over_are_forgotten_by_what_arrives(
    watches: SiteWatches, clock: Clock
) -> None:
    watches.watch("one", ORIGIN)
    clock.seconds = WATCH_SECONDS + 1
    see(watches, f"{ORIGIN}/?{mark_of('one')}")
    assert not watches.active


def test_watch_that_is_renewed_keeps_what_was_seen(watches: SiteWatches, clock: Clock) -> None:
    watch = watches.watch("one", ORIGIN)
    watches.saw_script("tracker.js", ORIGIN + "/")
    clock.seconds = WATCH_SECONDS - 1
    assert watches.watch("one", ORIGIN) is watch
    clock.seconds += 2
    assert watches.watch("one", ORIGIN).scripts == {"tracker.js"}


def test_watches_beyond_their_number_push_the_oldest_out(watches: SiteWatches) -> None:
    first = watches.watch("first", ORIGIN)
    for number in range(MAX_WATCHES):
        watches.watch(str(number), ORIGIN)
    assert watches.watch("first", ORIGIN) is not first


def test_view_of_the_marked_page_is_seen_by_its_watch_only(watches: SiteWatches) -> None:
    one, another = watches.watch("one", ORIGIN), watches.watch("another", ORIGIN)
    see(watches, f"{ORIGIN}/?{mark_of('one')}")
    assert one.sighting is not None
    assert one.sighting.origin == ORIGIN
    assert (another.sighting, another.others_arrive) == (None, True)


def test_script_for_a_page_of_another_origin_is_not_seen(watches: SiteWatches) -> None:
    watch = watches.watch("one", ORIGIN)
    for page in ("https://evil.example/", "", "about:blank"):
        watches.saw_script("tracker.js", page)
    assert watch.scripts == set()
