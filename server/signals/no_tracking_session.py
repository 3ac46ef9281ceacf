"""No tracking session: nothing is known of how the person behaved (points fixed by the spec)."""

from server.domain.suspicion import Evidence, SignalFinding

POINTS = 15


def assess(evidence: Evidence) -> SignalFinding | None:
    """Fires when no session was matched."""
    if evidence.session_matched:
        return None
    return SignalFinding("no_tracking_session", POINTS, "No tracked visit belongs to this lead")
