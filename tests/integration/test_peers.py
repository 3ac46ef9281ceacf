"""Who sent a request: which address counts behind proxies, and when a country is believed."""

from __future__ import annotations

import tracemalloc
from ipaddress import ip_network

import pytest

from server.geo import AddressBook
from server.web.peers import PeerReader, is_from_this_machine
from tests.integration.http_fixtures import COUNTRY_DB

PROXIES = ("10.0.0.0/8", "192.168.1.1", "fd00::/8", "2001:db8:cafe::/48")
PROXY = "10.0.0.1"
STRANGER = "203.0.113.9"
LONDON = "81.2.69.142"


def reader(*proxies: str, addresses: AddressBook | None = None) -> PeerReader:
    return PeerReader([ip_network(proxy) for proxy in proxies], addresses or AddressBook())


def address(sender: str, *forwarded: str) -> str:
    """What counts as the address of a request with these X-Forwarded-For headers."""
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    return reader(*PROXIES).read((sender, 40_000), headers).ip


@pytest.mark.parametrize(
    ("sender", "forwarded", "ip"),
    [
        # Without a proxy, or with one that nobody trusts, the sender is the peer.
        (STRANGER, [], STRANGER),
        (STRANGER, ["1.2.3.4"], STRANGER),
        (STRANGER, ["10.0.0.2"], STRANGER),
        ("127.0.0.1", ["1.2.3.4"], "127.0.0.1"),
        (PROXY, [], PROXY),
        (PROXY, [""], PROXY),
        # Behind a trusted one it is the right-most hop that is not trusted.
        (PROXY, ["1.2.3.4"], "1.2.3.4"),
        (PROXY, ["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
        (PROXY, ["6.6.6.6, 1.2.3.4, 10.0.0.2"], "1.2.3.4"),
        (PROXY, ["6.6.6.6,1.2.3.4 , 192.168.1.1,10.9.9.9"], "1.2.3.4"),
        (PROXY, ["6.6.6.6, 192.168.1.2, 10.0.0.2"], "192.168.1.2"),
        (PROXY, ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        (PROXY, ["1.2.3.4,,  ,"], "1.2.3.4"),
        # Several headers are one list.
        (PROXY, ["6.6.6.6", "1.2.3.4"], "1.2.3.4"),
        (PROXY, ["6.6.6.6, 1.2.3.4", "10.0.0.2"], "1.2.3.4"),
        (PROXY, ["1.2.3.4", ""], "1.2.3.4"),
        # Ports and brackets go.
        (PROXY, ["1.2.3.4:5678"], "1.2.3.4"),
        (PROXY, ["[2001:db8::7]:5678"], "2001:db8::7"),
        (PROXY, ["[2001:db8::7]"], "2001:db8::7"),
        # IPv6, in its short form; an IPv4 address in IPv6 is that IPv4 address.
        (PROXY, ["2001:0DB8:0:0::7"], "2001:db8::7"),
        ("fd00::1", ["2001:db8::7"], "2001:db8::7"),
        ("2001:db8:cafe::1", ["6.6.6.6, 2001:db8::7, fd12::1"], "2001:db8::7"),
        ("2001:db8::1", ["6.6.6.6"], "2001:db8::1"),
        ("::ffff:10.0.0.1", ["1.2.3.4"], "1.2.3.4"),
        ("::ffff:203.0.113.9", ["1.2.3.4"], STRANGER),
        (PROXY, ["::ffff:1.2.3.4"], "1.2.3.4"),
        (PROXY, ["6.6.6.6, 1.2.3.4, ::ffff:10.0.0.2"], "1.2.3.4"),
        # What is no address ends the walk at the hop before it.
        (PROXY, ["unknown"], PROXY),
        (PROXY, ["6.6.6.6, unknown, 10.0.0.2"], "10.0.0.2"),
        (PROXY, ["6.6.6.6, 1.2.3.4, unknown"], PROXY),
        (PROXY, ["<script>, 1.2.3.4"], "1.2.3.4"),
        (PROXY, ["1.2.3.4; DROP TABLE"], PROXY),
        (PROXY, ["1.2.3"], PROXY),
        (PROXY, ["1.2.3.256"], PROXY),
        (PROXY, ["01.2.3.4"], PROXY),
        (PROXY, ["\xb9.2.3.4"], PROXY),
        (PROXY, ["[2001:db8::7"], "2001:db8::7"),
        (PROXY, ["_hidden:80"], PROXY),
        (PROXY, ["for=1.2.3.4"], PROXY),
    ],
)
def test_address_of_a_request_is_that_of_the_nearest_hop_that_is_no_trusted_proxy(
    sender: str, forwarded: list[str], ip: str
) -> None:
    assert address(sender, *forwarded) == ip


@pytest.mark.parametrize("zone", ["eth0", "<script>alert(1)</script>", "x" * 500])
def test_address_when_it_carries_a_zone_is_kept_without_it(zone: str) -> None:
    assert address(PROXY, f"fe80::1%{zone}") in ("fe80::1", PROXY)


@pytest.mark.parametrize("client", [None, ("", 0), ("unix:/run/x", 0)])
def test_address_when_the_connection_has_none_is_empty(client: tuple[str, int] | None) -> None:
    headers = [(b"x-forwarded-for", b"1.2.3.4"), (b"user-agent", b"Mozilla")]
    peer = reader("0.0.0.0/0", "::/0").read(client, headers)
    assert (peer.ip, peer.country, peer.user_agent) == ("", "", "Mozilla")


def test_address_when_nothing_is_trusted_ignores_every_forwarding_header() -> None:
    headers = [(b"x-forwarded-for", b"1.2.3.4"), (b"x-real-ip", b"1.2.3.4")]
    headers += [(b"forwarded", b"for=1.2.3.4"), (b"cf-connecting-ip", b"1.2.3.4")]
    assert reader().read((STRANGER, 1), headers).ip == STRANGER


def country(sender: str, *given: str, forwarded: str = "", known: bool = False) -> str:
    """The country of a request with these CF-IPCountry headers."""
    headers = [(b"cf-ipcountry", value.encode("latin-1")) for value in given]
    if forwarded:
        headers.append((b"x-forwarded-for", forwarded.encode()))
    addresses = AddressBook(COUNTRY_DB if known else None)
    try:
        return reader(PROXY, addresses=addresses).read((sender, 1), headers).country
    finally:
        addresses.close()


@pytest.mark.parametrize(
    ("sender", "given", "believed"),
    [
        (PROXY, "GB", "GB"),
        (PROXY, " gb ", "GB"),
        ("127.0.0.1", "GB", "GB"),
        ("::1", "GB", "GB"),
        ("::ffff:127.0.0.1", "GB", "GB"),
        (STRANGER, "GB", ""),
        ("10.0.0.2", "GB", ""),
        (PROXY, "XX", ""),
        (PROXY, "T1", ""),
        (PROXY, "t1", ""),
        (PROXY, "", ""),
        (PROXY, "GBR", ""),
        (PROXY, "G", ""),
        (PROXY, "G1", ""),
        (PROXY, "G,", ""),
        (PROXY, "\xdf", ""),
        (PROXY, "\xc9\xc9", ""),
        (PROXY, "<b>", ""),
    ],
)
def test_country_of_a_header_counts_from_a_trusted_proxy_or_this_machine_only(
    sender: str, given: str, believed: str
) -> None:
    assert country(sender, given) == believed


@pytest.mark.parametrize("given", ["", "XX", "T1", "GBR"])
def test_country_when_the_header_says_none_is_the_databases(given: str) -> None:
    assert country(PROXY, given, forwarded=LONDON, known=True) == "GB"


def test_country_when_header_and_database_differ_is_the_headers() -> None:
    assert country(PROXY, "AE", forwarded=LONDON, known=True) == "AE"


def test_country_when_a_stranger_sends_the_header_is_the_databases() -> None:
    assert country(LONDON, "AE", known=True) == "GB"


@pytest.mark.parametrize("sender", ["127.0.0.1", "10.0.0.1", "fe80::1", "ff02::1"])
def test_country_when_the_database_has_no_such_address_is_empty(sender: str) -> None:
    assert country(sender, known=True) == ""


def test_reader_when_strangers_send_ever_new_long_headers_keeps_its_memory() -> None:
    peers = reader(PROXY)
    tracemalloc.start()
    try:
        for number in range(500):
            long = b"%d" % number + b"x" * 50_000
            peers.read((STRANGER, 1), [(b"user-agent", long), (b"x-forwarded-for", long)])
        kept, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 5_000_000


@pytest.mark.parametrize("sender", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_request_when_it_comes_straight_over_loopback_is_from_this_machine(sender: str) -> None:
    assert is_from_this_machine((sender, 1), [(b"host", b"127.0.0.1")])


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("127.0.0.1:8787", True),
        ("localhost:8787", True),
        ("LOCALHOST", True),
        ("[::1]:8787", True),
        ("10.0.0.7:8787", True),
        ("10.0.0.8:8787", False),
        ("rebound.example.com:8787", False),
        ("localhost.example.com", False),
        ("", False),
    ],
)
def test_request_when_it_names_another_host_is_not_from_this_machine(
    host: str, *, is_ours: bool
) -> None:
    headers = [(b"host", host.encode())]
    assert is_from_this_machine(("127.0.0.1", 1), headers, ("10.0.0.7", 8787)) is is_ours


@pytest.mark.parametrize("sender", [STRANGER, "10.0.0.1", "::2", "", "testclient"])
def test_request_when_it_comes_over_the_network_is_not_from_this_machine(sender: str) -> None:
    assert not is_from_this_machine((sender, 1), [])


def test_request_when_its_sender_is_unknown_is_not_from_this_machine() -> None:
    assert not is_from_this_machine(None, [])


@pytest.mark.parametrize(
    "header",
    ["x-forwarded-for", "forwarded", "cf-connecting-ip", "x-real-ip", "x-forwarded-host", "via"],
)
def test_request_when_a_proxy_passed_it_on_is_not_from_this_machine(header: str) -> None:
    assert not is_from_this_machine(("127.0.0.1", 1), [(header.encode(), b"")])
