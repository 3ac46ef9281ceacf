"""A marked visit found in the store, as a server does that did not take it itself."""

from __future__ import annotations

from datetime import UTC, datetime

from server.channels import beacon as channel
from server.domain.ids import ClientId
from server.domain.visitor import Arrival, Peer
from server.store import site_checks, tracking
from server.store.file import FileStore
from tests import beacons

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
MARK = "propgauge_verify=check_1"


async def track(store: FileStore, *sent: dict[str, object]) -> None:
    parsed = [channel.BeaconModel.model_validate(one).to_beacon() for one in sent]
    arrivals = [Arrival(one, ClientId(1), Peer("192.0.2.1", "", ""), NOW) for one in parsed]
    await store.write(tracking.beacon_batch(arrivals))


async def test_marked_view_of_a_client_is_found_with_its_form(store: FileStore) -> None:
    await track(store, beacons.view("other"), beacons.view("one", url=f"https://a.example/?{MARK}"))
    seen = await site_checks.marked_view(store, ClientId(1), MARK)
    assert seen is not None
    assert (seen.session_id, seen.site_key) == ("one-s1", "demo")
    assert not await site_checks.has_event(store, ClientId(1), seen, "propgauge-form")
    await track(store, beacons.event("one", name="propgauge-form"))
    assert await site_checks.has_event(store, ClientId(1), seen, "propgauge-form")


async def test_marked_view_of_another_client_is_not_found(store: FileStore) -> None:
    await track(store, beacons.view("one", url=f"https://a.example/?{MARK}"))
    assert await site_checks.marked_view(store, ClientId(2), MARK) is None
    assert await site_checks.view(store, ClientId(2), "one-s1", "p1") is None
    assert await site_checks.view(store, ClientId(1), "one-s1", "p1") is not None
