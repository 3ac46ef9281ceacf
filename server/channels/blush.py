"""Blush (client 30): flat JSON whose format is private; docs/blush.md says how it is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from server.domain.contact_role import role_of_name
from server.domain.errors import invalid_field
from server.domain.form_response import (
    FULL_EVENT,
    GivenAnswer,
    ResponseDraft,
    completed,
    hidden_fields,
    is_tracking,
    question_of,
)
from server.domain.form_response import event_key as key_of
from server.domain.lead import Channel
from server.domain.payload import (
    MAX_TEXT_CHARS,
    moment_of,
    number,
    object_of,
    objects_of,
    redacted,
    squeeze,
    text_of,
    text_of_any,
)

__all__ = ["event_key", "parse", "redacted"]

_ENVELOPE: Mapping[str, tuple[str, ...]] = {
    "event_id": ("eventid",),
    "event_type": ("eventtype", "event"),
    "form_id": ("formid",),
    "title": ("formtitle", "formname"),
    "token": ("token", "responseid", "submissionid"),
    "landed_at": ("landedat", "startedat"),
    "submitted_at": ("submittedat", "completedat", "createdat", "timestamp"),
    "response_url": ("responseurl",),
    "ending": ("ending",),
    "score": ("score",),
    "client_id": ("clientid",),
}
"""What says something about the response itself → its keys, squeezed to letters and digits."""

_Pair = tuple[str, Any]
_FULL = squeeze(FULL_EVENT)
_OUR_NAMES = {key: name for name, keys in _ENVELOPE.items() for key in keys}
_HIDDEN = frozenset({"hidden", "hiddenfields"})
_ANSWERS = frozenset({"answers", "responses", "questions", "fields"})
_WRAPPERS = frozenset(
    {
        "contact",
        "contactinfo",
        "customer",
        "data",
        "formresponse",
        "lead",
        "payload",
        "person",
        "respondent",
        "response",
        "user",
    }
)
"""Objects whose fields are read as if they stood outside."""

_QUESTION_KEYS = ("question", "title", "label", "name", "key", "field", "ref", "id")
_NAME_KEYS = ("id", "ref", "key", "name", "field")
_ANSWER_KEYS = ("answer", "value", "response", "answers", "values")

_KINDS: Mapping[type, str] = {
    bool: "boolean",
    int: "number",
    float: "number",
    list: "list",
    dict: "json",
}


def parse(payload: Mapping[str, Any], roles: Mapping[str, str]) -> ResponseDraft:
    """Read a payload; `roles` maps a role to a key, or to the question of an answer.

    Raises AppError (invalid) for what is no object, and for one that names nobody and answers
    nothing: its sender should hear that it was not understood.
    """
    payload = redacted(payload)
    fields = list(_fields(payload))
    given = (answer for name, value in fields for answer in _given(name, value))
    draft = completed(_envelope(payload, fields), given, _hidden(fields), roles)
    if not (draft.answers or draft.contact_answers or draft.hidden):
        raise invalid_field("body", "holds no answer and no contact that we know how to read")
    return draft


def event_key(payload: Mapping[str, Any]) -> str:
    """What every delivery of one event shares; raises AppError for what is no object."""
    payload = redacted(payload)
    return _envelope(payload, list(_fields(payload))).event_id


def _fields(payload: Mapping[str, Any]) -> Iterator[_Pair]:
    """Every field with its name, those of wrapping objects as well."""
    for name, value in payload.items():
        if squeeze(name) in _WRAPPERS and isinstance(value, dict):
            yield from _fields(value)
        else:
            yield name, value


def _envelope(payload: Mapping[str, Any], fields: Sequence[_Pair]) -> ResponseDraft:
    known: dict[str, Any] = {}
    for name, value in fields:
        if value not in (None, ""):
            known.setdefault(_OUR_NAMES.get(squeeze(name), ""), value)
    texts = {name: text_of(known.get(name)) for name in _ENVELOPE}
    event_type = FULL_EVENT if squeeze(texts["event_type"]) == _FULL else texts["event_type"]
    parts = (texts["form_id"], texts["token"], texts["submitted_at"], event_type)
    return ResponseDraft(
        channel=Channel.BLUSH,
        event_id=key_of(texts["event_id"], parts, payload),
        event_type=event_type,
        form_id=texts["form_id"],
        token=texts["token"],
        response_url=texts["response_url"],
        title=texts["title"],
        landed_at=moment_of(known.get("landed_at")),
        submitted_at=moment_of(known.get("submitted_at")),
        ending=texts["ending"],
        score=number(known.get("score")),
    )


def _hidden(fields: Iterable[_Pair]) -> dict[str, str]:
    hidden: dict[str, Any] = {}
    for name, value in fields:
        if squeeze(name) in _HIDDEN:
            hidden.update(object_of(value))
        elif is_tracking(name):
            hidden.setdefault(name, value)
    return hidden_fields(hidden)


def _given(name: str, value: Any) -> Iterator[GivenAnswer]:
    """The answers that a field holds: none, one, or a whole list or object of them."""
    squeezed = squeeze(name)
    if squeezed in _OUR_NAMES or squeezed in _HIDDEN or is_tracking(name):
        return
    if squeezed in _ANSWERS and isinstance(value, list):
        yield from map(_listed, objects_of(value))
    elif squeezed in _ANSWERS and isinstance(value, dict):
        yield from (_flat(question, answer) for question, answer in value.items())
    else:
        yield _flat(name, value)


def _flat(name: str, value: Any) -> GivenAnswer:
    question = question_of(text_of(name))
    return GivenAnswer(question, _text(value), _KINDS.get(type(value), "text"), (name, question))


def _listed(fields: Mapping[str, Any]) -> GivenAnswer:
    item = {squeeze(name): value for name, value in fields.items()}
    question = question_of(_first_text(item, _QUESTION_KEYS))
    value = next((item[key] for key in _ANSWER_KEYS if item.get(key) not in (None, "")), None)
    kind = text_of(item.get("type"))
    names = (*(text_of(item.get(key)) for key in _NAME_KEYS), question)
    return GivenAnswer(
        question=question,
        answer=_text(value),
        kind=kind or _KINDS.get(type(value), "text"),
        names=tuple(filter(None, names)),
        typed=role_of_name(kind),
    )


def _first_text(item: Mapping[str, Any], keys: Iterable[str]) -> str:
    return next(filter(None, (text_of(item.get(key)) for key in keys)), "")


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(filter(None, map(text_of_any, value)))[:MAX_TEXT_CHARS]
    return text_of_any(value)
