"""What local databases and lists know of an address: its country, its network, what it hides."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import maxminddb

from server.domain.visitor import NetworkKind

MAX_NETWORK_CHARS = 128


@dataclass(frozen=True, slots=True)
class Place:
    """ISO 3166 country in upper case and the network's name; "" for what is unknown."""

    country: str = ""
    network: str = ""
    network_kind: NetworkKind | None = None


class AddressBook:
    """Looks addresses up in MaxMind-format databases and in lists of ranges, each optional."""

    def __init__(
        self,
        country_db: Path | None = None,
        network_db: Path | None = None,
        ranges: Mapping[NetworkKind, Path | None] | None = None,
    ) -> None:
        self._countries = maxminddb.open_database(country_db) if country_db else None
        self._networks = maxminddb.open_database(network_db) if network_db else None
        self._ranges = tuple(
            (kind, Ranges(read_ranges(path))) for kind, path in (ranges or {}).items() if path
        )

    def look_up(self, ip: str) -> Place:
        """All that is known of an address; nothing of one that is malformed."""
        try:
            address = ipaddress.ip_address(ip)
        except ValueError:
            return Place()
        kinds = (kind for kind, ranges in self._ranges if address in ranges)
        return Place(
            _country(_record(self._countries, ip)),
            _network(_record(self._networks, ip)),
            next(kinds, None),
        )

    def close(self) -> None:
        """Release the databases."""
        for reader in (self._countries, self._networks):
            if reader is not None:
                reader.close()


class Ranges:
    """Networks of addresses; asking costs one look-up per prefix length in use."""

    def __init__(self, networks: Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> None:
        self._starts: dict[tuple[int, int], set[int]] = {}
        for network in networks:
            key = network.version, network.max_prefixlen - network.prefixlen
            self._starts.setdefault(key, set()).add(int(network.network_address) >> key[1])

    def __contains__(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        number, version = int(address), address.version
        return any(
            number >> host_bits in starts
            for (of_version, host_bits), starts in self._starts.items()
            if of_version == version
        )


def read_ranges(path: Path) -> Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """The networks of a file: one a line, `#` begins a comment.

    Raises ValueError naming the line, OSError for a file that cannot be read.
    """
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            yield ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise ValueError(f"line {number} is no network: {text[:50]!r}") from None


def _record(reader: maxminddb.Reader | None, ip: str) -> Mapping[str, Any]:
    """What a database holds of an address; {} where it holds nothing, or IPv4 only."""
    if reader is None:
        return {}
    try:
        record = reader.get(ip)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _country(record: Mapping[str, Any]) -> str:
    """Both layouts in use: a flat `country_code`, and MaxMind's `country.iso_code`."""
    country = record.get("country")
    nested = country.get("iso_code") if isinstance(country, dict) else None
    return str(record.get("country_code") or nested or "").upper()


def _network(record: Mapping[str, Any]) -> str:
    """The name that MaxMind and the free databases give an autonomous system."""
    name = record.get("autonomous_system_organization") or record.get("as_name") or ""
    return str(name)[:MAX_NETWORK_CHARS]
