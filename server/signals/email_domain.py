"""E-mail domain: throw-away, impossible and shared addresses."""

from server.domain.contact import parse_email
from server.domain.suspicion import Evidence, SignalFinding

DISPOSABLE_POINTS = 40
INVALID_POINTS = 20
ROLE_POINTS = 5


def assess(evidence: Evidence) -> SignalFinding | None:
    """Fires once, for the worst that the address shows. Free providers are no signal."""
    if not evidence.email:
        return None
    email = parse_email(evidence.email)
    if not email.valid:
        return _finding(INVALID_POINTS, "The e-mail address is not valid")
    if email.disposable:
        return _finding(DISPOSABLE_POINTS, f"{email.domain} gives out throw-away addresses")
    if email.role_account:
        return _finding(ROLE_POINTS, "The e-mail address belongs to a role, not a person")
    return None


def _finding(points: int, reason: str) -> SignalFinding:
    return SignalFinding("email_domain", points, reason)
