"""tracker.js and form.js: minified and compressed once at start, served with an ETag."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from pathlib import Path

import brotli
import minify
from starlette.requests import Request
from starlette.responses import Response

MAX_AGE_SECONDS = 3600
NAMES = ("tracker.js", "form.js")


class Script:
    """One script as served, in every encoding offered."""

    def __init__(self, source: str) -> None:
        body: bytes = minify.string("application/javascript", source).encode()
        self.etag = f'W/"{hashlib.sha256(body).hexdigest()[:20]}"'
        self.bodies: Mapping[str, bytes] = {
            "br": brotli.compress(body, quality=11),
            "gzip": gzip.compress(body, 9, mtime=0),
            "": body,
        }

    def body_for(self, accept_encoding: str) -> tuple[str, bytes]:
        """The smallest encoding that the browser takes."""
        accepted = _accepted(accept_encoding)
        encoding = next((name for name in ("br", "gzip") if name in accepted), "")
        return encoding, self.bodies[encoding]


def _accepted(accept_encoding: str) -> set[str]:
    """The codings a browser takes: those without a weight, or with one above 0."""
    accepted = set()
    for part in accept_encoding.lower().split(","):
        name, _, parameter = part.partition(";")
        weight = parameter.replace(" ", "").removeprefix("q=")
        if not weight or weight.strip("0."):
            accepted.add(name.strip())
    return accepted


class Scripts:
    """Serves the scripts of a folder."""

    def __init__(self, folder: Path) -> None:
        self._scripts = {name: Script((folder / name).read_text("utf-8")) for name in NAMES}

    async def get(self, request: Request) -> Response:
        """A script by its plain name; any site may load it."""
        script = self._scripts[request.url.path.rpartition("/")[2]]
        headers = {
            "etag": script.etag,
            "cache-control": f"public, max-age={MAX_AGE_SECONDS}",
            "vary": "Accept-Encoding",
            "access-control-allow-origin": "*",
            "cross-origin-resource-policy": "cross-origin",
            "x-content-type-options": "nosniff",
        }
        known = request.headers.get("if-none-match", "")
        if known.strip() == "*" or script.etag.removeprefix("W/") in known:
            return Response(status_code=304, headers=headers)
        encoding, body = script.body_for(request.headers.get("accept-encoding", ""))
        if encoding:
            headers["content-encoding"] = encoding
        return Response(body, 200, headers, media_type="text/javascript")
