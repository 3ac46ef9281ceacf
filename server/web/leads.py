"""/api/leads for partners: POST stores up to 100 at once, GET lists them by pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from server.domain.directory import ApiKey, Scope
from server.domain.errors import AppError, ErrorCode, FieldError, invalid_field
from server.store.contract import Store, StoreError
from server.usecases.capture_lead import LeadCapture
from server.web import bodies, problems
from server.web.lead_intake import LeadIntake, idempotency_key, is_dry_run, mapped, scores
from server.web.lead_query import parse_query
from server.web.metrics import Metrics
from server.web.rate_limits import tightest

PATH = "/api/leads"
MAX_BATCH = 100
MAX_BATCH_BYTES = 1024 * 1024

Answer = dict[str, Any]


class LeadsEndpoint:
    """Takes batches of leads and lists what is stored; both need a key."""

    def __init__(
        self, store: Store, capture: LeadCapture, intake: LeadIntake, metrics: Metrics
    ) -> None:
        self._store = store
        self._capture = capture
        self._intake = intake
        self._metrics = metrics

    async def get(self, request: Request) -> Response:
        """One page of the key's client's leads, newest first or oldest change first."""
        key = await self._intake.required_key(request, Scope.READ)
        allowance = self._intake.count(request, key)
        page = await parse_query(request.query_params.multi_items()).page(
            self._store, key.client_id
        )
        body = {"leads": page.leads, "next_cursor": page.next_cursor}
        headers = {"cache-control": "no-store", **tightest([allowance])}
        return JSONResponse(body, headers=headers)

    async def post(self, request: Request) -> Response:
        """Store each lead of a batch by itself; 207 with a result for each, in their order.

        An item that is refused does not hold up the others. When the store can take none, the
        answer as a whole is 503.
        """
        key = await self._intake.required_key(request, Scope.WRITE)
        length = request.headers.get("content-length", "")
        body = await bodies.read(request.receive, length, MAX_BATCH_BYTES)
        items = _items(bodies.json_value(body))
        allowance = self._intake.count(request, key, len(items))
        header = idempotency_key(request)
        answers: list[Answer] = []
        for place, item in enumerate(items):
            answers.append(await self._answer(request, key, item, header and f"{header}#{place}"))
            if answers[-1]["status"] == 503 and place == 0:
                raise AppError(ErrorCode.UNAVAILABLE, answers[0]["detail"])
        stored = sum(answer["ok"] for answer in answers)
        content = {"ok": stored == len(items), "stored": stored, "results": answers}
        return JSONResponse(content, 207, tightest([allowance]))

    async def _answer(
        self, request: Request, key: ApiKey, item: Any, idempotency_key: str
    ) -> Answer:
        try:
            return await self._taken(request, key, item, idempotency_key)
        except (AppError, StoreError) as error:
            known = problems.app_error(error)
            self._metrics.leads_refused.labels(known.code).inc()
            return {"ok": False} | problems.body_of(known)

    async def _taken(
        self, request: Request, key: ApiKey, item: Any, idempotency_key: str
    ) -> Answer:
        if not isinstance(item, Mapping):
            raise invalid_field("body", "must be a JSON object")
        fields = mapped(bodies.clean_object(item), key)
        owner = await self._intake.owner(request, fields, key)
        lead_request = self._intake.lead_request(request, fields, owner, key, idempotency_key)
        if is_dry_run(request):
            answer = await self._capture.preview(lead_request)
            return {"ok": True, "status": 200, "dry_run": True} | scores(answer.lead)
        answer = await self._capture.capture(lead_request)
        told = {"replayed": True} if answer.replayed else {}
        if not answer.replayed:
            self._metrics.leads.labels(answer.draft.channel).inc()
        lead = answer.lead
        return {"ok": True, "status": 201, "lead_id": lead.lead_id} | told | scores(lead)


def _items(value: Any) -> list[Any]:
    """The leads of a batch: an array, or an object that holds it as `leads`."""
    items = value.get("leads") if isinstance(value, dict) else value
    if not isinstance(items, list):
        raise invalid_field("leads", "must be an array of leads")
    if not 0 < len(items) <= MAX_BATCH:
        message = f"must hold 1 to {MAX_BATCH} leads, not {len(items)}"
        raise AppError(ErrorCode.INVALID, f"leads {message}", FieldError("leads", message))
    return items
