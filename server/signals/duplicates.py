"""Duplicates: the same contact again within a day."""

from server.domain.suspicion import Evidence, SignalFinding

POINTS_EACH = 10
CAP = 30


def assess(evidence: Evidence) -> SignalFinding | None:
    """Fires for earlier leads of the client with the same e-mail or phone."""
    count = evidence.duplicates_in_24_h
    if count == 0:
        return None
    points = min(CAP, POINTS_EACH * count)
    times = "time" if count == 1 else "times"
    reason = f"The same e-mail or phone came {count} {times} before in 24 h"
    return SignalFinding("duplicates", points, reason)
