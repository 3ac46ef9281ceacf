"""Watching one visit of a site arrive, while somebody verifies that the site is set up.

In memory, for minutes. While nobody watches a beacon costs one look at an empty mapping.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from server.domain.directory import origin_of
from server.domain.ids import ClientId
from server.domain.visitor import Beacon, BeaconType

MARK = "propgauge_verify"
"""Stands in the address of the page that is opened to be watched; form.js knows it too."""

WATCH_SECONDS = 600.0
MAX_WATCHES = 100


@dataclass(frozen=True, slots=True)
class Sighting:
    """A beacon of the visit that is watched for; `site` is the key that the page's tag tells."""

    client_id: ClientId
    session_id: str
    page_view_id: str
    site: str
    origin: str


@dataclass(slots=True)
class Watch:
    """What was seen so far; `origin` is the one of the page that is to be opened."""

    origin: str
    until: float = 0.0
    scripts: set[str] = field(default_factory=set)
    sighting: Sighting | None = None
    others_arrive: bool = False
    """Whether visits of the origin came that are not the one watched for."""


class SiteWatches:
    """Who is watching on this server. `monotonic` tells seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._watches: dict[str, Watch] = {}

    @property
    def active(self) -> bool:
        """Whether anybody watches."""
        return bool(self._watches)

    def watch(self, token: str, origin: str) -> Watch:
        """Watch, or go on watching, for the visit whose address is marked with a token."""
        self._forget_old()
        if token not in self._watches and len(self._watches) >= MAX_WATCHES:
            del self._watches[next(iter(self._watches))]
        watch = self._watches.setdefault(token, Watch(origin))
        watch.until = self._monotonic() + WATCH_SECONDS
        return watch

    def saw_script(self, name: str, page: str) -> None:
        """A page fetched a script; browsers tell at least its origin."""
        self._forget_old()
        origin = origin_of(page)
        for watch in self._watches.values():
            if origin and watch.origin == origin:
                watch.scripts.add(name)

    def saw_beacons(self, beacons: Sequence[Beacon], client_id: ClientId, origin: str) -> None:
        """Beacons came, which count for a client."""
        self._forget_old()
        for beacon in beacons:
            if beacon.type is BeaconType.VIEW:
                self._saw_view(beacon, client_id, origin)

    def _saw_view(self, beacon: Beacon, client_id: ClientId, origin: str) -> None:
        for token, watch in self._watches.items():
            if mark_of(token) in beacon.url:
                watch.sighting = Sighting(
                    client_id, beacon.session_id, beacon.page_view_id, beacon.site, origin
                )
            elif watch.origin == origin:
                watch.others_arrive = True

    def _forget_old(self) -> None:
        now = self._monotonic()
        for token in [token for token, watch in self._watches.items() if watch.until < now]:
            del self._watches[token]


def mark_of(token: str) -> str:
    """What stands in the address of the page."""
    return f"{MARK}={token}"
