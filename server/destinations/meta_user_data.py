"""User data as Meta matches it: each field normalised by its documentation, then hashed.

Nothing here raises; what cannot be read is left out rather than guessed. The rules are those of
facts/meta-conversions-api.md and Meta's page "Customer Information Parameters".
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date
from ipaddress import IPv6Address, ip_address

from server.domain.contact import is_region, parse_phone
from server.domain.conversion import UserData, is_meta_cookie

_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_BIRTH_DATE = re.compile(r"([0-9]{4})[-/. ]?([0-9]{2})[-/. ]?([0-9]{2})")
_FIRST_YEAR = 1900
_US_ZIP = re.compile(r"[0-9]{5}")
_LEAD_ID = re.compile(r"[1-9][0-9]{0,18}")
_US = "us"

_VARIATION_SELECTORS = re.compile("[\ufe00-\ufe0f]")
"""Ask for the colours of an emoji; marks by their category, unlike all else nobody sees."""

GENDERS: Mapping[str, str] = {"f": "f", "female": "f", "m": "m", "male": "m"}

US_STATES: Mapping[str, str] = {
    "alabama": "al",
    "alaska": "ak",
    "arizona": "az",
    "arkansas": "ar",
    "california": "ca",
    "colorado": "co",
    "connecticut": "ct",
    "delaware": "de",
    "districtofcolumbia": "dc",
    "florida": "fl",
    "georgia": "ga",
    "hawaii": "hi",
    "idaho": "id",
    "illinois": "il",
    "indiana": "in",
    "iowa": "ia",
    "kansas": "ks",
    "kentucky": "ky",
    "louisiana": "la",
    "maine": "me",
    "maryland": "md",
    "massachusetts": "ma",
    "michigan": "mi",
    "minnesota": "mn",
    "mississippi": "ms",
    "missouri": "mo",
    "montana": "mt",
    "nebraska": "ne",
    "nevada": "nv",
    "newhampshire": "nh",
    "newjersey": "nj",
    "newmexico": "nm",
    "newyork": "ny",
    "northcarolina": "nc",
    "northdakota": "nd",
    "ohio": "oh",
    "oklahoma": "ok",
    "oregon": "or",
    "pennsylvania": "pa",
    "puertorico": "pr",
    "rhodeisland": "ri",
    "southcarolina": "sc",
    "southdakota": "sd",
    "tennessee": "tn",
    "texas": "tx",
    "utah": "ut",
    "vermont": "vt",
    "virginia": "va",
    "washington": "wa",
    "westvirginia": "wv",
    "wisconsin": "wi",
    "wyoming": "wy",
}


def user_data_of(user: UserData) -> dict[str, object]:
    """Meta's `user_data`: hashed fields as lists of one, as its own SDK sends them."""
    hashed = {
        "em": normal_email(user.email),
        "ph": normal_phone(user.phone, user.phone_region),
        "fn": normal_name(user.first_name),
        "ln": normal_name(user.last_name),
        "ct": normal_place(user.city),
        "st": normal_state(user.state, user.country),
        "zp": normal_zip_code(user.zip_code, user.country),
        "country": normal_country(user.country),
        "db": normal_birth_date(user.birth_date),
        "ge": normal_gender(user.gender),
        "external_id": visible(user.external_id).strip(),
    }
    fields: dict[str, object] = {key: [sha256(text)] for key, text in hashed.items() if text}
    return fields | {key: value for key, value in _in_clear(user).items() if value}


def _in_clear(user: UserData) -> dict[str, object]:
    """What Meta wants unhashed."""
    return {
        "client_ip_address": normal_ip(user.client_ip),
        "client_user_agent": visible(user.client_user_agent).strip(),
        "fbc": user.fbc if is_meta_cookie(user.fbc) else "",
        "fbp": user.fbp if is_meta_cookie(user.fbp) else "",
        "lead_id": int(user.lead_id) if _LEAD_ID.fullmatch(user.lead_id) else "",
    }


def sha256(text: str) -> str:
    """SHA-256 of the UTF-8 form, in lower-case hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def visible(text: str) -> str:
    """The text in NFC without what nobody sees and no one types: direction marks, surrogates."""
    return _composed(
        character
        for character in _VARIATION_SELECTORS.sub("", text)
        if character.isspace() or not unicodedata.category(character).startswith("C")
    )


def normal_email(text: str) -> str:
    """Trimmed, in lower case; "" for what is not of the form of an address."""
    address = _lowered(text).strip()
    return address if _EMAIL.fullmatch(address) else ""


def normal_phone(text: str, default_region: str | None) -> str:
    """Digits with the country code; "" for a number that cannot be told with certainty."""
    return parse_phone(text, default_region).e164.removeprefix("+")


def normal_name(text: str) -> str:
    """In lower case without punctuation and symbols; accents and single spaces stay."""
    letters = (letter for letter in _lowered(text) if letter.isspace() or _is_word(letter))
    return " ".join(_composed(letters).split())


def normal_place(text: str) -> str:
    """In lower case without spaces, punctuation and symbols."""
    return _composed(letter for letter in _lowered(text) if _is_word(letter))


def normal_state(text: str, country: str) -> str:
    """The two letters of a state of the United States ("" for none); elsewhere like a city."""
    state = normal_place(text)
    if normal_country(country) != _US:
        return state
    return state if state in US_STATES.values() else US_STATES.get(state, "")


def normal_zip_code(text: str, country: str) -> str:
    """Without spaces and dashes; in the United States the first five digits ("" without them)."""
    code = normal_place(text)
    if normal_country(country) != _US:
        return code
    digits = _US_ZIP.match(code)
    return digits[0] if digits else ""


def normal_country(text: str) -> str:
    """Two letters in lower case (ISO 3166: gb, not uk); "" for anything else."""
    code = _lowered(text).strip()
    return code if code.isascii() and is_region(code.upper()) else ""


def normal_birth_date(text: str) -> str:
    """YYYYMMDD; "" for other orders, which are ambiguous, and days that never were."""
    parts = _BIRTH_DATE.fullmatch(visible(text).strip())
    if parts is None or int(parts[1]) < _FIRST_YEAR:
        return ""
    try:
        date(int(parts[1]), int(parts[2]), int(parts[3]))
    except ValueError:
        return ""
    return "".join(parts.groups())


def normal_gender(text: str) -> str:
    """`f` or `m`; "" for anything else."""
    return GENDERS.get(_lowered(text).strip(), "")


def normal_ip(text: str) -> str:
    """An IPv4 or IPv6 address, an IPv4 one out of its IPv6 wrapping; "" for anything else."""
    try:
        address = ip_address(text.strip())
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        if address.scope_id:
            return ""
        return str(address.ipv4_mapped or address)
    return str(address)


def _lowered(text: str) -> str:
    return _composed(visible(text).lower())


def _composed(characters: Iterable[str]) -> str:
    """The characters as one text in NFC: leaving some out can bring an accent to its letter."""
    return unicodedata.normalize("NFC", "".join(characters))


def _is_word(character: str) -> bool:
    """Whether it is a letter, the mark of one, or a digit."""
    return unicodedata.category(character)[0] in "LMN"
