"""The API reference: /openapi.json for programs, /docs for people; both from one document."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute

from server.web import openapi
from server.web.access import Access, Declared
from server.web.api_reference import INTRODUCTION, PUBLIC, TAGS

DOCUMENT_PATH = "/openapi.json"
PAGE_PATH = "/docs"
MAX_AGE_SECONDS = 300
_TEMPLATES = Path(__file__).parent / "templates"
_CODE = re.compile(r"`([^`]+)`")
_INFO = {
    "title": "propgauge",
    "version": version("propgauge"),
    "description": INTRODUCTION,
    "license": {"name": "MIT", "identifier": "MIT"},
}


class ApiReference:
    """Both forms of the reference, made at the first request. `url` is where browsers come."""

    def __init__(self, url: str) -> None:
        self._url = url

    def routes(self) -> list[BaseRoute]:
        """Both paths."""
        return [
            Declared(DOCUMENT_PATH, self.document, Access.PUBLIC),
            Declared(PAGE_PATH, self.page, Access.PUBLIC),
        ]

    async def document(self, _request: Request) -> Response:
        """The OpenAPI document, which any site's tools may read."""
        headers = {"access-control-allow-origin": "*", "cache-control": _CACHING}
        body = json.dumps(self._document, ensure_ascii=False)
        return Response(body, 200, headers, media_type="application/json")

    async def page(self, _request: Request) -> Response:
        """The reference as one page that loads nothing else."""
        return HTMLResponse(self._page, 200, _page_headers())

    @functools.cached_property
    def _document(self) -> openapi.Json:
        return openapi.document(PUBLIC, url=self._url, info=_INFO, tags=TAGS)

    @functools.cached_property
    def _page(self) -> str:
        return render(self._document)


_CACHING = f"public, max-age={MAX_AGE_SECONDS}"


@functools.cache
def _style() -> str:
    return (_TEMPLATES / "docs.css").read_text("utf-8")


def _page_headers() -> dict[str, str]:
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return {
        "cache-control": _CACHING,
        "content-security-policy": f"default-src 'none'; style-src 'sha256-{digest}';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
    }


def render(document: openapi.Json) -> str:
    """An OpenAPI document as a page of HTML."""
    environment = Environment(
        autoescape=True,
        loader=FileSystemLoader(_TEMPLATES),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"prose": _prose, "inline": _inline, "pretty": _pretty, "model": _model}
    return environment.get_template("docs.html").render(document=document, style=_style())


def _prose(text: str) -> Markup:
    """Paragraphs."""
    return Markup().join(map(Markup("<p>{}</p>").format, map(_inline, text.split("\n\n"))))


def _inline(text: str) -> Markup:
    """What stands in backticks as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704  escaped


def _pretty(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def _model(schema: openapi.Json) -> str:
    """The name of the schema that a reference points to."""
    return str(schema["$ref"]).rpartition("/")[2]
