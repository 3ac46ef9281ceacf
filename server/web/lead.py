"""POST /api/lead: a lead in any of three encodings, 201 after commit."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from server.domain.directory import ApiKey, Scope, origin_of
from server.domain.errors import AppError, ErrorCode
from server.store.contract import StoreError
from server.usecases.capture_lead import LeadCapture, LeadRequest
from server.usecases.site_directory import Owner, SiteDirectory
from server.web import bodies, cors, pages, problems
from server.web.lead_intake import LeadIntake, idempotency_key, is_dry_run, mapped, scores
from server.web.metrics import Metrics
from server.web.rate_limits import Allowance, tightest

PATH = "/api/lead"
REPLAYED_HEADER = "idempotent-replayed"


class LeadEndpoint:
    """Takes leads from forms and partners."""

    def __init__(
        self,
        capture: LeadCapture,
        directory: SiteDirectory,
        intake: LeadIntake,
        metrics: Metrics,
    ) -> None:
        self._capture = capture
        self._directory = directory
        self._intake = intake
        self._metrics = metrics

    async def options(self, request: Request) -> Response:
        """The preflight of a script's POST."""
        status, headers, body = cors.preflight(self._directory, request.headers.raw, "POST")
        return Response(body, status, headers)

    async def post(self, request: Request) -> Response:
        """Store the lead, or with `?dry_run=1` and a key only score it."""
        with self._metrics.lead_seconds.time():
            owner = self._directory.owner(
                key=None, site_key="", origin=request.headers.get("origin", "")
            )
            allowances: list[Allowance | None] = []
            try:
                key = await self._intake.key(request, Scope.WRITE)
                allowances.append(self._intake.count(request, key))
                fields = mapped(await self._fields(request), key)
                owner = await self._intake.owner(request, fields, key)
                allowances.append(self._intake.count_form(owner, key))
                response = await self._respond(request, fields, owner, key)
            except (AppError, StoreError) as error:
                response = self._refusal(request, error)
            else:
                response.headers.update(tightest(allowances))
            response.headers.update(cors.headers(self._directory, owner, request.headers.raw))
            return response

    async def _respond(
        self, request: Request, fields: dict[str, Any], owner: Owner, key: ApiKey | None
    ) -> Response:
        lead_request = self._intake.lead_request(
            request, fields, owner, key, idempotency_key(request)
        )
        if is_dry_run(request):
            return await self._preview(lead_request)
        answer = await self._capture.capture(lead_request)
        if not answer.replayed:
            self._metrics.leads.labels(answer.draft.channel).inc()
        if _is_plain_form_post(request):
            return RedirectResponse(self._target(request, owner, answer.draft.redirect), 303)
        body = {"ok": True, "lead_id": answer.lead.lead_id} | (scores(answer.lead) if key else {})
        headers = {REPLAYED_HEADER: "true"} if answer.replayed else {}
        return JSONResponse(body, 201, headers)

    async def _preview(self, lead_request: LeadRequest) -> Response:
        if lead_request.key is None:
            raise AppError(ErrorCode.UNAUTHORIZED, "A dry run needs an API key")
        answer = await self._capture.preview(lead_request)
        return JSONResponse({"ok": True, "dry_run": True} | scores(answer.lead))

    async def _fields(self, request: Request) -> dict[str, Any]:
        length = request.headers.get("content-length", "")
        return await bodies.decode(await bodies.read(request.receive, length), request.headers)

    def _refusal(self, request: Request, error: Exception) -> Response:
        known = problems.app_error(error)
        self._metrics.leads_refused.labels(known.code).inc()
        if not _is_plain_form_post(request):
            return problems.response(known)
        status, headers, _body = problems.document(known)
        retry = {name: value for name, value in headers.items() if name == "retry-after"}
        return pages.refused(known.message, status, retry)

    def _target(self, request: Request, owner: Owner, redirect: str) -> str:
        """Where a form post goes on: `_redirect` on an allowed origin, else the thank-you page."""
        own = str(request.base_url)
        page = request.headers.get("referer") or request.headers.get("origin") or own
        target = _joined(page if origin_of(page) else own, redirect)
        origin = origin_of(target)
        if origin and cors.is_listed(self._directory, owner, request.headers.raw, origin):
            return target
        return pages.THANK_YOU_PATH


def _joined(page: str, redirect: str) -> str:
    """`redirect` against the form's page; "" for none, and for what is no address."""
    try:
        return urljoin(page, redirect) if redirect else ""
    except ValueError:
        return ""


def _is_plain_form_post(request: Request) -> bool:
    """Whether a browser navigates with this request, rather than a script fetching."""
    headers = request.headers
    by_script = (
        headers.get("sec-fetch-mode", "navigate") != "navigate"
        or headers.get("x-requested-with", "").lower() == "xmlhttprequest"
    )
    return bodies.is_form(headers) and "text/html" in headers.get("accept", "") and not by_script
