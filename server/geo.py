"""The country of an address, from a local MaxMind-format database when one is configured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import maxminddb


class Countries:
    """Looks addresses up; without a database every country is unknown ("")."""

    def __init__(self, database: Path | None) -> None:
        self._reader = maxminddb.open_database(database) if database else None

    def country_of(self, ip: str) -> str:
        """ISO 3166 code in upper case, or "" for unknown and malformed addresses."""
        if self._reader is None:
            return ""
        try:
            record: Any = self._reader.get(ip)
        except ValueError:
            return ""
        return _code(record)

    def close(self) -> None:
        """Release the database."""
        if self._reader is not None:
            self._reader.close()


def _code(record: Any) -> str:
    """Both layouts in use: a flat `country_code`, and MaxMind's `country.iso_code`."""
    if not isinstance(record, dict):
        return ""
    country = record.get("country")
    nested = country.get("iso_code") if isinstance(country, dict) else None
    code = record.get("country_code") or nested or ""
    return str(code).upper()
