"""Try a destination: a sample that is nobody's data, sent at once and kept nowhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from server.destinations import Destination, make_webhook, meta_capi
from server.domain.attribution import Attribution
from server.domain.contact import parse_phone
from server.domain.conversion import ActionSource, ConversionEvent, UserData
from server.domain.delivery import Delivery, Outcome
from server.domain.directory import Client
from server.domain.engagement import NO_ENGAGEMENT
from server.domain.ids import DeliveryId, LeadId
from server.domain.lead import Channel, Lead, LeadDraft
from server.domain.suspicion import total
from server.domain.visitor import Peer

SAMPLE_EMAIL = "test-lead@example.com"
_SAMPLE_PHONE = "+44 20 7946 0123"
_SAMPLE_PAGE = "https://www.example.com/"


@dataclass(frozen=True, slots=True)
class Tried:
    """How a try ended, and how long the answer took."""

    outcome: Outcome
    duration_ms: int


async def try_webhook(
    destination: Destination, client: Client, sample_id: str, clock: Callable[[], datetime]
) -> Tried:
    """Send a sample lead with `test: true` to the client's webhook."""
    payload = make_webhook.body_of(_sample_lead(client, sample_id, clock()), {"test": True})
    return await _try(destination, client, sample_id, payload, clock)


async def try_meta(
    destination: Destination, client: Client, sample_id: str, clock: Callable[[], datetime]
) -> Tried:
    """Send a sample of the client's event to its pixel, with the test event code in force."""
    scoring = client.scoring
    event = ConversionEvent(
        event_name=scoring.event_name,
        event_id=sample_id,
        event_time=clock(),
        action_source=ActionSource(scoring.action_source),
        event_source_url=scoring.event_source_url or _SAMPLE_PAGE,
        user=UserData(email=SAMPLE_EMAIL, client_user_agent="propgauge test event"),
    )
    return await _try(destination, client, sample_id, meta_capi.body_of(event), clock)


async def _try(
    destination: Destination,
    client: Client,
    sample_id: str,
    payload: str,
    clock: Callable[[], datetime],
) -> Tried:
    started = clock()
    sample = Delivery(DeliveryId(sample_id), client.client_id, destination.name, "", payload)
    outcome = await destination.send(sample, started)
    return Tried(outcome, round((clock() - started).total_seconds() * 1000))


def _sample_lead(client: Client, sample_id: str, now: datetime) -> Lead:
    draft = LeadDraft(
        Channel.API,
        "Test",
        name="Test Lead",
        email=SAMPLE_EMAIL,
        phone=_SAMPLE_PHONE,
        message="A test from propgauge. No person is behind it.",
        project="Test project",
    )
    return Lead(
        LeadId(sample_id),
        client.client_id,
        now,
        draft,
        parse_phone(_SAMPLE_PHONE, None),
        Peer("", "", ""),
        NO_ENGAGEMENT,
        total(()),
        vpn_suspected=False,
        attribution=Attribution(),
        page_url=_SAMPLE_PAGE,
        idempotency_key=None,
        idempotency_hash=None,
    )
