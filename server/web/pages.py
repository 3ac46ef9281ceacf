"""The two plain pages a form without a script of its own ends on."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

THANK_YOU_PATH = "/thank-you"

_STYLE = """
:root{color-scheme:light dark;font:1.125rem/1.5 system-ui,sans-serif}
body{display:grid;min-height:90vh;place-items:center;margin:1rem;text-align:center}
main{max-width:32rem}
"""
_PAGE = Environment(autoescape=True).from_string(
    '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width"><title>{{ title }}</title>'
    "<style>{{ style | safe }}</style></head>"
    "<body><main><h1>{{ title }}</h1><p>{{ text }}</p></main></body></html>"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


async def thank_you(_request: Request) -> Response:
    """Where a form goes that names no page of its own."""
    return _page("Thank you", "Your enquiry has arrived. We will be in touch soon.", 200, {})


def refused(message: str, status: int, headers: Mapping[str, str]) -> Response:
    """Tells a person why the form was not taken, and how to go on."""
    text = f"{message}. Please go back, correct it and send the form again."
    return _page("Your enquiry was not sent", text, status, headers)


def _page(title: str, text: str, status: int, headers: Mapping[str, str]) -> Response:
    html = _PAGE.render(title=title, text=text, style=_STYLE)
    return HTMLResponse(html, status, _HEADERS | dict(headers))
