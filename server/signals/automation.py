"""Automation: a program instead of a person's browser."""

from server.domain.suspicion import Evidence, SignalFinding

POINTS = 40


def assess(evidence: Evidence) -> SignalFinding | None:
    """Fires for the user agent of a bot, or a browser that says it is driven (webdriver)."""
    if evidence.bot_reason:
        return SignalFinding("automation", POINTS, f"Not a browser: {evidence.bot_reason}")
    if evidence.automation:
        return SignalFinding("automation", POINTS, "The browser was driven by a program")
    return None
