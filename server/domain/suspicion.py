"""The suspicion score: how far a lead is to be trusted. Nothing is dropped for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class SuspicionLabel(StrEnum):
    """Low < 30 <= Medium < 60 <= High."""

    LOW = "Low"
    MEDIUM = "Medium"
    HIGH = "High"


MEDIUM_FROM = 30
HIGH_FROM = 60
MAX_SCORE = 100


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that the signals look at, gathered before the lead is stored.

    Counts leave the lead itself out, but for `leads_from_address`. Times in milliseconds;
    None means not known. The fields about the network connection (address, agent, origin)
    are None for a partner's server, whose connection says nothing about the person.
    """

    session_matched: bool = False
    honeypot: str = ""
    time_to_submit_ms: int | None = None
    view_age_ms: int | None = None
    vpn_suspected: bool = False
    vpn_reason: str = ""
    duplicates_in_24_h: int = 0
    same_message_from_others_in_24_h: int = 0
    leads_from_address_in_5_min: int | None = None
    name: str = ""
    email: str = ""
    phone: str = ""
    phone_possible: bool = True
    phone_countries: tuple[str, ...] = ()
    message: str = ""
    country: str | None = None
    bot_reason: str = ""
    automation: bool = False
    unlisted_origin: str | None = None


@dataclass(frozen=True, slots=True)
class SignalFinding:
    """A signal that fired: its points and the reason, written for salespeople."""

    signal: str
    points: int
    reason: str


@dataclass(frozen=True, slots=True)
class Suspicion:
    """The findings and their capped sum."""

    score: int
    label: SuspicionLabel
    findings: tuple[SignalFinding, ...]


def label_of(score: int) -> SuspicionLabel:
    """The label of a score from 0 to 100."""
    if score >= HIGH_FROM:
        return SuspicionLabel.HIGH
    return SuspicionLabel.MEDIUM if score >= MEDIUM_FROM else SuspicionLabel.LOW


def total(findings: Iterable[SignalFinding | None]) -> Suspicion:
    """Add up what fired; the sum is capped at 100."""
    fired = tuple(finding for finding in findings if finding is not None)
    score = min(MAX_SCORE, sum(finding.points for finding in fired))
    return Suspicion(score, label_of(score), fired)
