"""What every provider of models is and does, and the ways in which it fails."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from server.domain.form_scores import FormScores
from server.form_ai.prompt import Prompt


class FailureKind(StrEnum):
    """Why a model gave no scores. Every kind sends the chain on to the next model."""

    NOT_CONFIGURED = "not_configured"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    RATE_LIMITED = "rate_limited"
    QUOTA = "quota"
    UNAUTHORIZED = "unauthorized"
    MODEL_GONE = "model_gone"
    REJECTED = "rejected"
    SERVER_ERROR = "server_error"
    BLOCKED = "blocked"
    TRUNCATED = "truncated"
    INVALID_ANSWER = "invalid_answer"


SENTENCES = {
    FailureKind.NOT_CONFIGURED: "its provider has no API key here",
    FailureKind.TIMEOUT: "did not answer in time",
    FailureKind.CONNECTION: "could not be reached",
    FailureKind.RATE_LIMITED: "is asked too often",
    FailureKind.QUOTA: "has no quota or credit left",
    FailureKind.UNAUTHORIZED: "refused the API key",
    FailureKind.MODEL_GONE: "is not offered by its provider (any more)",
    FailureKind.REJECTED: "did not take the request",
    FailureKind.SERVER_ERROR: "failed at its provider's end",
    FailureKind.BLOCKED: "refused to judge these answers",
    FailureKind.TRUNCATED: "broke off its answer",
    FailureKind.INVALID_ANSWER: "answered with something else than scores",
}
"""What is told of a model. Errors of the SDKs are not shown: they quote keys and answers."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model to ask. Without a `temperature` none is sent: the newest models take none."""

    provider: str
    name: str
    temperature: float | None = 0.0

    def __str__(self) -> str:
        return f"{self.provider}:{self.name}"


class FormAiError(Exception):
    """A model gave no scores. Its text may be logged and shown."""

    def __init__(self, kind: FailureKind, model: ModelSpec) -> None:
        super().__init__(f"{model} {SENTENCES[kind]}")
        self.kind = kind
        self.model = model


class Provider(Protocol):
    """One company's models. Hold it for the life of the process."""

    async def score(self, model: ModelSpec, prompt: Prompt) -> FormScores:
        """Ask once, with one request; raises FormAiError and nothing else but CancelledError."""
        ...

    async def close(self) -> None:
        """Drop every connection."""
        ...
