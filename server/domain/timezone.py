"""Which countries a browser's time zone belongs to, from the IANA tables in `tzdata`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import resources

_SHARED = frozenset({"CET", "EET", "EST", "HST", "MET", "MST", "WET"})
"""Abbreviations: tzdata links each to one place (EST to Panama), though many keep its time."""


@cache
def _table() -> dict[str, frozenset[str]]:
    zones: dict[str, set[str]] = {}
    for name in ("zone.tab", "zone1970.tab"):
        for countries, zone in _zone_rows(name):
            zones.setdefault(zone, set()).update(countries.split(","))
    for target, alias in _links():
        zones.setdefault(alias, set()).update(zones.get(target, ()))
    return {zone: frozenset(countries) for zone, countries in zones.items() if countries}


def _lines(name: str) -> list[str]:
    return (resources.files("tzdata") / "zoneinfo" / name).read_text("utf-8").splitlines()


def _zone_rows(name: str) -> Iterator[tuple[str, str]]:
    for line in _lines(name):
        if line and not line.startswith("#"):
            countries, _coordinates, zone, *_comment = line.split("\t")
            yield countries, zone


def _links() -> Iterator[tuple[str, str]]:
    """Old names such as Asia/Calcutta, which browsers still send."""
    for line in _lines("tzdata.zi"):
        kind, *rest = line.split(" ")
        if kind == "L" and rest[1] not in _SHARED:
            yield rest[0], rest[1]


def countries_of(timezone: str) -> frozenset[str]:
    """ISO 3166 codes, upper case; empty for unknown zones and those of no country (UTC)."""
    return _table().get(timezone, frozenset())


def mismatch_reason(timezone: str, country: str) -> str:
    """Why an address looks like a VPN's, or "" when it does not or nothing is known."""
    countries = countries_of(timezone)
    if not country or not countries or country in countries:
        return ""
    theirs = ", ".join(sorted(countries))
    return f"browser time zone {timezone} belongs to {theirs}, address to {country}"
