"""What the form of a site says: its key, its name, its origins line by line; and what is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field

from server.domain.directory import MAX_NAME_CHARS, Site, origin_of
from server.domain.ids import ClientId
from server.web.dashboard.call import Call

MAX_KEY_CHARS = 40
MAX_ORIGINS = 100
MAX_FAULTS = 5
"""Of one list of origins: whoever pastes a novel need not read it back."""

_KEY_CHARS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.")


@dataclass(frozen=True, slots=True)
class SiteForm:
    """The texts of the form, to be shown again as they were."""

    site_key: str = ""
    name: str = ""
    origins: str = ""
    errors: dict[str, str] = field(default_factory=dict)

    def site(self, client_id: ClientId) -> Site:
        """The site that a form without errors describes."""
        origins = frozenset(filter(None, map(origin_of, _lines(self.origins))))
        return Site(self.site_key, client_id, self.name or None, origins)


def of_site(site: Site) -> SiteForm:
    """A site as its form shows it."""
    return SiteForm(site.site_key, site.name or "", "\n".join(sorted(site.allowed_origins)))


def read(call: Call, site_key: str | None = None) -> SiteForm:
    """What a form says; `site_key` is given for a site that is there already."""
    key = call.text("site_key") if site_key is None else site_key
    name, origins = call.text("name"), call.text("origins")
    faults = {
        "site_key": key_fault(key) if site_key is None else "",
        "name": f"has more than {MAX_NAME_CHARS} characters" if len(name) > MAX_NAME_CHARS else "",
        "origins": origins_fault(origins),
    }
    return SiteForm(key, name, origins, {name: fault for name, fault in faults.items() if fault})


def key_fault(key: str) -> str:
    """Why a site cannot have a key, "" when it can."""
    if not key:
        return "is missing"
    if len(key) > MAX_KEY_CHARS:
        return f"has more than {MAX_KEY_CHARS} characters"
    if not set(key) <= _KEY_CHARS:
        return "takes small letters, digits, “-”, “_” and “.” only"
    if not key[0].isalnum():
        return "must begin with a letter or a digit"
    return ""


def origins_fault(text: str) -> str:
    """What is wrong with the origins, each fault with its line, "" when nothing is."""
    lines = text.splitlines()
    faults = [
        f"Line {number}: {fault}."
        for number, line in enumerate(lines, 1)
        if line.strip() and (fault := _origin_fault(line.strip()))
    ]
    if len(faults) > MAX_FAULTS:
        faults = [*faults[:MAX_FAULTS], f"{len(faults) - MAX_FAULTS} more lines are wrong."]
    if not faults and len(_lines(text)) > MAX_ORIGINS:
        return f"are more than {MAX_ORIGINS}"
    return "\n".join(faults)


def _origin_fault(line: str) -> str:
    shown = line if len(line) <= 60 else line[:59] + "…"
    if origin_of(line):
        return ""
    if "*" in line:
        return f"“{shown}” has a *; each origin must be listed by itself"
    if "://" not in line:
        return f"“{shown}” must begin with https:// or http://"
    return f"“{shown}” is no address of a site, such as https://www.example.com"


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
