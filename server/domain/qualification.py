"""Qualification: a client's settings for scored responses, the rotator and what Meta is told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from server.domain.clock import from_text, to_text

MASK = "********"
"""Stands for a secret where settings are shown; sent back, it keeps the one that is stored."""

SECRETS = ("capi_token", "app_secret", "typeform_secret")

SUBMIT_APPLICATION = "SubmitApplication"
"""The automatic event's name, whatever the settings call the manual one (spec)."""

LEAD = "Lead"

THRESHOLDS = (
    "fb_capi_fin",
    "fb_capi_show",
    "a_rotator_fin",
    "a_rotator_show",
    "b_rotator_fin",
    "b_rotator_show",
    "c_rotator_fin",
    "c_rotator_show",
)
"""Inclusive, from 0 to 1."""

DRAFTED = ("scoring_method", *THRESHOLDS)
"""What is tried as a draft before it is published."""

IN_ORDER = tuple(
    (f"{higher}_rotator_{kind}", f"{lower}_rotator_{kind}")
    for higher, lower in (("a", "b"), ("b", "c"))
    for kind in ("fin", "show")
)
"""The first of each pair may not be the lower one."""

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Text = Annotated[str, StringConstraints(max_length=500, strip_whitespace=True)]


class Rotator(StrEnum):
    """Which group of salespeople a lead goes to."""

    A = "A"
    B = "B"
    C = "C"


class LeadScoringConfig(BaseModel):
    """A client's settings under the spec's names, with its defaults; flat JSON in and out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scoring_method: Literal["AI", "ML"] = "AI"
    fb_capi_fin: Share = 0.8
    fb_capi_show: Share = 0.6
    a_rotator_fin: Share = 0.8
    a_rotator_show: Share = 0.8
    b_rotator_fin: Share = 0.6
    b_rotator_show: Share = 0.3
    c_rotator_fin: Share = 0.0
    c_rotator_show: Share = 0.0
    capi_token: Text = ""
    pixel_id: Annotated[str, StringConstraints(pattern=r"^\d{0,20}$")] = ""
    event_name: Annotated[
        str, StringConstraints(min_length=1, max_length=50, pattern=r"^[A-Za-z][A-Za-z0-9_ ]*$")
    ] = SUBMIT_APPLICATION
    event_source_url: Annotated[
        str, StringConstraints(max_length=500, pattern=r"^(https?://[^\s]+)?$")
    ] = ""
    action_source: Literal[
        "website",
        "email",
        "app",
        "phone_call",
        "chat",
        "physical_store",
        "system_generated",
        "business_messaging",
        "other",
    ] = "website"
    test_event_code: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{0,64}$")] = ""
    test_event_until: str = ""
    capi_trigger_logic: Literal["threshold"] = "threshold"
    app_secret: Text = ""
    limited_data_use: bool = False
    typeform_secret: Text = ""
    typeform_form_ids: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")], ...],
        Field(max_length=100),
    ] = ()
    typeform_roles: Annotated[dict[str, Text], Field(max_length=20)] = Field(default_factory=dict)
    form_ai_models: Text = ""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        """Each grade asks at least what the next lower one does."""
        for higher, lower in disorder(vars(self)):
            raise ValueError(f"{higher} is lower than {lower}")
        return self

    @field_validator("test_event_until")
    @classmethod
    def _is_time(cls, text: str) -> str:
        return to_text(from_text(text)) if text else ""

    def rotator(self, p_fin: float, p_show: float) -> Rotator:
        """The grade of two scores; thresholds are inclusive."""
        if p_fin >= self.a_rotator_fin and p_show >= self.a_rotator_show:
            return Rotator.A
        if p_fin >= self.b_rotator_fin and p_show >= self.b_rotator_show:
            return Rotator.B
        return Rotator.C

    def fires(self, p_fin: float, p_show: float) -> bool:
        """Whether the scores are worth an event to Meta; thresholds are inclusive."""
        return p_fin >= self.fb_capi_fin and p_show >= self.fb_capi_show

    @property
    def reports_to_meta(self) -> bool:
        """Whether there is a pixel and a token to send events with."""
        return bool(self.capi_token and self.pixel_id)

    def test_code(self, now: datetime) -> str:
        """The test event code while it lasts; one without an end lasts until it is taken out."""
        until = self.test_event_until
        return self.test_event_code if not until or now < from_text(until) else ""

    def masked(self) -> dict[str, Any]:
        """What may be shown: as JSON, with each secret that is set as its mask."""
        shown = self.model_dump(mode="json")
        return shown | {name: MASK for name in SECRETS if shown[name]}


def disorder(thresholds: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Thresholds that lie below those of the next lower grade, each with the other's name."""
    return [(higher, lower) for higher, lower in IN_ORDER if thresholds[higher] < thresholds[lower]]


def merged(stored: LeadScoringConfig, sent: Mapping[str, Any]) -> LeadScoringConfig:
    """What was sent, whole, with the stored secret where its mask came back.

    Raises pydantic's ValidationError naming each field at fault.
    """
    kept = {name: getattr(stored, name) for name in SECRETS if sent.get(name) == MASK}
    return LeadScoringConfig.model_validate({**sent, **kept})
