"""Repeated message: one text under several names is a campaign, not a buyer."""

from server.domain.suspicion import Evidence, SignalFinding

POINTS = 20


def assess(evidence: Evidence) -> SignalFinding | None:
    """Fires when another contact sent the same message within a day."""
    count = evidence.same_message_from_others_in_24_h
    if count == 0:
        return None
    contacts = "contact" if count == 1 else "contacts"
    reason = f"{count} other {contacts} sent the same message in 24 h"
    return SignalFinding("repeated_message", POINTS, reason)
