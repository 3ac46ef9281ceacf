"""Time to submit: people need a while to fill in a form."""

from server.domain.suspicion import Evidence, SignalFinding

AT_ONCE_MS, AT_ONCE_POINTS = 2_000, 30
QUICK_MS, QUICK_POINTS = 5_000, 10


def assess(evidence: Evidence) -> SignalFinding | None:
    """Fires under 5 s; the form's claim is bounded by the page view's own age."""
    claimed = evidence.time_to_submit_ms
    if claimed is None:
        return None
    taken = claimed if evidence.view_age_ms is None else min(claimed, evidence.view_age_ms)
    if taken >= QUICK_MS:
        return None
    points = AT_ONCE_POINTS if taken < AT_ONCE_MS else QUICK_POINTS
    return SignalFinding("time_to_submit", points, f"Submitted after {taken // 100 / 10:.1f} s")
