"""The errors propgauge raises on purpose; `web/problems.py` maps them to HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import ValidationError


class ErrorCode(StrEnum):
    """What went wrong, independent of transport."""

    MALFORMED = "malformed"
    INVALID = "invalid"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    TOO_LARGE = "too_large"
    UNSUPPORTED_TYPE = "unsupported_type"
    TIMEOUT = "timeout"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field a caller must correct; `field` is a dotted path such as `0.page_view_id`."""

    field: str
    message: str


class AppError(Exception):
    """A refusal with a code, a sentence for people and the fields at fault."""

    def __init__(self, code: ErrorCode, message: str, *fields: FieldError) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fields = fields


class RateLimitedError(AppError):
    """Too many requests of one kind in a minute; `headers` tell the limit."""

    def __init__(
        self, policy: str, quota: int, retry_after_seconds: int, headers: Mapping[str, str]
    ) -> None:
        message = f"More than {quota} requests a minute for this {policy}"
        super().__init__(ErrorCode.RATE_LIMITED, message)
        self.headers = {"retry-after": str(retry_after_seconds), **headers}


def invalid_field(field: str, message: str) -> AppError:
    """The commonest refusal: one field is wrong."""
    return invalid_fields([FieldError(field, message)])


def invalid_fields(fields: Sequence[FieldError]) -> AppError:
    """A refusal of one field or more; its sentence is of the first."""
    return AppError(ErrorCode.INVALID, f"{fields[0].field}: {fields[0].message}", *fields)


def field_errors(error: ValidationError, whole: str) -> list[FieldError]:
    """Each field that a model refused; `whole` names what no field alone is to blame for."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    return [
        FieldError(".".join(map(str, problem["loc"])) or whole, problem["msg"])
        for problem in problems
    ]
