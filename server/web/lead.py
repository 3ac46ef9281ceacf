"""POST /api/lead: a lead in any of three encodings, 201 after commit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urljoin

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from server.domain.directory import ApiKey, origin_of
from server.domain.errors import AppError, ErrorCode, FieldError
from server.domain.lead import Submission
from server.domain.lead_fields import known_fields, plain
from server.store.contract import StoreError
from server.usecases.capture_lead import (
    MAX_IDEMPOTENCY_KEY_CHARS,
    LeadAnswer,
    LeadCapture,
    LeadRequest,
)
from server.usecases.site_directory import Owner, SiteDirectory
from server.web import bodies, cors, pages, problems
from server.web.metrics import Metrics
from server.web.peers import PeerReader

PATH = "/api/lead"
REPLAYED_HEADER = "idempotent-replayed"


class LeadEndpoint:
    """Takes leads from forms and partners."""

    def __init__(
        self,
        capture: LeadCapture,
        directory: SiteDirectory,
        peers: PeerReader,
        metrics: Metrics,
        now: Callable[[], datetime],
    ) -> None:
        self._capture = capture
        self._directory = directory
        self._peers = peers
        self._metrics = metrics
        self._now = now

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
            try:
                key = await self._key(request)
                fields = await self._fields(request)
                owner = await self._owner(request, fields, key)
                response = await self._respond(request, fields, owner, key)
            except (AppError, StoreError) as error:
                response = _refusal(request, error)
            response.headers.update(cors.headers(self._directory, owner, request.headers.raw))
            return response

    async def _respond(
        self, request: Request, fields: dict[str, Any], owner: Owner, key: ApiKey | None
    ) -> Response:
        lead_request = self._lead_request(request, fields, owner, key)
        if request.query_params.get("dry_run", "") not in ("", "0", "false"):
            return await self._preview(lead_request)
        answer = await self._capture.capture(lead_request)
        if not answer.replayed:
            self._metrics.leads.labels(answer.draft.channel).inc()
        if _is_plain_form_post(request):
            return RedirectResponse(self._target(request, owner, answer.draft.redirect), 303)
        body = {"ok": True, "lead_id": answer.lead.lead_id} | (_scores(answer) if key else {})
        headers = {REPLAYED_HEADER: "true"} if answer.replayed else {}
        return JSONResponse(body, 201, headers)

    async def _preview(self, lead_request: LeadRequest) -> Response:
        if lead_request.key is None:
            raise AppError(ErrorCode.UNAUTHORIZED, "A dry run needs an API key")
        answer = await self._capture.preview(lead_request)
        return JSONResponse({"ok": True, "dry_run": True} | _scores(answer))

    async def _key(self, request: Request) -> ApiKey | None:
        header = request.headers.get("authorization", "")
        if not header:
            return None
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            raise AppError(ErrorCode.UNAUTHORIZED, "Authorization must be Bearer and an API key")
        key = await self._directory.api_key(token.strip())
        if key is None:
            raise AppError(ErrorCode.UNAUTHORIZED, "This API key is not known or was revoked")
        if not key.may_write():
            raise AppError(ErrorCode.FORBIDDEN, "This API key may not store leads")
        return key

    async def _fields(self, request: Request) -> dict[str, Any]:
        length = request.headers.get("content-length", "")
        return await bodies.decode(await bodies.read(request.receive, length), request.headers)

    async def _owner(self, request: Request, fields: dict[str, Any], key: ApiKey | None) -> Owner:
        site_key = plain(known_fields(fields).get("site"))
        if self._directory.should_refresh_for(site_key):
            await self._directory.refresh()
        origin = request.headers.get("origin", "")
        return self._directory.owner(key=key, site_key=site_key, origin=origin)

    def _lead_request(
        self, request: Request, fields: dict[str, Any], owner: Owner, key: ApiKey | None
    ) -> LeadRequest:
        origin = request.headers.get("origin", "")
        raw = request.headers.raw
        listed = not origin or cors.is_listed(self._directory, owner, raw, origin)
        return LeadRequest(
            submission=Submission(fields, authenticated=key is not None),
            client=self._directory.client(owner.client_id),
            key=key,
            peer=self._peers.read(request.scope["client"], raw),
            unlisted_origin=None if listed else origin,
            idempotency_key=_idempotency_key(request),
            received_at=self._now(),
            fallback_page_url=request.headers.get("referer", "") if key is None else "",
            privacy_control=key is None and request.headers.get("sec-gpc", "") == "1",
        )

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


def _idempotency_key(request: Request) -> str:
    key = request.headers.get("idempotency-key", "")
    if len(key) > MAX_IDEMPOTENCY_KEY_CHARS:
        message = f"is longer than {MAX_IDEMPOTENCY_KEY_CHARS} characters"
        field = FieldError("Idempotency-Key", message)
        raise AppError(ErrorCode.INVALID, f"Idempotency-Key {message}", field)
    return key


def _is_plain_form_post(request: Request) -> bool:
    """Whether a browser navigates with this request, rather than a script fetching."""
    headers = request.headers
    by_script = (
        headers.get("sec-fetch-mode", "navigate") != "navigate"
        or headers.get("x-requested-with", "").lower() == "xmlhttprequest"
    )
    return bodies.is_form(headers) and "text/html" in headers.get("accept", "") and not by_script


def _refusal(request: Request, error: Exception) -> Response:
    if _is_plain_form_post(request):
        known = problems.app_error(error)
        status, headers, _body = problems.document(known)
        retry = {name: value for name, value in headers.items() if name == "retry-after"}
        return pages.refused(known.message, status, retry)
    return problems.response(error)


def _scores(answer: LeadAnswer) -> dict[str, Any]:
    lead = answer.lead
    return {
        "engagement_score": lead.engagement_score,
        "engagement_label": lead.engagement_label,
        "engagement_available": lead.engagement_available,
        "recommended_action": lead.recommended_action,
        "suspicion_score": lead.suspicion_score,
        "suspicion_label": lead.suspicion_label,
        "suspicion_reasons": list(lead.suspicion_reasons),
    }
