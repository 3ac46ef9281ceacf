"""tracker.js and form.js over HTTP: under plain names, aliases, and hashed names for good."""

from __future__ import annotations

import functools
import gzip
import hashlib
from collections.abc import Mapping, Sequence

import brotli
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from server.domain.errors import AppError, ErrorCode
from server.domain.script import HASH_CHARS, ScriptBuild, hashed_path
from server.store import scripts as frozen
from server.store.contract import Store

MAX_AGE_SECONDS = 3600
FROZEN_AGE_SECONDS = 365 * 24 * 3600
MAX_FROZEN_KEPT = 64
"""Builds of other versions kept packed in memory, some 10 KB each."""


class _Hash(Convertor[str]):
    """Nothing but a hash: `/assets/pg-<hash>.js` must not match `/assets/pg-form-<hash>.js`."""

    regex = f"[0-9a-f]{{{HASH_CHARS}}}"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("script_hash", _Hash())


class PackedScript:
    """One script as served, in every encoding offered."""

    def __init__(self, build: ScriptBuild) -> None:
        body = build.text.encode()
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
    """Serves the present builds, and by their hashes all that the store ever froze."""

    def __init__(self, store: Store, builds: Sequence[ScriptBuild]) -> None:
        self._store = store
        self._present = {build.name: PackedScript(build) for build in builds}
        self._present_hashes = {(build.name, build.hash) for build in builds}
        self._frozen: dict[tuple[str, str], PackedScript] = {}

    def routes(self, paths: Mapping[str, str]) -> list[BaseRoute]:
        """Every path of every script; `paths` are the configured ones, beside the plain names."""
        served = [
            (name, path) for name in self._present for path in sorted({f"/{name}", paths[name]})
        ]
        plain = [Route(path, functools.partial(self._plain, name)) for name, path in served]
        hashed = [
            Route(hashed_path(path, "{hash:script_hash}"), functools.partial(self._hashed, name))
            for name, path in served
        ]
        return [*plain, *hashed]

    async def _plain(self, name: str, request: Request) -> Response:
        """A script by a name that stays; any site may load it."""
        return _answer(request, self._present[name], f"max-age={MAX_AGE_SECONDS}")

    async def _hashed(self, name: str, request: Request) -> Response:
        """A script by a name that stands for this text only."""
        script = await self._of_hash(name, request.path_params["hash"])
        if script is None:
            raise AppError(ErrorCode.NOT_FOUND, f"There is no such build of {name}")
        return _answer(request, script, f"max-age={FROZEN_AGE_SECONDS}, immutable")

    async def _of_hash(self, name: str, script_hash: str) -> PackedScript | None:
        if (name, script_hash) in self._present_hashes:
            return self._present[name]
        known = self._frozen.get((name, script_hash))
        if known is not None:
            return known
        build = await frozen.find(self._store, name, script_hash)
        return None if build is None else self._keep(build)

    def _keep(self, build: ScriptBuild) -> PackedScript:
        if len(self._frozen) >= MAX_FROZEN_KEPT:
            del self._frozen[next(iter(self._frozen))]
        return self._frozen.setdefault((build.name, build.hash), PackedScript(build))


def _answer(request: Request, script: PackedScript, caching: str) -> Response:
    headers = {
        "etag": script.etag,
        "cache-control": f"public, {caching}",
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
