"""Requests that a program makes of /openapi.json are answered as it says there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import given
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration import fuzzing
from tests.integration.fuzzing import Target, fuzz
from tests.running import propgauge


def no_crash(_context: object, response: Any, _case: Case[Any]) -> None:
    """A server error is one that the reference tells: 503 without a model to ask, never 500."""
    assert response.status_code != 500


CHECKS = [
    no_crash,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
Operation = APIOperation[Any, Any, Any, Any]

EXAMPLES = 40
"""Of each operation and kind of request."""


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with fuzzing.target(tmp_path_factory.mktemp("fuzz")) as running:
        yield running


@pytest.fixture(scope="module")
def api_key(target: Target) -> str:
    """A key that may do everything."""
    made = propgauge("key", "create", "Fuzz", "--scope", "admin", settings=target.server.settings)
    return made.stdout.splitlines()[-1]


def operations(target: Target) -> list[Operation]:
    """Every operation of the reference."""
    schema = schemathesis.openapi.from_url(f"{target.server.url}/openapi.json")
    found = list(schema.get_all_operations())
    assert all(isinstance(one, Ok) for one in found)
    return [one.ok() for one in found if isinstance(one, Ok)]


def can_be_wrong(operation: Operation) -> bool:
    """Whether an operation takes what a request may break a rule of; headers are any text."""
    return bool(operation.body) or bool(operation.query)


def test_reference_names_the_endpoints(target: Target) -> None:
    named = {(operation.method, operation.path) for operation in operations(target)}
    assert named >= {("post", "/api/track"), ("post", "/api/lead"), ("get", "/api/leads")}


def assert_answers(operation: Operation, mode: GenerationMode, key: str) -> None:
    """Requests of one operation, by the rules or against them, are answered as it says.

    Each comes from anyone and from a partner, for to make one takes longer than to answer it.
    """
    partner = {"authorization": f"Bearer {key}"}

    @fuzz(EXAMPLES)
    @given(case=operation.as_strategy(mode))
    def answered(case: Case[Any]) -> None:
        for headers in ({}, partner):
            case.call_and_validate(headers=headers, checks=CHECKS)

    answered()


def test_request_by_the_reference_is_answered_as_it_says(target: Target, api_key: str) -> None:
    for operation in operations(target):
        assert_answers(operation, GenerationMode.POSITIVE, api_key)


def test_request_against_the_reference_is_refused_as_it_says(target: Target, api_key: str) -> None:
    for operation in filter(can_be_wrong, operations(target)):
        assert_answers(operation, GenerationMode.NEGATIVE, api_key)
