"""A filled form (Typeform, Blush): who answered what, contact answers apart from the rest."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum
from itertools import islice
from typing import Any, NamedTuple

from server.domain.attribution import (
    CLICK_ID_FIELDS,
    UTM_FIELDS,
    Attribution,
    from_url,
    from_values,
)
from server.domain.contact import MIN_DIGITS
from server.domain.contact_role import Role, fits, role_of_name, role_of_title, split_name
from server.domain.ids import VisitorId, is_outside_id
from server.domain.lead import Channel
from server.domain.lead_fields import MAX_FIELDS
from server.domain.payload import MAX_TEXT_CHARS, object_of, squeeze, text_of

FULL_EVENT = "form_response"
"""The event type of a finished form; by the spec every other one is a partial response."""

MAX_ANSWERS = 500
MAX_READ = 10_000
"""How many answers are looked at for contact data; a megabyte of them takes under a second."""

MAX_EVENT_ID_CHARS = 128

UNSET_HIDDEN = "xxxxx"
"""What Typeform's share links put into each hidden field: it tells nothing of anybody."""

NEVER_CONTACT = frozenset({"boolean", "choice", "choices", "date", "file_url", "payment", "url"})
"""Kinds whose answers are no name, number or address, whatever their question is called."""

_TRACKING = frozenset({"visitorid", "sessionid", "pageurl", "referrer", "referer"})
_PIPED = re.compile(r"\{\{[^{}]*\}\}")
_EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_PHONE = re.compile(r"\+\d[\d\s().-]{7,18}\d")
_WITHHELD = "(withheld)"


@dataclass(frozen=True, slots=True)
class QuestionAnswer:
    """A question and its answer as texts of up to 2,000 characters.

    `kind` is the form's own name of the answer's type; `role` is set for a contact answer.
    """

    question: str
    answer: str
    kind: str
    role: Role | None = None


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """An answer as a channel read it, with all that may tell its role.

    `names` are the ids, refs and keys of its field; `typed` is the role that its type tells.
    """

    question: str
    answer: str
    kind: str
    names: tuple[str, ...] = ()
    typed: Role | None = None


@dataclass(frozen=True, slots=True)
class ResponseDraft:
    """What a form's webhook says, by our names. Texts are trimmed, "" when absent.

    `event_id` is never empty: the form's own, else a hash that a repeated delivery shares.
    `answers` are all but the contact answers; `contact_answers` also hold a second e-mail or
    name that somebody gave. Times are UTC.
    """

    channel: Channel
    event_id: str
    event_type: str
    form_id: str = ""
    token: str = ""
    response_url: str = ""
    title: str = ""
    landed_at: datetime | None = None
    submitted_at: datetime | None = None
    ending: str = ""
    score: float | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    hidden: Mapping[str, str] = field(default_factory=dict)
    visitor_id: VisitorId | None = None
    page_url: str = ""
    attribution: Attribution = field(default_factory=Attribution)
    email: str = ""
    phone: str = ""
    first_name: str = ""
    last_name: str = ""
    answers: tuple[QuestionAnswer, ...] = ()
    contact_answers: tuple[QuestionAnswer, ...] = ()

    @property
    def is_full(self) -> bool:
        """Whether the form was finished."""
        return self.event_type == FULL_EVENT

    @property
    def full_name(self) -> str:
        """First and last name as one text."""
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def response_key(self) -> tuple[str, str]:
        """What the partial and full events of one response share, as far as they tell.

        The form and its token; without a token the visitor, then the e-mail address, and at
        last the event alone.
        """
        if self.token:
            return self.form_id, self.token
        if self.visitor_id:
            return self.form_id, f"visitor:{self.visitor_id}"
        if self.email:
            return self.form_id, f"email:{self.email.lower()}"
        return self.form_id, f"event:{self.event_id}"

    def questions(self) -> tuple[tuple[str, str], ...]:
        """Questions and answers for a model: addresses and numbers in their texts are withheld."""
        return tuple(
            (self._withheld(qa.question), self._withheld(qa.answer)) for qa in self.answers
        )

    def _withheld(self, text: str) -> str:
        text = _PHONE.sub(_WITHHELD, _EMAIL.sub(_WITHHELD, text))
        for known in (self.email, self.phone):
            if len(known) >= MIN_DIGITS:  # nothing so short that it is part of other words
                text = text.replace(known, _WITHHELD)
        return text[:MAX_TEXT_CHARS]


class _Clue(IntEnum):
    """What told an answer's role; the first one that somebody answered wins."""

    MAPPED = 0
    TYPED = 1
    NAMED = 2
    TITLED = 3
    HIDDEN = 4


class _Claim(NamedTuple):
    clue: _Clue
    role: Role
    answer: str


def completed(
    envelope: ResponseDraft,
    given: Iterable[GivenAnswer],
    hidden: Mapping[str, str],
    roles: Mapping[str, str],
) -> ResponseDraft:
    """The draft of an envelope with answers and hidden fields understood.

    `roles` maps a role to the id, ref or title of its field, or to the name of a hidden one. Of
    equal answers to a question one is kept, of all answers the first 500.
    """
    mapped = _fields_of_roles(roles)
    told = [(answer, _clue(answer, mapped)) for answer in islice(given, MAX_READ) if answer.answer]
    claims = [_Claim(*clue, answer.answer) for answer, clue in told if clue]
    named = any(claim.role is Role.NAME for claim in claims)
    claims += _hidden_claims(hidden, mapped, named=named)
    best = {role: _best(claims, role) for role in Role}
    first_name, last_name = split_name(best[Role.NAME], best[Role.FIRST_NAME], best[Role.LAST_NAME])
    page_url = next((text for name, text in hidden.items() if squeeze(name) == "pageurl"), "")
    values = from_values({name.lower(): text for name, text in hidden.items()})
    return replace(
        envelope,
        hidden=hidden,
        visitor_id=_visitor_id(hidden),
        page_url=page_url,
        attribution=values.or_else(from_url(page_url)),
        email=best[Role.EMAIL],
        phone=best[Role.PHONE],
        first_name=first_name,
        last_name=last_name,
        answers=_kept(told, contact=False),
        contact_answers=_kept(told, contact=True),
    )


def _fields_of_roles(roles: Mapping[str, str]) -> dict[str, Role]:
    known = ((text_of(name), role_of_name(role)) for role, name in roles.items())
    return {name: role for name, role in known if name and role}


def _clue(given: GivenAnswer, mapped: Mapping[str, Role]) -> tuple[_Clue, Role] | None:
    """What tells the answer's role best, and the role; None for an answer to a real question."""
    if role := _first_role(mapped.get(name) for name in (*given.names, given.question.strip())):
        return _Clue.MAPPED, role
    if given.typed:
        return _Clue.TYPED, given.typed
    if given.kind in NEVER_CONTACT:
        return None
    if role := _first_role(role_of_name(name) for name in given.names):
        return _Clue.NAMED, role
    role = role_of_title(given.question)
    return (_Clue.TITLED, role) if role else None


def _first_role(roles: Iterable[Role | None]) -> Role | None:
    return next(filter(None, roles), None)


def _hidden_claims(
    hidden: Mapping[str, str], mapped: Mapping[str, Role], *, named: bool
) -> list[_Claim]:
    """What hidden fields tell; no part of a name where somebody gave their whole name."""
    claims = []
    for name, text in hidden.items():
        role = role_of_name(name)
        if name in mapped:
            claims.append(_Claim(_Clue.MAPPED, mapped[name], text))
        elif role and not (named and role in (Role.FIRST_NAME, Role.LAST_NAME)):
            claims.append(_Claim(_Clue.HIDDEN, role, text))
    return claims


def _best(claims: Sequence[_Claim], role: Role) -> str:
    """The answer of the best clue, of equal ones the first; "" where nobody answered."""
    fitting = [claim for claim in claims if claim.role is role and fits(role, claim.answer)]
    return min(fitting, key=lambda claim: claim.clue).answer if fitting else ""


def _kept(
    told: Iterable[tuple[GivenAnswer, tuple[_Clue, Role] | None]], *, contact: bool
) -> tuple[QuestionAnswer, ...]:
    unique = {
        QuestionAnswer(given.question, given.answer, given.kind, clue[1] if clue else None): None
        for given, clue in told
        if bool(clue) is contact
    }
    return tuple(islice(unique, MAX_ANSWERS))


def _visitor_id(hidden: Mapping[str, str]) -> VisitorId | None:
    ids = (text for name, text in hidden.items() if squeeze(name) == "visitorid")
    return next((VisitorId(text) for text in ids if is_outside_id(text)), None)


def question_of(*titles: str) -> str:
    """A question by its titles from the outermost on, "…" where one repeats an answer."""
    title = " – ".join(filter(None, titles))
    return " ".join(_PIPED.sub("…", title).split())[:MAX_TEXT_CHARS]


def hidden_fields(value: Any) -> dict[str, str]:
    """Hidden fields that were filled, as texts; up to 200."""
    texts = ((name, text_of(item)) for name, item in object_of(value).items())
    filled = ((name, text) for name, text in texts if text not in ("", UNSET_HIDDEN))
    return dict(islice(filled, MAX_FIELDS))


def is_tracking(name: str) -> bool:
    """Whether a field says where a response came from, nothing that somebody was asked."""
    return squeeze(name) in _TRACKING or name.lower() in (*UTM_FIELDS, *CLICK_ID_FIELDS)


def event_key(event_id: str, parts: Sequence[str], payload: Mapping[str, Any]) -> str:
    """An event's own id, else a hash that every delivery of the event shares.

    Hashed are the parts that name the event, or the whole payload when one of them is missing:
    two people must never become one event. An id too long to be one is hashed as well.
    """
    if event_id and len(event_id) <= MAX_EVENT_ID_CHARS:
        return event_id
    named: Any = [event_id] if event_id else parts if all(parts) else payload
    canonical = json.dumps(named, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"
