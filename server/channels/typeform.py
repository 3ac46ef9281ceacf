"""Typeform's webhook: a finished form, or what somebody has answered of one so far."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from server.domain.contact_role import Role, role_of_name
from server.domain.errors import invalid_field
from server.domain.form_response import (
    GivenAnswer,
    ResponseDraft,
    completed,
    hidden_fields,
    question_of,
)
from server.domain.form_response import event_key as key_of
from server.domain.lead import Channel
from server.domain.payload import (
    MAX_TEXT_CHARS,
    clean_text,
    list_of,
    moment_of,
    number,
    object_of,
    objects_of,
    redacted,
    text_of,
    text_of_any,
)

__all__ = ["event_key", "parse", "redacted"]

_ROLES_OF_TYPES: Mapping[str, Role] = {"email": Role.EMAIL, "phone_number": Role.PHONE}

_TITLED_PARTS = frozenset({"matrix", "address"})
"""Fields whose parts ("Schools", "City") ask nothing without the title above them."""


@dataclass(frozen=True, slots=True)
class _Field:
    """A question as the form defines it."""

    title: str = ""
    type: str = ""
    subfield_key: str = ""


def parse(payload: Mapping[str, Any], roles: Mapping[str, str]) -> ResponseDraft:
    """Read a webhook's payload; `roles` maps a role to the id or ref of its field.

    Raises AppError (invalid) for a payload without a form_response object. Whatever else has
    not the shape that Typeform documents is passed over.
    """
    payload = redacted(payload)
    response = payload.get("form_response")
    if not isinstance(response, dict):
        raise invalid_field("form_response", "must be an object")
    envelope = _envelope(payload, response)
    return completed(envelope, _given(response), hidden_fields(response.get("hidden")), roles)


def event_key(payload: Mapping[str, Any]) -> str:
    """What every delivery of one event shares; raises AppError for what is no object."""
    return _event_key(redacted(payload))


def _event_key(payload: Mapping[str, Any]) -> str:
    response = object_of(payload.get("form_response"))
    parts = [text_of(response.get(name)) for name in ("form_id", "token", "submitted_at")]
    return key_of(text_of(payload.get("event_id")), [*parts, _event_type(payload)], payload)


def _event_type(payload: Mapping[str, Any]) -> str:
    return text_of(payload.get("event_type"))


def _envelope(payload: Mapping[str, Any], response: Mapping[str, Any]) -> ResponseDraft:
    ending = object_of(response.get("ending"))
    return ResponseDraft(
        channel=Channel.TYPEFORM,
        event_id=_event_key(payload),
        event_type=_event_type(payload),
        form_id=text_of(response.get("form_id")),
        token=text_of(response.get("token")),
        response_url=text_of(response.get("response_url")),
        title=text_of(object_of(response.get("definition")).get("title")),
        landed_at=moment_of(response.get("landed_at")),
        submitted_at=moment_of(response.get("submitted_at")),
        ending=text_of(ending.get("ref")) or text_of(ending.get("id")),
        score=number(object_of(response.get("calculated")).get("score")),
        variables=_variables(response.get("variables")),
    )


def _variables(listed: Any) -> dict[str, str]:
    values = {
        text_of(variable.get("key")): text_of(variable.get(text_of(variable.get("type"))))
        for variable in objects_of(listed)
    }
    return {key: value for key, value in values.items() if key and value}


def _given(response: Mapping[str, Any]) -> Iterator[GivenAnswer]:
    defined = dict(_definition(object_of(response.get("definition")).get("fields")))
    for answer in objects_of(response.get("answers")):
        asked = object_of(answer.get("field"))
        names = tuple(filter(None, (text_of(asked.get("id")), text_of(asked.get("ref")))))
        field = next((defined[name] for name in names if name in defined), _Field())
        kind = _kind(answer)
        if kind == "contact_info":
            yield from _contact_info(object_of(answer[kind]))
        else:
            yield GivenAnswer(
                question=field.title or next(reversed(names), ""),
                answer=_text(kind, answer.get(kind)),
                kind=kind,
                names=names,
                typed=_typed_role(field, kind, text_of(asked.get("type"))),
            )


def _definition(fields: Any, above: str = "") -> Iterator[tuple[str, _Field]]:
    """Every question under its id and its ref, also those inside groups and the like."""
    for field in objects_of(fields):
        kind, title = text_of(field.get("type")), question_of(above, text_of(field.get("title")))
        found = _Field(title, kind, text_of(field.get("subfield_key")))
        yield text_of(field.get("ref")), found
        yield text_of(field.get("id")), found
        parts = object_of(field.get("properties")).get("fields")
        yield from _definition(parts, title if kind in _TITLED_PARTS else "")


def _kind(answer: Mapping[str, Any]) -> str:
    """The key of the answer's value: what `type` names, else the first that we know."""
    kind = text_of(answer.get("type"))
    return kind if kind in answer else next((key for key in _TEXTS if key in answer), "")


def _typed_role(field: _Field, *types: str) -> Role | None:
    """The role that a part of a contact question has, or that a type tells by itself."""
    roles = (_ROLES_OF_TYPES.get(kind) for kind in (*types, field.type))
    return role_of_name(field.subfield_key) or next(filter(None, roles), None)


def _contact_info(parts: Mapping[str, Any]) -> Iterator[GivenAnswer]:
    for name, value in parts.items():
        yield GivenAnswer(name, text_of_any(value), "contact_info", (name,), role_of_name(name))


def _choice(value: Any) -> str:
    choice = object_of(value)
    return text_of(choice.get("label")) or text_of(choice.get("other"))


def _choices(value: Any) -> str:
    chosen = object_of(value)
    labels = (*list_of(chosen.get("labels")), chosen.get("other"))
    return ", ".join(filter(None, map(text_of, labels)))


def _boolean(value: Any) -> str:
    return text_of_any(value) if isinstance(value, bool) else ""


def _file(value: Any) -> str:
    path = text_of(value).partition("?")[0]
    name = clean_text(unquote(path.rpartition("/")[2]))
    return f"(file) {name}".strip() if path else ""


def _payment(value: Any) -> str:
    return text_of(object_of(value).get("amount"))


_TEXTS: Mapping[str, Callable[[Any], str]] = {
    "text": text_of,
    "email": text_of,
    "phone_number": text_of,
    "number": text_of,
    "boolean": _boolean,
    "date": text_of,
    "choice": _choice,
    "choices": _choices,
    "url": text_of,
    "file_url": _file,
    "payment": _payment,
}
"""How the value of an answer's type becomes a text; any other type stays compact JSON."""


def _text(kind: str, value: Any) -> str:
    return _TEXTS.get(kind, text_of_any)(value)[:MAX_TEXT_CHARS]
