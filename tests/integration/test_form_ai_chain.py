"""The chain over both real SDKs: who is asked, in which order, and what is told of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from server.form_ai import Access, connect
from server.form_ai.chain import AllFailedError, Chain, Scored, parse_models
from server.form_ai.contract import SENTENCES, FailureKind, ModelSpec
from server.form_ai.prompt import build
from tests.llm_servers import GOOD_SCORES, GeminiServer, OpenAiServer

PROMPT = build("Saffron Quay", [("What is your budget?", "1 m")])
SPEC_MODELS = "gemini:gemini-2.0-flash,openai:gpt-4o"
"""The pair that the spec names, each with its temperature of 0."""

FROM_OPENAI = {**GOOD_SCORES, "ai_fin": 0.25}


@dataclass
class World:
    gemini: GeminiServer
    openai: OpenAiServer
    chain: Chain

    async def ask(self, models: str) -> Scored:
        return await self.chain.score(PROMPT, parse_models(models))


@pytest.fixture
async def world() -> AsyncIterator[World]:
    with GeminiServer() as gemini, OpenAiServer() as openai:
        openai.scores = FROM_OPENAI
        accesses = {"gemini": Access("k-g", gemini.url), "openai": Access("k-o", openai.url)}
        chain = Chain(connect(accesses), parse_models(SPEC_MODELS))
        yield World(gemini, openai, chain)
        await chain.close()


async def test_chain_whose_first_model_answers_asks_no_other(world: World) -> None:
    scored = await world.chain.score(PROMPT)
    assert scored.scores.model_dump() == GOOD_SCORES
    assert (str(scored.model), scored.temperature) == ("gemini:gemini-2.0-flash", 0.0)
    assert scored.failures == ()
    assert (world.gemini.models, world.openai.models) == (["gemini-2.0-flash"], [])


async def test_chain_of_the_spec_falls_back_from_gemini_to_gpt_4o(world: World) -> None:
    world.gemini.answer_with("model_gone")
    scored = await world.chain.score(PROMPT)
    assert scored.scores.model_dump() == FROM_OPENAI
    assert str(scored.model) == "openai:gpt-4o"
    assert [failure.kind for failure in scored.failures] == [FailureKind.MODEL_GONE]
    assert [request.temperature for request in world.openai.requests] == [0]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("reset", FailureKind.CONNECTION),
        ("rate_limited", FailureKind.RATE_LIMITED),
        ("quota", FailureKind.QUOTA),
        ("bad_key", FailureKind.UNAUTHORIZED),
        ("model_gone", FailureKind.MODEL_GONE),
        ("bad_request", FailureKind.REJECTED),
        ("server_error", FailureKind.SERVER_ERROR),
        ("blocked", FailureKind.BLOCKED),
        ("truncated", FailureKind.TRUNCATED),
        ("prose", FailureKind.INVALID_ANSWER),
    ],
)
async def test_chain_goes_on_to_the_next_model_after_each_kind_of_failure(
    world: World, answer: str, kind: FailureKind
) -> None:
    world.gemini.answer_with(answer)
    scored = await world.chain.score(PROMPT)
    assert str(scored.model) == "openai:gpt-4o"
    assert [failure.kind for failure in scored.failures] == [kind]


async def test_chain_goes_on_after_a_timeout(world: World) -> None:
    from server.form_ai.gemini import Gemini  # noqa: PLC0415 # with a timeout of its own

    world.gemini.answer_with("hang")
    hasty = Gemini("k-g", world.gemini.url, timeout_seconds=1.5)
    openai = connect({"openai": Access("k-o", world.openai.url)})
    chain = Chain({"gemini": hasty, **openai}, parse_models(SPEC_MODELS))
    scored = await chain.score(PROMPT)
    await chain.close()
    assert [failure.kind for failure in scored.failures] == [FailureKind.TIMEOUT]
    assert str(scored.model) == "openai:gpt-4o"


async def test_chain_keeps_the_order_of_its_models(world: World) -> None:
    world.gemini.answer_with("overloaded", model="b")
    world.openai.answer_with("overloaded")
    scored = await world.ask("openai:x@none,gemini:b,openai:y,gemini:a@0.5")
    assert [str(failure.model) for failure in scored.failures] == [
        "openai:x",
        "gemini:b",
        "openai:y",
    ]
    assert (str(scored.model), scored.temperature) == ("gemini:a", 0.5)
    assert world.openai.models == ["x", "y"]
    assert world.gemini.models == ["b", "a"]


async def test_chain_with_models_of_its_own_leaves_those_of_the_settings(world: World) -> None:
    scored = await world.ask("openai:gpt-6-luna@none")
    assert (str(scored.model), scored.temperature) == ("openai:gpt-6-luna", None)
    assert world.gemini.requests == []


async def test_chain_when_every_model_fails_tells_each_failure_and_no_scores(world: World) -> None:
    world.gemini.answer_with("overloaded")
    world.openai.answer_with("quota")
    with pytest.raises(AllFailedError) as failed:
        await world.chain.score(PROMPT)
    assert [failure.kind for failure in failed.value.failures] == [
        FailureKind.SERVER_ERROR,
        FailureKind.QUOTA,
    ]
    assert str(failed.value) == (
        "gemini:gemini-2.0-flash failed at its provider's end; "
        "openai:gpt-4o has no quota or credit left"
    )


async def test_chain_without_models_has_failed(world: World) -> None:
    with pytest.raises(AllFailedError):
        await world.chain.score(PROMPT, ())


async def test_chain_without_a_key_for_a_provider_skips_its_models(world: World) -> None:
    chain = Chain(connect({"openai": Access("k-o", world.openai.url)}), parse_models(SPEC_MODELS))
    scored = await chain.score(PROMPT)
    await chain.close()
    assert [failure.kind for failure in scored.failures] == [FailureKind.NOT_CONFIGURED]
    assert str(scored.model) == "openai:gpt-4o"


async def test_chain_without_any_key_fails_as_not_configured() -> None:
    chain = Chain(connect({}), parse_models(SPEC_MODELS))
    with pytest.raises(AllFailedError) as failed:
        await chain.score(PROMPT)
    assert {failure.kind for failure in failed.value.failures} == {FailureKind.NOT_CONFIGURED}
    assert chain.troubles() == ()


@pytest.mark.parametrize("answer", ["model_gone", "bad_key", "quota", "bad_request"])
async def test_troubles_after_a_lasting_failure_name_the_model(world: World, answer: str) -> None:
    world.gemini.answer_with(answer)
    await world.chain.score(PROMPT)
    (trouble,) = world.chain.troubles()
    assert trouble.model == ModelSpec("gemini", "gemini-2.0-flash", 0.0)
    assert trouble.__traceback__ is None


@pytest.mark.parametrize("answer", ["overloaded", "rate_limited", "reset", "prose", "blocked"])
async def test_troubles_after_a_passing_failure_are_none(world: World, answer: str) -> None:
    world.gemini.answer_with(answer)
    await world.chain.score(PROMPT)
    assert world.chain.troubles() == ()


async def test_troubles_after_the_model_answered_again_are_none(world: World) -> None:
    world.gemini.answer_with("model_gone", GOOD_SCORES)
    await world.chain.score(PROMPT)
    assert len(world.chain.troubles()) == 1
    await world.chain.score(PROMPT)
    assert world.chain.troubles() == ()


def test_every_kind_of_failure_has_its_sentence() -> None:
    assert set(SENTENCES) == set(FailureKind)
