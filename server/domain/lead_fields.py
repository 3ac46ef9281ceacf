"""The names a lead's fields go by, and how their values become a draft."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from server.domain.attribution import (
    CLICK_ID_FIELDS,
    UTM_FIELDS,
    Attribution,
    from_url,
    from_values,
)
from server.domain.errors import AppError, ErrorCode, FieldError, invalid_field
from server.domain.ids import SessionId, VisitorId, is_outside_id
from server.domain.lead import WEBSITE, Channel, LeadDraft

MAX_FIELDS = 200
MAX_DEPTH = 32
MAX_NAME_CHARS = 64
"""No known name is longer."""

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "name": ("name", "fullname", "yourname", "contactname"),
    "first_name": ("firstname", "fname", "givenname", "forename"),
    "last_name": ("lastname", "lname", "surname", "familyname"),
    "email": ("email", "emailaddress", "mail", "youremail"),
    "phone": ("phone", "phonenumber", "mobile", "mobilenumber", "tel", "telephone", "whatsapp"),
    "message": ("message", "comments", "comment", "enquiry", "inquiry", "yourmessage"),
    "project": ("project", "property", "projectname", "propertyname"),
    "lead_source": ("source", "leadsource"),
    "page_url": ("pageurl",),
    "referrer": ("referrer", "referer"),
    "visitor_id": ("visitorid",),
    "session_id": ("sessionid",),
    "site": ("site",),
    "submission_id": ("submissionid",),
    "native_id": ("leadgenid", "wamid", "whatsappmessageid", "messageid", "externalid"),
    "page_state": ("pgstate",),
    "consent": ("consent",),
    "redirect": ("redirect",),
    "honeypot": ("honeypot",),
    "time_to_submit": ("timetosubmit",),
}
"""Our name of a field → the names it is known by, squeezed to letters and digits."""

CONTROL_FIELDS = frozenset(
    {"visitor_id", "session_id", "submission_id", "page_state", "consent", "redirect"}
)
"""Known only with their leading underscores: a form may have its own field named consent."""

NEVER_EXTRA = CONTROL_FIELDS | {"honeypot", "time_to_submit"}
"""Say something about the sending of a lead, nothing about the person."""

TEXT_FIELDS = ("name", "first_name", "last_name", "email", "phone", "message", "project")

_SQUEEZE = re.compile(r"[^a-z0-9]")
_OUR_NAMES = {alias: name for name, aliases in SYNONYMS.items() for alias in aliases}
_QUERY_NAMES = frozenset((*UTM_FIELDS, *CLICK_ID_FIELDS))
_YES = frozenset({"1", "true", "yes", "on", "y", "granted", "accepted"})
_NO = frozenset({"0", "false", "no", "off", "n", "denied", "refused"})


def our_name(field: str) -> str | None:
    """Our name of a field as it was sent, or None for one we do not know."""
    return _our_name(field) if len(field) <= MAX_NAME_CHARS else None


@lru_cache(1_000)
def _our_name(field: str) -> str | None:
    lowered = field.strip().lower()
    if lowered in _QUERY_NAMES:
        return lowered
    name = _OUR_NAMES.get(_SQUEEZE.sub("", lowered))
    if name in CONTROL_FIELDS and not lowered.startswith("_"):
        return None
    return name


def known_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The known fields by our names; the first that says something wins."""
    known: dict[str, Any] = {}
    for field, value in fields.items():
        name = our_name(field)
        if name is not None and name not in known and _says_something(name, value):
            known[name] = value
    return known


def _says_something(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return name in ("consent", "honeypot")
    if isinstance(value, dict):
        return name == "page_state"
    return plain(value) != ""


def draft(fields: Mapping[str, Any], channel: Channel) -> LeadDraft:
    """Read a lead's fields; raises AppError (invalid) naming each field at fault.

    Refused are only a lead without any e-mail or phone, and one over a limit: a malformed
    value is kept as given (in `extra` where it is no text), a malformed id counts as none.
    """
    _check_limits(fields)
    known = known_fields(fields)
    texts = {name: plain(known.get(name)) for name in TEXT_FIELDS}
    if not texts["email"] and not texts["phone"]:
        raise AppError(
            ErrorCode.INVALID,
            "A lead needs an e-mail address or a phone number",
            FieldError("email", "give an e-mail address or a phone number"),
            FieldError("phone", "give a phone number or an e-mail address"),
        )
    page_url = plain(known.get("page_url"))
    values = from_values({name: plain(known.get(name)) for name in _QUERY_NAMES})
    visitor_id, session_id = plain(known.get("visitor_id")), plain(known.get("session_id"))
    submission_id = plain(known.get("submission_id"))
    return LeadDraft(
        channel=channel,
        lead_source=plain(known.get("lead_source")) or WEBSITE,
        **texts,
        page_url=page_url,
        referrer=plain(known.get("referrer")),
        attribution=Attribution.or_else(values, from_url(page_url)),
        consent=_yes_or_no(known.get("consent")),
        visitor_id=VisitorId(visitor_id) if is_outside_id(visitor_id) else None,
        session_id=SessionId(session_id) if is_outside_id(session_id) else None,
        site=plain(known.get("site")),
        native_id=plain(known.get("native_id")),
        submission_id=submission_id if is_outside_id(submission_id) else "",
        page_state=_page_state(known.get("page_state")),
        honeypot=_trap(known.get("honeypot")),
        time_to_submit_ms=_milliseconds(known.get("time_to_submit")),
        redirect=plain(known.get("redirect")),
        extra=_extra(fields, known),
    )


def _check_limits(fields: Mapping[str, Any]) -> None:
    if len(fields) > MAX_FIELDS:
        raise invalid_field("body", f"has more than {MAX_FIELDS} fields")
    check_nesting(fields)


def check_nesting(fields: Mapping[str, Any]) -> None:
    """Raises AppError (invalid) naming a field that is nested too deep to be walked."""
    for field, value in fields.items():
        if _is_deeper(value, MAX_DEPTH):
            raise invalid_field(field, f"is nested deeper than {MAX_DEPTH} levels")


def _is_deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    if levels == 0:
        return True
    inner = value.values() if isinstance(value, dict) else value
    return any(_is_deeper(item, levels - 1) for item in inner)


def plain(value: Any) -> str:
    """A value as trimmed text, of a list the first that has one; "" for what has no text form."""
    if isinstance(value, list):
        return next((text for item in value if (text := plain(item))), "")
    if value is None or isinstance(value, dict | bool):
        return ""
    return str(value).strip()


def _page_state(value: Any) -> str:
    """As text, also where a JSON body holds it as an object."""
    return json.dumps(value) if isinstance(value, dict) else plain(value)


def _trap(value: Any) -> str:
    """What filled the honeypot; a flag or number of a partner says whether something did."""
    if isinstance(value, bool | int | float):
        return str(value) if value else ""
    return plain(value)


def _milliseconds(value: Any) -> int | None:
    """Whole milliseconds of 0 or more, else None."""
    try:
        return max(0, int(float(plain(value))))
    except (ValueError, OverflowError):
        return None


def _yes_or_no(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    text = plain(value).lower()
    return True if text in _YES else (False if text in _NO else None)


def _extra(fields: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Every field not known by name, and known ones that say more than was read of them."""
    return {
        field: value
        for field, value in fields.items()
        if value not in ("", None) and not _is_told(our_name(field), value, known)
    }


def _is_told(name: str | None, value: Any, known: Mapping[str, Any]) -> bool:
    """Whether the draft holds all that a field says."""
    if name is None or name == "native_id":
        return False
    if name in NEVER_EXTRA:
        return True
    items = value if isinstance(value, list) and value else [value]
    told = ("", plain(known.get(name)))
    return all(_is_text(item) and plain(item) in told for item in items)


def _is_text(value: Any) -> bool:
    return not isinstance(value, list | dict | bool)
