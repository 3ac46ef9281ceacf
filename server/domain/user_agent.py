"""User agents: browser, system and device, and whether the agent calls itself a bot."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import crawleruseragents
import user_agents

CACHE_ENTRIES = 20_000
"""Parsing a new agent costs about a millisecond; a site meets a few thousand different ones."""

MAX_CHARS = 512

_DEVICES = {
    " Mobile MQQBrowser/": "mobile",  # WeChat's view on Android
    "; AFT": "other",  # Fire TV
    "SMART-TV": "other",
    "SmartTV": "other",
    "Tesla/": "other",
    "Xbox One": "other",
}
"""What tells the device where the parser takes it for another."""

_NO_CRAWLERS = (
    "AP3A.240617.008",  # Android 15 as OPPO, OnePlus, realme and Xiaomi build it
    "MetaIAB Facebook",  # Facebook's in-app browser
    " WhatsApp/",  # in-app browsers: their link previews put this name first
    " Viber",
    " Tumblr/",
    "SogouMSE",  # Sogou's browser and search app
    "SogouMobileBrowser",
    "SogouSearch",
    "Sonic Slack",  # Slack from the Windows store
    "Ultra Sonic",  # phones
    "HTC Butterfly",
    "HTC_Butterfly",
    "Fluid/",  # a site kept as a program on a Mac
)
"""What the list of crawlers takes for one although people use it."""

_PROGRAMS = (
    "Amazon-Route53",
    "ApacheBench",
    "Arachni",
    "Bun/",
    "Deno/",
    "ELB-HealthChecker",
    "FeedFetcher-Google",
    "GuzzleHttp",
    "Java-http-client",
    "Needle/",
    "Nuclei",
    "PHP/",
    "PostmanRuntime",
    "RestSharp",
    "go-resty",
    "hackney/",
    "kube-probe",
    "l9tcpid",
    "lua-resty-http",
    "node",
    "rest-client/",
    "undici",
)
"""How agents begin that the list of crawlers does not know."""

_MACHINES = (
    "Bluesky Cardyb",
    "DejaClick/",
    "DuplexWeb-Google",
    "Google Page Speed Insights",
    "Google Search Console",
    "Jorgee",
    "burpcollaborator.net",
    "google_partner_monitoring",
    "jsdom/",
)
"""What such agents hold that begin like a browser."""


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
    user_agent = user_agent[:MAX_CHARS]
    parsed = user_agents.parse(user_agent)
    return Agent(
        browser=str(parsed.browser.family),
        os=str(parsed.os.family),
        device=_device(user_agent, parsed),
        bot_reason=_bot_reason(user_agent, is_bot=bool(parsed.is_bot)),
    )


def _device(user_agent: str, parsed: Any) -> str:
    for name, device in _DEVICES.items():
        if name in user_agent:
            return device
    if parsed.is_mobile:
        return "mobile"
    if parsed.is_tablet:
        return "tablet"
    return "desktop" if parsed.is_pc else "other"


def _bot_reason(user_agent: str, *, is_bot: bool) -> str:
    if is_bot or _is_program(user_agent) or _is_crawler(user_agent):
        return "the user agent names a crawler or a program"
    return ""


def _is_program(user_agent: str) -> bool:
    return user_agent.startswith(_PROGRAMS) or any(name in user_agent for name in _MACHINES)


def _is_crawler(user_agent: str) -> bool:
    for name in _NO_CRAWLERS:
        user_agent = user_agent.replace(name, "")
    return bool(crawleruseragents.is_crawler(user_agent))


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
