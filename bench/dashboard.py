"""The dashboard: server time of its busiest pages over HTTP, and the weight of the first load."""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from statistics import quantiles
from typing import Any

import apsw
import httpx

from bench.measured import Process, propgauge
from server.app import prepare_store
from server.domain.clock import to_text
from server.domain.engagement import RECOMMENDED_ACTIONS, label_of
from server.domain.suspicion import label_of as suspicion_label_of
from server.store.file import FileStore

ROUNDS = 40
PASSWORD = "correct horse battery"  # noqa: S105  of a database that is thrown away
SIZES = (10_000, 100_000)
MILLION = 1_000_000
END = datetime(2026, 11, 22, tzinfo=UTC)
DAYS = 90
FACTORS = (
    '[{"factor":"duration","value":182,"points":18,"cap":35},'
    '{"factor":"scroll_depth","value":80,"points":24,"cap":30},'
    '{"factor":"clicks","value":7,"points":7,"cap":20},'
    '{"factor":"return_visits","value":1,"points":5,"cap":15}]'
)
NAMES = ("Amira", "Boris", "Chen", "Dalia", "Elena", "Farid", "Grace", "Hugo", "Ines", "Jonas")
SURNAMES = ("Abadi", "Brook", "Castro", "Dimitrov", "Ekberg", "Faruqi", "Gomez", "Haddad")
PROJECTS = ("Marina Heights", "Palm Gardens", "Creek View", "Hillside", "Old Mill Wharf")
SOURCES = ("WebSite", "Typeform", "Facebook", "Portal")
STATUSES = ("new", "new", "contacted", "viewing", "offer", "won", "lost", "spam")
MESSAGE = "Please call me about a {beds} bedroom home in {project}, budget about {budget} thousand."

COLUMNS = (
    "PublicId, ClientId, Channel, CreatedAt, UpdatedAt, Name, Email, Phone, PhoneE164, Message,"
    " Project, LeadSource, MatchKind, EngagementScore, EngagementLabel, RecommendedAction,"
    " PagesVisited, SessionDuration, ReturnVisits, EngagementFactors, SuspicionScore,"
    " SuspicionLabel, Status, FirstContactAt"
)
INSERT = f"INSERT INTO Leads ({COLUMNS}) VALUES ({', '.join('?' * 24)})"
DELIVER = """
INSERT INTO deliveries (delivery_id, client_id, destination, lead_id, payload, state, created_at,
  due_at) SELECT 'del' || PublicId, ClientId, 'make_webhook', PublicId, '{}', 'delivered',
  CreatedAt, CreatedAt FROM Leads"""

PAGES: tuple[tuple[str, str], ...] = (
    ("inbox", "/clients/1/leads"),
    ("by score", "/clients/1/leads?sort=score"),
    ("due first", "/clients/1/leads?sort=due"),
    ("label and status", "/clients/1/leads?label=Hot&label=Very+Hot&status=viewing"),
    ("filter, by score", "/clients/1/leads?source=Portal&suspicion=High&sort=score"),
    ("overdue", "/clients/1/leads?overdue=1"),
    ("nothing passes", "/clients/1/leads?label=Very+Hot&status=won&from=2020-01-01&to=2020-01-02"),
    ("search, a name", "/clients/1/leads?q=elena+castro"),
    ("search, a number", "/clients/1/leads?q=020+7946+0123"),
    ("search, 2 letters", "/clients/1/leads?q=gr"),
    ("search, nothing", "/clients/1/leads?q=xylophone"),
)


def run(*, large: bool = False) -> None:
    """Print p50 and p95 of each page at each size, and what the first load weighs."""
    for size in (*SIZES, MILLION) if large else SIZES:
        with tempfile.TemporaryDirectory() as folder:
            _fill(Path(folder), size)
            with propgauge(Path(folder), {"ADMIN_PASSWORD": PASSWORD}) as server:
                _measure(server, size)


def _fill(folder: Path, size: int) -> None:
    asyncio.run(_prepare(folder / "propgauge.db"))
    with closing(apsw.Connection(str(folder / "propgauge.db"))) as database:
        database.execute("PRAGMA synchronous = OFF").fetchall()
        with database:
            database.executemany(INSERT, _leads(size)).fetchall()
            database.execute(DELIVER).fetchall()


async def _prepare(database: Path) -> None:
    store = FileStore.open(database)
    await prepare_store(store)
    await store.close()


def _leads(size: int) -> Iterator[Sequence[Any]]:
    random = Random(1)
    for number in range(size):
        moment = END - timedelta(days=DAYS) * (1 - number / size)
        yield _lead(random, number, to_text(moment))


def _lead(random: Random, number: int, moment: str) -> Sequence[Any]:
    name = f"{random.choice(NAMES)} {random.choice(SURNAMES)}"
    project, status = random.choice(PROJECTS), random.choice(STATUSES)
    tracked = random.random() < 0.8
    score = min(100, int(random.expovariate(1 / 30))) if tracked else 0
    suspicion = min(100, int(random.expovariate(1 / 15)))
    phone = f"+4420{random.randrange(10**8):08}"
    message = MESSAGE.format(beds=number % 5, project=project, budget=random.randrange(9999))
    label = label_of(score)
    return (
        f"lead_{number:011x}bench",
        1,
        "form",
        moment,
        moment,
        name,
        f"{name.replace(' ', '.').lower()}{number}@example.com",
        phone,
        phone,
        message,
        project,
        random.choice(SOURCES),
        "visitor_id" if tracked else "none",
        score,
        label,
        RECOMMENDED_ACTIONS[label],
        number % 9,
        number % 700,
        number % 3,
        FACTORS if tracked else "[]",
        suspicion,
        suspicion_label_of(suspicion),
        status,
        None if status == "new" else moment,
    )


def _measure(server: Process, size: int) -> None:
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as client:
        form = {"email": "admin@localhost", "password": PASSWORD}
        if client.post("/sign-in", data=form).status_code != 303:
            raise RuntimeError("the admin cannot sign in")
        pages = (*PAGES, ("lead page", _lead_path(client)))
        print(f"\ndashboard at {size:,} leads of one client, {ROUNDS} requests each")
        print(f"{'':20}{'p50 ms':>8}{'p95 ms':>8}{'KB':>7}")
        for name, path in pages:
            _print_page(client, name, path)
        if size == SIZES[0]:
            print(f"first load: {_weight(client) / 1024:.0f} KB compressed, its parts included")


def _lead_path(client: httpx.Client) -> str:
    found = re.search(r'href="(/clients/1/leads/lead_[^"]+)"', client.get(PAGES[0][1]).text)
    if found is None:
        raise RuntimeError("the inbox shows no lead")
    return found[1]


def _print_page(client: httpx.Client, name: str, path: str) -> None:
    answer = client.get(path)
    if answer.status_code == 404:
        return
    answer.raise_for_status()
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        client.get(path)
        times.append((time.perf_counter() - began) * 1000)
    shares = quantiles(times, n=20)
    size = int(answer.headers["content-length"]) / 1024
    print(f"{name:20}{shares[9]:8.1f}{shares[18]:8.1f}{size:7.0f}")


def _weight(client: httpx.Client) -> int:
    """Bytes on the wire of the page and of all that it makes a browser load."""
    page = client.get(PAGES[0][1], headers={"accept-encoding": "gzip"})
    parts = re.findall(r'(?:src|href)="([^"]+\?v=[^"]+)"', page.text)
    answers = [page, *(client.get(part, headers={"accept-encoding": "gzip"}) for part in parts)]
    return sum(int(answer.headers["content-length"]) for answer in answers)
