"""Who sent a request: address by the right-most untrusted hop, its country and network, agent."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from server.domain.user_agent import MAX_CHARS
from server.domain.visitor import Peer
from server.geo import AddressBook
from server.setting_values import Network

RawHeaders = Sequence[tuple[bytes, bytes]]
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_UNKNOWN_COUNTRIES = frozenset({"XX", "T1"})
"""Cloudflare's codes for no country and for Tor."""

_XFF = b"x-forwarded-for"
CACHE_ENTRIES = 20_000
"""Peers remembered: one sends a beacon every few seconds while its page is open."""

MAX_FORWARDED_CHARS = 1_000
"""Of X-Forwarded-For; what strangers send stands in the memory above."""

_FORWARDED = frozenset({b"forwarded", b"via", b"cf-connecting-ip", b"x-real-ip"})
_FORWARDED_PREFIX = b"x-forwarded-"


def header_text(headers: RawHeaders, name: bytes) -> str:
    """A header's value, several joined by commas; "" when absent."""
    found = [value for key, value in headers if key == name]
    return b",".join(found).decode("latin-1") if found else ""


@lru_cache(4096)
def _parse(text: str) -> IpAddress | None:
    """An address with or without port or brackets; None for anything else."""
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):  # anew, without its zone
        return address.ipv4_mapped or ipaddress.IPv6Address(int(address))
    return address


class PeerReader:
    """Reads the sender of a request; forwarding headers count only from `trusted` proxies."""

    def __init__(self, trusted: Sequence[Network], addresses: AddressBook) -> None:
        self._trusted = tuple(trusted)
        self._addresses = addresses
        self._peer = lru_cache(CACHE_ENTRIES)(self._read)

    def read(self, client: tuple[str, int] | None, headers: RawHeaders) -> Peer:
        """The peer of a request; an address that cannot be told is ""."""
        found = dict(headers)
        forwarded = _nearest(header_text(headers, _XFF)) if _XFF in found else ""
        host = client[0] if client else ""
        country, agent = found.get(b"cf-ipcountry", b""), found.get(b"user-agent", b"")
        return self._peer(host, forwarded, country[:8], agent[:MAX_CHARS])

    def _read(self, host: str, forwarded: str, cf_country: bytes, raw_agent: bytes) -> Peer:
        agent = raw_agent.decode("latin-1")
        country = cf_country.strip().upper().decode("latin-1")
        hop = _parse(host)
        if hop is None:
            return Peer("", "", agent)
        ip = str(self._behind(hop, forwarded) if forwarded else hop)
        if country and not (hop.is_loopback or self._is_trusted(hop)):
            country = ""
        place = self._addresses.look_up(ip)
        if not _is_country(country):
            country = place.country
        return Peer(ip, country, agent, place.network, place.network_kind)

    def _behind(self, hop: IpAddress, forwarded: str) -> IpAddress:
        """Walk from the nearest hop outwards and stop at the first that is not trusted."""
        for text in reversed(forwarded.split(",")):
            if not text.strip():
                continue
            if not self._is_trusted(hop):
                break
            farther = _parse(text)
            if farther is None:
                break
            hop = farther
        return hop

    def _is_trusted(self, address: IpAddress) -> bool:
        return any(address in network for network in self._trusted)


def _nearest(forwarded: str) -> str:
    if len(forwarded) <= MAX_FORWARDED_CHARS:
        return forwarded
    return forwarded[-MAX_FORWARDED_CHARS:].partition(",")[2]


def _is_country(code: str) -> bool:
    return len(code) == 2 and code.isascii() and code.isalpha() and code not in _UNKNOWN_COUNTRIES


def is_from_this_machine(
    client: tuple[str, int] | None,
    headers: RawHeaders,
    server: tuple[str, int | None] | None = None,
) -> bool:
    """Whether a request came straight from a program on this machine, through no proxy.

    It came over loopback, or from the very address that it was sent to (`server`), and names this
    machine as its host: a page elsewhere whose name was bound to this address names itself.
    """
    address = _parse(client[0]) if client else None
    if address is None or any(
        name in _FORWARDED or name.startswith(_FORWARDED_PREFIX) for name, _value in headers
    ):
        return False
    own = _parse(server[0]) if server else None
    host = header_text(headers, b"host").lower()
    named = host.partition(":")[0] == "localhost" or _is_ours(_parse(host), own)
    return named and _is_ours(address, own)


def _is_ours(address: IpAddress | None, own: IpAddress | None) -> bool:
    return address is not None and (address.is_loopback or address == own)
