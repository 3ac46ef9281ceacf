"""Form responses as received, with the scores of each: history is kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from server.domain.clock import to_text
from server.domain.form_response import ResponseDraft
from server.domain.form_scores import FormScores
from server.domain.ids import ClientId
from server.domain.lead import Channel
from server.store.contract import Row, Statement, Store

FULL = "form_response"

_INSERT = """
INSERT INTO form_responses
  (client_id, channel, event_id, event_type, form_id, token, email, lead_id, raw, received_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""

_COLUMNS = """
  id, client_id, channel, event_id, event_type, form_id, token, email, lead_id, raw, received_at,
  scored_at, ai_fin, ai_show, ai_sql, signals, model, prompt_version, input_hash"""

_BY_EVENT = f"SELECT {_COLUMNS} FROM form_responses WHERE client_id = ? AND event_id = ?"

_WHOLE_ONE = """
SELECT 1 FROM form_responses
WHERE client_id = ? AND form_id = ? AND token = ? AND event_type = 'form_response' LIMIT 1"""

_SCORED_INPUT = f"""
SELECT {_COLUMNS} FROM form_responses
WHERE client_id = ? AND input_hash = ? AND scored_at IS NOT NULL ORDER BY id DESC LIMIT 1"""

_SAVE_SCORES = """
UPDATE form_responses SET scored_at = ?, ai_fin = ?, ai_show = ?, ai_sql = ?, signals = ?,
  model = ?, prompt_version = ?, input_hash = ?, review = ?, last_error = NULL
WHERE client_id = ? AND event_id = ?"""

_NOTE_ERROR = "UPDATE form_responses SET last_error = ? WHERE client_id = ? AND event_id = ?"

_UNSCORED = """
SELECT id, event_id FROM form_responses
WHERE client_id = ? AND event_type = 'form_response' AND scored_at IS NULL ORDER BY id LIMIT ?"""

_LATEST_OF_EMAILS = """
SELECT MAX(id) AS id, event_id, email FROM form_responses
WHERE client_id = ? AND event_type = 'form_response'
  AND email IN (SELECT value COLLATE NOCASE FROM json_each(?))
GROUP BY email COLLATE NOCASE"""

_LATEST_OF_EMAIL = f"""
SELECT {_COLUMNS} FROM form_responses
WHERE client_id = ? AND email = ? ORDER BY event_type = 'form_response' DESC, id DESC LIMIT 1"""

_ADD_TO_RUN = """
INSERT INTO prediction_runs (run_id, response_id, client_id, created_at) VALUES (?, ?, ?, ?)"""

_RUN = """
SELECT COUNT(*) AS total, MIN(p.created_at) AS created_at,
  SUM(r.scored_at IS NOT NULL AND r.scored_at >= p.created_at) AS scored,
  SUM(COALESCE(j.state = 'failed', 0)) AS failed
FROM prediction_runs AS p JOIN form_responses AS r ON r.id = p.response_id
LEFT JOIN jobs AS j ON j.kind = ? AND j.subject = r.client_id || ':' || r.event_id
WHERE p.run_id = ? AND p.client_id = ?"""


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A response as received; `scores` once it was scored."""

    response_id: int
    client_id: ClientId
    channel: Channel
    event_id: str
    event_type: str
    form_id: str
    token: str
    email: str
    lead_id: str
    raw: str
    received_at: str
    scores: FormScores | None
    model: str
    prompt_version: str
    input_hash: str


@dataclass(frozen=True, slots=True)
class ResponseScores:
    """Scores with all that tells how they came about; `review` says why a person should look."""

    scores: FormScores
    model: str
    prompt_version: str
    input_hash: str
    review: str = ""


def response_statement(
    client_id: ClientId, draft: ResponseDraft, raw: str, lead_id: str, now: datetime
) -> Statement:
    """Store a response; an event that is there already breaks the batch (ConstraintError)."""
    return Statement(
        _INSERT,
        (
            client_id,
            draft.channel,
            draft.event_id,
            draft.event_type,
            *draft.response_key,
            draft.email or None,
            lead_id or None,
            raw,
            to_text(now),
        ),
    )


async def response_of_event(
    store: Store, client_id: ClientId, event_id: str
) -> StoredResponse | None:
    """The response of an event."""
    rows = await store.query(_BY_EVENT, (client_id, event_id))
    return _stored(rows[0]) if rows else None


async def has_full(store: Store, client_id: ClientId, form_id: str, token: str) -> bool:
    """Whether the whole response of a token is there."""
    return bool(await store.query(_WHOLE_ONE, (client_id, form_id, token)))


async def scored_input(store: Store, client_id: ClientId, input_hash: str) -> StoredResponse | None:
    """A response of the client whose very same input was scored before."""
    rows = await store.query(_SCORED_INPUT, (client_id, input_hash))
    return _stored(rows[0]) if rows else None


async def latest_of_email(store: Store, client_id: ClientId, email: str) -> StoredResponse | None:
    """The last response of an address, whole ones first."""
    rows = await store.query(_LATEST_OF_EMAIL, (client_id, email))
    return _stored(rows[0]) if rows else None


def scores_statement(
    client_id: ClientId, event_id: str, scored: ResponseScores, now: datetime
) -> Statement:
    """Keep a response's scores."""
    scores = scored.scores
    return Statement(
        _SAVE_SCORES,
        (
            to_text(now),
            scores.ai_fin,
            scores.ai_show,
            scores.ai_sql,
            json.dumps(scores.signals),
            scored.model,
            scored.prompt_version,
            scored.input_hash,
            scored.review or None,
            client_id,
            event_id,
        ),
    )


async def note_error(store: Store, client_id: ClientId, event_id: str, error: str) -> None:
    """Keep why a response could not be scored yet."""
    await store.write([Statement(_NOTE_ERROR, (error, client_id, event_id))])


async def unscored(store: Store, client_id: ClientId, limit: int) -> list[tuple[int, str]]:
    """Ids and events of whole responses without scores, oldest first."""
    rows = await store.query(_UNSCORED, (client_id, limit))
    return [(row["id"], row["event_id"]) for row in rows]


async def latest_of_emails(
    store: Store, client_id: ClientId, emails: Sequence[str]
) -> list[tuple[int, str, str]]:
    """Id, event and address of the last whole response of each address that has one."""
    rows = await store.query(_LATEST_OF_EMAILS, (client_id, json.dumps(list(emails))))
    return [(row["id"], row["event_id"], row["email"]) for row in rows]


def run_statements(
    run_id: str, client_id: ClientId, response_ids: Sequence[int], now: datetime
) -> list[Statement]:
    """Note which responses a run of predictions is about."""
    moment = to_text(now)
    return [
        Statement(_ADD_TO_RUN, (run_id, response_id, client_id, moment))
        for response_id in response_ids
    ]


async def run_progress(store: Store, client_id: ClientId, run_id: str, job_kind: str) -> Row | None:
    """Of a run: total, scored and failed responses; None where there is no such run."""
    (row,) = await store.query(_RUN, (job_kind, run_id, client_id))
    return row if row["total"] else None


def _stored(row: Row) -> StoredResponse:
    return StoredResponse(
        response_id=row["id"],
        client_id=ClientId(row["client_id"]),
        channel=Channel(row["channel"]),
        event_id=row["event_id"],
        event_type=row["event_type"],
        form_id=row["form_id"] or "",
        token=row["token"] or "",
        email=row["email"] or "",
        lead_id=row["lead_id"] or "",
        raw=row["raw"],
        received_at=row["received_at"],
        scores=_scores(row) if row["scored_at"] else None,
        model=row["model"] or "",
        prompt_version=row["prompt_version"] or "",
        input_hash=row["input_hash"] or "",
    )


def _scores(row: Row) -> FormScores:
    named = {name: row[name] for name in ("ai_fin", "ai_show", "ai_sql")}
    return FormScores.model_validate(named | json.loads(row["signals"]))
