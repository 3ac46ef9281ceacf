"""Demonstration data: believable, scored by the server's own rules, repeatable, and never sent."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import click.testing
import pytest

from server.app import prepare_store
from server.cli import main
from server.destinations import Destination, make_webhook, meta_capi
from server.domain import user_agent
from server.domain.clock import from_text, to_text
from server.domain.contact import parse_phone
from server.domain.delivery import Delivery, Outcome, Verdict
from server.domain.directory import FIRST_CLIENT, Client
from server.domain.ids import VisitorId
from server.domain.lead import Channel, LeadDraft
from server.domain.lead_status import LeadStatus
from server.domain.visitor import Peer
from server.form_ai.chain import parse_models
from server.settings import SETTINGS
from server.store import outbox
from server.store.contract import Statement
from server.store.file import FileStore
from server.usecases.assess_lead import LeadContext, assess
from server.usecases.deliver_outbox import Clocks, OutboxWorker
from server.usecases.seed_demo import SeedOrder, SeedRefusedError, seed
from tests.integration.http_fixtures import eventually
from tests.receiver import Receiver
from tests.running import RunningServer, clean_environment, free_port, propgauge, workplace

NOW = datetime(2026, 11, 21, 17, 30, 0, tzinfo=UTC)
CLIENT = Client(FIRST_CLIENT, "Demo", make_webhook_url="https://hook.example.com/demo")
MODELS = parse_models("gemini:gemini-3.8-flash@none,openai:gpt-6-luna@none")
LEADS, DAYS = 450, 45

ADD_USER = """
INSERT INTO users (email, password_hash, role, created_at) VALUES (?, 'x', ?, '2026-01-01')"""
ADD_TO_CLIENT = "INSERT INTO user_clients (user_id, client_id) VALUES (?, 1)"

TOLD_BY_REQUEST_ONLY = {"honeypot", "time_to_submit", "origin"}
"""Signals of what is not kept with a lead, so that nobody can ask them again."""


def order(leads: int = LEADS, days: int = DAYS, **more: Any) -> SeedOrder:
    return SeedOrder(
        **{
            "client": CLIENT,
            "site_key": "demo",
            "models": MODELS,
            "leads": leads,
            "days": days,
            "seed": 1,
            "now": NOW,
            **more,
        }
    )


@dataclass(frozen=True)
class Seeded:
    """A database that was seeded once, and what its progress was told."""

    path: Path
    progress: Sequence[int]

    def query(self, sql: str, *args: Any) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(sql, args)]

    def value(self, sql: str, *args: Any) -> Any:
        (row,) = self.query(sql, *args)
        return next(iter(row.values()))


async def make(path: Path, wanted: SeedOrder, *, users: bool = False) -> Seeded:
    store, progress = FileStore.open(path), list[int]()
    await prepare_store(store)
    if users:
        people = [
            ("ann@example.com", "sales"),
            ("ben@example.com", "sales"),
            ("eve@example.com", "admin"),
        ]
        await store.write([Statement(ADD_USER, person) for person in people])
        await store.write([Statement(ADD_TO_CLIENT, (user,)) for user in (1, 2, 3)])
    await seed(store, wanted, progress.append)
    await store.close()
    return Seeded(path, progress)


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Seeded:
    path = tmp_path_factory.mktemp("seeded") / "propgauge.db"
    return asyncio.run(make(path, order(), users=True))


@pytest.fixture
async def opened(seeded: Seeded) -> AsyncIterator[FileStore]:
    store = FileStore.open(seeded.path)
    yield store
    await store.close()


@dataclass
class Counting:
    """A destination that would notice what is sent to it."""

    name: str
    sent: int = 0

    async def send(self, delivery: Delivery, now: datetime) -> Outcome:  # noqa: ARG002
        self.sent += 1
        return Outcome(Verdict.DELIVERED, 200)


# How much


def test_seed_when_done_has_made_exactly_the_leads_asked_for(seeded: Seeded) -> None:
    assert seeded.value("SELECT COUNT(*) FROM Leads") == LEADS
    assert sum(seeded.progress) == LEADS
    assert len(seeded.progress) > 5


def test_visitors_when_seeded_convert_as_seldom_as_on_real_sites(seeded: Seeded) -> None:
    people = seeded.value("SELECT COUNT(DISTINCT visitor_id) FROM sessions WHERE is_bot = 0")
    tracked = seeded.value("SELECT COUNT(*) FROM Leads WHERE MatchKind <> 'none'")
    assert 0.03 < tracked / people < 0.05
    sessions = seeded.value("SELECT COUNT(*) FROM sessions WHERE is_bot = 0")
    assert 1.1 < sessions / people < 1.6
    assert seeded.value("SELECT COUNT(*) FROM sessions WHERE is_bot = 1") > 0
    assert seeded.value("SELECT COUNT(*) FROM sessions WHERE consent = 0") > 0


async def test_visitors_when_all_convert_are_those_of_the_leads(tmp_path: Path) -> None:
    made = await make(tmp_path / "propgauge.db", order(40, 9, conversion=1.0))
    tracked = made.value("SELECT COUNT(*) FROM Leads WHERE MatchKind <> 'none'")
    assert made.value("SELECT COUNT(DISTINCT visitor_id) FROM sessions") == tracked


def test_leads_when_seeded_come_by_every_channel(seeded: Seeded) -> None:
    rows = seeded.query("SELECT Channel, COUNT(*) AS leads FROM Leads GROUP BY Channel")
    share = {row["Channel"]: row["leads"] / LEADS for row in rows}
    assert 0.2 < share["api"] < 0.3
    assert 0.05 < share["typeform"] < 0.15
    assert share["form"] > 0.5
    assert seeded.value("SELECT COUNT(DISTINCT LeadSource) FROM Leads") >= 6


def test_database_when_seeded_twice_alike_is_the_same(tmp_path: Path) -> None:
    dumps = []
    for name, chance in (("one", 1), ("two", 1), ("other", 2)):
        made = asyncio.run(make(tmp_path / f"{name}.db", order(40, 9, seed=chance)))
        with closing(sqlite3.connect(made.path)) as database:
            dumps.append([line for line in database.iterdump() if "INSERT" in line])
    kept = [
        [line for line in dump if not re.search(r'INTO "?(d1_|clients|sites)', line)]
        for dump in dumps
    ]
    assert kept[0] == kept[1]
    assert kept[0] != kept[2]


# Scores


def test_labels_when_seeded_are_well_spread(seeded: Seeded) -> None:
    rows = seeded.query(
        "SELECT EngagementLabel AS label, COUNT(*) AS leads FROM Leads WHERE MatchKind <> 'none'"
        " GROUP BY EngagementLabel"
    )
    total = sum(row["leads"] for row in rows)
    share = {row["label"]: row["leads"] / total for row in rows}
    assert set(share) == {"Cold", "Warm", "Hot", "Very Hot"}
    assert min(share.values()) > 0.08


REPEATABLE = """
SELECT l.*, s.pages_visited AS session_pages FROM Leads AS l
LEFT JOIN sessions AS s ON s.client_id = 1 AND s.session_id = l.SessionId
WHERE l.Channel <> 'typeform' AND NOT EXISTS (
  SELECT 1 FROM Leads AS o WHERE o.Id <> l.Id AND o.CreatedAt >= l.CreatedAt AND
    (o.Email = l.Email OR o.PhoneE164 = l.PhoneE164 OR o.MessageHash = l.MessageHash
      OR (o.Ip = l.Ip AND l.Channel = 'form')))"""


async def test_scores_when_the_scorer_is_asked_again_are_the_same(
    seeded: Seeded, opened: FileStore
) -> None:
    compared = 0
    for row in seeded.query(REPEATABLE):
        if row["session_pages"] not in (None, row["PagesVisited"]):
            continue  # the thank-you page came after the lead
        judged = await assess(opened, context_of(row))
        assert judged.engagement.score == row["EngagementScore"]
        assert judged.engagement.match == row["MatchKind"]
        assert [asdict(factor) for factor in judged.engagement.factors] == json.loads(
            row["EngagementFactors"]
        )
        assert judged.vpn_suspected == bool(row["VpnSuspected"])
        assert [asdict(finding) for finding in judged.suspicion.findings] == [
            finding
            for finding in json.loads(row["SuspicionSignals"])
            if finding["signal"] not in TOLD_BY_REQUEST_ONLY
        ]
        compared += 1
    assert compared > LEADS / 2


def context_of(row: dict[str, Any]) -> LeadContext:
    """A stored lead as it was when it came, without what is not kept of its request."""
    relayed = row["Channel"] == Channel.API
    return LeadContext(
        client_id=FIRST_CLIENT,
        draft=LeadDraft(
            channel=Channel(row["Channel"]),
            lead_source=row["LeadSource"],
            name=row["Name"] or "",
            email=row["Email"] or "",
            phone=row["Phone"] or "",
            message=row["Message"] or "",
            visitor_id=VisitorId(row["VisitorId"]) if row["VisitorId"] else None,
        ),
        phone=parse_phone(row["Phone"] or "", None),
        peer=Peer(row["Ip"], row["Country"] or "", row["UserAgent"]),
        unlisted_origin=None,
        state=None,
        received_at=from_text(row["CreatedAt"]),
        relayed=relayed,
        lead_id=row["PublicId"],
    )


def test_suspicion_when_seeded_has_all_labels_and_reasons(seeded: Seeded) -> None:
    labels = seeded.query("SELECT DISTINCT SuspicionLabel AS label FROM Leads")
    assert {row["label"] for row in labels} == {"Low", "Medium", "High"}
    signals = seeded.query(
        "SELECT DISTINCT j.value ->> 'signal' AS signal"
        " FROM Leads, json_each(SuspicionSignals) AS j"
    )
    assert {row["signal"] for row in signals} >= {
        *TOLD_BY_REQUEST_ONLY,
        "automation",
        "country_mismatch",
        "duplicates",
        "email_domain",
        "links",
        "no_tracking_session",
        "phone",
        "vpn",
    }


def test_suspicion_when_seeded_is_high_for_few(seeded: Seeded) -> None:
    high = seeded.value("SELECT COUNT(*) FROM Leads WHERE SuspicionLabel = 'High'")
    assert 0 < high / LEADS < 0.1


# Visits


def test_sessions_when_seeded_are_the_sums_of_their_page_views(seeded: Seeded) -> None:
    wrong = seeded.query(
        "SELECT s.session_id FROM sessions AS s JOIN page_views AS p USING (client_id, session_id)"
        " GROUP BY s.id HAVING s.duration_seconds <> SUM(p.duration_ms) / 1000"
        " OR s.max_scroll_percent <> MAX(p.scroll_percent) OR s.clicks <> SUM(p.clicks)"
        " OR s.pages_visited <> COUNT(*) OR s.started_at <> MIN(p.started_at)"
        " OR s.last_seen_at < MAX(p.started_at)"
    )
    assert wrong == []
    assert (
        seeded.value(
            "SELECT COUNT(*) FROM sessions"
            " WHERE session_id NOT IN (SELECT session_id FROM page_views)"
        )
        == 0
    )


def test_visitors_when_seeded_count_their_sessions(seeded: Seeded) -> None:
    counted = seeded.query(
        "SELECT visitor_id, COUNT(*) AS visits FROM sessions WHERE is_bot = 0 GROUP BY visitor_id"
    )
    kept = seeded.query("SELECT visitor_id, visit_count FROM fingerprints")
    assert {row["visitor_id"]: row["visits"] for row in counted} == {
        row["visitor_id"]: row["visit_count"] for row in kept
    }


def test_bots_when_seeded_are_those_that_the_server_knows(seeded: Seeded) -> None:
    for row in seeded.query("SELECT DISTINCT user_agent, is_bot, bot_reason FROM sessions"):
        reason = user_agent.bot_reason(row["user_agent"], automation=False, hosted=False)
        assert (row["is_bot"], row["bot_reason"]) == (int(bool(reason)), reason or None)


def test_evenings_when_seeded_are_busier_than_nights(seeded: Seeded) -> None:
    hours = "SELECT COUNT(*) FROM sessions WHERE substr(started_at, 12, 2) IN"
    evening = seeded.value(f"{hours} ('19', '20', '21')")
    night = seeded.value(f"{hours} ('02', '03', '04')")
    assert evening > 3 * night


def test_events_when_seeded_belong_to_a_page_view(seeded: Seeded) -> None:
    names = seeded.query("SELECT DISTINCT name FROM events")
    assert {row["name"] for row in names} >= {"form_start", "brochure_download", "phone_click"}
    assert (
        seeded.value(
            "SELECT COUNT(*) FROM events AS e LEFT JOIN page_views AS p"
            " USING (client_id, session_id, page_view_id)"
            " WHERE p.url IS NULL OR e.occurred_at < p.started_at"
        )
        == 0
    )


# People


def test_contacts_when_seeded_are_nobodys(seeded: Seeded) -> None:
    reserved = re.compile(
        r"\+44 20 7946 0\d{3}|\+44 7700 900\d{3}|\+1 \d{3} 555 01\d{2}|\+971 50 000 \d{4}|12345"
    )
    example = re.compile(r"[^@\s]+@([\w-]+\.)*example(\.com|\.org)?")
    for row in seeded.query("SELECT Email, Phone, Ip FROM Leads"):
        assert row["Email"] or row["Phone"]
        assert row["Email"] is None or example.fullmatch(row["Email"])
        assert row["Phone"] is None or reserved.fullmatch(row["Phone"])
    addresses = seeded.query("SELECT Ip AS ip FROM Leads UNION SELECT ip FROM sessions")
    documented = ("2001:db8:", "192.0.2.", "198.51.100.", "203.0.113.")
    assert all(row["ip"].startswith(documented) for row in addresses if row["ip"])


# Times


def test_times_when_seeded_are_all_of_the_past(seeded: Seeded) -> None:
    future = {("deliveries", "due_at"), ("deliveries", "leased_until")}
    tables = seeded.query("SELECT name FROM sqlite_master WHERE type = 'table'")
    checked, now = 0, to_text(NOW)
    for table in (row["name"] for row in tables):
        if table.startswith(("d1_", "sqlite_", "clients", "sites", "users")):
            continue
        for column in seeded.query(f"SELECT name FROM pragma_table_info('{table}')"):
            name = column["name"]
            if not re.search(r"(?:At|_at|_until)$", name) or (table, name) in future:
                continue
            latest = seeded.value(f"SELECT MAX({name}) FROM {table}")
            assert latest is None or latest <= now, (table, name)
            checked += latest is not None
    assert checked > 15


def test_newest_leads_when_seeded_came_minutes_ago_and_the_oldest_months(seeded: Seeded) -> None:
    newest = from_text(seeded.value("SELECT MAX(CreatedAt) FROM Leads"))
    assert NOW - newest < timedelta(minutes=15)
    oldest = from_text(seeded.value("SELECT MIN(CreatedAt) FROM Leads"))
    assert timedelta(days=DAYS - 5) < NOW - oldest <= timedelta(days=DAYS)


# Deliveries


def test_deliveries_when_seeded_are_in_every_state(seeded: Seeded) -> None:
    rows = seeded.query(
        "SELECT destination, state, COUNT(*) AS deliveries FROM deliveries GROUP BY 1, 2"
    )
    made = {(row["destination"], row["state"]): row["deliveries"] for row in rows}
    webhook = {state: count for (name, state), count in made.items() if name == make_webhook.NAME}
    assert set(webhook) == {"delivered", "pending", "failed", "not_configured"}
    assert webhook["delivered"] > 0.8 * sum(webhook.values())
    assert sum(webhook.values()) == LEADS
    assert made[meta_capi.NAME, "delivered"] > 10


def test_deliveries_when_seeded_have_the_attempts_they_count(seeded: Seeded) -> None:
    assert (
        seeded.value(
            "SELECT COUNT(*) FROM deliveries AS d WHERE attempts <>"
            " (SELECT COUNT(*) FROM delivery_attempts AS a WHERE a.delivery_id = d.delivery_id)"
        )
        == 0
    )
    last = seeded.query(
        "SELECT d.state, a.verdict FROM deliveries AS d JOIN delivery_attempts AS a"
        " ON a.id = (SELECT MAX(id) FROM delivery_attempts WHERE delivery_id = d.delivery_id)"
        " GROUP BY 1, 2"
    )
    assert {(row["state"], row["verdict"]) for row in last} <= {
        ("delivered", "delivered"),
        ("failed", "fail"),
        ("failed", "retry"),
        ("pending", "retry"),
    }


async def test_worker_when_all_is_long_due_takes_nothing(tmp_path: Path) -> None:
    made = await make(tmp_path / "propgauge.db", order(150, 5, paused=True))
    waiting = made.value("SELECT COUNT(*) FROM deliveries WHERE state = 'pending'")
    assert waiting > 10
    store = FileStore.open(made.path)
    assert await outbox.resume(store, FIRST_CLIENT, make_webhook.NAME, NOW)
    targets = {name: Counting(name) for name in (make_webhook.NAME, meta_capi.NAME)}
    destinations: dict[str, Destination] = dict(targets)
    years_later = NOW + timedelta(days=3_000)
    worker = OutboxWorker(store, destinations, Clocks(lambda: years_later))
    assert await worker.deliver_due() == 0
    assert await outbox.replay(store, NOW, state="pending") == []
    await store.close()
    assert [target.sent for target in targets.values()] == [0, 0]
    assert made.value("SELECT COUNT(*) FROM deliveries WHERE state = 'pending'") == waiting
    assert made.value("SELECT COUNT(*) FROM jobs") == 0


def test_seed_when_a_server_runs_sends_nothing_and_real_leads_still_leave(
    server: RunningServer, receiver: Receiver
) -> None:
    done = propgauge("demo", "seed", "--leads", "60", "--days", "3", settings=server.settings)
    assert (done.returncode, done.stderr) == (0, "")
    stored = server.lead(SOURCE="Facebook", email="real@example.com").json()["lead_id"]
    eventually(
        lambda: (
            server.query(
                "SELECT 1 FROM deliveries WHERE lead_id = ? AND state = 'delivered'", (stored,)
            )
            or None
        )
    )
    assert [request.body["lead_id"] for request in receiver.requests] == [stored]
    assert server.query("SELECT COUNT(*) AS leads FROM Leads") == [{"leads": 61}]


# Responses


def test_responses_when_seeded_are_graded_by_the_clients_settings(seeded: Seeded) -> None:
    rows = seeded.query(
        "SELECT p_fin_model, p_show_model, rotator, capi_data, capi_submitapp, model, signals"
        " FROM leadscoring_results WHERE rotator IS NOT NULL"
    )
    assert len(rows) > 10
    for row in rows:
        scores = row["p_fin_model"], row["p_show_model"]
        assert row["rotator"] == CLIENT.scoring.rotator(*scores)
        assert json.loads(row["capi_data"])["fire"] == CLIENT.scoring.fires(*scores)
        assert len(json.loads(row["signals"])) == 5
        assert row["model"] in {str(model) for model in MODELS}
    assert {row["rotator"] for row in rows} == {"A", "B", "C"}


def test_responses_when_seeded_are_partial_whole_scored_and_unscored(seeded: Seeded) -> None:
    rows = seeded.query(
        "SELECT event_type, scored_at IS NOT NULL AS scored, COUNT(*) AS responses"
        " FROM form_responses GROUP BY 1, 2"
    )
    made = {(row["event_type"], row["scored"]): row["responses"] for row in rows}
    assert (
        made["form_response_partial", 0] > made["form_response", 1] > made["form_response", 0] > 0
    )


def test_conversion_events_when_taken_by_meta_are_logged(seeded: Seeded) -> None:
    names = seeded.query("SELECT DISTINCT event_name AS name FROM facebook_capi_event_log")
    assert {row["name"] for row in names} == {"Lead", "SubmitApplication"}
    assert (
        seeded.value(
            "SELECT COUNT(*) FROM deliveries AS d"
            " WHERE event_name IS NOT NULL AND state = 'delivered'"
            " AND NOT EXISTS (SELECT 1 FROM facebook_capi_event_log AS l"
            " WHERE l.delivery_id = d.delivery_id AND l.response_status = 200)"
        )
        == 0
    )


# Follow-up


def test_statuses_when_seeded_grow_with_age(seeded: Seeded) -> None:
    rows = seeded.query("SELECT Status, CreatedAt FROM Leads")
    assert {row["Status"] for row in rows} == set(LeadStatus)
    ages = [(NOW - from_text(row["CreatedAt"]), row["Status"]) for row in rows]
    young = [status for age, status in ages if age < timedelta(hours=2)]
    old = [status for age, status in ages if age > timedelta(days=20)]
    assert young.count("new") / len(young) > 0.5
    assert old.count("new") / len(old) < 0.1


def test_changes_when_seeded_lead_step_by_step_to_the_status(seeded: Seeded) -> None:
    steps: dict[str, list[tuple[str, str]]] = {}
    for row in seeded.query("SELECT * FROM lead_changes WHERE kind = 'status' ORDER BY id"):
        steps.setdefault(row["lead_id"], []).append((row["old_value"], row["new_value"]))
    for row in seeded.query(
        "SELECT PublicId, Status, CreatedAt, StatusAt, FirstContactAt, UpdatedAt, Revision,"
        " (SELECT COUNT(*) FROM lead_changes WHERE lead_id = PublicId) AS changes FROM Leads"
    ):
        taken = steps.get(row["PublicId"], [])
        assert row["Status"] == (taken[-1][1] if taken else "new")
        assert all(one[1] == other[0] for one, other in pairwise(taken))
        assert row["Revision"] == row["changes"]
        contacted = row["Status"] not in ("new", "spam")
        assert (row["FirstContactAt"] is not None) == contacted
        if contacted:
            assert row["CreatedAt"] < row["FirstContactAt"] <= row["StatusAt"] <= row["UpdatedAt"]


def test_owners_when_there_are_salespeople_are_they(seeded: Seeded) -> None:
    owners = seeded.query("SELECT DISTINCT OwnerId AS id FROM Leads WHERE Status <> 'new'")
    assert {row["id"] for row in owners} == {1, 2}
    actors = seeded.query("SELECT DISTINCT actor FROM lead_changes")
    assert {row["actor"] for row in actors} == {"ann@example.com", "ben@example.com"}


async def test_owners_when_there_are_no_users_are_nobody(tmp_path: Path) -> None:
    made = await make(tmp_path / "propgauge.db", order(30, 20))
    assert made.value("SELECT COUNT(OwnerId) FROM Leads") == 0
    assert made.value("SELECT COUNT(*) FROM lead_changes WHERE kind = 'status'") > 10
    with pytest.raises(SeedRefusedError, match="30 leads"):
        await make(tmp_path / "propgauge.db", order(30, 20))


# The command


def invoke(data_dir: Path, *words: str) -> click.testing.Result:
    ours: dict[str, str | None] = {setting.name: None for setting in SETTINGS}
    own = {"DATA_DIR": str(data_dir), "PORT": str(free_port())}
    return click.testing.CliRunner().invoke(main, ["demo", "seed", *words], env=ours | own)


def test_seed_when_the_client_has_leads_is_refused_unless_more_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workplace())
    words = "--leads", "20", "--days", "2", "--conversion", "50"
    assert invoke(tmp_path, *words).exit_code == 0
    refused = invoke(tmp_path, *words)
    assert (refused.exit_code, refused.stdout, refused.stderr) == (
        1,
        "",
        "Error: client 1 has 20 leads already; --more adds to them\n",
    )
    assert invoke(tmp_path, *words, "--more").exit_code == 0
    with closing(sqlite3.connect(tmp_path / "propgauge.db")) as database:
        assert database.execute("SELECT COUNT(*) FROM Leads").fetchone() == (40,)


def test_seed_when_there_is_no_such_client_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workplace())
    refused = invoke(tmp_path, "--client", "7")
    assert (refused.exit_code, refused.stderr) == (1, "Error: there is no client 7\n")


def test_seed_when_on_a_terminal_shows_its_progress(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "server", "demo", "seed", "--leads", "120", "--days", "4"],
        cwd=workplace(),
        env=clean_environment({"DATA_DIR": str(tmp_path), "TERM": "xterm"}),
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while chunk := _read(ours):
        shown += chunk
    os.close(ours)
    assert process.wait() == 0
    counts = {int(count) for count in re.findall(rb"(\d+)/120", shown)}
    assert len(counts) > 2
    assert max(counts) == 120


def _read(terminal: int) -> bytes:
    """What the terminal shows next; b"" once nobody writes to it any more."""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


def test_leads_with_a_visit_keep_where_it_began_and_on_what(seeded: Seeded) -> None:
    lacking = seeded.value(
        "SELECT COUNT(*) FROM Leads AS l JOIN sessions AS s"
        " ON s.client_id = l.ClientId AND s.session_id = l.SessionId"
        " WHERE l.LandingPage IS NOT s.landing_page OR l.Device IS NOT s.device"
    )
    assert lacking == 0
    campaigns = "SELECT COUNT(*) FROM Leads WHERE SessionId IS NOT NULL AND FirstCampaign > ''"
    assert seeded.value(campaigns) > 0
