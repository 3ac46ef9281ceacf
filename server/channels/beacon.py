"""Beacons: the JSON that tracker.js sends, validated and clamped."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from server.domain.clock import DAY_MS
from server.domain.errors import (
    AppError,
    ErrorCode,
    FieldError,
    field_errors,
    invalid_field,
    invalid_fields,
)
from server.domain.ids import OutsideEventId, OutsidePageViewId, OutsideSessionId, OutsideVisitorId
from server.domain.visitor import (
    MAX_CLICK_ID_CHARS,
    MAX_COUNT,
    MAX_EVENT_NAME_CHARS,
    MAX_SHORT_CHARS,
    MAX_TITLE_CHARS,
    MAX_URL_CHARS,
    Beacon,
    BeaconType,
    EventName,
    EventProps,
)

MAX_BEACONS = 20

_Number = Annotated[float, Field(allow_inf_nan=False)]
_UpToTwenty = Field(min_length=1, max_length=MAX_BEACONS)


class BeaconModel(BaseModel):
    """One beacon as design section 4 lists it, with values that may need clamping.

    Totals are those of the page view so far.
    """

    model_config = ConfigDict(extra="ignore")

    v: int = 1
    site: str | None = None
    visitor_id: OutsideVisitorId
    session_id: OutsideSessionId
    page_view_id: OutsidePageViewId
    seq: Annotated[int, Field(ge=0)] = 0
    type: BeaconType
    url: str | None = None
    referrer: str | None = None
    title: str | None = None
    screen: str | None = None
    language: str | None = None
    timezone: str | None = None
    fingerprint: str | None = None
    duration_ms: _Number = 0
    scroll_percent: _Number = 0
    scrollable: bool = True
    clicks: _Number = 0
    automation: bool = False
    age_ms: _Number = 0
    fbp: str | None = None
    fbc: str | None = None
    consent: bool | None = None
    event_id: OutsideEventId | None = None
    name: EventName = ""
    props: EventProps = Field(default_factory=dict)

    def to_beacon(self) -> Beacon:
        """The beacon with its numbers clamped and its texts cut to their limits."""
        return Beacon(
            visitor_id=self.visitor_id,
            session_id=self.session_id,
            page_view_id=self.page_view_id,
            type=self.type,
            seq=min(self.seq, MAX_COUNT),
            site=_cut(self.site, MAX_SHORT_CHARS),
            url=_cut(self.url, MAX_URL_CHARS),
            referrer=_cut(self.referrer, MAX_URL_CHARS),
            title=_cut(self.title, MAX_TITLE_CHARS),
            screen=_cut(self.screen, MAX_SHORT_CHARS),
            language=_cut(self.language, MAX_SHORT_CHARS),
            timezone=_cut(self.timezone, MAX_SHORT_CHARS),
            fingerprint=_cut(self.fingerprint, MAX_SHORT_CHARS),
            duration_ms=_clamp(self.duration_ms, DAY_MS),
            scroll_percent=_clamp(self.scroll_percent, 100),
            scrollable=self.scrollable,
            clicks=_clamp(self.clicks, MAX_COUNT),
            automation=self.automation,
            age_ms=_clamp(self.age_ms, DAY_MS),
            fbp=_cut(self.fbp, MAX_SHORT_CHARS),
            fbc=self.fbc if self.fbc and len(self.fbc) <= MAX_CLICK_ID_CHARS else "",
            consent=self.consent,
            event_id=self.event_id,
            name=_cut(self.name, MAX_EVENT_NAME_CHARS),
            props={_without_nul(name): _without_nul(told) for name, told in self.props.items()},
        )


_ONE = TypeAdapter(BeaconModel)
_MANY = TypeAdapter(Annotated[list[BeaconModel], _UpToTwenty])

# tracker.js keeps to every range: its beacons need no clamping, and a third of the time.
_ONE_IN_RANGE = TypeAdapter(Beacon)
_MANY_IN_RANGE = TypeAdapter(Annotated[list[Beacon], _UpToTwenty])


def parse(body: bytes | str) -> list[Beacon]:
    """Read one beacon or an array of up to 20.

    Raises AppError: `malformed` when it is no JSON, `invalid` naming each field at fault
    (`0.page_view_id` in an array); then none of the array counts.
    """
    is_array = body.lstrip()[:1] in (b"[", "[")
    beacons = _parse(body, is_array=is_array)
    for place, beacon in enumerate(beacons):
        if beacon.type is BeaconType.EVENT and not (beacon.event_id and beacon.name):
            at_fault = "name" if beacon.event_id else "event_id"
            raise invalid_field(f"{place}.{at_fault}" if is_array else at_fault, "is missing")
    return beacons


def _parse(body: bytes | str, *, is_array: bool) -> list[Beacon]:
    if _holds_nul(body):
        return _parse_clamping(body, is_array=is_array)
    try:
        if is_array:
            return _MANY_IN_RANGE.validate_json(body)
        return [_ONE_IN_RANGE.validate_json(body)]
    except ValidationError:
        return _parse_clamping(body, is_array=is_array)


def _holds_nul(body: bytes | str) -> bool:
    return b"\\u0000" in body if isinstance(body, bytes) else "\\u0000" in body


def _parse_clamping(body: bytes | str, *, is_array: bool) -> list[Beacon]:
    try:
        models = _MANY.validate_json(body) if is_array else [_ONE.validate_json(body)]
    except ValidationError as error:
        raise _refusal(error) from None
    return [model.to_beacon() for model in models]


def _refusal(error: ValidationError) -> AppError:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    if first["type"] == "json_invalid":
        message = f"is no JSON: {first['msg']}"
        return AppError(ErrorCode.MALFORMED, f"The body {message}", FieldError("body", message))
    return invalid_fields(field_errors(error, "body"))


def _cut(text: str | None, limit: int) -> str:
    return _without_nul(text)[:limit] if text else ""


def _without_nul(value: Any) -> Any:
    """Not every store takes it."""
    return value.replace("\x00", "") if isinstance(value, str) else value


def _clamp(number: float, limit: int) -> int:
    return min(limit, max(0, int(number)))
