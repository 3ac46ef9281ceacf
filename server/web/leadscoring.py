"""/api/v1/leadscoring: the forms' webhook, results, settings, predictions, the manual event."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from server import channels
from server.domain.directory import ApiKey, Client, Scope
from server.domain.errors import AppError, ErrorCode, invalid_field
from server.domain.ids import ClientId
from server.domain.signature import is_signed
from server.store import scoring_results
from server.store.contract import Row, Store
from server.usecases.change_settings import Author, SettingsChange
from server.usecases.fire_event import EventFiring, Fired, FireVerdict
from server.usecases.predict import Predictions
from server.usecases.receive_response import ResponseIntake
from server.usecases.site_directory import SiteDirectory
from server.web import bodies, problems
from server.web.access import Access, Declared
from server.web.dashboard.gate import Gate
from server.web.lead_intake import LeadIntake
from server.web.metrics import Metrics

PREFIX = "/api/v1/leadscoring"
WEBHOOK_PATH = f"{PREFIX}/webhook"
MAX_WEBHOOK_BYTES = 1024 * 1024
SIGNATURE_HEADER = "typeform-signature"

_ACCESS = {Scope.READ: Access.SIGNED_IN, Scope.WRITE: Access.ADMIN, Scope.ADMIN: Access.ADMIN}
"""What a scope of keys is among people: salespeople look results up, and no more."""

_FIRE_STATUS = {
    FireVerdict.NO_RESULT: HTTPStatus.NOT_FOUND,
    FireVerdict.NOT_SCORED: HTTPStatus.CONFLICT,
    FireVerdict.BELOW_THRESHOLD: HTTPStatus.CONFLICT,
    FireVerdict.NOT_CONFIGURED: HTTPStatus.CONFLICT,
    FireVerdict.NO_CONSENT: HTTPStatus.CONFLICT,
    FireVerdict.REFUSED: HTTPStatus.BAD_GATEWAY,
    FireVerdict.TO_BE_RETRIED: HTTPStatus.SERVICE_UNAVAILABLE,
}


@dataclass(frozen=True, slots=True)
class _Caller:
    """Whose settings and results somebody may use, and who they are."""

    client_id: ClientId
    author: Author


@dataclass(frozen=True, slots=True)
class ScoringParts:
    """What stands behind the endpoints."""

    store: Store
    responses: ResponseIntake
    predictions: Predictions
    firing: EventFiring
    settings: SettingsChange
    gate: Gate


class LeadScoringEndpoints:
    """Everything below /api/v1/leadscoring.

    With `allow_unsigned` responses of clients without a secret are taken unsigned.
    """

    def __init__(
        self,
        parts: ScoringParts,
        directory: SiteDirectory,
        intake: LeadIntake,
        metrics: Metrics,
        now: Callable[[], datetime],
        *,
        allow_unsigned: bool,
    ) -> None:
        self._parts = parts
        self._directory = directory
        self._intake = intake
        self._metrics = metrics
        self._now = now
        self._allow_unsigned = allow_unsigned

    def routes(self) -> list[BaseRoute]:
        """The endpoints of the spec's table, and the progress of predictions."""
        client, run = f"{PREFIX}/predictions/{{client_id}}", "/{run_id}"
        return [
            Declared(WEBHOOK_PATH, self.webhook, Access.PARTNER, ["POST"]),
            Declared(PREFIX, self.result, Access.PARTNER, ["GET"]),
            Declared(
                f"{PREFIX}/fire-capi-event/{{client_id}}/{{email}}",
                self.fire,
                Access.PARTNER,
                ["POST"],
            ),
            Declared(f"{PREFIX}/config/{{client_id}}", self.get_config, Access.PARTNER, ["GET"]),
            Declared(f"{PREFIX}/config/{{client_id}}", self.put_config, Access.PARTNER, ["PUT"]),
            Declared(client, self.predict, Access.PARTNER, ["POST"]),
            Declared(client + run, self.progress, Access.PARTNER, ["GET"]),
        ]

    # --- the webhook ----------------------------------------------------------

    async def webhook(self, request: Request) -> Response:
        """Store a response, 200 after commit.

        Never 404 or 410, which would end the form's webhook for good: a client or form that is
        not known is answered 200 and counted, its body not kept.
        """
        length = request.headers.get("content-length", "")
        body = await bodies.read(request.receive, length, MAX_WEBHOOK_BYTES)
        read = functools.cache(lambda: bodies.json_object(body))
        client = self._client_of(request, read)
        if client is None:
            return self._passed_over("unknown_client")
        if not await self._is_genuine(request, client, body):
            self._metrics.responses_refused.labels("signature").inc()
            raise AppError(ErrorCode.UNAUTHORIZED, "The signature is missing or wrong")
        payload = read()
        channel = channels.response_channel(client.client_id)
        # A body of a MiB may take half a second to read.
        draft = await asyncio.to_thread(channel.parse, payload, client.scoring.typeform_roles)
        known_forms = client.scoring.typeform_form_ids
        if known_forms and draft.form_id not in known_forms:
            return self._passed_over("unknown_form")
        raw = json.dumps(channel.redacted(payload), ensure_ascii=False, separators=(",", ":"))
        is_new = await self._parts.responses.receive(client, draft, raw, self._now())
        kind = "full" if draft.is_full else "partial"
        self._metrics.responses.labels(kind if is_new else "duplicate").inc()
        return JSONResponse({"ok": True} if is_new else {"ok": True, "duplicate": True})

    def _client_of(self, request: Request, read: Callable[[], dict[str, Any]]) -> Client | None:
        """The client that the address names, else the one whose settings name the form."""
        text = request.query_params.get("client_id", "")
        if text:
            client_id = ClientId(int(text)) if text.isascii() and text.isdigit() else None
            known = client_id is not None and self._directory.knows(client_id)
            return self._directory.client(client_id) if known and client_id else None
        return self._directory.client_of_form(channels.form_id_of(read()))

    async def _is_genuine(self, request: Request, client: Client, body: bytes) -> bool:
        """A valid signature, a key of the client that may write, or neither where that is let."""
        secret, header = client.scoring.typeform_secret, request.headers.get(SIGNATURE_HEADER, "")
        if request.headers.get("authorization"):
            key = await self._intake.key(request, Scope.WRITE)
            return key is not None and key.client_id == client.client_id
        if secret:
            return is_signed(body, header, secret)
        return self._allow_unsigned

    def _passed_over(self, reason: str) -> Response:
        self._metrics.responses_refused.labels(reason).inc()
        return JSONResponse({"ok": True, "ignored": reason})

    # --- results --------------------------------------------------------------

    async def result(self, request: Request) -> Response:
        """The scoring result of an address."""
        query = request.query_params
        asked = query.get("client_id", "")
        client_id = (await self._caller(request, asked, Scope.READ)).client_id
        email = query.get("email", "").strip()
        if not email:
            raise invalid_field("email", "is missing")
        row = await scoring_results.result_of(self._parts.store, client_id, email)
        if row is None:
            raise AppError(ErrorCode.NOT_FOUND, "There is no result of this address")
        return _private(_result(row))

    async def fire(self, request: Request) -> Response:
        """Send the client's event for an address to Meta now, and tell what came of it."""
        caller = await self._caller_of_path(request, Scope.WRITE)
        client, email = self._directory.client(caller.client_id), request.path_params["email"]
        return _fired(await self._parts.firing.fire(client, email.strip(), self._now()))

    # --- settings -------------------------------------------------------------

    async def get_config(self, request: Request) -> Response:
        """The client's settings, secrets masked."""
        caller = await self._caller_of_path(request, Scope.ADMIN)
        settings = await self._parts.settings.settings(caller.client_id)
        return _private(settings.scoring.masked())

    async def put_config(self, request: Request) -> Response:
        """Replace the client's settings; a secret that comes back as its mask is kept.

        A new token or pixel takes paused events up again.
        """
        caller = await self._caller_of_path(request, Scope.ADMIN)
        sent = await self._json(request)
        change = self._parts.settings.replace_scoring
        return _private((await change(caller.author, caller.client_id, sent)).masked())

    # --- predictions ----------------------------------------------------------

    async def predict(self, request: Request) -> Response:
        """Score answers given in the body at once, or stored responses in the background."""
        client_id = (await self._caller_of_path(request, Scope.WRITE)).client_id
        client, sent = self._directory.client(client_id), await self._json(request)
        if "answers" in sent:
            return _private(await self._parts.predictions.of_answers(client, _answers(sent)))
        emails = _emails(sent)
        run = await self._parts.predictions.start(client, emails, self._now())
        location = f"{PREFIX}/predictions/{client_id}/{run['run_id']}"
        return JSONResponse(run | {"progress": location}, 202, {"location": location})

    async def progress(self, request: Request) -> Response:
        """How far a run of predictions is."""
        client_id = (await self._caller_of_path(request, Scope.READ, Scope.WRITE)).client_id
        run_id = request.path_params["run_id"]
        progress = await self._parts.predictions.progress(client_id, run_id)
        if progress is None:
            raise AppError(ErrorCode.NOT_FOUND, "There is no such run")
        return _private(progress)

    # --- who may --------------------------------------------------------------

    async def _caller_of_path(self, request: Request, *scopes: Scope) -> _Caller:
        return await self._caller(request, request.path_params["client_id"], *scopes)

    async def _caller(self, request: Request, client_id: str, *scopes: Scope) -> _Caller:
        """Who asks, once key or session are known to be of that client; raises AppError."""
        if not request.headers.get("authorization"):
            user = await self._parts.gate.api_user(request, client_id, _ACCESS[scopes[0]])
            if user is not None:
                self._intake.count(request, None)
                return _Caller(ClientId(int(client_id)), Author(user.email, user.user_id))
        key = await self._key(request, scopes)
        self._intake.count(request, key)
        if client_id != str(key.client_id):
            raise AppError(ErrorCode.FORBIDDEN, "This API key is of another client")
        return _Caller(key.client_id, Author(f"API key {key.name}"))

    async def _key(self, request: Request, scopes: tuple[Scope, ...]) -> ApiKey:
        *others, last = scopes
        for scope in others:
            try:
                return await self._intake.required_key(request, scope)
            except AppError as error:
                if error.code is not ErrorCode.FORBIDDEN:
                    raise
        return await self._intake.required_key(request, last)

    async def _json(self, request: Request) -> dict[str, Any]:
        length = request.headers.get("content-length", "")
        body = await bodies.read(request.receive, length, MAX_WEBHOOK_BYTES)
        return bodies.json_object(body) if body.strip() else {}


def _private(content: Mapping[str, Any]) -> Response:
    return JSONResponse(content, headers={"cache-control": "no-store"})


def _result(row: Row) -> dict[str, Any]:
    content = dict(row)
    for name in ("capi_data", "signals"):
        content[name] = json.loads(row[name]) if row[name] else None
    return content


def _fired(fired: Fired) -> Response:
    """200 when Meta took the event; else a problem that tells why not."""
    told = {name: value for name, value in asdict(fired).items() if value not in (None, "")}
    if fired.verdict is FireVerdict.FIRED:
        return _private({"ok": True, "fired": True} | told)
    status = _FIRE_STATUS[fired.verdict]
    problem = {"type": "about:blank", "title": status.phrase, "status": int(status)}
    content = problem | {"errors": [], "fired": False} | told
    return JSONResponse(content, status, media_type=problems.CONTENT_TYPE)


def _answers(sent: Mapping[str, Any]) -> list[tuple[str, str]]:
    answers = sent["answers"]
    if not isinstance(answers, list) or not 0 < len(answers) <= 500:
        raise invalid_field("answers", "must be an array of 1 to 500 questions with answers")
    pairs = []
    for place, one in enumerate(answers):
        question, answer = (
            (one.get("question"), one.get("answer")) if isinstance(one, dict) else (None, None)
        )
        if not isinstance(question, str) or not isinstance(answer, str | int | float | bool):
            raise invalid_field(f"answers.{place}", "must have a question and an answer")
        pairs.append((question, str(answer)))
    return pairs


def _emails(sent: Mapping[str, Any]) -> list[str] | None:
    emails = sent.get("emails")
    if emails is None:
        return None
    if not isinstance(emails, list) or not all(isinstance(one, str) for one in emails):
        raise invalid_field("emails", "must be an array of addresses")
    if not 0 < len(emails) <= 1000:
        raise invalid_field("emails", "must name 1 to 1000 addresses")
    return [email.strip() for email in emails]
