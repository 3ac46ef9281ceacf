"""Leads out of requests: whose they are, who sent them, within which limits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.requests import Request

from server.domain import field_mapping
from server.domain.directory import ApiKey, Scope
from server.domain.errors import AppError, ErrorCode, FieldError
from server.domain.lead import Submission
from server.domain.lead_fields import known_fields, plain
from server.domain.network import truncated
from server.store.leads import StoredLead
from server.usecases.capture_lead import MAX_IDEMPOTENCY_KEY_CHARS, LeadRequest
from server.usecases.site_directory import Owner, SiteDirectory
from server.web import cors
from server.web.peers import PeerReader
from server.web.rate_limits import Allowance, Policy, RateLimiter, network_of

SCOPE_VERBS = {
    Scope.READ: "read leads",
    Scope.WRITE: "store leads",
    Scope.ADMIN: "see or change settings",
}


class LeadIntake:
    """What `/api/lead` and `/api/leads` have in common."""

    def __init__(
        self,
        directory: SiteDirectory,
        peers: PeerReader,
        limiter: RateLimiter,
        now: Callable[[], datetime],
    ) -> None:
        self._directory = directory
        self._peers = peers
        self._limiter = limiter
        self._now = now

    async def key(self, request: Request, scope: Scope) -> ApiKey | None:
        """The key of a request, None without one; raises AppError for one that does not open.

        Refused keys count against the sender's address: nobody may try many.
        """
        try:
            return await self._key(request, scope)
        except AppError:
            self._limiter.take(Policy.ADDRESS, self._sender(request))
            raise

    async def required_key(self, request: Request, scope: Scope) -> ApiKey:
        """The key of a request that needs one; raises AppError (unauthorized) without it."""
        key = await self.key(request, scope)
        if key is None:
            self._limiter.take(Policy.ADDRESS, self._sender(request))
            raise AppError(ErrorCode.UNAUTHORIZED, "This needs an API key (Authorization: Bearer)")
        return key

    async def _key(self, request: Request, scope: Scope) -> ApiKey | None:
        header = request.headers.get("authorization", "")
        if not header:
            return None
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            raise AppError(ErrorCode.UNAUTHORIZED, "Authorization must be Bearer and an API key")
        key = await self._directory.api_key(token.strip())
        if key is None:
            raise AppError(ErrorCode.UNAUTHORIZED, "This API key is not known or was revoked")
        if not key.may(scope):
            raise AppError(ErrorCode.FORBIDDEN, f"This API key may not {SCOPE_VERBS[scope]}")
        return key

    def count(self, request: Request, key: ApiKey | None, count: int = 1) -> Allowance | None:
        """Count a request for its key, or for its address when it has none.

        A partner's address says nothing: many share one. Raises RateLimitedError.
        """
        if key is not None:
            return self._limiter.take(Policy.KEY, str(key.key_id), count)
        return self._limiter.take(Policy.ADDRESS, self._sender(request), count)

    def count_form(self, owner: Owner, key: ApiKey | None) -> Allowance | None:
        """Count a lead for the form's site; a partner's lead is of no form."""
        if key is not None:
            return None
        site_key = owner.site.site_key if owner.site else ""
        return self._limiter.take(Policy.FORM, f"{owner.client_id}:{site_key}")

    async def owner(self, request: Request, fields: dict[str, Any], key: ApiKey | None) -> Owner:
        """Whose a lead is; a site key that is not known yet is looked up."""
        site_key = plain(known_fields(fields).get("site"))
        if self._directory.should_refresh_for(site_key):
            await self._directory.refresh()
        origin = request.headers.get("origin", "")
        return self._directory.owner(key=key, site_key=site_key, origin=origin)

    def lead_request(
        self,
        request: Request,
        fields: dict[str, Any],
        owner: Owner,
        key: ApiKey | None,
        idempotency_key: str,
    ) -> LeadRequest:
        """A lead with all that its request tells."""
        raw, origin = request.headers.raw, request.headers.get("origin", "")
        listed = not origin or cors.is_listed(self._directory, owner, raw, origin)
        client = self._directory.client(owner.client_id)
        peer = self._peers.read(request.scope["client"], raw)
        return LeadRequest(
            submission=Submission(fields, authenticated=key is not None),
            client=client,
            key=key,
            peer=truncated(peer) if client.truncate_ip else peer,
            unlisted_origin=None if listed else origin,
            idempotency_key=idempotency_key,
            received_at=self._now(),
            fallback_page_url=request.headers.get("referer", "") if key is None else "",
            privacy_control=key is None and request.headers.get("sec-gpc", "") == "1",
        )

    def _sender(self, request: Request) -> str:
        return network_of(self._peers.read(request.scope["client"], request.headers.raw).ip)


def mapped(fields: dict[str, Any], key: ApiKey | None) -> dict[str, Any]:
    """The fields where the key's mapping finds them."""
    return field_mapping.apply(key.field_mapping, fields) if key else fields


def idempotency_key(request: Request) -> str:
    """The Idempotency-Key header; raises AppError for one that is too long."""
    key = request.headers.get("idempotency-key", "")
    if len(key) > MAX_IDEMPOTENCY_KEY_CHARS:
        message = f"is longer than {MAX_IDEMPOTENCY_KEY_CHARS} characters"
        field = FieldError("Idempotency-Key", message)
        raise AppError(ErrorCode.INVALID, f"Idempotency-Key {message}", field)
    return key


def is_dry_run(request: Request) -> bool:
    """Whether `?dry_run=1` asks to store nothing."""
    return request.query_params.get("dry_run", "") not in ("", "0", "false")


def scores(lead: StoredLead) -> dict[str, Any]:
    """What a partner is told of a lead beside its id."""
    return {
        "engagement_score": lead.engagement_score,
        "engagement_label": lead.engagement_label,
        "engagement_available": lead.engagement_available,
        "recommended_action": lead.recommended_action,
        "suspicion_score": lead.suspicion_score,
        "suspicion_label": lead.suspicion_label,
        "suspicion_reasons": list(lead.suspicion_reasons),
    }
