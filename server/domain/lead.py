"""Leads: what a submission says (draft) and what is stored and forwarded (lead)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from server.domain.attribution import Attribution, without_query
from server.domain.contact import Phone
from server.domain.engagement import Engagement
from server.domain.ids import ClientId, LeadId, SessionId, VisitorId
from server.domain.suspicion import Suspicion
from server.domain.visitor import Peer

WEBSITE = "WebSite"
"""The lead source of a tracked form, by the spec."""


class Channel(StrEnum):
    """How a lead came in."""

    FORM = "form"
    API = "api"
    TYPEFORM = "typeform"
    BLUSH = "blush"


@dataclass(frozen=True, slots=True)
class Submission:
    """A request to store a lead, decoded but not yet understood."""

    fields: Mapping[str, Any]
    authenticated: bool


@dataclass(frozen=True, slots=True)
class LeadDraft:
    """What a submission says, by our names. Texts are as given, trimmed; "" when absent.

    `page_state` is the raw `__pg_state`; `time_to_submit_ms` is the form's own claim;
    `native_id` is what the partner's platform calls the lead, such as Facebook's leadgen_id.
    """

    channel: Channel
    lead_source: str
    name: str = ""
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    phone: str = ""
    message: str = ""
    project: str = ""
    page_url: str = ""
    referrer: str = ""
    attribution: Attribution = field(default_factory=Attribution)
    consent: bool | None = None
    visitor_id: VisitorId | None = None
    session_id: SessionId | None = None
    site: str = ""
    submission_id: str = ""
    native_id: str = ""
    page_state: str = ""
    honeypot: str = ""
    time_to_submit_ms: int | None = None
    redirect: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """The name as one text, however it was given: also as a name and a surname."""
        if self.name and (self.first_name or self.last_name.lower() in self.name.lower()):
            return self.name
        return f"{self.name or self.first_name} {self.last_name}".strip()

    def untracked(self) -> LeadDraft:
        """The draft of someone who refuses to be tracked: what the form says, and no more."""
        return replace(
            self,
            consent=False,
            visitor_id=None,
            session_id=None,
            page_state="",
            page_url=without_query(self.page_url),
            referrer=without_query(self.referrer),
            attribution=Attribution(dict(self.attribution.utm)),
        )


@dataclass(frozen=True, slots=True)
class Lead:
    """A lead ready to be stored: the draft, its scores and where it came from."""

    lead_id: LeadId
    client_id: ClientId
    created_at: datetime
    draft: LeadDraft
    phone: Phone
    peer: Peer
    engagement: Engagement
    suspicion: Suspicion
    vpn_suspected: bool
    attribution: Attribution
    page_url: str
    idempotency_key: str | None
    idempotency_hash: str | None
