"""The address book: countries and networks from real databases, lists of ranges."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import netaddr  # type: ignore[import-untyped]  # published without types
import pytest
from mmdb_writer import MMDBWriter

from server.domain.visitor import NetworkKind
from server.geo import AddressBook, Place, Ranges, read_ranges
from tests.integration.http_fixtures import COUNTRY_DB


def network_db(folder: Path, record: dict[str, object]) -> Path:
    """A MaxMind-format database that knows one network."""
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="test-asn")
    writer.insert_network(netaddr.IPSet(["203.0.113.0/24", "2001:db8::/32"]), record)
    path = folder / "networks.mmdb"
    writer.to_db_file(str(path))
    return path


def ranges(folder: Path, text: str) -> Path:
    path = folder / "ranges.txt"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "record",
    [
        {"autonomous_system_number": 64496, "autonomous_system_organization": "Example Net"},
        {"asn": "AS64496", "as_name": "Example Net"},
    ],
)
@pytest.mark.parametrize("ip", ["203.0.113.9", "2001:db8::9"])
def test_network_of_an_address_in_the_database_is_its_name(
    tmp_path: Path, record: dict[str, object], ip: str
) -> None:
    book = AddressBook(network_db=network_db(tmp_path, record))
    assert book.look_up(ip) == Place(network="Example Net")
    book.close()


@pytest.mark.parametrize("ip", ["192.0.2.1", "not an address", "", "203.0.113.9:443"])
def test_place_of_an_unknown_or_malformed_address_is_nothing(tmp_path: Path, ip: str) -> None:
    record: dict[str, object] = {"autonomous_system_organization": "Example Net"}
    book = AddressBook(COUNTRY_DB, network_db(tmp_path, record))
    assert book.look_up(ip) == Place()
    book.close()


def test_place_without_databases_is_nothing() -> None:
    assert AddressBook().look_up("203.0.113.9") == Place()


def test_place_by_database_and_ranges_tells_all_three(tmp_path: Path) -> None:
    listed = ranges(tmp_path, "8.8.8.0/24")
    book = AddressBook(COUNTRY_DB, ranges={NetworkKind.VPN: None, NetworkKind.HOSTING: listed})
    assert book.look_up("8.8.8.8") == Place("US", "", NetworkKind.HOSTING)
    book.close()


def test_place_in_ranges_of_both_kinds_is_the_vpns(tmp_path: Path) -> None:
    listed = ranges(tmp_path, "203.0.113.0/24")
    book = AddressBook(ranges={NetworkKind.VPN: listed, NetworkKind.HOSTING: listed})
    assert book.look_up("203.0.113.1").network_kind is NetworkKind.VPN


@pytest.mark.parametrize(
    ("ip", "listed"),
    [
        ("203.0.113.0", True),
        ("203.0.113.15", True),
        ("203.0.113.16", False),
        ("203.0.112.255", False),
        ("198.51.100.7", True),
        ("198.51.100.8", False),
        ("2001:db8:1::1", True),
        ("2001:db8:2::1", False),
        ("::cb00:7101", False),
    ],
)
def test_ranges_hold_exactly_their_addresses(tmp_path: Path, ip: str, *, listed: bool) -> None:
    text = "# list\n203.0.113.5/28\n\n  198.51.100.7  # one address\n2001:db8:1::/48\n"
    known = Ranges(read_ranges(ranges(tmp_path, text)))
    assert (ip_address(ip) in known) is listed


@pytest.mark.parametrize("line", ["203.0.113.0/33", "example.com", "203.0.113", "203.0.113.0/24,x"])
def test_ranges_with_a_line_that_is_no_network_are_refused_by_that_line(
    tmp_path: Path, line: str
) -> None:
    with pytest.raises(ValueError, match="line 2 is no network"):
        list(read_ranges(ranges(tmp_path, f"192.0.2.0/24\n{line}\n")))
