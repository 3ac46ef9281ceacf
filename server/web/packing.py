"""Bodies that do not change, packed once in every encoding that browsers take."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from functools import cached_property

import brotli
from starlette.requests import Request
from starlette.responses import Response


class Packed:
    """One body as served, with its ETag."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.etag = f'W/"{hashlib.sha256(body).hexdigest()[:20]}"'

    @cached_property
    def bodies(self) -> Mapping[str, bytes]:
        """The body in every encoding, "" for none."""
        return {
            "br": brotli.compress(self.body, quality=11),
            "gzip": gzip.compress(self.body, 9, mtime=0),
            "": self.body,
        }

    def body_for(self, accept_encoding: str) -> tuple[str, bytes]:
        """The smallest encoding that the browser takes."""
        encoding = preferred(accept_encoding)
        return encoding, self.bodies[encoding]

    def answer(self, request: Request, headers: Mapping[str, str], media_type: str) -> Response:
        """The body, or 304 to a browser that has it."""
        told = {
            "etag": self.etag,
            "vary": "Accept-Encoding",
            "x-content-type-options": "nosniff",
            **headers,
        }
        known = request.headers.get("if-none-match", "")
        if known.strip() == "*" or self.etag.removeprefix("W/") in known:
            return Response(status_code=304, headers=told)
        encoding, body = self.body_for(request.headers.get("accept-encoding", ""))
        if encoding:
            told["content-encoding"] = encoding
        return Response(body, 200, told, media_type=media_type)


def preferred(accept_encoding: str) -> str:
    """The smallest of our encodings that a browser takes, "" for none."""
    accepted = _accepted(accept_encoding)
    return next((name for name in ("br", "gzip") if name in accepted), "")


def _accepted(accept_encoding: str) -> set[str]:
    """The codings a browser takes: those without a weight, or with one above 0."""
    accepted = set()
    for part in accept_encoding.lower().split(","):
        name, _, parameter = part.partition(";")
        weight = parameter.replace(" ", "").removeprefix("q=")
        if not weight or weight.strip("0."):
            accepted.add(name.strip())
    return accepted
