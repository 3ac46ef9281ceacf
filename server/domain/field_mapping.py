"""Field mappings: where in a partner's JSON our fields stand, told in JMESPath per API key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.parser import ParsedResult

FieldMapping = Mapping[str, str]
"""Name of a field as `/api/lead` takes it → JMESPath expression (jmespath.org) on the body."""

_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")


def check(mapping: FieldMapping) -> None:
    """Raises ValueError naming the field whose name or expression cannot be used."""
    for field, expression in mapping.items():
        if not _FIELD_NAME.fullmatch(field):
            raise ValueError(f"{field!r} is no name of a field")
        try:
            _compiled(expression)
        except JMESPathError as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"{field}: {expression!r} is no JMESPath: {reason}") from None


def apply(mapping: FieldMapping, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that the mapping finds, then all others as they came.

    An expression that finds nothing, or cannot be applied to this body, sets no field.
    """
    found = {field: _found(expression, fields) for field, expression in mapping.items()}
    mapped = {field: value for field, value in found.items() if value not in (None, "", [], {})}
    return {**mapped, **{name: value for name, value in fields.items() if name not in mapped}}


def _found(expression: str, fields: Mapping[str, Any]) -> Any:
    try:
        return _compiled(expression).search(fields)
    except (JMESPathError, ArithmeticError, TypeError, ValueError):
        return None


@lru_cache(1_000)
def _compiled(expression: str) -> ParsedResult:
    return jmespath.compile(expression)
