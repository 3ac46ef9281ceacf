"""Form AI: the answers of a form to eight scores. A new provider is a file and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from server.form_ai.contract import Provider


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a provider; without a key it is not used. Empty `base_url`: its own address."""

    api_key: str = field(repr=False)
    base_url: str = ""


# An SDK takes 30 MB and half a second or more to import: only those are that have a key.


def _gemini(access: Access) -> Provider:
    from server.form_ai.gemini import Gemini  # noqa: PLC0415

    return Gemini(access.api_key, access.base_url)


def _openai(access: Access) -> Provider:
    from server.form_ai.openai import OpenAi  # noqa: PLC0415

    return OpenAi(access.api_key, access.base_url)


PROVIDERS: Mapping[str, Callable[[Access], Provider]] = {
    "gemini": _gemini,
    "openai": _openai,
}
"""By the name that stands before the colon of a model."""


def connect(accesses: Mapping[str, Access]) -> dict[str, Provider]:
    """The providers that have a key, by name. They open no connection before they are asked."""
    return {
        name: make(accesses[name])
        for name, make in PROVIDERS.items()
        if name in accesses and accesses[name].api_key
    }
