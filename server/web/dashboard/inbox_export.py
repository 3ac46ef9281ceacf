"""The inbox as a table for spreadsheets: streamed page by page, safe against formulas."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from server.destinations import make_webhook
from server.store import inbox
from server.store.contract import Store
from server.store.inbox import Listing, Place
from server.web.dashboard.inbox_rows import InboxRow, present

PAGE_ROWS = 500
BYTE_ORDER_MARK = "\ufeff"
"""By which Excel knows UTF-8."""

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

Column = Callable[[InboxRow], Any]


def _of_row(name: str) -> Column:
    return lambda lead: lead.row[name]


def _of_visit(name: str) -> Column:
    """Nothing, rather than 0, where there was no tracked visit."""
    return lambda lead: lead.row[name] if lead.tracked else None


COLUMNS: tuple[tuple[str, Column], ...] = (
    ("lead_id", _of_row("lead_id")),
    ("received_at", _of_row("received_at")),
    ("status", _of_row("status")),
    ("owner", _of_row("owner")),
    ("first_contact_at", _of_row("contacted_at")),
    ("name", _of_row("name")),
    ("email", _of_row("email")),
    ("phone", _of_row("phone")),
    ("phone_e164", _of_row("phone_e164")),
    ("project", _of_row("project")),
    ("message", _of_row("message")),
    ("lead_source", _of_row("lead_source")),
    ("channel", _of_row("channel")),
    ("engagement_score", lambda lead: int(lead.row["score"]) if lead.tracked else None),
    ("engagement_label", _of_visit("label")),
    ("recommended_action", _of_row("action")),
    ("pages_visited", _of_visit("pages")),
    ("session_duration_seconds", _of_visit("seconds")),
    ("return_visits", _of_visit("returns")),
    ("suspicion_score", _of_row("suspicion_score")),
    ("suspicion_label", _of_row("suspicion_label")),
    ("suspicion_reasons", lambda lead: "; ".join(lead.reasons)),
    ("rotator", _of_row("grade")),
    ("delivery", _of_row("delivery")),
    ("country", _of_row("country")),
    ("utm_source", _of_row("utm_source")),
    ("utm_medium", _of_row("utm_medium")),
    ("utm_campaign", _of_row("utm_campaign")),
    ("page_url", _of_row("page_url")),
)


async def csv_of(store: Store, listing: Listing) -> AsyncIterator[bytes]:
    """The leads of a listing, all of them; one page of them is held at a time."""
    yield _lines([[name for name, _column in COLUMNS]], BYTE_ORDER_MARK)
    after: Place | None = None
    while found := await inbox.places(store, listing, after, PAGE_ROWS):
        row_ids = [place.row_id for place in found]
        rows = await inbox.rows(store, listing.client_id, row_ids, make_webhook.NAME)
        yield _lines([column(lead) for _name, column in COLUMNS] for lead in present(rows))
        after = found[-1]


def safe_cell(value: Any) -> Any:
    """A value that no spreadsheet takes for a formula."""
    is_formula = isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA_STARTS)
    return f"'{value}" if is_formula else value


def _lines(rows: Iterable[Iterable[Any]], prefix: str = "") -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([safe_cell(value) for value in row] for row in rows)
    return (prefix + text.getvalue()).encode("utf-8", "replace")
