"""What /api/v1/leadscoring takes and answers, for the API reference."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from server.domain.form_scores import FormScores
from server.domain.qualification import LeadScoringConfig, Rotator
from server.web.schemas import Problem


class FormResponse(BaseModel):
    """A form's webhook as Typeform sends it; anything else in it is kept, too."""

    model_config = ConfigDict(extra="allow")

    event_id: str = Field("", description="One response is stored once per event.")
    event_type: str = Field(description="`form_response` for a whole one, else a partial one.")
    form_response: dict[str, Any] = Field(
        description="form_id, token, hidden, definition, answers …"
    )


class WebhookAnswer(BaseModel):
    """What became of a response."""

    ok: bool
    duplicate: bool = Field(False, description="The event was stored before.")
    ignored: str = Field("", description="unknown_client or unknown_form: not kept.")


class Result(BaseModel):
    """A scoring result under the spec's names."""

    client_id: int
    email: str
    source: str
    p_fin_model: float | None
    p_show_model: float | None
    p_sql_model: float | None
    rotator: Rotator | None
    capi_data: dict[str, Any] | None = Field(description="How it was decided whether Meta hears.")
    signals: dict[str, float] | None
    capi_lead: int = Field(description="1 once Meta took the event Lead.")
    capi_submitapp: int = Field(description="1 once Meta took the application.")
    capi_fired_to_fb: int
    model: str | None
    created_at: str
    updated_at: str


class Settings(LeadScoringConfig):
    """A client's settings; secrets that are set stand as `********`."""


class FiredEvent(BaseModel):
    """An event that Meta took."""

    ok: bool
    fired: bool
    verdict: str
    detail: str
    event_name: str
    event_id: str


class NotFired(Problem):
    """Why an event was not fired; the scores and thresholds where they are too low."""

    fired: bool
    verdict: str
    event_name: str = ""
    event_id: str = ""
    p_fin: float | None = None
    p_show: float | None = None
    fb_capi_fin: float | None = None
    fb_capi_show: float | None = None


class QuestionWithAnswer(BaseModel):
    """One question of a form with its answer."""

    question: str
    answer: str | int | float | bool


class PredictionRequest(BaseModel):
    """Nothing (all unscored responses), addresses, or answers to be scored at once."""

    emails: list[str] | None = Field(None, max_length=1000)
    answers: list[QuestionWithAnswer] | None = Field(None, max_length=500)


class Prediction(FormScores):
    """Scores of given answers, and what would follow from them."""

    rotator: Rotator
    fires: bool
    model: str
    prompt_version: str
    review: str | None = Field(description="Why a person should look at the answers.")


class Run(BaseModel):
    """Responses that are scored in the background."""

    run_id: str
    total: int
    progress: str = Field(description="Where to ask how far it is.")


class Progress(BaseModel):
    """How far a run is."""

    run_id: str
    created_at: str
    total: int
    scored: int
    failed: int
    pending: int
    done: bool
