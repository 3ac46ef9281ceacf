"""VPN: the browser's time zone and the address name different countries."""

from server.domain.suspicion import Evidence, SignalFinding

POINTS = 15


def assess(evidence: Evidence) -> SignalFinding | None:
    """Fires when the matched visitor was flagged."""
    if not evidence.vpn_suspected:
        return None
    return SignalFinding("vpn", POINTS, f"VPN suspected: {evidence.vpn_reason}")
