"""Velocity: many leads from one address in a short time."""

from server.domain.suspicion import Evidence, SignalFinding

POINTS = 20
MORE_THAN = 5


def assess(evidence: Evidence) -> SignalFinding | None:
    """Fires from the sixth lead of an address in 5 minutes, this one counted."""
    count = evidence.leads_from_address_in_5_min
    if count is None or count <= MORE_THAN:
        return None
    return SignalFinding("velocity", POINTS, f"{count} leads from this address in 5 min")
