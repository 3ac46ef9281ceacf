"""`propgauge rollups rebuild`, and what a lead keeps of its visit to be counted by."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from server.store.contract import Statement
from server.store.file import FileStore
from tests.beacons import view
from tests.dashboard import SECRET_KEY
from tests.databases import FileDatabase
from tests.integration.test_cli import Installation
from tests.overview_data import DAYS, fill_database
from tests.running import RunningServer

RUN = ["rollups", "rebuild"]


@pytest.fixture
def run(tmp_path: Path) -> Installation:
    return Installation(tmp_path / "data")


def test_rebuild_counts_every_day_anew_under_a_bar(run: Installation) -> None:
    run.done("migrate")
    asyncio.run(fill_database(FileDatabase(run.data_dir / "propgauge.db")))
    counts = "SELECT * FROM visit_days ORDER BY dimension, day, value"
    before = run.query(counts)
    assert len({row["day"] for row in before}) == DAYS
    asyncio.run(_write(run.data_dir / "propgauge.db", "DELETE FROM visit_days"))
    printed = run.done(*RUN, "--client", "1")
    assert printed[-1] == f"{2 * DAYS} days counted"
    assert run.query(counts) == before


def test_rebuild_with_a_time_zone_draws_the_days_there(run: Installation) -> None:
    run.done("migrate")
    asyncio.run(fill_database(FileDatabase(run.data_dir / "propgauge.db")))
    run.done(*RUN, "--client", "1", "--timezone", "Pacific/Kiritimati")
    zones = run.query("SELECT timezone FROM clients")
    assert [row["timezone"] for row in zones] == ["Pacific/Kiritimati"]
    (total,) = run.query("SELECT SUM(leads) AS leads FROM lead_days WHERE dimension = 'total'")
    assert total["leads"] == 2 * DAYS


@pytest.mark.parametrize(
    ("words", "exit_code", "message"),
    [
        (["--client", "7"], 1, "there is no client 7"),
        (["--timezone", "UTC"], 2, "needs --client"),
        (["--client", "1", "--timezone", "London"], 2, "is no time zone"),
    ],
)
def test_rebuild_of_what_is_not_there_is_refused(
    run: Installation, words: list[str], exit_code: int, message: str
) -> None:
    assert message in run.refused(*RUN, *words, exit_code=exit_code)


async def _write(database: Path, sql: str) -> None:
    store = FileStore.open(database)
    await store.write([Statement(sql)])
    await store.close()


def test_lead_keeps_landing_page_device_and_first_campaign_of_its_visit(tmp_path: Path) -> None:
    site = "https://www.example.com/residences"
    with RunningServer(tmp_path / "data", {"SECRET_KEY": SECRET_KEY}) as server:
        server.track(view("ana", "one", url=f"{site}?utm_campaign=first"))
        server.track(view("ana", "two", url=f"{site}/a?utm_campaign=last#x"))
        server.lead(email="ana@example.com", __visitor_id="ana")
        server.lead(email="ben@example.com", utm_campaign="letter", SOURCE="Facebook")
        rows = server.query(
            "SELECT LandingPage, Device, FirstCampaign, UtmCampaign FROM Leads ORDER BY Id"
        )
    assert [tuple(row.values()) for row in rows] == [
        ("www.example.com/residences/a", "desktop", "first", "last"),
        (None, None, "letter", "letter"),
    ]
