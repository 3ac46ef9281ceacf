"""How values are written for people: times, durations, numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from server.domain.clock import from_text

_JSON_IN_HTML = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


@pass_context
def time(context: Context, text: str | None, style: str = "ago") -> Markup:
    """A moment as `<time>`: "ago", "date" or "full", the exact time in the viewer's zone on hover.

    Nothing for an empty text; a text that is no time is shown as it is.
    """
    if not text:
        return Markup("")
    try:
        moment = from_text(text)
    except ValueError:
        return Markup("<span>{}</span>").format(text)
    local = moment.astimezone(context["zone"])
    shown = {
        "ago": lambda: ago(moment, context["now"], local),
        "date": lambda: f"{local:%-d %b %Y}",
        "full": lambda: f"{local:%-d %b %Y, %H:%M}",
        "clock": lambda: f"{local:%H:%M:%S}",
    }[style]()
    exact = f"{local:%a %-d %b %Y, %H:%M:%S} ({context['zone']})"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(text, exact, shown)


def ago(moment: datetime, now: datetime, local: datetime) -> str:
    """How long ago, the date from a week on; what lies ahead is "in …"."""
    elapsed = now - moment
    if elapsed < timedelta(0):
        return f"in {duration((-elapsed).total_seconds())}"
    if elapsed < timedelta(minutes=1):
        return "just now"
    if elapsed < timedelta(days=7):
        return f"{duration(elapsed.total_seconds())} ago"
    return f"{local:%-d %b}" if local.year == now.year else f"{local:%-d %b %Y}"


def duration(seconds: float | None) -> str:
    """A span of time in its two largest units: "3 min 5 s", "2 h 10 min", "4 d"."""
    if seconds is None:
        return "—"
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest} s" if rest and minutes < 10 else f"{minutes} min"
    if whole < 48 * 3600:
        hours, minutes = divmod(whole // 60, 60)
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{whole // 86400} d"


def number(value: float | None) -> str:
    """A count with thin separators: 12,345; "—" for none."""
    return "—" if value is None else f"{value:,}"


def as_json(value: Any) -> Markup:
    """A value for `<script type="application/json">`, which nothing in it can end."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.translate(_JSON_IN_HTML))  # noqa: S704  what HTML would read is escaped


def web_link(url: str | None) -> str:
    """An address that may stand in `href`: http(s) only, else ""."""
    return url if url and url.lower().startswith(("http://", "https://")) else ""


def shorten(text: str | None, limit: int = 60) -> str:
    """A text cut to so many characters; the whole belongs into `title`."""
    if not text:
        return ""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def breakable(text: str) -> Markup:
    """A text that is broken behind an @ rather than anywhere, where it must be."""
    return Markup("@<wbr>").join(escape(part) for part in text.split("@"))


@pass_context
def is_since(context: Context, text: str, span: timedelta) -> bool:
    """Whether a moment of the store lies within the span before now."""
    now: datetime = context["now"]
    return from_text(text) >= now - span


FILTERS: Mapping[str, Callable[..., Any]] = {
    "time": time,
    "duration": duration,
    "is_since": is_since,
    "number": number,
    "as_json": as_json,
    "web_link": web_link,
    "shorten": shorten,
    "breakable": breakable,
}
