"""The dashboard's own and vendored files, packed once, under addresses that name their content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from server.config import ROOT
from server.domain.errors import AppError, ErrorCode
from server.web.access import Access, Declared
from server.web.packing import Packed

FOLDER = ROOT / "static" / "dashboard"
PREFIX = "/dashboard"
_YEAR_SECONDS = 365 * 24 * 3600
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


class Assets:
    """Serves the files of `static/dashboard`; `prefix` is the path of PUBLIC_URL."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    @cached_property
    def _files(self) -> Mapping[str, Path]:
        return {
            str(path.relative_to(FOLDER)): path
            for path in sorted(FOLDER.rglob("*"))
            if path.suffix in _TYPES
        }

    @cached_property
    def _packed(self) -> Mapping[str, Packed]:
        return {name: Packed(path.read_bytes()) for name, path in self._files.items()}

    @cached_property
    def _hashes(self) -> Mapping[str, str]:
        return {
            name: hashlib.sha256(path.read_bytes()).hexdigest()[:12]
            for name, path in self._files.items()
        }

    def url(self, name: str) -> str:
        """Where a file is served, for as long as it stays what it is."""
        return f"{self._prefix}{PREFIX}/{name}?v={self._hashes[name]}"

    def routes(self) -> list[Declared]:
        """One route for all files, and the name that browsers guess."""
        return [
            Declared(f"{PREFIX}/{{name:path}}", self.serve, Access.PUBLIC),
            Declared("/favicon.ico", self.favicon, Access.PUBLIC),
        ]

    async def favicon(self, _request: Request) -> Response:
        """What browsers ask for unbidden."""
        return RedirectResponse(self.url("favicon.svg"))

    async def serve(self, request: Request) -> Response:
        """A file; kept for good by browsers that asked for this very content."""
        name = request.path_params["name"]
        if name not in self._files:
            raise AppError(ErrorCode.NOT_FOUND, "There is no such file")
        is_exact = request.query_params.get("v") == self._hashes[name]
        caching = f"public, max-age={_YEAR_SECONDS}, immutable" if is_exact else "no-cache"
        headers = {"cache-control": caching, "cross-origin-resource-policy": "same-origin"}
        return self._packed[name].answer(request, headers, _TYPES[Path(name).suffix])
