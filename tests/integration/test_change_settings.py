"""Changing settings at the same moment, against the real store: one wins, nobody is lost."""

import asyncio

import pytest

from server.domain import clock
from server.domain.directory import FIRST_CLIENT, Client
from server.domain.errors import AppError, ErrorCode
from server.domain.ids import ClientId
from server.store import audit
from server.store.file import FileStore
from server.store.vault import Vault
from server.usecases.change_settings import ACTIONS, Author, SettingsChange
from server.usecases.site_directory import SiteDirectory

ANA, BEN = Author("ana@example.com"), Author("ben@example.com")


@pytest.fixture
def change(store: FileStore) -> SettingsChange:
    vault = Vault("k" * 32)
    directory = SiteDirectory(store, vault, Client(FIRST_CLIENT, "Demo"))
    return SettingsChange(store, vault, directory, clock.now, lambda: None)


async def test_two_who_publish_at_the_same_moment_are_one_published_and_one_told(
    store: FileStore, change: SettingsChange
) -> None:
    revision = (await change.settings(FIRST_CLIENT)).revision
    outcomes = await asyncio.gather(
        *(
            change.publish(author, FIRST_CLIENT, revision, {"a_rotator_fin": value})
            for author, value in ((ANA, 0.9), (BEN, 0.95))
        ),
        return_exceptions=True,
    )
    (told,) = [one for one in outcomes if one is not None]
    assert isinstance(told, AppError)
    assert told.code is ErrorCode.CONFLICT
    (entry,) = await audit.history(store, FIRST_CLIENT, ACTIONS, 10)
    in_force = (await change.settings(FIRST_CLIENT)).scoring.a_rotator_fin
    assert in_force == {ANA.actor: 0.9, BEN.actor: 0.95}[entry["actor"]]


async def test_api_and_page_at_the_same_moment_lose_no_secret(change: SettingsChange) -> None:
    await change.change_scoring(ANA, FIRST_CLIENT, 0, {"capi_token": "first", "pixel_id": "1"})
    settings = await change.settings(FIRST_CLIENT)
    await asyncio.gather(
        change.replace_scoring(BEN, FIRST_CLIENT, settings.scoring.masked() | {"pixel_id": "2"}),
        change.change_scoring(ANA, FIRST_CLIENT, settings.revision, {"capi_token": "second"}),
        return_exceptions=True,
    )
    found = (await change.settings(FIRST_CLIENT)).scoring
    # One of both: with the other's mask the stored secret of that moment stays.
    assert (found.capi_token, found.pixel_id) in {("first", "2"), ("second", "1"), ("second", "2")}


async def test_change_that_changes_nothing_leaves_no_trace(
    store: FileStore, change: SettingsChange
) -> None:
    assert not await change.change_scoring(ANA, FIRST_CLIENT, 0, {"fb_capi_fin": 0.8})
    assert await audit.history(store, FIRST_CLIENT, ACTIONS, 10) == []


async def test_name_and_region_when_changed_are_known_at_once(change: SettingsChange) -> None:
    fields = {"name": "Harbour Homes", "default_region": "AE"}
    assert await change.change_client(ANA, FIRST_CLIENT, 0, fields)
    client = (await change.settings(FIRST_CLIENT)).client
    assert (client.name, client.default_region) == ("Harbour Homes", "AE")


async def test_settings_of_a_client_that_is_not_there_are_the_defaults(
    change: SettingsChange,
) -> None:
    settings = await change.settings(ClientId(99))
    assert (settings.revision, settings.draft, settings.drafted) == (0, None, settings.scoring)
