"""Typeform responses: the payload as Typeform sends it, and scores as a model answers them.

The scores stand for a model's answer, which nobody is asked for; grade and events that follow from
them are those of the client's settings.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from server.channels import typeform
from server.domain import form_scores
from server.domain.clock import to_text
from server.domain.directory import Client
from server.domain.form_response import FULL_EVENT, ResponseDraft
from server.domain.form_scores import FormScores
from server.domain.ids import VisitorId
from server.form_ai.contract import ModelSpec
from server.store.form_responses import ResponseScores
from server.usecases.demo_data import property as market
from server.usecases.demo_data.people import Person
from server.usecases.demo_data.visits import Appearance

PARTIAL_EVENT = "form_response_partial"
FORM_ID = "dEm0f0rm"
_TITLE = "Find your home"

_QUESTIONS = (
    ("qBudget", market.QUESTION_BUDGET, "multiple_choice"),
    ("qWhen", market.QUESTION_WHEN, "multiple_choice"),
    ("qHomes", market.QUESTION_HOMES, "multiple_choice"),
    ("qMortgage", market.QUESTION_MORTGAGE, "yes_no"),
    ("qWhy", market.QUESTION_WHY, "long_text"),
    ("qFirst", "First name", "short_text"),
    ("qLast", "Last name", "short_text"),
    ("qEmail", "E-mail", "email"),
    ("qPhone", "Phone number", "phone_number"),
)
_DEFINITION = {
    "id": FORM_ID,
    "title": _TITLE,
    "fields": [
        {"id": field_id, "ref": field_id, "title": title, "type": kind, "properties": {}}
        for field_id, title, kind in _QUESTIONS
    ],
}


@dataclass(frozen=True, slots=True)
class Response:
    """One event of a response: the payload as received, and what it says."""

    raw: str
    draft: ResponseDraft
    received_at: datetime


class Responses:
    """Makes the responses of one client's form; `keenness` from 0 to 1 colours the answers."""

    def __init__(self, rng: Random, client: Client, models: Sequence[ModelSpec]) -> None:
        self._rng = rng
        self._client = client
        self._models = models

    def pair(
        self,
        person: Person,
        moment: datetime,
        visited: tuple[VisitorId, Appearance] | None,
        keenness: float,
    ) -> tuple[Response, Response]:
        """The partial response and, a minute or more later at `moment`, the whole one."""
        token = f"{self._rng.getrandbits(96):024x}"
        hidden = {"visitor_id": visited[0], "page_url": visited[1].page_url} if visited else {}
        answers = self._answers(person, keenness)
        contact = [answer for answer in answers if answer["type"] in ("email", "phone_number")]
        before = moment - timedelta(seconds=self._rng.randint(60, 240))
        partial = self._response(token, [answers[0], *contact], hidden, before, PARTIAL_EVENT)
        return partial, self._response(token, answers, hidden, moment, FULL_EVENT)

    def scores(self, draft: ResponseDraft, keenness: float) -> ResponseScores:
        """Eight numbers around `keenness`, under the name of a configured model."""
        rng = self._rng
        model = self._models[0] if rng.random() < 0.85 else self._models[-1]
        values = {
            name: round(min(1.0, max(0.0, rng.gauss(keenness, 0.12))), 2)
            for name in form_scores.SCHEMA["properties"]
        }
        return ResponseScores(
            FormScores.model_validate(values),
            str(model),
            form_scores.PROMPT_VERSION,
            form_scores.input_hash(
                str(model), model.temperature, draft.questions(), title=draft.title
            ),
        )

    def _answers(self, person: Person, keenness: float) -> list[dict[str, Any]]:
        rng = self._rng
        budget = market.BUDGETS[min(4, int(keenness * 5))]
        when = market.WHEN[min(4, int((1 - keenness) * 5))]
        reason = rng.choice(market.REASONS).format(town=rng.choice(market.PROJECTS).town)
        given = [
            ("choice", {"label": budget}, "qBudget", "multiple_choice"),
            ("choice", {"label": when}, "qWhen", "multiple_choice"),
            ("choices", {"labels": rng.sample(market.HOMES, 2)}, "qHomes", "multiple_choice"),
            ("boolean", rng.random() < 0.5, "qMortgage", "yes_no"),
            ("text", reason, "qWhy", "long_text"),
            ("text", person.first_name, "qFirst", "short_text"),
            ("text", person.last_name, "qLast", "short_text"),
            ("email", person.email, "qEmail", "email"),
            ("phone_number", person.phone, "qPhone", "phone_number"),
        ]
        return [
            {"type": kind, kind: value, "field": {"id": name, "ref": name, "type": asked}}
            for kind, value, name, asked in given
            if value != ""
        ]

    def _response(
        self,
        token: str,
        answers: Sequence[Mapping[str, Any]],
        hidden: Mapping[str, str],
        moment: datetime,
        event_type: str,
    ) -> Response:
        response = {
            "form_id": FORM_ID,
            "token": token,
            "landed_at": to_text(moment - timedelta(seconds=90)),
            "submitted_at": to_text(moment),
            "hidden": hidden,
            "definition": _DEFINITION,
            "answers": answers,
        }
        payload = {
            "event_id": f"01DEM0{self._rng.getrandbits(80):020X}",
            "event_type": event_type,
            "form_response": response,
        }
        draft = typeform.parse(payload, self._client.scoring.typeform_roles)
        return Response(json.dumps(payload, ensure_ascii=False), draft, moment)
