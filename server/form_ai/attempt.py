"""One attempt at a model: how long, what goes out with it, and what becomes of each end of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from pydantic import ValidationError

from server.domain.form_scores import FormScores
from server.form_ai.contract import FailureKind, FormAiError, ModelSpec

TIMEOUT_SECONDS = 30.0
"""For a whole attempt. Nobody waits for it, and models that think take over ten seconds."""

MAX_OUTPUT_TOKENS = 8_192
"""The scores take some 150; what models think counts too. No more than gemini-2.0-flash allows."""

MAX_ANSWER_CHARS = 10_000
USER_AGENT = "propgauge"

_NEEDED_HEADERS = frozenset(
    {
        "accept",
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "host",
        "x-goog-api-key",
    }
)

_KINDS_OF_STATUS = {
    401: FailureKind.UNAUTHORIZED,
    402: FailureKind.QUOTA,
    403: FailureKind.UNAUTHORIZED,
    404: FailureKind.MODEL_GONE,
    408: FailureKind.TIMEOUT,
    410: FailureKind.MODEL_GONE,
    429: FailureKind.RATE_LIMITED,
}

_KINDS_OF_REASON = {
    "API_KEY_INVALID": FailureKind.UNAUTHORIZED,  # Gemini says it with 400
    "API_KEY_EXPIRED": FailureKind.UNAUTHORIZED,
    "PerDay": FailureKind.QUOTA,  # a part of Gemini's quotaId
    "insufficient_quota": FailureKind.QUOTA,
    "model_not_found": FailureKind.MODEL_GONE,  # OpenAI says it with 403 too
    "content_filter": FailureKind.BLOCKED,
    "content_policy_violation": FailureKind.BLOCKED,
}


async def attempt(
    model: ModelSpec,
    answer: Awaitable[str],
    kind_of: Callable[[Exception], FailureKind],
    timeout_seconds: float,
) -> FormScores:
    """The scores in a model's answer; `kind_of` judges the errors of its SDK.

    Raises FormAiError whatever happens: the SDKs raise much that they do not document.
    """
    try:
        async with asyncio.timeout(timeout_seconds):
            return _scores(await answer)
    except FormAiError:
        raise
    except TimeoutError:
        kind = FailureKind.TIMEOUT
    except ValidationError:
        kind = FailureKind.INVALID_ANSWER
    except Exception as error:  # noqa: BLE001 # see above
        kind = kind_of(error)
    # Raised out here, for a trace must not show the SDK's error: it quotes keys and answers.
    raise FormAiError(kind, model)


def _scores(text: str) -> FormScores:
    return FormScores.model_validate_json(text[:MAX_ANSWER_CHARS])  # no whole object when cut


def kind_of_status(status: int, reasons: Iterable[str]) -> FailureKind:
    """What a refusal means; the reasons given with it tell more than its HTTP status."""
    for reason in reasons:
        if reason in _KINDS_OF_REASON:
            return _KINDS_OF_REASON[reason]
    other = FailureKind.SERVER_ERROR if status >= 500 else FailureKind.REJECTED
    return _KINDS_OF_STATUS.get(status, other)


def quieten(*loggers: str, level: int = logging.WARNING) -> None:
    """Let an SDK log from this level on: below, requests are logged with what they carry."""
    for name in loggers:
        logging.getLogger(name).setLevel(level)


async def send_what_is_needed(request: Any) -> None:
    """Hook of an HTTP client: no header that an SDK adds of its own or of the environment.

    Such as the kind of this machine, OPENAI_ORG_ID and OPENAI_CUSTOM_HEADERS. `request` is httpx's
    or httpx2's.
    """
    for name in set(request.headers) - _NEEDED_HEADERS:
        del request.headers[name]
    request.headers["user-agent"] = USER_AGENT  # without any, a firewall may take it for an attack
