"""Capture a lead: parse, score, and store it with its deliveries in one batch."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from server import channels
from server.channels import beacon as beacons
from server.destinations import make_webhook
from server.domain.attribution import without_query
from server.domain.contact import parse_phone
from server.domain.delivery import Delivery, DeliveryState
from server.domain.directory import ApiKey, Client
from server.domain.errors import AppError, ErrorCode, FieldError
from server.domain.ids import DeliveryId, LeadId, new_id
from server.domain.lead import Channel, Lead, LeadDraft, Submission
from server.domain.visitor import Arrival, BeaconType, Peer
from server.store import leads, outbox, tracking
from server.store.contract import (
    AuthError,
    BusyError,
    ConstraintError,
    StalledError,
    Statement,
    Store,
    StoreError,
    TooBigError,
    UnavailableError,
)
from server.store.leads import StoredLead
from server.usecases.assess_lead import LeadContext, assess

logger = logging.getLogger(__name__)

MAX_IDEMPOTENCY_KEY_CHARS = 255
AGAIN_SECONDS = 1.0
"""Before a broken write is repeated: a database that restarts is back by then."""


@dataclass(frozen=True, slots=True)
class LeadRequest:
    """A submission with all that its transport tells. `key` is the partner's, when one was used.

    `privacy_control` tells that the browser asked for Global Privacy Control.
    """

    submission: Submission
    client: Client
    key: ApiKey | None
    peer: Peer
    unlisted_origin: str | None
    idempotency_key: str
    received_at: datetime
    fallback_page_url: str = ""
    privacy_control: bool = False


@dataclass(frozen=True, slots=True)
class LeadAnswer:
    """What became of a submission: `replayed` when it had been stored before."""

    lead: StoredLead
    draft: LeadDraft
    replayed: bool = False


class LeadCapture:
    """Stores leads; `on_stored` is told after each commit that put deliveries in the outbox.

    With `require_key` leads of partners without an API key are refused.
    """

    def __init__(
        self, store: Store, on_stored: Callable[[], None], *, require_key: bool = False
    ) -> None:
        self._store = store
        self._on_stored = on_stored
        self._require_key = require_key

    async def capture(self, request: LeadRequest) -> LeadAnswer:
        """Store a lead; it and its deliveries are committed when this returns.

        A repeated idempotency key or submission id answers with the lead it already made.
        Raises AppError (invalid) for a lead without contact or over a limit, and for a key
        that came with another body; StoreError when the store cannot take it.
        """
        lead, state = await self._judge(request)
        tracked = tracking.beacon_batch([state]) if state else []
        try:
            await self._commit(lead, tracked, _delivery(lead, request.client))
        except ConstraintError:
            if lead.idempotency_key is None:
                raise
            return await self._replay(lead)
        self._on_stored()
        return LeadAnswer(_as_stored(lead), lead.draft)

    async def preview(self, request: LeadRequest) -> LeadAnswer:
        """Validate and score as `capture` does, and store nothing."""
        lead, _state = await self._judge(request)
        return LeadAnswer(_as_stored(lead), lead.draft)

    async def _commit(self, lead: Lead, tracked: list[Statement], delivery: Statement) -> None:
        """Write the lead; once more where the connection broke and nobody knows what stands.

        Under the same ids it cannot be doubled, and who sends it again would double it.
        """
        batch = [*leads.lead_batch(lead), delivery]
        try:
            await self._write(tracked, batch)
        except (StalledError, AuthError):
            raise
        except UnavailableError:
            await asyncio.sleep(AGAIN_SECONDS)
            try:
                await self._write(tracked, batch)
            except ConstraintError:
                if not await leads.stands(self._store, lead.lead_id):
                    raise

    async def _write(self, tracked: list[Statement], batch: list[Statement]) -> None:
        """Commit the lead with its page state; alone where only that state is at fault (spec)."""
        try:
            await self._store.write([*tracked, *batch])
        except (ConstraintError, BusyError, UnavailableError, TooBigError):
            raise
        except StoreError:
            if not tracked:
                raise
            logger.exception("the page state could not be stored")
            await self._store.write(batch)

    async def _judge(self, request: LeadRequest) -> tuple[Lead, Arrival | None]:
        """The lead with its scores, and the page state that came with it."""
        draft = _draft_of(request)
        if self._require_key and draft.channel is Channel.API and request.key is None:
            field = FieldError("SOURCE", "needs an API key")
            raise AppError(ErrorCode.UNAUTHORIZED, "Leads of partners need an API key", field)
        phone = parse_phone(draft.phone, request.client.default_region)
        state = _state_of(draft, request)
        context = LeadContext(
            client_id=request.client.client_id,
            draft=draft,
            phone=phone,
            peer=request.peer,
            unlisted_origin=request.unlisted_origin,
            state=state,
            received_at=request.received_at,
            relayed=request.key is not None,
        )
        judged = await assess(self._store, context)
        if judged.consent_withdrawn and draft.consent is None:
            draft = draft.untracked()
        lead = Lead(
            lead_id=LeadId(new_id("lead", request.received_at)),
            client_id=request.client.client_id,
            created_at=request.received_at,
            draft=draft,
            phone=phone,
            peer=request.peer,
            engagement=judged.engagement,
            suspicion=judged.suspicion,
            vpn_suspected=judged.vpn_suspected,
            attribution=draft.attribution.or_else(judged.attribution),
            page_url=draft.page_url or _fallback_page_url(request, draft),
            idempotency_key=_idempotency_key(request, draft),
            idempotency_hash=_body_hash(request) if request.idempotency_key else None,
        )
        return lead, None if draft.consent is False else state

    async def _replay(self, lead: Lead) -> LeadAnswer:
        key = lead.idempotency_key or ""
        stored = await leads.lead_of_key(self._store, lead.client_id, key, lead.created_at)
        if stored is None:
            raise AppError(ErrorCode.UNAVAILABLE, "The lead could not be stored, try again")
        if stored.body_hash != lead.idempotency_hash:
            raise AppError(
                ErrorCode.INVALID,
                "This Idempotency-Key was used for another lead",
                FieldError("Idempotency-Key", "was used with a different body"),
            )
        return LeadAnswer(stored, lead.draft, replayed=True)


def _draft_of(request: LeadRequest) -> LeadDraft:
    """The draft, without what ties it to a visit where the person refuses that."""
    draft = channels.parse(request.submission)
    if draft.consent is None and request.privacy_control:
        return draft.untracked()
    return draft.untracked() if draft.consent is False else draft


def _fallback_page_url(request: LeadRequest, draft: LeadDraft) -> str:
    refused = draft.consent is False
    return without_query(request.fallback_page_url) if refused else request.fallback_page_url


def _state_of(draft: LeadDraft, request: LeadRequest) -> Arrival | None:
    """The page state as a beacon; one that cannot be read, or is another visitor's, is none."""
    if not draft.page_state or draft.visitor_id is None:
        return None
    try:
        (beacon, *others) = beacons.parse(draft.page_state)
    except AppError:
        return None
    if others or beacon.visitor_id != draft.visitor_id or beacon.type is BeaconType.EVENT:
        return None
    if beacon.consent is False:
        return None
    peer = request.peer if request.key is None else Peer("", "", "")
    return Arrival(beacon, request.client.client_id, peer, request.received_at)


def _idempotency_key(request: LeadRequest, draft: LeadDraft) -> str | None:
    if request.idempotency_key:
        scope = request.key.key_id if request.key else "public"
        return f"key:{scope}:{request.idempotency_key}"
    if draft.native_id and draft.channel is Channel.API:
        # Who has no key may not take a partner's ids.
        scope = "" if request.key else "public:"
        return f"{leads.NATIVE_PREFIX}{scope}{draft.lead_source.lower()}:{draft.native_id}"
    return f"submission:{draft.submission_id}" if draft.submission_id else None


def _body_hash(request: LeadRequest) -> str:
    """Of the fields, not of the bytes: a multipart retry has another boundary."""
    text = json.dumps(request.submission.fields, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _delivery(lead: Lead, client: Client) -> Statement:
    delivery = Delivery(
        delivery_id=DeliveryId(new_id("msg", lead.created_at)),
        client_id=lead.client_id,
        destination=make_webhook.NAME,
        lead_id=lead.lead_id,
        payload=make_webhook.body_of(lead),
    )
    configured = bool(client.make_webhook_url)
    state = DeliveryState.PENDING if configured else DeliveryState.NOT_CONFIGURED
    return outbox.delivery_statement(delivery, lead.created_at, state=state)


def _as_stored(lead: Lead) -> StoredLead:
    return StoredLead(
        lead.lead_id,
        lead.idempotency_hash,
        lead.engagement.score,
        lead.engagement.label,
        lead.engagement.available,
        lead.engagement.recommended_action,
        lead.suspicion.score,
        lead.suspicion.label,
        tuple(finding.reason for finding in lead.suspicion.findings),
    )
