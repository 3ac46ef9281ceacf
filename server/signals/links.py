"""Links: buyers seldom send any; a name never holds one."""

import re

from server.domain.suspicion import Evidence, SignalFinding

FEW_POINTS = 15
MANY, MANY_POINTS = 3, 30
NAME_POINTS = 40

# Bare domains count only under the common endings: "call me.so we talk" is no link. Endings
# that are words count only in lower case: in "the Marina.Top floor" a space is missing.
_LINK = re.compile(
    r"https?://|\bwww\.|(?<![@\w.-])[a-z0-9-]+(?:\.[a-z0-9-]+)*"
    r"\.(?:com|org|biz|ru|cn|xyz|(?-i:net|info|top|shop|online|site|club))\b(?!@)",
    re.IGNORECASE,
)
_WHOLE_LINK = re.compile(rf"(?:{_LINK.pattern})[^\s,;]*", re.IGNORECASE)
_MARKUP = re.compile(r"<[a-z!/]|\[url|\]\(", re.IGNORECASE)


def assess(evidence: Evidence) -> SignalFinding | None:
    """Fires for links in the message, and for a link or markup in a name."""
    if _LINK.search(evidence.name) or _MARKUP.search(evidence.name):
        return SignalFinding("links", NAME_POINTS, "The name holds a link or markup")
    count = len(_WHOLE_LINK.findall(evidence.message))
    if count == 0:
        return None
    points = MANY_POINTS if count >= MANY else FEW_POINTS
    links = "link" if count == 1 else "links"
    return SignalFinding("links", points, f"The message holds {count} {links}")
