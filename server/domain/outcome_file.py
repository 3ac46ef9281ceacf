"""A file of outcomes: CSV lines that name a lead, what became of it, and when."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from server.domain.errors import invalid_field
from server.domain.lead_status import LeadStatus

MAX_LINES = 1_000
MAX_CELL_CHARS = 400
COLUMNS = ("lead_id", "email", "phone", "status", "date")
_NAMES = frozenset(("lead_id", "email", "phone"))


@dataclass(frozen=True, slots=True)
class OutcomeLine:
    """One readable line: at least one of the three names is given."""

    number: int
    status: LeadStatus
    at: datetime
    lead_id: str = ""
    email: str = ""
    phone: str = ""

    @property
    def name(self) -> str:
        """What the line calls the lead."""
        return self.lead_id or self.email or self.phone


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a line is left out; numbers begin at 1 with the header."""

    number: int
    message: str


def read(text: str, now: datetime, zone: tzinfo = UTC) -> tuple[list[OutcomeLine], list[Fault]]:
    """The lines of a file, by comma or semicolon, and what is wrong with the others.

    Without a date a line is of now; a date is its first moment. Dates, and times that name no
    zone, are those of `zone`.
    Raises AppError (invalid, `file`) for what is no such table or has too many lines.
    """
    rows = _rows(text)
    header = [cell.strip().lower() for cell in next(rows, (0, []))[1]]
    if "status" not in header or not _NAMES & set(header):
        raise invalid_field("file", "needs a header with status and lead_id, email or phone")
    lines: list[OutcomeLine] = []
    faults: list[Fault] = []
    for number, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        if len(lines) + len(faults) >= MAX_LINES:
            raise invalid_field("file", f"has more than {MAX_LINES:,} lines")
        values = {
            name: cell.strip() for name, cell in zip(header, cells, strict=False) if name in COLUMNS
        }
        try:
            lines.append(_line(number, values, now, zone))
        except ValueError as error:
            faults.append(Fault(number, str(error)))
    if not lines and not faults:
        raise invalid_field("file", "holds no lines below its header")
    return lines, faults


def _rows(text: str) -> Iterator[tuple[int, Sequence[str]]]:
    first = text.lstrip("\ufeff").split("\n", 1)[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    reader = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=delimiter)
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        raise invalid_field("file", f"cannot be read: {error}") from None


def _line(number: int, values: Mapping[str, str], now: datetime, zone: tzinfo) -> OutcomeLine:
    if any(len(value) > MAX_CELL_CHARS for value in values.values()):
        raise ValueError(f"has a cell of more than {MAX_CELL_CHARS} characters")
    names = {name: values.get(name, "") for name in _NAMES}
    if not any(names.values()):
        raise ValueError("names no lead")
    try:
        status = LeadStatus(values.get("status", "").lower())
    except ValueError:
        raise ValueError(f"status must be one of {', '.join(LeadStatus)}") from None
    return OutcomeLine(number, status, _moment(values.get("date", ""), now, zone), **names)


def _moment(text: str, now: datetime, zone: tzinfo) -> datetime:
    if not text:
        return now
    try:
        moment = datetime.fromisoformat(text)
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("date must be like 2026-11-22 or 2026-11-22T10:00:00Z") from None
    if moment > now:
        raise ValueError("date lies ahead")
    return moment
