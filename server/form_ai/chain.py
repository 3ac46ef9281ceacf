"""The chain: models asked in order until one answers. It knows no SDK."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from server.domain.form_scores import FormScores
from server.form_ai import PROVIDERS
from server.form_ai.contract import FailureKind, FormAiError, ModelSpec, Provider
from server.form_ai.prompt import Prompt

MAX_TEMPERATURE = 2.0
NO_TEMPERATURE = "none"

TROUBLES = frozenset(
    {
        FailureKind.MODEL_GONE,
        FailureKind.UNAUTHORIZED,
        FailureKind.QUOTA,
        FailureKind.REJECTED,  # a model that takes no temperature, for one
    }
)
"""Kinds that do not pass by themselves: somebody must do something."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")
_TEMPERATURE = re.compile(r"\d+(?:\.\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores, the model that gave them, and those that were asked before it and failed."""

    scores: FormScores
    model: ModelSpec
    failures: tuple[FormAiError, ...] = ()

    @property
    def temperature(self) -> float | None:
        """The temperature it was asked with; None when none was sent."""
        return self.model.temperature


class AllFailedError(Exception):
    """No model gave scores: the form stays unscored, which is no score of 0. May be shown."""

    def __init__(self, failures: Sequence[FormAiError]) -> None:
        super().__init__("; ".join(map(str, failures)))
        self.failures = tuple(failures)


def parse_models(text: str) -> tuple[ModelSpec, ...]:
    """Read `provider:model[@temperature|@none], …`; raises ValueError that names the item.

    The temperature is 0 when not given.
    """
    return tuple(_parse(item.strip()) for item in text.split(","))


def _parse(item: str) -> ModelSpec:
    label, at, temperature = item.partition("@")
    provider, _, name = label.partition(":")
    if provider not in PROVIDERS:
        raise ValueError(f"{item!r} does not begin with {' or '.join(f'{p}:' for p in PROVIDERS)}")
    if not _NAME.fullmatch(name) or ".." in name:
        raise ValueError(f"{item!r} names no model after {provider}:")
    return ModelSpec(provider, name, _temperature(item, temperature) if at else 0.0)


def _temperature(item: str, text: str) -> float | None:
    if text == NO_TEMPERATURE:
        return None
    if not _TEMPERATURE.fullmatch(text) or float(text) > MAX_TEMPERATURE:
        raise ValueError(f"{item!r} has neither {NO_TEMPERATURE} nor a number from 0 to 2 after @")
    return float(text)


class Chain:
    """Asks one model after the other. Hold one for the life of the process, then `close` it."""

    def __init__(self, providers: Mapping[str, Provider], models: Sequence[ModelSpec]) -> None:
        self._providers = providers
        self._models = tuple(models)
        self._troubles: dict[ModelSpec, FormAiError] = {}

    async def score(self, prompt: Prompt, models: Sequence[ModelSpec] | None = None) -> Scored:
        """The first scores that a model gives; raises AllFailedError when none does.

        `models` replace those of the settings.
        """
        failures: list[FormAiError] = []
        for model in self._models if models is None else models:
            try:
                scores = await self._ask(model, prompt)
            except FormAiError as failure:
                failures.append(failure)
            else:
                return Scored(scores, model, tuple(failures))
        raise AllFailedError(failures)

    def troubles(self) -> tuple[FormAiError, ...]:
        """What the last attempt at each model showed that somebody must see to."""
        return tuple(self._troubles.values())

    async def close(self) -> None:
        """Close every provider."""
        for provider in self._providers.values():
            await provider.close()

    async def _ask(self, model: ModelSpec, prompt: Prompt) -> FormScores:
        provider = self._providers.get(model.provider)
        if provider is None:
            raise FormAiError(FailureKind.NOT_CONFIGURED, model)
        try:
            scores = await provider.score(model, prompt)
        except FormAiError as failure:
            self._remember(failure)
            raise
        self._troubles.pop(model, None)
        return scores

    def _remember(self, failure: FormAiError) -> None:
        """Keeps a copy: the trace of the one that was raised holds on to the prompt."""
        if failure.kind in TROUBLES:
            self._troubles[failure.model] = FormAiError(failure.kind, failure.model)
