from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from server.domain.qualification import MASK, LeadScoringConfig, Rotator, merged

shares = st.floats(0, 1, allow_nan=False)


def test_settings_without_any_value_have_the_specs_defaults() -> None:
    config = LeadScoringConfig()
    assert (config.scoring_method, config.capi_trigger_logic) == ("AI", "threshold")
    assert (config.fb_capi_fin, config.fb_capi_show) == (0.8, 0.6)
    assert (config.a_rotator_fin, config.a_rotator_show) == (0.8, 0.8)
    assert (config.b_rotator_fin, config.b_rotator_show) == (0.6, 0.3)
    assert (config.c_rotator_fin, config.c_rotator_show) == (0, 0)


@pytest.mark.parametrize(
    ("fin", "show", "grade"),
    [
        (0.8, 0.8, Rotator.A),
        (1, 1, Rotator.A),
        (0.799, 0.8, Rotator.B),
        (0.8, 0.799, Rotator.B),
        (0.6, 0.3, Rotator.B),
        (0.599, 1, Rotator.C),
        (1, 0.299, Rotator.C),
        (0, 0, Rotator.C),
    ],
)
def test_rotator_by_its_thresholds_is_inclusive(fin: float, show: float, grade: Rotator) -> None:
    assert LeadScoringConfig().rotator(fin, show) is grade


@given(shares, shares)
def test_rotator_never_falls_when_a_score_rises(fin: float, show: float) -> None:
    config = LeadScoringConfig()
    assert config.rotator(1, show) <= config.rotator(fin, show)
    assert config.rotator(fin, 1) <= config.rotator(fin, show)


@pytest.mark.parametrize(
    ("fin", "show", "fires"),
    [(0.8, 0.6, True), (0.79, 1, False), (1, 0.59, False), (1, 1, True)],
)
def test_event_by_its_thresholds_is_inclusive(fin: float, show: float, *, fires: bool) -> None:
    assert LeadScoringConfig().fires(fin, show) is fires


@pytest.mark.parametrize(
    "fields",
    [
        {"a_rotator_fin": 0.5},
        {"a_rotator_show": 0.2},
        {"b_rotator_fin": 0.1, "c_rotator_fin": 0.2},
        {"b_rotator_show": 0.1, "c_rotator_show": 0.2},
        {"fb_capi_fin": float("nan")},
        {"fb_capi_show": float("inf")},
        {"capi_token": "x" * 501},
        {"typeform_form_ids": ["a b"]},
        {"test_event_until": "tomorrow"},
        {"test_event_until": "2026-13-01T00:00:00.000Z"},
    ],
)
def test_settings_that_contradict_themselves_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LeadScoringConfig.model_validate(fields)


def test_test_code_lasts_until_its_end() -> None:
    end = datetime(2026, 11, 23, 10, tzinfo=UTC)
    config = LeadScoringConfig(test_event_code="T1", test_event_until="2026-11-23T10:00:00.000Z")
    assert config.test_code(end - timedelta(milliseconds=1)) == "T1"
    assert config.test_code(end) == ""


def test_test_code_without_an_end_lasts() -> None:
    assert LeadScoringConfig(test_event_code="T1").test_code(datetime.now(UTC)) == "T1"


def test_settings_as_shown_hide_secrets_that_are_set_and_only_those() -> None:
    shown = LeadScoringConfig(capi_token="EAA", pixel_id="1").masked()
    assert (shown["capi_token"], shown["app_secret"], shown["pixel_id"]) == (MASK, "", "1")


def test_settings_as_shown_can_be_sent_back_unchanged() -> None:
    stored = LeadScoringConfig(capi_token="EAA", typeform_secret="s", fb_capi_fin=0.7)
    assert merged(stored, stored.masked()) == stored


def test_settings_with_a_new_or_no_secret_replace_the_stored_one() -> None:
    stored = LeadScoringConfig(capi_token="EAA", app_secret="a")
    changed = merged(stored, {**stored.masked(), "capi_token": "EAB", "app_secret": ""})
    assert (changed.capi_token, changed.app_secret) == ("EAB", "")


@pytest.mark.parametrize(
    ("fields", "reports"),
    [({}, False), ({"capi_token": "t"}, False), ({"capi_token": "t", "pixel_id": "1"}, True)],
)
def test_client_reports_to_meta_with_token_and_pixel(
    fields: dict[str, str], *, reports: bool
) -> None:
    assert LeadScoringConfig.model_validate(fields).reports_to_meta is reports
