"""OpenAI, through its SDK."""

from __future__ import annotations

import openai
from openai.types.chat import ChatCompletion
from openai.types.shared_params import ResponseFormatJSONSchema

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

BASE_URL = "https://api.openai.com/v1"

_RESPONSE_FORMAT: ResponseFormatJSONSchema = {
    "type": "json_schema",
    "json_schema": {
        "name": "form_scores",
        "strict": True,
        "schema": {**SCHEMA, "additionalProperties": False},  # strict mode asks for it
    },
}

_KINDS_OF_FINISH = {
    "length": FailureKind.TRUNCATED,
    "content_filter": FailureKind.BLOCKED,
}


class OpenAi:
    """OpenAI's models. `base_url` replaces OpenAI's address, version included."""

    def __init__(
        self, api_key: str, base_url: str = "", *, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        if not api_key:
            raise ValueError("OpenAI needs an API key")
        quieten("openai", "httpx2", "httpcore2")
        self._timeout_seconds = timeout_seconds
        self._client = openai.AsyncOpenAI(
            api_key=api_key,
            admin_api_key="",
            base_url=base_url or BASE_URL,
            timeout=timeout_seconds,
            max_retries=0,
            default_headers={"Authorization": f"Bearer {api_key}"},  # or the environment may set it
            http_client=openai.DefaultAsyncHttpxClient(
                trust_env=False,
                follow_redirects=False,
                event_hooks={"request": [send_what_is_needed]},
            ),
        )

    async def score(self, model: ModelSpec, prompt: Prompt) -> FormScores:
        """Ask once; raises FormAiError."""
        return await attempt(model, self._answer(model, prompt), _kind_of, self._timeout_seconds)

    async def close(self) -> None:
        """Drop every connection."""
        await self._client.close()

    async def _answer(self, model: ModelSpec, prompt: Prompt) -> str:
        completion = await self._client.chat.completions.create(
            model=model.name,
            messages=[
                {"role": "system", "content": prompt.system},
                {"role": "user", "content": prompt.user},
            ],
            response_format=_RESPONSE_FORMAT,
            max_completion_tokens=MAX_OUTPUT_TOKENS,
            temperature=openai.omit if model.temperature is None else model.temperature,
            store=False,
        )
        kind = _refusal(completion)
        if kind:
            raise FormAiError(kind, model)
        return completion.choices[0].message.content or ""


def _refusal(completion: ChatCompletion) -> FailureKind | None:
    choice = completion.choices[0]
    if choice.message.refusal:
        return FailureKind.BLOCKED
    return _KINDS_OF_FINISH.get(choice.finish_reason)


def _kind_of(error: Exception) -> FailureKind:
    match error:
        case openai.APIStatusError():
            reasons = (str(reason) for reason in (error.code, error.type) if reason)
            return kind_of_status(error.status_code, reasons)
        case openai.APITimeoutError():
            return FailureKind.TIMEOUT
        case openai.APIConnectionError():
            return FailureKind.CONNECTION
        case _:
            return FailureKind.INVALID_ANSWER
