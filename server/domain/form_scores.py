"""Form scores: the eight numbers that Form AI gives the answers of a form. It knows no provider."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

PROMPT_VERSION = "1"
"""Of the instruction in `form_ai/prompt.py`; whoever changes that changes this."""

QuestionsAndAnswers = Sequence[tuple[str, str]]
"""Each question of a form with its answer, in the form's order."""

_Score = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]

_MEANINGS = {
    "ai_fin": "Financial ability to buy",
    "ai_show": "Will show up to the viewing or call",
    "ai_sql": "Sales-qualified: worth a salesperson's time now",
    "scheduling_commitment": "Commits to a date or time",
    "emotional_urgency": "Urgency of the need behind it",
    "personal_responsibility": "Decides and acts for themselves",
    "financial_stability": "Steady income, savings or financing",
    "investment_readiness": "Ready to put money in soon",
}

SIGNALS = (
    "scheduling_commitment",
    "emotional_urgency",
    "personal_responsibility",
    "financial_stability",
    "investment_readiness",
)

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        name: {"type": "number", "minimum": 0, "maximum": 1, "description": meaning}
        for name, meaning in _MEANINGS.items()
    },
    "required": list(_MEANINGS),
}
"""What a model must answer, as plain as Gemini wants it: no additionalProperties, no $defs."""


class FormScores(BaseModel):
    """What Form AI answers: eight numbers from 0 to 1 (spec, step 3). Unknown keys are ignored.

    A number written as a text is refused: a model that does not keep to the schema is not to be
    trusted with the rest.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    ai_fin: _Score
    ai_show: _Score
    ai_sql: _Score
    scheduling_commitment: _Score
    emotional_urgency: _Score
    personal_responsibility: _Score
    financial_stability: _Score
    investment_readiness: _Score

    @property
    def signals(self) -> dict[str, float]:
        """The five signals by name, as the results store them."""
        return self.model_dump(include=set(SIGNALS))


def input_hash(
    model: str, temperature: float | None, questions: QuestionsAndAnswers, *, title: str = ""
) -> str:
    """What decides a score, as 64 hex digits: the same again need not be paid for again."""
    basis = [model, temperature, PROMPT_VERSION, SCHEMA, title, [list(pair) for pair in questions]]
    canonical = json.dumps(basis, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()
