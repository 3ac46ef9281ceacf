"""Origin: the form stood on a site that is not the client's."""

from server.domain.suspicion import Evidence, SignalFinding

POINTS = 10


def assess(evidence: Evidence) -> SignalFinding | None:
    """Fires when a browser names an origin that is not on the site's list."""
    if not evidence.unlisted_origin:
        return None
    reason = f"Sent from {evidence.unlisted_origin}, which is not on the site's list"
    return SignalFinding("origin", POINTS, reason)
