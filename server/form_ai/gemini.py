"""Gemini, through Google's SDK."""

from __future__ import annotations

import json
import logging
import ssl

import httpx
from google import genai
from google.genai import errors, types

from server.domain.form_scores import SCHEMA, FormScores
from server.form_ai.attempt import (
    MAX_OUTPUT_TOKENS,
    TIMEOUT_SECONDS,
    attempt,
    kind_of_status,
    quieten,
    send_what_is_needed,
)
from server.form_ai.contract import FailureKind, FormAiError, ModelSpec
from server.form_ai.prompt import Prompt

BASE_URL = "https://generativelanguage.googleapis.com"
API_VERSION = "v1beta"

_REASONS = ("API_KEY_INVALID", "API_KEY_EXPIRED", "PerDay")
"""Stand somewhere in `error.details`, whose shape differs with each kind of refusal."""

_KINDS_OF_FINISH = {
    "MAX_TOKENS": FailureKind.TRUNCATED,
    "CONTINUATION": FailureKind.TRUNCATED,
    "SAFETY": FailureKind.BLOCKED,
    "RECITATION": FailureKind.BLOCKED,
    "LANGUAGE": FailureKind.BLOCKED,
    "BLOCKLIST": FailureKind.BLOCKED,
    "PROHIBITED_CONTENT": FailureKind.BLOCKED,
    "SPII": FailureKind.BLOCKED,
    "ESCALATION": FailureKind.BLOCKED,
    "MODEL_ARMOR": FailureKind.BLOCKED,
}


class Gemini:
    """Google's models. `base_url` replaces Google's address, without a version in its path."""

    def __init__(
        self, api_key: str, base_url: str = "", *, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        if not api_key:
            raise ValueError("Gemini needs an API key")  # the SDK would take one of the environment
        quieten("httpx", "httpcore")
        # Its warnings are of keys in the environment, which are not used here.
        quieten("google_genai", level=logging.ERROR)
        self._timeout_seconds = timeout_seconds
        # An own client keeps the SDK from aiohttp, which asks the environment for proxies.
        self._http = httpx.AsyncClient(
            trust_env=False, event_hooks={"request": [send_what_is_needed]}
        )
        # Or the SDK makes one; this one sends nothing and trusts nobody.
        self._unused = httpx.Client(trust_env=False, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        self._client = genai.Client(
            vertexai=False,
            api_key=api_key,
            http_options=types.HttpOptions(
                base_url=base_url or BASE_URL,
                api_version=API_VERSION,
                timeout=round(timeout_seconds * 1_000),
                retry_options=types.HttpRetryOptions(attempts=1),
                httpx_client=self._unused,
                httpx_async_client=self._http,
            ),
        )

    async def score(self, model: ModelSpec, prompt: Prompt) -> FormScores:
        """Ask once; raises FormAiError."""
        return await attempt(model, self._answer(model, prompt), _kind_of, self._timeout_seconds)

    async def close(self) -> None:
        """Drop every connection."""
        self._unused.close()
        await self._http.aclose()

    async def _answer(self, model: ModelSpec, prompt: Prompt) -> str:
        response = await self._client.aio.models.generate_content(
            model=model.name,
            contents=prompt.user,
            config=types.GenerateContentConfig(
                system_instruction=prompt.system,
                temperature=model.temperature,
                max_output_tokens=MAX_OUTPUT_TOKENS,
                response_mime_type="application/json",
                response_json_schema=SCHEMA,
                automatic_continuation=False,
                automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
            ),
        )
        kind = _refusal(response)
        if kind:
            raise FormAiError(kind, model)
        return response.text or ""


def _refusal(response: types.GenerateContentResponse) -> FailureKind | None:
    feedback = response.prompt_feedback
    if feedback and feedback.block_reason:
        return FailureKind.BLOCKED
    candidate = response.candidates[0] if response.candidates else None
    finish = candidate.finish_reason if candidate else None
    return _KINDS_OF_FINISH.get(finish.value) if finish else None


def _kind_of(error: Exception) -> FailureKind:
    match error:
        case errors.APIError():
            details = json.dumps(error.details, default=str)
            return kind_of_status(error.code, (word for word in _REASONS if word in details))
        case httpx.TimeoutException():
            return FailureKind.TIMEOUT
        case httpx.RequestError():
            return FailureKind.CONNECTION
        case _:
            return FailureKind.INVALID_ANSWER
