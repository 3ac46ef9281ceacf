"""Further names of the scripts and of the beacon path: same answers, and what may be a name."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.responses import Response
from uvicorn.server import ServerState

from server.app import Propgauge
from server.config import ConfigError, load
from server.domain.script import ScriptBuild, hashed_path
from server.setting_values import SERVED_NAMES
from server.store.file import FileStore
from server.web import builds
from server.web.builds import FORM, TRACKER
from server.web.protocol import protocol_for
from tests.beacons import view
from tests.integration.http_fixtures import exchange, problem_of
from tests.integration.test_frozen_scripts_http import ALIASES, text_of
from tests.running import RunningServer, propgauge

ORIGIN = "https://www.example.com"
SECRET_KEY = "a secret key that only the tests use"
BODY = b'{"visitor_id":"%s","session_id":"s","page_view_id":"p","type":"view"}'


@pytest.fixture(scope="module")
def aliased(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with all aliases, and a site with an origin."""
    server = RunningServer(tmp_path_factory.mktemp("aliased"), ALIASES)
    added = propgauge("site", "add", "marina", "--origin", ORIGIN, settings=server.settings)
    assert added.returncode == 0, added.stderr
    with server:
        yield server


@pytest.mark.parametrize(("name", "setting"), [(TRACKER, "TRACKER_PATH"), (FORM, "FORM_PATH")])
def test_script_under_its_alias_is_the_plain_one(
    aliased: RunningServer, name: str, setting: str
) -> None:
    plain, alias = aliased.client.get(f"/{name}"), aliased.client.get(ALIASES[setting])
    assert text_of(alias) == text_of(plain)
    kept = {key: value for key, value in plain.headers.items() if key != "date"}
    assert {key: value for key, value in alias.headers.items() if key != "date"} == kept


@pytest.mark.parametrize(("name", "setting"), [(TRACKER, "TRACKER_PATH"), (FORM, "FORM_PATH")])
def test_script_under_its_hashed_alias_is_kept_for_good(
    aliased: RunningServer, name: str, setting: str
) -> None:
    text = text_of(aliased.client.get(f"/{name}"))
    answer = aliased.client.get(hashed_path(ALIASES[setting], ScriptBuild(name, text).hash))
    assert text_of(answer) == text
    assert "immutable" in answer.headers["cache-control"]


def test_tracker_with_a_beacon_alias_names_no_other_path(aliased: RunningServer) -> None:
    text = text_of(aliased.client.get(f"/{TRACKER}"))
    assert f'"{ALIASES["TRACK_PATH"]}"' in text
    assert "/api/track" not in text


def test_tracker_of_the_project_holds_its_default_endpoint_once() -> None:
    source = (builds.STATIC / TRACKER).read_text("utf-8")
    assert source.count('"/api/track"') == 1


@pytest.mark.parametrize("path", [ALIASES["TRACK_PATH"], "/api/track"])
def test_beacon_under_each_path_is_stored(aliased: RunningServer, path: str) -> None:
    visitor = f"visitor-{path.count('/')}-{len(path)}"
    answer = aliased.client.post(path, json=view(visitor))
    assert (answer.status_code, answer.content) == (202, b"")
    assert aliased.query("SELECT 1 FROM sessions WHERE visitor_id = ?", (visitor,))


def test_beacon_under_the_alias_by_way_of_asgi_is_stored(aliased: RunningServer) -> None:
    body = BODY % b"chunked"
    head = b"POST /assets/pg HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
    chunks = b"transfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    assert exchange(aliased, head + chunks).startswith(b"HTTP/1.1 202 ")
    assert aliased.query("SELECT 1 FROM sessions WHERE visitor_id = 'chunked'")


@pytest.mark.parametrize(
    ("path", "status"), [(ALIASES["TRACK_PATH"], 202), ("/api/track", 202), ("/assets/pg2", 418)]
)
async def test_beacon_under_each_path_takes_the_short_way_around_asgi(
    store: FileStore, tmp_path: Path, path: str, status: int
) -> None:
    propgauge = Propgauge(load(tmp_path, {**ALIASES, "SECRET_KEY": SECRET_KEY}), store)
    protocol: Any = protocol_for(propgauge.track)
    teapot = uvicorn.Config(Response(status_code=418), ws="none", lifespan="off", log_config=None)
    teapot.load()
    listener = await asyncio.get_running_loop().create_server(
        lambda: protocol(teapot, ServerState(), {}), "127.0.0.1", 0
    )
    port = listener.sockets[0].getsockname()[1]
    async with listener, httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"http://127.0.0.1:{port}{path}", json=view("short"))
        assert answer.status_code == status
    await propgauge.recorder.close()


def test_preflight_of_the_alias_is_answered_as_that_of_the_plain_path(
    aliased: RunningServer,
) -> None:
    def preflight(path: str) -> httpx.Response:
        asked = {"origin": ORIGIN, "access-control-request-method": "POST"}
        return aliased.client.options(path, headers=asked)

    alias, plain = preflight(ALIASES["TRACK_PATH"]), preflight("/api/track")
    assert alias.status_code == 204
    assert alias.headers["access-control-allow-origin"] == ORIGIN
    unlike = {"date"}
    assert {k: v for k, v in alias.headers.items() if k not in unlike} == {
        k: v for k, v in plain.headers.items() if k not in unlike
    }


def test_alias_of_the_beacon_path_when_it_is_read_is_refused(aliased: RunningServer) -> None:
    answer = aliased.client.get(ALIASES["TRACK_PATH"])
    problem_of(answer, 405)
    assert answer.headers["allow"] == "POST, OPTIONS"


@pytest.mark.parametrize("setting", list(ALIASES))
@pytest.mark.parametrize(
    "value",
    [
        "assets/pg",
        "/",
        "//cdn/pg",
        "/assets//pg",
        "/assets/",
        "/assets/../pg",
        "/a..b",
        "/./pg",
        "/assets/pg?x",
        "/assets/p g",
        "/assets/%70g",
        "/pé",
        "https://www.example.com/pg",
        "/api/lead",
        "/api/track",
        "/demo",
        "/demo/pg.js",
        "/healthz",
        "/metrics/x",
        "/tracker.js",
        "/form.js",
        "/tracker-0123456789abcdef.js",
    ],
)
def test_alias_when_it_is_no_free_path_stops_the_start_and_is_named(
    tmp_path: Path, setting: str, value: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, {"SECRET_KEY": SECRET_KEY, setting: value})
    assert str(caught.value).startswith(f"{setting}: {value!r} cannot be used: is ")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("value", ["/p", "/assets/pg.js", "/a-b/c_d/e.min.js", "/1/2/3", "/Assets"])
def test_alias_when_it_is_a_free_path_is_taken(tmp_path: Path, value: str) -> None:
    assert load(tmp_path, {"SECRET_KEY": SECRET_KEY, "TRACK_PATH": value}).track_path == value


def test_aliases_when_two_are_the_same_stop_the_start(tmp_path: Path) -> None:
    given = {"SECRET_KEY": SECRET_KEY, "TRACKER_PATH": "/x", "TRACK_PATH": "/x"}
    with pytest.raises(ConfigError, match=r"^TRACK_PATH: '/x' .* taken by TRACKER_PATH\Z"):
        load(tmp_path, given)


@pytest.mark.parametrize("source", ["let a;", 'f("/api/track", "/api/track");'])
def test_build_with_an_alias_when_the_source_holds_no_single_endpoint_is_refused(
    tmp_path: Path, source: str
) -> None:
    (tmp_path / TRACKER).write_text(source)
    (tmp_path / FORM).write_text("")
    with pytest.raises(ConfigError, match=r"^TRACK_PATH: tracker\.js .*exactly once\Z"):
        builds.build("/assets/pg", tmp_path)


async def test_paths_of_the_server_are_all_closed_to_aliases(
    store: FileStore, tmp_path: Path
) -> None:
    config = load(tmp_path, {"SECRET_KEY": SECRET_KEY})
    paths = {route.path for route in Propgauge(config, store)._routes()}  # type: ignore[attr-defined]
    firsts = {path.split("/")[1] for path in paths if "{hash" not in path} - {""}
    assert firsts <= SERVED_NAMES
