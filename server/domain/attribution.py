"""Where a visit came from: UTM parameters and click ids in an address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit, urlunsplit

UTM_FIELDS = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")

CLICK_ID_FIELDS = (
    "gclid",
    "gbraid",
    "wbraid",
    "dclid",
    "fbclid",
    "msclkid",
    "ttclid",
    "twclid",
    "li_fat_id",
    "igshid",
    "yclid",
)

MAX_VALUE_CHARS = 500


@dataclass(frozen=True, slots=True)
class Attribution:
    """UTM values and click ids by their parameter names; absent ones are left out."""

    utm: Mapping[str, str] = field(default_factory=dict)
    click_ids: Mapping[str, str] = field(default_factory=dict)

    def or_else(self, other: Attribution) -> Attribution:
        """This attribution, or the other one where this names no campaign and no click."""
        return Attribution(dict(self.utm or other.utm), dict(self.click_ids or other.click_ids))


def from_values(values: Mapping[str, str]) -> Attribution:
    """Pick the known parameters out of names and values."""
    return Attribution(
        utm={name: values[name][:MAX_VALUE_CHARS] for name in UTM_FIELDS if values.get(name)},
        click_ids={
            name: values[name][:MAX_VALUE_CHARS] for name in CLICK_ID_FIELDS if values.get(name)
        },
    )


def without_query(url: str) -> str:
    """An address without what follows its path, where click ids stand; "" for one unreadable."""
    try:
        return urlunsplit(urlsplit(url)._replace(query="", fragment=""))
    except ValueError:
        return ""


def from_url(url: str) -> Attribution:
    """Read an address's query; an address that cannot be read names nothing."""
    if "?" not in url:
        return Attribution()
    try:
        pairs = parse_qsl(urlsplit(url).query, max_num_fields=200)
    except ValueError:
        return Attribution()
    return from_values({name.lower(): value.replace("\x00", "") for name, value in pairs})
