import pytest

from server.domain.network import truncated, vpn_reason
from server.domain.visitor import NetworkKind, Peer


def peer(kind: NetworkKind | None = None, network: str = "", country: str = "GB") -> Peer:
    return Peer("203.0.113.1", country, "Mozilla", network, kind)


def test_vpn_reason_of_an_ordinary_address_is_empty() -> None:
    assert vpn_reason("Europe/London", peer(network="Example Telecom")) == ""


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (NetworkKind.VPN, "address of a known VPN (Example Net)"),
        (NetworkKind.HOSTING, "address of a hosting network (Example Net)"),
    ],
)
def test_vpn_reason_of_a_listed_network_names_it(kind: NetworkKind, reason: str) -> None:
    assert vpn_reason("Europe/London", peer(kind, "Example Net")) == reason


def test_vpn_reason_of_a_listed_network_without_a_name_does_without() -> None:
    assert vpn_reason("", peer(NetworkKind.VPN)) == "address of a known VPN"


def test_vpn_reason_when_zone_and_network_agree_tells_both() -> None:
    reason = vpn_reason("Europe/London", peer(NetworkKind.VPN, country="AE"))
    assert reason.startswith("browser time zone Europe/London belongs to GB")
    assert reason.endswith("address to AE; address of a known VPN")


@pytest.mark.parametrize(
    ("ip", "kept"),
    [
        ("203.0.113.77", "203.0.113.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ("", ""),
    ],
)
def test_truncated_peer_keeps_network_and_country_only(ip: str, kept: str) -> None:
    peer = Peer(ip, "GB", "agent", "Example Net")
    assert truncated(peer) == Peer(kept, "GB", "agent", "Example Net")
