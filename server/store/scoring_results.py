"""The spec's `leadscoring.results`: one row per client and e-mail address."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from server.domain.clock import to_text
from server.domain.form_scores import FormScores
from server.domain.ids import ClientId
from server.domain.qualification import LEAD, Rotator
from server.store.contract import Row, Statement, Store

_TOUCH = """
INSERT INTO leadscoring_results (client_id, email, source, created_at, updated_at)
VALUES (?, ?, 'LEAD-SCORING', ?, ?)
ON CONFLICT (client_id, email) DO UPDATE SET updated_at = excluded.updated_at"""

_SAVE = """
INSERT INTO leadscoring_results
  (client_id, email, source, p_fin_model, p_show_model, p_sql_model, rotator, capi_data, signals,
   model, created_at, updated_at)
VALUES (?, ?, 'LEAD-SCORING', ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (client_id, email) DO UPDATE SET
  p_fin_model = excluded.p_fin_model, p_show_model = excluded.p_show_model,
  p_sql_model = excluded.p_sql_model, rotator = excluded.rotator, capi_data = excluded.capi_data,
  signals = excluded.signals, model = excluded.model, updated_at = excluded.updated_at"""

_LEAD_ACCEPTED = """
UPDATE leadscoring_results SET capi_lead = 1, updated_at = ? WHERE client_id = ? AND email = ?"""

_APPLICATION_ACCEPTED = """
UPDATE leadscoring_results SET capi_submitapp = 1, capi_fired_to_fb = 1, updated_at = ?
WHERE client_id = ? AND email = ?"""

_GET = """
SELECT client_id, email, source, p_fin_model, p_show_model, p_sql_model, rotator, capi_data,
  signals, capi_lead, capi_submitapp, capi_fired_to_fb, model, created_at, updated_at
FROM leadscoring_results WHERE client_id = ? AND email = ?"""


def touch_statement(client_id: ClientId, email: str, now: datetime) -> Statement:
    """Make sure that there is a row; a partial response has nothing else to say."""
    moment = to_text(now)
    return Statement(_TOUCH, (client_id, email, moment, moment))


@dataclass(frozen=True, slots=True)
class ScoringResult:
    """What a scored response came to; `capi_data` tells how it was decided whether Meta hears."""

    client_id: ClientId
    email: str
    scores: FormScores
    rotator: Rotator
    capi_data: Mapping[str, Any]
    model: str


def save_statement(result: ScoringResult, now: datetime) -> Statement:
    """Store a scored response's result; what Meta has accepted so far stays."""
    moment, scores = to_text(now), result.scores
    return Statement(
        _SAVE,
        (
            result.client_id,
            result.email,
            scores.ai_fin,
            scores.ai_show,
            scores.ai_sql,
            result.rotator,
            json.dumps(result.capi_data),
            json.dumps(scores.signals),
            result.model,
            moment,
            moment,
        ),
    )


def accepted_statement(
    client_id: ClientId, email: str, event_name: str, now: datetime
) -> Statement:
    """Note that Meta took an event: the partial's Lead, or the application."""
    sql = _LEAD_ACCEPTED if event_name == LEAD else _APPLICATION_ACCEPTED
    return Statement(sql, (to_text(now), client_id, email))


async def result_of(store: Store, client_id: ClientId, email: str) -> Row | None:
    """The result of an address."""
    rows = await store.query(_GET, (client_id, email))
    return rows[0] if rows else None
