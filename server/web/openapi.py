"""An OpenAPI 3.1 document from a table of operations; schemas come from their models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema
from pydantic_core.core_schema import EnumSchema

from server.web import problems
from server.web.schemas import Problem

Json = dict[str, Any]
Model = type[BaseModel]

VERSION = "3.1.1"
_REF = "#/components/schemas/{model}"
_TEXT: Json = {"type": "string"}


class Security(StrEnum):
    """Whether an operation takes an API key."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value in the query, a header or the path."""

    name: str
    place: Literal["query", "header", "path"]
    description: str
    schema: Json = field(default_factory=lambda: _TEXT)
    required: bool = False


@dataclass(frozen=True, slots=True)
class Content:
    """One encoding of a body; a text without a model."""

    media_type: str
    model: Model | None = None
    example: Any = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One status that an operation may answer with; `headers` are descriptions by name."""

    status: int
    description: str
    contents: Sequence[Content] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """A method on a path. `examples` are shell commands; `$URL` stands for the server."""

    method: str
    path: str
    tag: str
    summary: str
    answers: Sequence[Answer]
    description: str = ""
    parameters: Sequence[Parameter] = ()
    body: Sequence[Content] = ()
    security: Security = Security.NONE
    examples: Sequence[str] = ()


def problem(status: int, description: str, *, headers: Mapping[str, str] | None = None) -> Answer:
    """A refusal with a problem document."""
    content = Content(problems.CONTENT_TYPE, Problem)
    return Answer(status, description, (content,), headers or {})


def document(operations: Sequence[Operation], *, url: str, info: Json, tags: Json) -> Json:
    """The whole document. `url` is the server's, `tags` are descriptions by name."""
    refs, schemas = _schemas(operations)
    paths: dict[str, Json] = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, refs, url)
    return {
        "openapi": VERSION,
        "info": info,
        "servers": [{"url": url}],
        "tags": [{"name": name, "description": text} for name, text in tags.items()],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"api_key": {"type": "http", "scheme": "bearer"}},
        },
    }


class _Terse(GenerateJsonSchema):
    """Without titles that say a field's name again, and what enums tell developers."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False

    def enum_schema(self, schema: EnumSchema) -> Json:
        made = super().enum_schema(schema)
        made.pop("description", None)
        return made


_Refs = Mapping[tuple[Any, JsonSchemaMode], Json]


def _schemas(operations: Iterable[Operation]) -> tuple[_Refs, Json]:
    wanted: dict[tuple[Model, JsonSchemaMode], None] = {}
    for one in operations:
        for content in one.body:
            if content.model:
                wanted[content.model, "validation"] = None
        for content in (content for answer in one.answers for content in answer.contents):
            if content.model:
                wanted[content.model, "serialization"] = None
    refs, schema = models_json_schema(list(wanted), ref_template=_REF, schema_generator=_Terse)
    definitions: Json = schema["$defs"]
    return refs, definitions


def _operation(one: Operation, refs: _Refs, url: str) -> Json:
    made: Json = {
        "tags": [one.tag],
        "operationId": operation_id(one),
        "summary": one.summary,
        "description": one.description,
        "parameters": [_parameter(parameter) for parameter in one.parameters],
        "requestBody": {
            "required": True,
            "content": _contents(one.body, refs, "validation"),
        },
        "responses": {str(answer.status): _answer(answer, refs) for answer in one.answers},
        "security": _SECURITY[one.security],
        "x-codeSamples": [
            {"lang": "Shell", "source": example.replace("$URL", url)} for example in one.examples
        ],
    }
    unsaid = [name for name in ("description", "parameters", "x-codeSamples") if not made[name]]
    if not one.body:
        unsaid.append("requestBody")
    return {name: value for name, value in made.items() if name not in unsaid}


_SECURITY: Mapping[Security, list[Json]] = {
    Security.NONE: [],
    Security.OPTIONAL: [{}, {"api_key": []}],
    Security.REQUIRED: [{"api_key": []}],
}


def operation_id(one: Operation) -> str:
    """`post_api_lead` for POST /api/lead; names the operation in the document and on the page."""
    words = "".join(char if char.isalnum() else "_" for char in one.path)
    return f"{one.method.lower()}{words}".rstrip("_")


def _parameter(parameter: Parameter) -> Json:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.description,
        "required": parameter.required or parameter.place == "path",
        "schema": parameter.schema,
    }


def _answer(answer: Answer, refs: _Refs) -> Json:
    made: Json = {"description": answer.description}
    if answer.headers:
        made["headers"] = {
            name: {"description": text, "schema": _TEXT} for name, text in answer.headers.items()
        }
    if answer.contents:
        made["content"] = _contents(answer.contents, refs, "serialization")
    return made


def _contents(contents: Iterable[Content], refs: _Refs, mode: JsonSchemaMode) -> Json:
    return {content.media_type: _content(content, refs, mode) for content in contents}


def _content(content: Content, refs: _Refs, mode: JsonSchemaMode) -> Json:
    schema = refs[content.model, mode] if content.model else _TEXT
    if content.model and content.media_type == "text/plain":
        schema = _TEXT | {"contentMediaType": "application/json", "contentSchema": schema}
    return {"schema": schema} | ({"example": content.example} if content.example else {})
