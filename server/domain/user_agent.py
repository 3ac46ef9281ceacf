"""User agents: browser, system and device, and whether the agent calls itself a bot."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import crawleruseragents
import user_agents

CACHE_ENTRIES = 20_000
"""Parsing a new agent costs about a millisecond; a site meets a few thousand different ones."""

MAX_CHARS = 512


@dataclass(frozen=True, slots=True)
class Agent:
    """A parsed user agent; `bot_reason` is empty for a person's browser."""

    browser: str
    os: str
    device: str
    bot_reason: str


@lru_cache(CACHE_ENTRIES)
def parse(user_agent: str) -> Agent:
    """Parse a User-Agent header; never raises, whatever it says."""
    parsed = user_agents.parse(user_agent[:MAX_CHARS])
    if parsed.is_mobile:
        device = "mobile"
    elif parsed.is_tablet:
        device = "tablet"
    else:
        device = "desktop" if parsed.is_pc else "other"
    return Agent(
        browser=str(parsed.browser.family),
        os=str(parsed.os.family),
        device=device,
        bot_reason=_bot_reason(user_agent[:MAX_CHARS], is_bot=bool(parsed.is_bot)),
    )


def _bot_reason(user_agent: str, *, is_bot: bool) -> str:
    if is_bot or crawleruseragents.is_crawler(user_agent):
        return "the user agent names a crawler or a program"
    return ""


def bot_reason(user_agent: str, *, automation: bool, hosted: bool = False) -> str:
    """Why a beacon counts as a bot's, or "".

    The agent's own word is enough; otherwise two kinds of signal must agree (facts/tracking.md)
    of these: a driven browser, no user agent, a hosting network (`hosted`).
    """
    nameless = not user_agent.strip()
    if not nameless and (own_word := parse(user_agent).bot_reason):
        return own_word
    signals = [
        text
        for fires, text in (
            (automation, "a driven browser"),
            (nameless, "no user agent"),
            (hosted, "an address of a hosting network"),
        )
        if fires
    ]
    return " and ".join(signals) if len(signals) > 1 else ""
