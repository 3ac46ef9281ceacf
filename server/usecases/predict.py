"""Predictions: answers scored at once, stored responses scored by jobs that can be polled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from server.domain.directory import Client
from server.domain.errors import AppError, ErrorCode, invalid_field
from server.domain.form_response import FULL_EVENT, QuestionAnswer, ResponseDraft
from server.domain.ids import ClientId, new_id
from server.domain.lead import Channel
from server.store import form_responses, jobs
from server.store.contract import Store
from server.usecases.receive_response import SCORE_JOB, job_subject
from server.usecases.run_jobs import JobError
from server.usecases.score_response import ResponseScoring

MAX_RUN = 10_000
STATEMENTS_PER_BATCH = 400


class Predictions:
    """Scores on demand; `on_stored` is told when jobs were made."""

    def __init__(
        self, store: Store, scoring: ResponseScoring, on_stored: Callable[[], None]
    ) -> None:
        self._store = store
        self._scoring = scoring
        self._on_stored = on_stored

    async def of_answers(
        self, client: Client, questions: Sequence[tuple[str, str]]
    ) -> dict[str, Any]:
        """Scores and grade of given answers; nothing is stored.

        Raises AppError (unavailable) when every model failed.
        """
        answers = tuple(QuestionAnswer(question, answer, "text") for question, answer in questions)
        draft = ResponseDraft(Channel.TYPEFORM, "", FULL_EVENT, answers=answers)
        try:
            scored = await self._scoring.score(client, draft)
        except JobError as error:
            raise AppError(ErrorCode.UNAVAILABLE, str(error)) from None
        scores = scored.scores
        return {
            **scores.model_dump(),
            "rotator": client.scoring.rotator(scores.ai_fin, scores.ai_show),
            "fires": client.scoring.fires(scores.ai_fin, scores.ai_show),
            "model": scored.model,
            "prompt_version": scored.prompt_version,
            "review": scored.review or None,
        }

    async def start(
        self, client: Client, emails: Sequence[str] | None, now: datetime
    ) -> dict[str, Any]:
        """Make a job for each unscored response, or for the last one of each named address.

        Committed when this returns; raises AppError naming addresses without a response.
        """
        client_id = client.client_id
        if emails is None:
            found = await form_responses.unscored(self._store, client_id, MAX_RUN)
        else:
            latest = await form_responses.latest_of_emails(self._store, client_id, emails)
            missing = {email.lower() for email in emails} - {one[2].lower() for one in latest}
            if missing:
                raise invalid_field("emails", f"{len(missing)} of them have no whole response")
            found = [(response_id, event_id) for response_id, event_id, _email in latest]
        run_id = new_id("run", now)
        statements = form_responses.run_statements(
            run_id, client_id, [response_id for response_id, _event in found], now
        )
        for _response_id, event_id in found:
            subject = job_subject(client_id, event_id)
            statements.append(jobs.job_statement(SCORE_JOB, subject, now))
        for begin in range(0, len(statements), STATEMENTS_PER_BATCH):
            await self._store.write(statements[begin : begin + STATEMENTS_PER_BATCH])
        self._on_stored()
        return {"run_id": run_id, "total": len(found)}

    async def progress(self, client_id: ClientId, run_id: str) -> dict[str, Any] | None:
        """How far a run is; None where there is no such run."""
        row = await form_responses.run_progress(self._store, client_id, run_id, SCORE_JOB)
        if row is None:
            return None
        scored, failed = row["scored"] or 0, row["failed"] or 0
        return {
            "run_id": run_id,
            "created_at": row["created_at"],
            "total": row["total"],
            "scored": scored,
            "failed": failed,
            "pending": row["total"] - scored - failed,
            "done": scored + failed >= row["total"],
        }
