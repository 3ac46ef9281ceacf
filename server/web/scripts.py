"""tracker.js and form.js over HTTP: under plain names, aliases, and hashed names for good."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from server.domain.errors import AppError, ErrorCode
from server.domain.script import HASH_CHARS, ScriptBuild, hashed_path
from server.store import scripts as frozen
from server.store.contract import Store
from server.usecases.watch_site import SiteWatches
from server.web.access import Access, Declared
from server.web.packing import Packed

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


class Scripts:
    """Serves the present builds, and by their hashes all that the store ever froze."""

    def __init__(self, store: Store, builds: Sequence[ScriptBuild], watches: SiteWatches) -> None:
        self._store = store
        self._watches = watches
        self._present = {build.name: Packed(build.text.encode()) for build in builds}
        self._present_hashes = {(build.name, build.hash) for build in builds}
        self._frozen: dict[tuple[str, str], Packed] = {}

    def routes(self, paths: Mapping[str, str]) -> list[BaseRoute]:
        """Every path of every script; `paths` are the configured ones, beside the plain names."""
        served = [
            (name, path) for name in self._present for path in sorted({f"/{name}", paths[name]})
        ]
        public = Access.PUBLIC
        plain = [
            Declared(path, functools.partial(self._plain, name), public) for name, path in served
        ]
        hashed = [
            Declared(
                hashed_path(path, "{hash:script_hash}"),
                functools.partial(self._hashed, name),
                public,
            )
            for name, path in served
        ]
        return [*plain, *hashed]

    async def _plain(self, name: str, request: Request) -> Response:
        """A script by a name that stays; any site may load it."""
        self._tell(name, request)
        return _answer(request, self._present[name], f"max-age={MAX_AGE_SECONDS}")

    async def _hashed(self, name: str, request: Request) -> Response:
        """A script by a name that stands for this text only."""
        script = await self._of_hash(name, request.path_params["hash"])
        if script is None:
            raise AppError(ErrorCode.NOT_FOUND, f"There is no such build of {name}")
        self._tell(name, request)
        return _answer(request, script, f"max-age={FROZEN_AGE_SECONDS}, immutable")

    def _tell(self, name: str, request: Request) -> None:
        if self._watches.active:
            self._watches.saw_script(name, request.headers.get("referer", ""))

    async def _of_hash(self, name: str, script_hash: str) -> Packed | None:
        if (name, script_hash) in self._present_hashes:
            return self._present[name]
        known = self._frozen.get((name, script_hash))
        if known is not None:
            return known
        build = await frozen.find(self._store, name, script_hash)
        return None if build is None else self._keep(build)

    def _keep(self, build: ScriptBuild) -> Packed:
        if len(self._frozen) >= MAX_FROZEN_KEPT:
            del self._frozen[next(iter(self._frozen))]
        return self._frozen.setdefault((build.name, build.hash), Packed(build.text.encode()))


def _answer(request: Request, script: Packed, caching: str) -> Response:
    headers = {
        "cache-control": f"public, {caching}",
        "access-control-allow-origin": "*",
        "cross-origin-resource-policy": "cross-origin",
    }
    return script.answer(request, headers, "text/javascript")
