"""Both SDKs against servers that speak as their providers do: the wire, and every failure."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import httpx
import httpx2
import pytest
from openai import APITimeoutError

from server.config import ROOT
from server.domain.form_scores import SCHEMA
from server.form_ai import Access, connect
from server.form_ai import gemini as gemini_module
from server.form_ai import openai as openai_module
from server.form_ai.contract import FailureKind, FormAiError, ModelSpec, Provider
from server.form_ai.gemini import Gemini
from server.form_ai.openai import OpenAi
from server.form_ai.prompt import build
from tests.llm_servers import GOOD_SCORES, GeminiServer, LlmServer, OpenAiServer
from tests.running import free_port

KEY = "kept-secret-key"
ANSWER = "A villa by the sea"
PROMPT = build("Saffron Quay", [("What are you looking for?", ANSWER)])
SHORT_SECONDS = 1.5
"""Enough for a request to arrive on a busy machine."""

BOTH = ["gemini", "openai"]

MakeProvider = Callable[..., Provider]


@dataclass
class Side:
    """One provider's half of the wire and ours."""

    server: LlmServer
    make: MakeProvider
    model: ModelSpec
    opened: list[Provider] = field(default_factory=list)

    def provider(self, **arguments: Any) -> Provider:
        made = self.make(**{"api_key": KEY, "base_url": self.server.url, **arguments})
        self.opened.append(made)
        return made

    async def kind(self, answer: str, **arguments: Any) -> FailureKind:
        """How an answer fails."""
        self.server.answer_with(answer)
        with pytest.raises(FormAiError) as failure:
            await self.provider(**arguments).score(self.model, PROMPT)
        return failure.value.kind


@asynccontextmanager
async def opened(name: str) -> AsyncIterator[Side]:
    side = {
        "gemini": Side(GeminiServer(), Gemini, ModelSpec("gemini", "gemini-2.0-flash")),
        "openai": Side(OpenAiServer(), OpenAi, ModelSpec("openai", "gpt-4o")),
    }[name]
    with side.server:
        yield side
        for provider in side.opened:
            await provider.close()


@pytest.fixture
async def gemini() -> AsyncIterator[Side]:
    async with opened("gemini") as side:
        yield side


@pytest.fixture
async def openai() -> AsyncIterator[Side]:
    async with opened("openai") as side:
        yield side


@pytest.fixture(params=BOTH)
async def side(request: pytest.FixtureRequest) -> AsyncIterator[Side]:
    async with opened(request.param) as opened_side:
        yield opened_side


# The wire


async def test_score_of_a_good_answer_is_its_eight_numbers(side: Side) -> None:
    scores = await side.provider().score(side.model, PROMPT)
    assert scores.model_dump() == GOOD_SCORES


async def test_score_with_unknown_keys_in_the_answer_leaves_them_out(side: Side) -> None:
    side.server.answer_with("extra_keys")
    scores = await side.provider().score(side.model, PROMPT)
    assert scores.model_dump() == GOOD_SCORES


async def test_score_sends_instruction_and_form_in_turns_of_their_own(side: Side) -> None:
    await side.provider().score(side.model, PROMPT)
    (request,) = side.server.requests
    assert request.model == side.model.name
    assert request.system == PROMPT.system
    assert request.user == {
        "form": "Saffron Quay",
        "answers": [{"question": "What are you looking for?", "answer": ANSWER}],
    }
    assert ANSWER not in request.system


async def test_score_sends_no_contact_data_and_no_name(side: Side) -> None:
    told = "I am Ana Example: ana@example.com, +44 20 7946 0123, https://ana:pw@example.com/"
    prompt = build("For Ana", [("Ana, anything else?", told)], ["Ana", "Example"])
    await side.provider().score(side.model, prompt)
    raw = side.server.requests[0].raw.lower()
    assert [word for word in (b"ana ", b"ana,", b"example", b"7946", b"pw@") if word in raw] == []
    assert b"[e-mail], [phone], [link]" in raw


@pytest.mark.parametrize("temperature", [0.0, 0.7, None])
async def test_score_sends_the_temperature_of_the_model_or_none(
    side: Side, temperature: float | None
) -> None:
    model = ModelSpec(side.model.provider, side.model.name, temperature)
    await side.provider().score(model, PROMPT)
    (request,) = side.server.requests
    assert request.temperature == temperature
    assert (b"temperature" in request.raw) == (temperature is not None)


async def test_gemini_is_sent_the_schema_as_it_is(gemini: Side) -> None:
    await gemini.provider().score(gemini.model, PROMPT)
    body = gemini.server.requests[0].body
    assert set(body) == {"contents", "systemInstruction", "generationConfig"}
    assert body["generationConfig"] == {
        "temperature": 0,
        "maxOutputTokens": 8192,
        "responseMimeType": "application/json",
        "responseJsonSchema": SCHEMA,
    }


async def test_gemini_is_sent_the_key_in_its_header_and_nowhere_else(gemini: Side) -> None:
    await gemini.provider().score(gemini.model, PROMPT)
    (request,) = gemini.server.requests
    carrying = [name for name, value in request.headers.items() if KEY in value]
    assert carrying == ["x-goog-api-key"]
    assert KEY.encode() not in request.raw


async def test_openai_is_sent_a_strict_schema_and_no_wish_to_store(openai: Side) -> None:
    await openai.provider().score(openai.model, PROMPT)
    body = openai.server.requests[0].body
    assert set(body) == {
        "model",
        "messages",
        "response_format",
        "max_completion_tokens",
        "temperature",
        "store",
    }
    assert body["store"] is False
    assert body["max_completion_tokens"] == 8192
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {
            "name": "form_scores",
            "strict": True,
            "schema": {**SCHEMA, "additionalProperties": False},
        },
    }


async def test_openai_is_sent_the_key_as_bearer_and_nowhere_else(openai: Side) -> None:
    await openai.provider().score(openai.model, PROMPT)
    (request,) = openai.server.requests
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert [name for name, value in request.headers.items() if KEY in value] == ["authorization"]
    assert KEY.encode() not in request.raw


async def test_score_tells_a_provider_nothing_of_this_machine(side: Side) -> None:
    await side.provider().score(side.model, PROMPT)
    headers = side.server.requests[0].headers
    assert set(headers) == {
        "host",
        "accept",
        "accept-encoding",
        "connection",
        "content-type",
        "content-length",
        "user-agent",
        {"gemini": "x-goog-api-key", "openai": "authorization"}[side.model.provider],
    }
    assert headers["user-agent"] == "propgauge"


async def test_score_again_uses_the_same_provider(side: Side) -> None:
    provider = side.provider()
    await asyncio.gather(*(provider.score(side.model, PROMPT) for _ in range(5)))
    assert len(side.server.requests) == 5


# Failures


EVERYWHERE = {
    "echo": FailureKind.REJECTED,
    "bad_request": FailureKind.REJECTED,
    "bad_key": FailureKind.UNAUTHORIZED,
    "unauthorized": FailureKind.UNAUTHORIZED,
    "forbidden": FailureKind.UNAUTHORIZED,
    "model_gone": FailureKind.MODEL_GONE,
    "rate_limited": FailureKind.RATE_LIMITED,
    "quota": FailureKind.QUOTA,
    "server_error": FailureKind.SERVER_ERROR,
    "overloaded": FailureKind.SERVER_ERROR,
    "html_error": FailureKind.SERVER_ERROR,
    "redirect": FailureKind.REJECTED,
    "reset": FailureKind.CONNECTION,
    "blocked_prompt": FailureKind.BLOCKED,
    "blocked": FailureKind.BLOCKED,
    "truncated": FailureKind.TRUNCATED,
    "thought_away": FailureKind.TRUNCATED,
    "html": FailureKind.INVALID_ANSWER,
    "no_body": FailureKind.INVALID_ANSWER,
    "json_text": FailureKind.INVALID_ANSWER,
    "no_choice": FailureKind.INVALID_ANSWER,
    "empty_text": FailureKind.INVALID_ANSWER,
    "invalid_json": FailureKind.INVALID_ANSWER,
    "prose": FailureKind.INVALID_ANSWER,
    "fenced": FailureKind.INVALID_ANSWER,
    "missing_key": FailureKind.INVALID_ANSWER,
    "above_range": FailureKind.INVALID_ANSWER,
    "below_range": FailureKind.INVALID_ANSWER,
    "nan": FailureKind.INVALID_ANSWER,
    "infinity": FailureKind.INVALID_ANSWER,
    "numbers_as_text": FailureKind.INVALID_ANSWER,
    "null": FailureKind.INVALID_ANSWER,
    "array": FailureKind.INVALID_ANSWER,
    "huge": FailureKind.INVALID_ANSWER,
}


@pytest.mark.parametrize(("answer", "kind"), EVERYWHERE.items())
async def test_score_of_a_failure_tells_its_kind_after_one_request(
    side: Side, answer: str, kind: FailureKind
) -> None:
    assert await side.kind(answer) is kind
    assert len(side.server.requests) == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [("no_access", FailureKind.MODEL_GONE), ("filtered", FailureKind.BLOCKED)],
)
async def test_score_of_openais_own_failures_tells_their_kind(
    openai: Side, answer: str, kind: FailureKind
) -> None:
    assert await openai.kind(answer) is kind


async def test_score_of_a_server_that_hangs_ends_in_time(side: Side) -> None:
    kind = await side.kind("hang", timeout_seconds=SHORT_SECONDS)
    assert kind is FailureKind.TIMEOUT
    assert len(side.server.requests) == 1


@pytest.mark.parametrize("module", [gemini_module, openai_module])
async def test_failure_of_an_sdk_that_gives_up_first_is_a_timeout(module: ModuleType) -> None:
    """Our own limit comes first, so the wire cannot show it."""
    given_up = {
        gemini_module: httpx.ReadTimeout(""),
        openai_module: APITimeoutError(httpx2.Request("POST", "https://api.example.com")),
    }[module]
    assert module._kind_of(given_up) is FailureKind.TIMEOUT


async def test_score_of_a_slow_answer_waits_for_it(side: Side) -> None:
    side.server.delay_seconds = 0.3
    scores = await side.provider().score(side.model, PROMPT)
    assert scores.ai_fin == GOOD_SCORES["ai_fin"]


async def test_score_when_nobody_listens_is_a_failed_connection(side: Side) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/v1"
    assert await side.kind("prose", base_url=nowhere) is FailureKind.CONNECTION


async def test_score_when_the_host_has_no_address_is_a_failed_connection(side: Side) -> None:
    nowhere = "http://nobody.invalid/v1"
    assert await side.kind("prose", base_url=nowhere) is FailureKind.CONNECTION


async def test_score_at_a_wrong_base_url_is_a_model_that_is_gone(side: Side) -> None:
    assert await side.kind("prose", base_url=side.server.url + "/x") is FailureKind.MODEL_GONE


async def test_score_when_cancelled_is_cancelled(side: Side) -> None:
    side.server.answer_with("hang")
    asked = asyncio.create_task(side.provider().score(side.model, PROMPT))
    async with asyncio.timeout(10):
        while not side.server.requests:  # noqa: ASYNC110 # the server's thread signals nothing
            await asyncio.sleep(0.01)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked


async def test_score_after_a_failure_is_given_again(side: Side) -> None:
    provider = side.provider()
    side.server.answer_with("reset", "overloaded", GOOD_SCORES)
    for _ in range(2):
        with pytest.raises(FormAiError):
            await provider.score(side.model, PROMPT)
    assert (await provider.score(side.model, PROMPT)).ai_fin == GOOD_SCORES["ai_fin"]


@pytest.mark.parametrize("answer", ["echo", "bad_key", "reset", "html", "blocked", "above_range"])
async def test_failure_shows_model_and_reason_but_no_key_and_no_answer(
    side: Side, answer: str
) -> None:
    side.server.answer_with(answer)
    with pytest.raises(FormAiError) as failure:
        await side.provider().score(side.model, PROMPT)
    error = failure.value
    assert str(error).startswith(f"{side.model} ")
    assert error.__cause__ is None
    assert error.__context__ is None
    assert KEY not in str(error)
    assert ANSWER not in str(error)


async def test_score_with_a_key_that_no_header_can_carry_fails_without_showing_it(
    side: Side,
) -> None:
    with pytest.raises(FormAiError) as failure:
        await side.provider(api_key="ключ\nkey").score(side.model, PROMPT)
    assert "key\n" not in str(failure.value)
    assert side.server.requests == []


# The environment


AMBIENT_KEY = "strangers-key"


@pytest.fixture
def strange_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that the SDKs and their HTTP clients would take from the environment."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, nowhere)
    for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, AMBIENT_KEY)
    for name in ("OPENAI_BASE_URL", "GOOGLE_GEMINI_BASE_URL", "GOOGLE_VERTEX_BASE_URL"):
        monkeypatch.setenv(name, nowhere)
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.setenv(name, AMBIENT_KEY)
    headers = f"Authorization: Bearer {AMBIENT_KEY}\nX-Team: {AMBIENT_KEY}"
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", headers)
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    monkeypatch.setenv("GOOGLE_GENAI_USE_ENTERPRISE", "true")
    monkeypatch.setenv("GOOGLE_GENAI_API_VERSION", "v9")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.delenv("no_proxy", raising=False)


@pytest.mark.usefixtures("strange_environment")
async def test_score_in_a_strange_environment_sends_nothing_of_it(side: Side) -> None:
    await side.provider().score(side.model, PROMPT)
    (request,) = side.server.requests
    assert not [name for name, value in request.headers.items() if AMBIENT_KEY in value]
    assert AMBIENT_KEY.encode() not in request.raw


@pytest.mark.usefixtures("strange_environment")
def test_connect_without_keys_takes_none_of_the_environment() -> None:
    assert connect({"gemini": Access(""), "openai": Access("")}) == {}
    assert connect({}) == {}


@pytest.mark.usefixtures("strange_environment")
@pytest.mark.parametrize("make", [Gemini, OpenAi])
def test_provider_without_a_key_is_refused(make: MakeProvider) -> None:
    with pytest.raises(ValueError, match="needs an API key"):
        make("")


@pytest.mark.usefixtures("strange_environment")
async def test_providers_without_a_base_url_go_to_their_own_address() -> None:
    gemini, openai = Gemini(KEY), OpenAi(KEY)
    options = gemini._client._api_client._http_options
    assert options.base_url == "https://generativelanguage.googleapis.com"
    assert options.api_version == "v1beta"
    assert str(openai._client.base_url) == "https://api.openai.com/v1/"
    await gemini.close()
    await openai.close()


async def test_connect_opens_the_providers_that_have_a_key() -> None:
    with OpenAiServer() as server:
        accesses = {"gemini": Access(""), "openai": Access(KEY, server.url)}
        providers = connect(accesses)
        assert list(providers) == ["openai"]
        await providers["openai"].score(ModelSpec("openai", "gpt-4o"), PROMPT)
        await providers["openai"].close()
        assert server.models == ["gpt-4o"]


def test_form_ai_without_a_key_imports_no_sdk() -> None:
    program = (
        "import sys; from server.form_ai import Access, chain, connect; "
        "connect({'gemini': Access(''), 'openai': Access('')}); "
        "sys.exit(bool({'openai', 'google.genai'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def test_access_in_a_log_shows_no_key() -> None:
    assert KEY not in repr(Access(KEY))


# Logs and connections


@pytest.mark.usefixtures("strange_environment")
@pytest.mark.parametrize("answer", ["extra_keys", "echo", "reset"])
async def test_logs_of_the_sdks_at_debug_hold_neither_key_nor_answer(
    side: Side, answer: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    side.server.answer_with(answer)
    with suppress(FormAiError):
        await side.provider().score(side.model, PROMPT)
    theirs = [record for record in caplog.records if record.name != "asyncio"]
    assert theirs == []


async def test_close_of_a_provider_ends_its_connections(side: Side) -> None:
    provider = side.provider()
    await provider.score(side.model, PROMPT)
    assert side.server.has_connections(1)
    await provider.close()
    assert side.server.has_connections(0)
