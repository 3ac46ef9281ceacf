"""Score a stored response: the model's answer, the grade, and what follows, in one batch."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from server import channels
from server.domain import form_scores
from server.domain.directory import Client
from server.domain.form_response import ResponseDraft
from server.domain.form_scores import FormScores
from server.domain.ids import ClientId
from server.domain.lead import Channel
from server.domain.qualification import SUBMIT_APPLICATION, Rotator
from server.form_ai import prompt as prompts
from server.form_ai.chain import AllFailedError, Chain, parse_models
from server.form_ai.contract import ModelSpec
from server.store import form_responses, jobs, outbox, scoring_results, visitors
from server.store.contract import Statement, Store
from server.store.form_responses import ResponseScores, StoredResponse
from server.store.jobs import Job
from server.store.scoring_results import ScoringResult
from server.usecases.background import insist
from server.usecases.receive_response import forward_id_of
from server.usecases.report_conversion import conversion_of, once_statement
from server.usecases.run_jobs import JobError

logger = logging.getLogger(__name__)


class ResponseScoring:
    """Scores responses by `models`, or by those of a client's settings, which `clients` knows.

    `on_stored` is told after each commit.
    """

    def __init__(
        self,
        store: Store,
        chain: Chain,
        models: Sequence[ModelSpec],
        clients: Callable[[ClientId], Client],
        now: Callable[[], datetime],
        on_stored: Callable[[], None],
    ) -> None:
        self._store = store
        self._chain = chain
        self._models = tuple(models)
        self._clients = clients
        self._now = now
        self._on_stored = on_stored

    async def run(self, job: Job) -> None:
        """Do the job of one response; everything that follows from its scores is one batch.

        A response that was scored already is not paid for again. Raises JobError when every
        model failed: the response stays unscored.
        """
        client_id, _, event_id = job.subject.partition(":")
        client = self._clients(ClientId(int(client_id)))
        stored = await form_responses.response_of_event(self._store, client.client_id, event_id)
        if stored is None:
            await self._store.write([jobs.finish_statement(job)])
            return
        draft = parse(client, stored.channel, stored.raw)
        scored = await self._scores(client, draft, stored)
        statements = await self._consequences(client, draft, stored, scored)
        batch = [jobs.held_statement(job), *statements, jobs.finish_statement(job)]
        await insist(lambda: self._save(batch))
        self._on_stored()

    async def _save(self, batch: list[Statement]) -> None:
        """Each statement of it says the same again when it is repeated."""
        await self._store.write(batch)

    async def score(self, client: Client, draft: ResponseDraft) -> ResponseScores:
        """Ask the client's models, or take what the same input was given before.

        Raises JobError when every model failed.
        """
        own = client.scoring.form_ai_models
        questions, models = draft.questions(), parse_models(own) if own else self._models
        for model in models:
            known = await form_responses.scored_input(
                self._store, client.client_id, _input_hash(model, draft)
            )
            if known is not None and known.scores is not None:
                return ResponseScores(
                    known.scores, known.model, known.prompt_version, known.input_hash
                )
        withheld = [name for name in (draft.first_name, draft.last_name) if name]
        prompt = prompts.build(draft.title, questions, withheld)
        try:
            answer = await self._chain.score(prompt, models)
        except AllFailedError as error:
            raise JobError(str(error)) from None
        return ResponseScores(
            answer.scores,
            str(answer.model),
            form_scores.PROMPT_VERSION,
            _input_hash(answer.model, draft),
            "an answer tries to instruct the model" if prompts.instructs(questions) else "",
        )

    async def _scores(
        self, client: Client, draft: ResponseDraft, stored: StoredResponse
    ) -> ResponseScores:
        if not draft.questions():
            raise JobError("the response holds no answers to score")
        try:
            return await self.score(client, draft)
        except JobError as error:
            await form_responses.note_error(
                self._store, client.client_id, stored.event_id, str(error)
            )
            raise

    async def _consequences(
        self, client: Client, draft: ResponseDraft, stored: StoredResponse, scored: ResponseScores
    ) -> list[Statement]:
        now, scores, config = self._now(), scored.scores, client.scoring
        rotator = config.rotator(scores.ai_fin, scores.ai_show)
        statements = [
            form_responses.scores_statement(client.client_id, stored.event_id, scored, now),
            outbox.amend_statement(
                forward_id_of(client.client_id, draft), _more(scored, rotator), now
            ),
        ]
        event_id = ""
        if config.fires(scores.ai_fin, scores.ai_show):
            traces = None
            if draft.visitor_id is not None:
                traces = await visitors.traces_of_visitor(
                    self._store, client.client_id, draft.visitor_id
                )
            conversion = conversion_of(
                client, draft, SUBMIT_APPLICATION, traces, now, stored.lead_id
            )
            if conversion is not None:
                event_id = conversion.event_id
                statements.append(once_statement(conversion, now))
        if draft.email:
            result = ScoringResult(
                client.client_id,
                draft.email,
                scores,
                rotator,
                capi_data(client, scores, event_id),
                scored.model,
            )
            statements.append(scoring_results.save_statement(result, now))
        return statements


def parse(client: Client, channel: Channel, raw: str) -> ResponseDraft:
    """Read a stored response again, by what its client's settings say now."""
    return channels.RESPONSE_CHANNELS[channel].parse(json.loads(raw), client.scoring.typeform_roles)


def capi_data(client: Client, scores: FormScores, event_id: str) -> dict[str, object]:
    """How it was decided whether Meta is told, and under which id."""
    config = client.scoring
    return {
        "event_name": SUBMIT_APPLICATION,
        "fire": config.fires(scores.ai_fin, scores.ai_show),
        "event_id": event_id or None,
        "p_fin": scores.ai_fin,
        "p_show": scores.ai_show,
        "fb_capi_fin": config.fb_capi_fin,
        "fb_capi_show": config.fb_capi_show,
    }


def _input_hash(model: ModelSpec, draft: ResponseDraft) -> str:
    questions = draft.questions()
    return form_scores.input_hash(str(model), model.temperature, questions, title=draft.title)


def _more(scored: ResponseScores, rotator: Rotator) -> str:
    """What the scores add to the webhook's body."""
    scores = scored.scores
    told = {
        "rotator": rotator,
        "p_fin_model": scores.ai_fin,
        "p_show_model": scores.ai_show,
        "p_sql_model": scores.ai_sql,
        "form_ai_model": scored.model,
        **scores.signals,
    }
    return json.dumps(told)
