"""Masking: a form's texts without contact data and invisible characters. It knows no model."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator

MAX_RAW_CHARS = 8_000
"""Of a text as it came: four times what a model gets to see, so that work is bounded."""

MIN_NAME_CHARS = 2
MIN_NAME_PART_CHARS = 3
"""Of a name in several words; shorter ones ("de", "al") are words of many languages."""

MIN_PHONE_DIGITS = 9
MIN_INTERNATIONAL_DIGITS = 8

_URL_WITH_USER = re.compile(r"\b[a-z][a-z0-9+.-]{0,20}://[^\s/@]{1,200}@\S+", re.IGNORECASE)
_EMAIL = re.compile(r"[^\s@<>\"'(),;:]{1,64}(?:@|%40)[\w.-]{1,253}\.[^\W\d_]{2,63}")
_NO_DATE = r"(?!\d{4}([-.])\d\d?\1\d\d?(?!\d)|\d\d?([-.])\d\d?\2\d{4}(?!\d))"
_NUMBER = re.compile(
    rf"(?<![\w$€£])(?<!\d[.,])(?:\+ ?)?\(?{_NO_DATE}\d+(?:[ ().-]{{1,2}}\d+)*(?!\w|,\d)"
)
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co"})


def cleaned(text: str) -> str:
    """A text in its plainest form: compatibility characters folded, invisible ones removed.

    Zero-width, direction and tag characters hide instructions, and split what is to be masked.
    """
    folded = unicodedata.normalize("NFKC", text[:MAX_RAW_CHARS])
    spaced = (" " if character.isspace() else character for character in folded)
    shown = (one for one in spaced if unicodedata.category(one) not in _INVISIBLE)
    return " ".join("".join(shown).split())


def masker(names: Collection[str]) -> Callable[[str], str]:
    """What cleans a text, and masks e-mail addresses, phone numbers, logins in URLs and `names`."""
    pattern = _names_pattern(names)

    def mask(text: str) -> str:
        text = _URL_WITH_USER.sub("[link]", cleaned(text))
        text = _NUMBER.sub(_without_phone, _EMAIL.sub("[e-mail]", text))
        return pattern.sub("[name]", text) if pattern else text

    return mask


def _without_phone(number: re.Match[str]) -> str:
    """Phone numbers are masked, amounts and dates are not: the scores live on these.

    A phone number begins with a plus or a nought, or it is long and no round sum.
    """
    groups = re.findall(r"\d+", number[0])
    digits = "".join(groups)
    if number[0].startswith("+"):
        return "[phone]" if len(digits) >= MIN_INTERNATIONAL_DIGITS else number[0]
    is_sum = int(digits[0]) > 0 and digits[-3:].isdecimal() and int(digits[-3:]) == 0
    is_in_thousands = not (len(groups) > 2 and len(groups[-1]) == 4)
    if len(digits) < MIN_PHONE_DIGITS or (is_sum and is_in_thousands):
        return number[0]
    return "[phone]"


def _names_pattern(names: Collection[str]) -> re.Pattern[str] | None:
    parts = {part for name in names for part in _parts(cleaned(name))}
    if not parts:
        return None
    longest_first = sorted(parts, key=lambda part: (-len(part), part))
    alternatives = "|".join(map(re.escape, longest_first))
    return re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)", re.IGNORECASE)


def _parts(name: str) -> Iterator[str]:
    """A name as a whole, and each of its longer words."""
    if len(name) >= MIN_NAME_CHARS:
        yield name
    yield from (part for part in name.split() if len(part) >= MIN_NAME_PART_CHARS)
