import hashlib
import json
from typing import Any

import pytest
from pydantic import ValidationError

from server.domain.form_scores import PROMPT_VERSION, SCHEMA, SIGNALS, FormScores, input_hash
from server.form_ai.prompt import SYSTEM

GOOD: dict[str, Any] = {
    "ai_fin": 0.9,
    "ai_show": 0.8,
    "ai_sql": 0.7,
    "scheduling_commitment": 0.6,
    "emotional_urgency": 0.5,
    "personal_responsibility": 0.4,
    "financial_stability": 0.3,
    "investment_readiness": 0.2,
}
QUESTIONS = [("What is your budget?", "1 m"), ("When can you view?", "Saturday")]


def hashed(**changes: Any) -> str:
    given: dict[str, Any] = {"model": "m", "temperature": 0.0, "questions": QUESTIONS}
    return input_hash(**{**given, **changes})


def test_form_scores_of_eight_numbers_keeps_each() -> None:
    assert FormScores.model_validate(GOOD).model_dump() == GOOD


@pytest.mark.parametrize("edge", [0, 1, 0.0, 1.0])
def test_form_scores_at_an_edge_are_taken(edge: float) -> None:
    assert FormScores.model_validate({**GOOD, "ai_fin": edge}).ai_fin == edge


@pytest.mark.parametrize(
    "wrong", [-0.001, 1.001, 80, float("nan"), float("inf"), "0.5", "high", None, True, [0.5], {}]
)
@pytest.mark.parametrize("name", GOOD)
def test_form_scores_with_something_else_than_a_share_are_refused(name: str, wrong: Any) -> None:
    with pytest.raises(ValidationError) as refusal:
        FormScores.model_validate({**GOOD, name: wrong})
    assert [problem["loc"] for problem in refusal.value.errors()] == [(name,)]


@pytest.mark.parametrize("name", GOOD)
def test_form_scores_without_one_are_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        FormScores.model_validate({key: value for key, value in GOOD.items() if key != name})


def test_form_scores_with_unknown_keys_leave_them_out() -> None:
    assert FormScores.model_validate({**GOOD, "reasoning": "x"}).model_dump() == GOOD


def test_form_scores_never_change() -> None:
    with pytest.raises(ValidationError):
        FormScores.model_validate(GOOD).ai_fin = 1.0  # type: ignore[misc] # what is tested


def test_signals_of_form_scores_are_the_specs_five() -> None:
    assert FormScores.model_validate(GOOD).signals == {
        "scheduling_commitment": 0.6,
        "emotional_urgency": 0.5,
        "personal_responsibility": 0.4,
        "financial_stability": 0.3,
        "investment_readiness": 0.2,
    }
    assert set(SIGNALS) < set(GOOD)


def test_schema_asks_for_exactly_the_scores() -> None:
    assert list(SCHEMA["properties"]) == list(FormScores.model_fields)
    assert SCHEMA["required"] == list(FormScores.model_fields)


def test_schema_for_gemini_uses_plain_keywords_only() -> None:
    assert set(SCHEMA) == {"type", "properties", "required"}
    for described in SCHEMA["properties"].values():
        assert set(described) == {"type", "minimum", "maximum", "description"}


def test_input_hash_of_the_same_again_is_the_same() -> None:
    assert hashed() == hashed(questions=tuple(QUESTIONS))
    assert len(hashed()) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"model": "n"},
        {"temperature": 0.1},
        {"temperature": None},
        {"title": "Enquiry"},
        {"questions": QUESTIONS[:1]},
        {"questions": QUESTIONS[::-1]},
        {"questions": [QUESTIONS[0], ("When can you view?", "Sunday")]},
        {"questions": [QUESTIONS[0], ("When will you view?", "Saturday")]},
        {"questions": [("What is your budget?1 m", ""), QUESTIONS[1]]},
    ],
)
def test_input_hash_of_anything_else_differs(change: dict[str, Any]) -> None:
    assert hashed(**change) != hashed()


def test_input_hash_depends_on_prompt_version_and_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    before = hashed()
    monkeypatch.setattr("server.domain.form_scores.PROMPT_VERSION", "another")
    after_prompt = hashed()
    monkeypatch.setattr("server.domain.form_scores.SCHEMA", {})
    assert len({before, after_prompt, hashed()}) == 3


def test_input_hash_of_any_text_is_made() -> None:
    assert len(hashed(questions=[("\ud800", "\x00 \u202e 家")])) == 64


def test_prompt_version_is_of_this_instruction_and_schema() -> None:
    """Scores under one version are comparable: whoever changes what is asked raises it."""
    asked = hashlib.sha256((SYSTEM + json.dumps(SCHEMA)).encode()).hexdigest()[:16]
    assert {PROMPT_VERSION: asked} == {"1": "5ecc7b5e842f1599"}
