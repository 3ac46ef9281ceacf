"""The catalogue: models known by name, and when their providers take them away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from server.form_ai.contract import ModelSpec

DEFAULT_MODELS = "gemini:gemini-3.8-flash@none,openai:gpt-6-luna@none"
"""What FORM_AI_MODELS is when unset: the newest stable Flash, then OpenAI's successor of gpt-4o.

Without temperatures: Google calls them deprecated for Gemini 3 and advises against any, and
OpenAI's models that reason refuse them (docs/form-ai.md has the sources).
"""

_GOOGLE = "https://ai.google.dev/gemini-api/docs/deprecations"
_OPENAI = "https://developers.openai.com/api/docs/deprecations"


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model, the day it is shut down if that is announced, and what to name instead."""

    provider: str
    name: str
    retires_on: date | None
    successor: str
    source: str


CATALOGUE: tuple[KnownModel, ...] = (
    KnownModel("gemini", "gemini-2.0-flash", date(2026, 6, 1), "gemini-3.8-flash", _GOOGLE),
    KnownModel("gemini", "gemini-2.0-flash-001", date(2026, 6, 1), "gemini-3.8-flash", _GOOGLE),
    KnownModel(
        "gemini", "gemini-2.0-flash-lite", date(2026, 6, 1), "gemini-3.5-flash-lite", _GOOGLE
    ),
    KnownModel("gemini", "gemini-2.5-flash", date(2026, 12, 1), "gemini-3.5-flash-lite", _GOOGLE),
    KnownModel("gemini", "gemini-2.5-pro", date(2026, 12, 1), "gemini-3.8-flash", _GOOGLE),
    KnownModel(
        "gemini", "gemini-3.1-flash-lite", date(2027, 5, 7), "gemini-3.5-flash-lite", _GOOGLE
    ),
    KnownModel("gemini", "gemini-3.5-flash-lite", None, "", _GOOGLE),
    KnownModel("gemini", "gemini-3.6-flash", None, "", _GOOGLE),
    KnownModel("gemini", "gemini-3.8-flash", None, "", _GOOGLE),
    KnownModel("openai", "gpt-4o", date(2027, 1, 14), "gpt-6-luna", _OPENAI),
    KnownModel("openai", "gpt-4o-2024-08-06", date(2027, 1, 14), "gpt-6-luna", _OPENAI),
    KnownModel("openai", "gpt-4o-2024-11-20", date(2027, 1, 14), "gpt-6-luna", _OPENAI),
    KnownModel("openai", "gpt-4o-mini", date(2027, 1, 14), "gpt-6-luna", _OPENAI),
    KnownModel("openai", "gpt-4.1", date(2027, 1, 14), "gpt-6-luna", _OPENAI),
    KnownModel("openai", "gpt-4.1-mini", date(2027, 1, 14), "gpt-6-luna", _OPENAI),
    KnownModel("openai", "gpt-5", date(2026, 12, 11), "gpt-6.1-sol", _OPENAI),
    KnownModel("openai", "gpt-5-mini", date(2026, 12, 11), "gpt-6.1-terra", _OPENAI),
    KnownModel("openai", "gpt-5-nano", date(2026, 12, 11), "gpt-6-luna", _OPENAI),
    KnownModel("openai", "gpt-5.1", date(2027, 4, 1), "gpt-6.1-sol", _OPENAI),
    KnownModel("openai", "gpt-6-luna", None, "", _OPENAI),
    KnownModel("openai", "gpt-6.1-sol", None, "", _OPENAI),
    KnownModel("openai", "gpt-6.1-terra", None, "", _OPENAI),
)
"""As their providers announced by November 2026; others may be asked all the same."""

_BY_NAME = {(known.provider, known.name): known for known in CATALOGUE}


def retirement_notice(model: ModelSpec, today: date) -> str:
    """One sentence for people about a model that is or will be gone; "" when none is known."""
    known = _BY_NAME.get((model.provider, model.name))
    if known is None or known.retires_on is None:
        return ""
    day = known.retires_on.isoformat()
    is_gone = known.retires_on <= today
    told = f"was shut down on {day}" if is_gone else f"will be shut down on {day}"
    return f"{model} {told}; its successor is {known.provider}:{known.successor}"
