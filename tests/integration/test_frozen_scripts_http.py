"""Hashed names: kept for good, whichever version or setting of the server made them."""

from __future__ import annotations

import gzip
import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import brotli
import httpx
import pytest

from server.domain.script import ScriptBuild, hashed_path
from server.store import scripts as frozen
from server.store.file import FileStore
from server.web.builds import FORM, TRACKER
from server.web.scripts import FROZEN_AGE_SECONDS, MAX_FROZEN_KEPT
from tests.integration.http_fixtures import problem_of
from tests.integration.test_cli import NOON
from tests.running import RunningServer

ALIASES = {
    "TRACKER_PATH": "/assets/pg.js",
    "FORM_PATH": "/assets/pg-form.js",
    "TRACK_PATH": "/assets/pg",
}
NAMES = (TRACKER, FORM)
each_script = pytest.mark.parametrize("name", NAMES)


def text_of(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    return answer.text


def hashed(name: str, text: str) -> str:
    return hashed_path(f"/{name}", ScriptBuild(name, text).hash)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that these tests may not break."""
    with RunningServer(tmp_path_factory.mktemp("frozen")) as server:
        yield server


def put(server: RunningServer, build: ScriptBuild) -> str:
    """Store a build as a server of another version would; its path."""
    with closing(sqlite3.connect(server.data_dir / "propgauge.db")) as database:
        database.execute(
            "INSERT INTO frozen_scripts VALUES (?, ?, ?, ?)",
            (build.name, build.hash, build.text, "2026-03-04T12:00:00.000Z"),
        )
        database.commit()
    return hashed_path(f"/{build.name}", build.hash)


@each_script
def test_hashed_name_of_the_present_build_is_that_text_and_kept_for_good(
    running: RunningServer, name: str
) -> None:
    plain = running.client.get(f"/{name}")
    digest = hashlib.sha256(plain.content).hexdigest()
    answer = running.client.get(f"/{name.removesuffix('.js')}-{digest[:16]}.js")
    assert text_of(answer) == plain.text
    assert answer.headers["cache-control"] == f"public, max-age={FROZEN_AGE_SECONDS}, immutable"
    same = ("content-type", "etag", "vary", "access-control-allow-origin", "content-encoding")
    assert {key: answer.headers[key] for key in same} == {key: plain.headers[key] for key in same}


@each_script
def test_hashed_name_when_the_browser_has_it_is_not_sent_again(
    running: RunningServer, name: str
) -> None:
    path = hashed(name, text_of(running.client.get(f"/{name}")))
    etag = running.client.get(path).headers["etag"]
    again = running.client.get(path, headers={"if-none-match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert "immutable" in again.headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    [
        "/tracker-0123456789abcdef.js",
        "/form-0123456789abcdef.js",
    ],
)
def test_hashed_name_when_nobody_made_it_is_not_found_and_not_kept(
    running: RunningServer, path: str
) -> None:
    answer = running.client.get(path)
    problem_of(answer, 404)
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "/tracker-0123456789ABCDEF.js",
        "/tracker-0123456789abcde.js",
        "/tracker-0123456789abcdef0.js",
        "/tracker-0123456789abcdef",
        "/tracker-.js",
        "/tracker-%00.js",
        f"/tracker-{'a' * 4000}.js",
    ],
)
def test_path_when_it_only_looks_like_a_hashed_name_is_not_found(
    running: RunningServer, path: str
) -> None:
    problem_of(running.client.get(path), 404)


def test_hashed_name_of_the_other_script_is_not_found(running: RunningServer) -> None:
    form = ScriptBuild(FORM, text_of(running.client.get(f"/{FORM}")))
    assert running.client.get(f"/tracker-{form.hash}.js").status_code == 404


def test_hashed_name_of_another_version_is_served_in_every_encoding_and_kept_in_memory(
    running: RunningServer,
) -> None:
    build = ScriptBuild(TRACKER, "/* another version */" * 40)
    path = put(running, build)
    for encoding, unpack in (("br", brotli.decompress), ("gzip", gzip.decompress)):
        with running.client.stream("GET", path, headers={"accept-encoding": encoding}) as answer:
            assert answer.headers["content-encoding"] == encoding
            assert unpack(b"".join(answer.iter_raw())).decode() == build.text
        with closing(sqlite3.connect(running.data_dir / "propgauge.db")) as database:
            database.execute("DELETE FROM frozen_scripts WHERE hash = ?", (build.hash,))
            database.commit()
    assert text_of(running.client.get(path)) == build.text


def test_hashed_names_when_more_are_asked_for_than_memory_keeps_are_all_served(
    running: RunningServer,
) -> None:
    builds = [ScriptBuild(FORM, f"/* version {number} */") for number in range(MAX_FROZEN_KEPT + 2)]
    paths = [put(running, build) for build in builds]
    for _round in range(2):
        for path, build in zip(paths, builds, strict=True):
            assert text_of(running.client.get(path)) == build.text


def test_hashed_name_after_an_upgrade_is_still_the_former_text(tmp_path: Path) -> None:
    with RunningServer(tmp_path) as former:
        text = text_of(former.client.get(f"/{TRACKER}"))
    with RunningServer(tmp_path, ALIASES) as server:
        assert text_of(server.client.get(f"/{TRACKER}")) != text
        for path in (f"/{TRACKER}", ALIASES["TRACKER_PATH"]):
            answer = server.client.get(hashed_path(path, ScriptBuild(TRACKER, text).hash))
            assert text_of(answer) == text


def test_server_when_it_starts_again_freezes_nothing_twice(tmp_path: Path) -> None:
    rows = "SELECT * FROM frozen_scripts ORDER BY name"
    with RunningServer(tmp_path) as server:
        first = server.query(rows)
    with RunningServer(tmp_path) as server:
        assert server.query(rows) == first
    assert [row["name"] for row in first] == [FORM, TRACKER]


async def test_build_when_it_is_frozen_again_keeps_its_first_time(store: FileStore) -> None:
    build = ScriptBuild(TRACKER, "let a;")
    await frozen.freeze(store, [build], NOON)
    await frozen.freeze(store, [build, ScriptBuild(FORM, "let a;")], NOON.replace(year=2027))
    rows = await store.query("SELECT name, created_at FROM frozen_scripts ORDER BY name")
    assert [(row["name"], row["created_at"][:4]) for row in rows] == [
        (FORM, "2027"),
        (TRACKER, "2026"),
    ]
    assert await frozen.find(store, TRACKER, build.hash) == build
    assert await frozen.find(store, TRACKER, "0" * 16) is None
