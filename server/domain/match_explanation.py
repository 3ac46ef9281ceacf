"""How a lead was matched to a visit and how sure that is, in words for salespeople."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.lead import WEBSITE, Channel
from server.domain.visitor import MatchKind


@dataclass(frozen=True, slots=True)
class MatchExplanation:
    """`sure` is one word or two, `reason` tells why, `advice` what to go by instead."""

    how: str
    sure: str
    reason: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class MatchFacts:
    """What a lead's row tells about its match; `signals` are the names of those that fired."""

    kind: str
    channel: str
    lead_source: str
    visitor_id: str
    consent: bool | None
    signals: frozenset[str]


_BY_VISITOR_ID = MatchExplanation(
    "By visitor id",
    "Sure",
    "The form carried the id that this browser keeps for the site, and the visit has the same one."
    " Only somebody who shares the browser could be mistaken for them.",
)

_BY_ADDRESS = MatchExplanation(
    "By internet address",
    "Likely, not sure",
    "The visitor id of the form had no visit (another device, or storage that was cleared), so"
    " this is the latest visit from the same internet address. Homes, offices and mobile networks"
    " share addresses: it may be somebody else's visit.",
    "Ask on the phone which homes they looked at before you rely on it.",
)

_ADVICE = (
    "No visit is no low score. Go by the enquiry itself: the message, the budget, how the contact"
    " looks, and the AI scores where there are some."
)


def explain_match(facts: MatchFacts) -> MatchExplanation:
    """How the visit was found, or why there is none."""
    if facts.kind == MatchKind.VISITOR_ID:
        return _BY_VISITOR_ID
    if facts.kind == MatchKind.IP:
        return _BY_ADDRESS
    return MatchExplanation("No tracked visit", "Not applicable", _why_none(facts), _ADVICE)


def _why_none(facts: MatchFacts) -> str:
    if facts.consent is False:
        return (
            "They refused to be tracked, or took their consent back. Nothing about their visit is"
            " used, and it must stay so."
        )
    if "automation" in facts.signals:
        return (
            "The browser that sent it behaves like a program. Visits of programs are not counted."
        )
    if facts.visitor_id:
        return (
            "It came with a visitor id, but no visit of that id or of its address is known: the"
            " tracker may have been blocked."
        )
    if facts.channel == Channel.API or facts.lead_source != WEBSITE:
        return f"It came from {facts.lead_source}, where nobody visits the site before enquiring."
    return "The form carried no visitor id: the tracker had not loaded, or the browser blocks it."
