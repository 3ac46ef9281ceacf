"""Local servers that speak as Gemini and OpenAI do, and answer as they are told.

    with GeminiServer() as server:
        server.answer_with("model_gone", model="gemini-2.0-flash")
        server.answer_with("rate_limited", {**GOOD_SCORES, "ai_fin": 0.1})
        ...  # something asks server.url
        server.requests[-1].user  # the JSON that was sent for judgement

An answer is scores, or a name: of TEXTS, of COMMON, of the server's `errors`, "truncated",
"thought_away", "blocked", OpenAI's "filtered", "echo" for an error that quotes the whole request,
or "hang" and "reset" for the connection.
"""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tests.local_server import Asked, LocalServer, Posted

GOOD_SCORES: Mapping[str, float] = {
    "ai_fin": 0.9,
    "ai_show": 0.8,
    "ai_sql": 0.7,
    "scheduling_commitment": 0.6,
    "emotional_urgency": 0.5,
    "personal_responsibility": 1,
    "financial_stability": 0.4,
    "investment_readiness": 0,
}

Answer = str | Mapping[str, float]

TEXTS: Mapping[str, str] = {
    "extra_keys": json.dumps({**GOOD_SCORES, "reasoning": "because"}),
    "invalid_json": json.dumps(GOOD_SCORES)[:40],
    "prose": "This lead looks promising.",
    "fenced": f"```json\n{json.dumps(GOOD_SCORES)}\n```",
    "missing_key": json.dumps({k: v for k, v in GOOD_SCORES.items() if k != "ai_sql"}),
    "above_range": json.dumps({**GOOD_SCORES, "ai_fin": 1.01}),
    "below_range": json.dumps({**GOOD_SCORES, "ai_fin": -0.01}),
    "nan": json.dumps({**GOOD_SCORES, "ai_fin": float("nan")}),
    "infinity": json.dumps({**GOOD_SCORES, "ai_fin": float("inf")}),
    "numbers_as_text": json.dumps({**GOOD_SCORES, "ai_fin": "0.9"}),
    "null": json.dumps({**GOOD_SCORES, "ai_fin": None}),
    "array": json.dumps([GOOD_SCORES]),
    "huge": json.dumps({**GOOD_SCORES, "reasoning": "x" * 1_000_000}),
    "empty_text": "",
}
"""Well-formed answers of the API around a text that is not what was asked for."""


@dataclass(frozen=True)
class Reply:
    """What goes over the wire."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


COMMON: Mapping[str, Reply] = {
    "html": Reply(200, b"<html><body>Sign in</body></html>", "text/html"),
    "html_error": Reply(502, b"<html><body>Bad gateway</body></html>", "text/html"),
    "no_body": Reply(200, b""),
    "json_text": Reply(200, b'"hello"'),
    "redirect": Reply(307, b"", headers={"location": "https://stranger.example.com/"}),
}
"""What stands between a client and an API may answer, whatever the API."""


@dataclass(frozen=True)
class LlmRequest(Posted):
    """One request: the model it asks, and how."""

    model: str
    system: str
    user_text: str
    temperature: float | None

    @property
    def user(self) -> dict[str, Any]:
        """The user turn, which is JSON."""
        parsed: dict[str, Any] = json.loads(self.user_text)
        return parsed


class LlmServer(LocalServer):
    """A real HTTP server on 127.0.0.1. It gives `scores` to whom it was told nothing else for."""

    protocol = "HTTP/1.1"
    errors: ClassVar[Mapping[str, Reply]]
    path: ClassVar[re.Pattern[str]]
    base_path: ClassVar[str]

    def __init__(self) -> None:
        self.scores: Mapping[str, float] = GOOD_SCORES
        self.requests: list[LlmRequest] = []
        self.delay_seconds = 0.0
        self._told: dict[str, list[Answer]] = {}

    def answer_with(self, *answers: Answer, model: str = "") -> None:
        """Give these in turn, the last one ever after; to `model` only when one is named."""
        self._told[model] = list(answers)

    @property
    def url(self) -> str:
        """The base URL to configure."""
        return self.origin + self.base_path

    @property
    def models(self) -> list[str]:
        """The models asked, in order."""
        return [request.model for request in self.requests]

    def answer_of(self, model: str) -> Answer:
        """What this model is to be answered with now."""
        told = self._told.get(model) or self._told.get("") or [self.scores]
        return told.pop(0) if len(told) > 1 else told[0]

    def take(self, asked: Asked) -> None:
        if not self.path.fullmatch(asked.path):
            _send(asked, Reply(404, b"{}"))
            return
        request = self.read(asked.path, asked.fields, asked.raw)
        self.requests.append(request)
        answer = self.answer_of(request.model)
        self.closing.wait(self.delay_seconds)
        if answer == "hang":
            self.closing.wait()
        elif answer == "reset":
            asked.reset()
        elif answer == "echo":
            quoted = f"{dict(request.headers)} {request.raw.decode()}"
            _send(asked, Reply(400, _json({"error": {"code": 400, "message": quoted}})))
        else:
            _send(asked, self.reply(request.model, answer))

    def reply(self, model: str, answer: Answer) -> Reply:
        """An answer as it goes over the wire."""
        if not isinstance(answer, str):
            return self.speak(model, json.dumps(answer))
        if answer in TEXTS:
            return self.speak(model, TEXTS[answer])
        return {**COMMON, **self.errors}[answer] if self.knows(answer) else self.end(model, answer)

    def knows(self, answer: str) -> bool:
        """Whether an answer is the same for every model."""
        return answer in COMMON or answer in self.errors

    @abstractmethod
    def read(self, path: str, headers: dict[str, str], raw: bytes) -> LlmRequest:
        """A request as it came over the wire."""

    @abstractmethod
    def speak(self, model: str, text: str) -> Reply:
        """The API's envelope around what the model says."""

    @abstractmethod
    def end(self, model: str, answer: str) -> Reply:
        """The API's envelope around a model that did not say it all."""


def _send(asked: Asked, reply: Reply) -> None:
    headers = {"content-type": reply.content_type, **reply.headers}
    asked.answer(reply.status, reply.body, headers)


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _gemini_error(code: int, status: str, message: str, *details: Mapping[str, Any]) -> Reply:
    error = {"code": code, "message": message, "status": status, "details": list(details)}
    return Reply(code, _json({"error": error}))


def _gemini_reason(reason: str) -> dict[str, str]:
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    return {"@type": kind, "reason": reason, "domain": "googleapis.com"}


def _gemini_quota(quota_id: str) -> dict[str, Any]:
    kind = "type.googleapis.com/google.rpc.QuotaFailure"
    return {"@type": kind, "violations": [{"quotaId": quota_id, "quotaValue": "50"}]}


class GeminiServer(LlmServer):
    """`POST /v1beta/models/{model}:generateContent`."""

    path = re.compile(r"/v1beta/models/(.+):generateContent")
    base_path = ""
    errors: ClassVar[Mapping[str, Reply]] = {
        "bad_request": _gemini_error(400, "INVALID_ARGUMENT", "Unknown name"),
        "bad_key": _gemini_error(
            400, "INVALID_ARGUMENT", "API key not valid.", _gemini_reason("API_KEY_INVALID")
        ),
        "unauthorized": _gemini_error(401, "UNAUTHENTICATED", "No valid credentials"),
        "forbidden": _gemini_error(403, "PERMISSION_DENIED", "The caller has no permission"),
        "model_gone": _gemini_error(404, "NOT_FOUND", "The model is no longer available"),
        "rate_limited": _gemini_error(
            429, "RESOURCE_EXHAUSTED", "Quota", _gemini_quota("GenerateRequestsPerMinutePerModel")
        ),
        "quota": _gemini_error(
            429, "RESOURCE_EXHAUSTED", "Quota", _gemini_quota("GenerateRequestsPerDayPerModel")
        ),
        "server_error": _gemini_error(500, "INTERNAL", "An internal error has occurred"),
        "overloaded": _gemini_error(503, "UNAVAILABLE", "The model is overloaded"),
        "no_choice": Reply(200, _json({"candidates": [], "usageMetadata": {}})),
        "blocked_prompt": Reply(200, _json({"promptFeedback": {"blockReason": "SAFETY"}})),
    }

    def read(self, path: str, headers: dict[str, str], raw: bytes) -> LlmRequest:
        body = json.loads(raw)
        matched = self.path.fullmatch(path)
        assert matched is not None
        return LlmRequest(
            model=matched[1],
            headers=headers,
            raw=raw,
            system=body["systemInstruction"]["parts"][0]["text"],
            user_text=body["contents"][0]["parts"][0]["text"],
            temperature=body["generationConfig"].get("temperature"),
        )

    def speak(self, model: str, text: str) -> Reply:
        return self._say(model, text, "STOP")

    def end(self, model: str, answer: str) -> Reply:
        if answer == "truncated":
            return self._say(model, TEXTS["invalid_json"], "MAX_TOKENS")
        if answer == "thought_away":
            return self._say(model, None, "MAX_TOKENS")
        assert answer == "blocked", answer
        return self._say(model, None, "SAFETY")

    def _say(self, model: str, text: str | None, finish: str) -> Reply:
        content = {"role": "model", **({} if text is None else {"parts": [{"text": text}]})}
        usage = {"promptTokenCount": 700, "candidatesTokenCount": 90, "totalTokenCount": 790}
        candidate = {"content": content, "finishReason": finish, "index": 0}
        said = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model}
        return Reply(200, _json({**said, "responseId": "r-1"}))


def _openai_error(status: int, kind: str, code: str | None, message: str) -> Reply:
    error = {"message": message, "type": kind, "param": None, "code": code}
    return Reply(status, _json({"error": error}))


class OpenAiServer(LlmServer):
    """`POST /v1/chat/completions`."""

    path = re.compile(r"/v1/chat/completions")
    base_path = "/v1"
    errors: ClassVar[Mapping[str, Reply]] = {
        "bad_request": _openai_error(
            400, "invalid_request_error", "unsupported_value", "Unsupported value: 'temperature'"
        ),
        "bad_key": _openai_error(401, "invalid_request_error", "invalid_api_key", "Incorrect key"),
        "unauthorized": _openai_error(401, "invalid_request_error", None, "No key provided"),
        "forbidden": _openai_error(
            403, "request_forbidden", "unsupported_country_region_territory", "Not supported"
        ),
        "no_access": _openai_error(
            403, "invalid_request_error", "model_not_found", "Project has no access to the model"
        ),
        "model_gone": _openai_error(
            404, "invalid_request_error", "model_not_found", "The model does not exist"
        ),
        "rate_limited": _openai_error(429, "requests", "rate_limit_exceeded", "Rate limit reached"),
        "quota": _openai_error(
            429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota"
        ),
        "server_error": _openai_error(500, "server_error", None, "The server had an error"),
        "overloaded": _openai_error(503, "server_error", None, "The engine is overloaded"),
        "no_choice": Reply(200, _json({"id": "c-1", "object": "chat.completion", "choices": []})),
        "blocked_prompt": _openai_error(
            400, "invalid_request_error", "content_policy_violation", "Rejected"
        ),
    }

    def read(self, path: str, headers: dict[str, str], raw: bytes) -> LlmRequest:
        del path
        body = json.loads(raw)
        turns = {message["role"]: message["content"] for message in body["messages"]}
        return LlmRequest(
            model=body["model"],
            headers=headers,
            raw=raw,
            system=turns["system"],
            user_text=turns["user"],
            temperature=body.get("temperature"),
        )

    def speak(self, model: str, text: str) -> Reply:
        return self._say(model, {"content": text, "refusal": None}, "stop")

    def end(self, model: str, answer: str) -> Reply:
        if answer == "truncated":
            message = {"content": TEXTS["invalid_json"], "refusal": None}
            return self._say(model, message, "length")
        if answer == "thought_away":
            return self._say(model, {"content": "", "refusal": None}, "length")
        if answer == "filtered":
            return self._say(model, {"content": None, "refusal": None}, "content_filter")
        assert answer == "blocked", answer
        return self._say(model, {"content": None, "refusal": "I cannot help with that."}, "stop")

    def _say(self, model: str, message: Mapping[str, str | None], finish: str) -> Reply:
        said: dict[str, Any] = {"role": "assistant", **message, "annotations": []}
        choice = {"index": 0, "message": said, "logprobs": None, "finish_reason": finish}
        usage = {"prompt_tokens": 700, "completion_tokens": 90, "total_tokens": 790}
        head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1_795_000_000}
        return Reply(200, _json({**head, "model": model, "choices": [choice], "usage": usage}))
