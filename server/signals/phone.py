"""Phone: a number that no network has."""

from server.domain.suspicion import Evidence, SignalFinding

POINTS = 15


def assess(evidence: Evidence) -> SignalFinding | None:
    """Fires when a number was given that is not possible."""
    if not evidence.phone or evidence.phone_possible:
        return None
    return SignalFinding("phone", POINTS, "The phone number is not a possible one")
