"""What an address's network says of the person behind it."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from functools import lru_cache

from server.domain import timezone as timezones
from server.domain.visitor import NetworkKind, Peer


def vpn_reason(timezone: str, peer: Peer) -> str:
    """Why a visitor may hide behind a VPN, or "" when nothing says so.

    A hosting network and a foreign time zone are mostly one fact told twice: either is enough,
    and both count once (facts/suspicion-signals.md).
    """
    named = f" ({peer.network})" if peer.network else ""
    reasons = [timezones.mismatch_reason(timezone, peer.country)]
    if peer.network_kind is NetworkKind.VPN:
        reasons.append(f"address of a known VPN{named}")
    elif peer.network_kind is NetworkKind.HOSTING:
        reasons.append(f"address of a hosting network{named}")
    return "; ".join(filter(None, reasons))


@lru_cache(20_000)
def truncated(peer: Peer) -> Peer:
    """The peer with its address cut to the network: IPv4 to /24, IPv6 to /48.

    Country and network were told from the whole address.
    """
    if not peer.ip:
        return peer
    bits = 48 if ":" in peer.ip else 24
    network = ipaddress.ip_network(f"{peer.ip}/{bits}", strict=False)
    return replace(peer, ip=str(network.network_address))
