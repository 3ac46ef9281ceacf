"""Report a conversion: a response becomes an event for Meta, once per name and response."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from server.destinations import meta_capi
from server.domain.conversion import (
    ActionSource,
    ConversionEvent,
    UserData,
    click_id_of,
    event_id_of,
    is_meta_cookie,
)
from server.domain.delivery import Delivery, DeliveryState
from server.domain.directory import Client
from server.domain.form_response import ResponseDraft
from server.domain.ids import ClientId, DeliveryId
from server.store import outbox
from server.store.contract import Statement
from server.store.visitors import Traces


@dataclass(frozen=True, slots=True)
class Conversion:
    """An event on its way to Meta, and the id that a browser's pixel may share."""

    delivery: Delivery
    event_id: str
    state: DeliveryState


def conversion_of(
    client: Client,
    draft: ResponseDraft,
    event_name: str,
    traces: Traces | None,
    now: datetime,
    lead_id: str = "",
) -> Conversion | None:
    """The event of a response; None where the visitor has refused to be tracked.

    Its id depends on name, form and response only: partial events repeat it, and so does a
    replay. Without a pixel or token it stands as `not_configured`.
    """
    if traces is not None and traces.consent is False:
        return None
    form_id, token = draft.response_key
    event_id = event_id_of(event_name, form_id, token=token)
    event = ConversionEvent(
        event_name=event_name,
        event_id=event_id,
        event_time=_event_time(draft, now),
        action_source=ActionSource(client.scoring.action_source),
        event_source_url=client.scoring.event_source_url
        or draft.page_url
        or (traces.landing_url if traces else ""),
        user=_user(client, draft, traces),
    )
    delivery = Delivery(
        delivery_id=delivery_id_of(client.client_id, event_id),
        client_id=client.client_id,
        destination=meta_capi.NAME,
        lead_id=lead_id,
        payload=meta_capi.body_of(event),
        event_name=event_name,
        email=draft.email,
    )
    configured = client.scoring.reports_to_meta
    state = DeliveryState.PENDING if configured else DeliveryState.NOT_CONFIGURED
    return Conversion(delivery, event_id, state)


def once_statement(conversion: Conversion, now: datetime) -> Statement:
    """Put the event into the outbox unless it stands there."""
    return outbox.delivery_once_statement(conversion.delivery, now, state=conversion.state)


def delivery_id_of(client_id: ClientId, event_id: str) -> DeliveryId:
    """The one delivery of an event of a client."""
    digest = hashlib.sha256(f"{client_id}\n{event_id}".encode()).hexdigest()
    return DeliveryId(f"capi_{digest[:29]}")


def _event_time(draft: ResponseDraft, now: datetime) -> datetime:
    """When the form was sent, where its clock is not ahead of ours."""
    told = draft.submitted_at
    return told if told is not None and told <= now else now


def _user(client: Client, draft: ResponseDraft, traces: Traces | None) -> UserData:
    """What Meta matches by; an address that was cut is nobody's."""
    return UserData(
        email=draft.email,
        phone=draft.phone,
        phone_region=client.default_region,
        first_name=draft.first_name,
        last_name=draft.last_name,
        country=traces.country if traces else "",
        external_id=draft.visitor_id or "",
        client_ip=traces.ip if traces and not client.truncate_ip else "",
        client_user_agent=traces.user_agent if traces else "",
        fbc=click_id_of(traces.fbc, traces.fbclid, traces.started_at) if traces else "",
        fbp=traces.fbp if traces and is_meta_cookie(traces.fbp) else "",
    )
