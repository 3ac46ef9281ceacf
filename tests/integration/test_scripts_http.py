"""The scripts as served: small, compressed as asked for, cached, and loadable from any site."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
from pathlib import Path

import brotli
import httpx
import pytest

from server.config import ROOT
from server.web.builds import FORM, TRACKER
from server.web.scripts import MAX_AGE_SECONDS
from tests.integration.http_fixtures import SharedServer

NAMES = (TRACKER, FORM)
MAX_GZIPPED_BYTES = {"tracker.js": 2560, "form.js": 2_688}

each_script = pytest.mark.parametrize("name", NAMES)


def fetch(shared: SharedServer, name: str, encoding: str | None, **headers: str) -> httpx.Response:
    """A script with the bytes of its body as they came, not unpacked."""
    sent = {key.replace("_", "-"): value for key, value in headers.items()}
    request = shared.http.build_request("GET", f"/{name}", headers=sent)
    if encoding is None:
        del request.headers["accept-encoding"]
    else:
        request.headers["accept-encoding"] = encoding
    answer = shared.http.send(request, stream=True)
    raw = b"".join(answer.iter_raw())
    answer.close()
    return httpx.Response(
        answer.status_code, headers=answer.headers, stream=httpx.ByteStream(raw), request=request
    )


def packed(answer: httpx.Response) -> bytes:
    return b"".join(answer.iter_raw())


@each_script
def test_script_is_served_as_javascript_that_any_site_may_load_and_keep_an_hour(
    shared: SharedServer, name: str
) -> None:
    answer = fetch(shared, name, "identity")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["cache-control"] == f"public, max-age={MAX_AGE_SECONDS}"
    assert answer.headers["vary"] == "Accept-Encoding"
    assert "access-control-allow-credentials" not in answer.headers
    assert "set-cookie" not in answer.headers


@each_script
def test_script_in_each_encoding_is_the_same_text(shared: SharedServer, name: str) -> None:
    plain = packed(fetch(shared, name, None))
    assert gzip.decompress(packed(fetch(shared, name, "gzip"))) == plain
    assert brotli.decompress(packed(fetch(shared, name, "br"))) == plain
    assert packed(fetch(shared, name, "identity")) == plain


@each_script
@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        (None, None),
        ("", None),
        ("identity", None),
        ("zstd", None),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("br", "br"),
        ("gzip, deflate, br, zstd", "br"),
        ("deflate,gzip;q=0.5", "gzip"),
        ("gzip;q=1.0, br;q=0.1", "br"),
        ("br;q=0, gzip", "gzip"),
        ("br;q=0.000, gzip; q=0", None),
        ("gzip;Q=0", None),
        ("xbr, notgzip", None),
    ],
)
def test_script_is_packed_the_smallest_way_that_the_browser_takes(
    shared: SharedServer, name: str, accepted: str | None, encoding: str | None
) -> None:
    answer = fetch(shared, name, accepted)
    assert answer.status_code == 200
    assert answer.headers.get("content-encoding") == encoding
    assert int(answer.headers["content-length"]) == len(packed(answer))


@each_script
def test_script_as_served_is_small(shared: SharedServer, name: str) -> None:
    gzipped = packed(fetch(shared, name, "gzip"))
    assert len(gzipped) <= MAX_GZIPPED_BYTES[name]
    assert len(packed(fetch(shared, name, "br"))) < len(gzipped)
    source = (ROOT / "static" / name).stat().st_size
    assert len(packed(fetch(shared, name, "identity"))) < source / 2


@each_script
def test_script_as_served_is_valid_javascript(
    shared: SharedServer, name: str, tmp_path: Path
) -> None:
    served = tmp_path / name
    served.write_bytes(packed(fetch(shared, name, "identity")))
    checked = subprocess.run(
        ["node", "--check", served], capture_output=True, text=True, timeout=60, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")


@each_script
@pytest.mark.parametrize("form", ["{etag}", '"other", {etag}', '{etag},W/"other"', "{strong}", "*"])
def test_script_when_the_browser_has_it_is_not_sent_again(
    shared: SharedServer, name: str, form: str
) -> None:
    first = fetch(shared, name, "br")
    etag = first.headers["etag"]
    known = form.format(etag=etag, strong=etag.removeprefix("W/"))
    again = fetch(shared, name, "br", if_none_match=known)
    assert (again.status_code, packed(again)) == (304, b"")
    assert again.headers["etag"] == etag
    kept = ("cache-control", "vary", "access-control-allow-origin")
    assert {key: again.headers[key] for key in kept} == {key: first.headers[key] for key in kept}


@each_script
@pytest.mark.parametrize("known", ['W/"other"', '"', "", "W/"])
def test_script_when_the_browser_has_another_is_sent(
    shared: SharedServer, name: str, known: str
) -> None:
    assert fetch(shared, name, "br", if_none_match=known).status_code == 200


def test_scripts_have_each_an_etag_of_their_text(shared: SharedServer) -> None:
    etags = {name: fetch(shared, name, "gzip").headers["etag"] for name in NAMES}
    assert len(set(etags.values())) == len(NAMES)
    for name, etag in etags.items():
        text = packed(fetch(shared, name, "identity"))
        assert etag == f'W/"{hashlib.sha256(text).hexdigest()[:20]}"'
        assert fetch(shared, name, "br").headers["etag"] == etag


@each_script
def test_script_when_only_its_head_is_asked_for_has_the_same_headers(
    shared: SharedServer, name: str
) -> None:
    got = fetch(shared, name, "gzip")
    head = shared.http.head(f"/{name}", headers={"accept-encoding": "gzip"})
    assert head.content == b""
    unstable = {"date"}
    assert {k: v for k, v in head.headers.items() if k not in unstable} == {
        k: v for k, v in got.headers.items() if k not in unstable
    }


@each_script
def test_script_when_it_is_posted_to_is_refused(shared: SharedServer, name: str) -> None:
    answer = shared.http.post(f"/{name}")
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize(
    "path", ["/jsconfig.json", "/static/tracker.js", "/TRACKER.JS", "/x/form.js"]
)
def test_path_when_it_names_no_script_is_not_found(shared: SharedServer, path: str) -> None:
    assert shared.http.get(path).status_code == 404
