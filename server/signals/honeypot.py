"""Honeypot: only programs fill a field that people cannot see."""

from server.domain.suspicion import Evidence, SignalFinding

POINTS = 60


def assess(evidence: Evidence) -> SignalFinding | None:
    """Fires when the hidden field came back filled."""
    if not evidence.honeypot:
        return None
    return SignalFinding("honeypot", POINTS, "The hidden trap field was filled in")
