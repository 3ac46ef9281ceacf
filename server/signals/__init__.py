"""Suspicion signals: each looks at one thing. A new one is a file and a line here."""

from collections.abc import Callable

from server.domain.suspicion import Evidence, SignalFinding
from server.signals import (
    automation,
    country_mismatch,
    duplicates,
    email_domain,
    honeypot,
    links,
    no_tracking_session,
    origin,
    phone,
    repeated_message,
    time_to_submit,
    velocity,
    vpn,
)

Signal = Callable[[Evidence], SignalFinding | None]

SIGNALS: tuple[Signal, ...] = (
    honeypot.assess,
    time_to_submit.assess,
    no_tracking_session.assess,
    vpn.assess,
    duplicates.assess,
    repeated_message.assess,
    email_domain.assess,
    phone.assess,
    automation.assess,
    links.assess,
    velocity.assess,
    country_mismatch.assess,
    origin.assess,
)
