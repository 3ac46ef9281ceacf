"""Settings → Models: which models score the client's responses, in which order, and how they do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from starlette.responses import Response
from starlette.routing import BaseRoute

from server.config import Config
from server.form_ai.catalogue import CATALOGUE, KnownModel, retirement_notice
from server.form_ai.chain import NO_TEMPERATURE, Chain, parse_models
from server.form_ai.contract import ModelSpec
from server.web.dashboard.call import Call
from server.web.dashboard.parts import Parts
from server.web.dashboard.settings_frame import Fault, SettingsFrame

TAB = "/models"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A model of the chain, and what is known of it."""

    spec: ModelSpec
    has_key: bool
    notice: str
    trouble: str


class ModelsTab:
    """The page, and its form."""

    def __init__(self, parts: Parts, frame: SettingsFrame) -> None:
        self._config = parts.config
        self._chain = parts.chain
        self._frame = frame

    def routes(self) -> list[BaseRoute]:
        """The page and its form."""
        return [self._frame.get(TAB, self.show), self._frame.post(TAB, self.save, self._page)]

    async def show(self, call: Call) -> Response:
        """The models as they are."""
        return await self._page(call)

    async def save(self, call: Call) -> Response:
        """Store another order of models; none at all means the server's own."""
        lines = call.text("form_ai_models").replace(",", "\n").splitlines()
        fields = {"form_ai_models": ",".join(line.strip() for line in lines if line.strip())}
        did = await self._frame.change_scoring(call, fields)
        return self._frame.saved(call, TAB, "Models saved.", did=did)

    async def _page(self, call: Call, fault: Fault | None = None) -> Response:
        settings = await self._frame.settings(call)
        own, today = settings.scoring.form_ai_models, call.now.date()
        models = parse_models(own) if own else self._config.form_ai_models
        typed = call.text("form_ai_models") if "form_ai_models" in call.form else ""
        return self._frame.page(
            call,
            TAB,
            settings,
            fault,
            own=own,
            typed=typed or own.replace(",", "\n"),
            chain=[_asked(one, self._config, self._chain, today) for one in models],
            defaults="\n".join(map(_written, self._config.form_ai_models)),
            keys=_keys(self._config),
            offered=[known for known in CATALOGUE if not _is_gone(known, today)],
        )


def _keys(config: Config) -> dict[str, bool]:
    """Whether the key of each provider is set."""
    return {"gemini": bool(config.gemini_api_key), "openai": bool(config.openai_api_key)}


def _asked(spec: ModelSpec, config: Config, chain: Chain, today: date) -> _Asked:
    troubles = [str(one) for one in chain.troubles() if one.model == spec]
    has_key = _keys(config).get(spec.provider, False)
    return _Asked(spec, has_key, retirement_notice(spec, today), "; ".join(troubles))


def _written(spec: ModelSpec) -> str:
    """A model as the form takes it."""
    return f"{spec}@{NO_TEMPERATURE if spec.temperature is None else spec.temperature}"


def _is_gone(known: KnownModel, today: date) -> bool:
    return known.retires_on is not None and known.retires_on <= today
