"""Country mismatch: kept low, since overseas buyers are normal in property."""

from server.domain.suspicion import Evidence, SignalFinding

POINTS = 5


def assess(evidence: Evidence) -> SignalFinding | None:
    """Fires when the phone's country is not the address's; both must be known."""
    countries, country = evidence.phone_countries, evidence.country
    if not countries or not country or country in countries:
        return None
    reason = f"Phone from {countries[0]}, address from {country}"
    return SignalFinding("country_mismatch", POINTS, reason)
