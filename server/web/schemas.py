"""The shapes of public requests and answers, as documented; `openapi.py` makes schemas of them.

Requests are read elsewhere, and more leniently; tests hold real answers to these models.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from server.channels.beacon import MAX_BEACONS, BeaconModel
from server.domain.engagement import EngagementLabel
from server.domain.ids import OUTSIDE_ID_PATTERN
from server.domain.lead import WEBSITE, Channel
from server.domain.lead_fields import MAX_FIELDS
from server.domain.lead_status import LeadStatus
from server.domain.suspicion import SuspicionLabel
from server.domain.visitor import MatchKind
from server.store.lead_changes import ChangeKind
from server.web.leads import MAX_BATCH

_BEACON_FIELDS = {
    "v": "Version of this format.",
    "site": "Key of the site.",
    "visitor_id": "Made once by the browser, kept in its localStorage.",
    "session_id": "Made anew after 30 minutes without activity.",
    "page_view_id": "Made anew for each page view.",
    "seq": "Number of the beacon within its page view, from 0. A repeated one is dropped.",
    "type": "`view` opens a page view; `engage` updates one, `event` tells of an event in one.",
    "url": "Address of the page.",
    "referrer": "Address of the page before it.",
    "title": "Title of the page.",
    "screen": "Width x height of the screen in pixels.",
    "language": "The browser's language.",
    "timezone": "The browser's time zone, an IANA name.",
    "fingerprint": "Hash of traits of the browser; not secret.",
    "duration_ms": "Engaged time on this page view so far.",
    "scroll_percent": "Deepest point of the page seen so far, 0 to 100.",
    "scrollable": "Whether the page is higher than the window.",
    "clicks": "Clicks on this page view so far.",
    "automation": "Whether the browser says that a program drives it.",
    "age_ms": "Time since what the beacon tells of: for a view, since it began.",
    "fbp": "Meta's `_fbp` cookie.",
    "fbc": "Meta's `_fbc` cookie.",
    "consent": "The visitor's answer, where the site asks.",
    "event_id": "Made anew for each event of the site's own.",
    "name": "Name of an event of the site's own.",
    "props": "What the site tells about its event.",
}


def _describe(schema: dict[str, Any]) -> None:
    for name, field in schema["properties"].items():
        field["description"] = _BEACON_FIELDS[name]


class Beacon(BeaconModel):
    """What a visitor did on one page view. Numbers are totals of the page view so far.

    So a beacon that is lost, repeated or late does no harm. Numbers out of range are clamped,
    texts over their length cut, unknown fields ignored.
    """

    model_config = ConfigDict(json_schema_extra=_describe)


_UpToTwenty = Field(min_length=1, max_length=MAX_BEACONS)


class Beacons(RootModel[Beacon | Annotated[list[Beacon], _UpToTwenty]]):
    """One beacon, or an array of up to 20. None of an array counts when one is invalid."""


_Id = Annotated[str, Field(pattern=OUTSIDE_ID_PATTERN)]
_Said = Annotated[str, Field(pattern=r"\S")]


def _any_of_contacts(schema: dict[str, Any]) -> None:
    schema["anyOf"] = [{"required": ["email"]}, {"required": ["phone"]}]
    schema["maxProperties"] = MAX_FIELDS
    for field in schema["properties"].values():
        del field["default"]


class LeadFields(BaseModel):
    """An enquiry; `email` or `phone` is all it needs.

    Names are matched without regard to case, spaces and punctuation, and under their usual
    synonyms (`full_name`, `mobile`, `tel`, `comments`, `property` …). Any other field is kept
    and forwarded under its own name. Values may also be numbers, or lists in JSON.
    """

    model_config = ConfigDict(extra="allow", json_schema_extra=_any_of_contacts)

    name: str = Field("", description="The whole name.")
    first_name: str = Field("", description="Where the name comes in two parts.")
    last_name: str = ""
    email: _Said = Field("", description="A malformed address is kept, and counts as suspicious.")
    phone: _Said = Field("", description="As people write it; best with its country code.")
    message: str = ""
    project: str = Field("", description="The property that is enquired about.")
    lead_source: str = Field(
        "", alias="SOURCE", description=f"Facebook, WhatsApp …; {WEBSITE} when absent."
    )
    page_url: str = Field("", description="Address of the page that held the form.")
    referrer: str = Field("", description="Address of the page before it.")
    utm_source: str = Field("", description="Campaign values; read from `page_url` if absent.")
    utm_medium: str = ""
    utm_campaign: str = ""
    utm_term: str = ""
    utm_content: str = ""
    gclid: str = Field("", description="Click ids; read from `page_url` if absent.")
    gbraid: str = ""
    wbraid: str = ""
    dclid: str = ""
    fbclid: str = ""
    msclkid: str = ""
    ttclid: str = ""
    twclid: str = ""
    li_fat_id: str = ""
    igshid: str = ""
    yclid: str = ""
    visitor_id: _Id = Field("", alias="__visitor_id", description="Set by form.js.")
    session_id: _Id = Field("", alias="__session_id", description="Set by form.js.")
    site: str = Field("", alias="__site", description="Key of the site. Set by form.js.")
    submission_id: _Id = Field(
        "",
        alias="__submission_id",
        description="The same one again is the same lead: a second click. Set by form.js.",
    )
    external_id: str = Field(
        "", description="The platform's own id (`leadgen_id`, `wamid` …): the lead is stored once."
    )
    page_state: str = Field(
        "", alias="__pg_state", description="The page's last beacon, as JSON. Set by form.js."
    )
    consent: str = Field("", alias="__consent", description="The visitor's consent, yes or no.")
    redirect: str = Field(
        "", alias="_redirect", description="Where a form goes on to, on an origin of the site."
    )
    honeypot: str = Field("", description="A field that people do not see. Set by form.js.")
    time_to_submit: str = Field(
        "", alias="timeToSubmit", description="Milliseconds spent on the form. Set by form.js."
    )


class StoredLead(BaseModel):
    """The lead is on disk, and its webhook on the way."""

    ok: Literal[True] = True
    lead_id: str


class LeadScores(BaseModel):
    """What the lead is worth, and how far it is to be trusted."""

    engagement_score: int = Field(ge=0, le=100)
    engagement_label: EngagementLabel = Field(
        description="Cold to 20, Warm to 45, Hot to 70, Very Hot above."
    )
    engagement_available: bool = Field(
        description="False without a tracked visit: show the score as “—”, it is not a low one."
    )
    recommended_action: str = Field(description="What sales should do, by the label.")
    suspicion_score: int = Field(ge=0, le=100)
    suspicion_label: SuspicionLabel = Field(description="Low below 30, Medium below 60, then High.")
    suspicion_reasons: list[str] = Field(description="Why, for people to read.")


class ScoredLead(LeadScores, StoredLead):
    """The lead is on disk, and its webhook on the way; its scores, for who sent a key."""


class LeadAnswer(RootModel[ScoredLead | StoredLead]):
    """With an API key the scores come along."""


class ScoredDraft(LeadScores):
    """The scores of a lead that was not stored."""

    ok: Literal[True] = True
    dry_run: Literal[True] = True


class FieldProblem(BaseModel):
    """One thing to correct."""

    field: str = Field(description="Name of the field, `body` for the whole, `0.url` in an array.")
    message: str


_UpToHundred = Field(min_length=1, max_length=MAX_BATCH)


class LeadBatch(BaseModel):
    """The leads of a batch."""

    leads: Annotated[list[LeadFields], _UpToHundred]


class LeadList(RootModel[Annotated[list[LeadFields], _UpToHundred] | LeadBatch]):
    """Up to 100 leads in an array, alone or as `leads` of an object."""


class BatchedLead(BaseModel):
    """What became of one lead: as `status` says, its scores or a problem document."""

    ok: bool
    status: int = Field(description="201 stored, 200 scored with `dry_run=1`, else a problem.")
    lead_id: str = ""
    dry_run: bool = Field(False, description="True when nothing was stored.")
    replayed: bool = Field(False, description="True when this lead had been stored before.")
    engagement_score: int = Field(0, ge=0, le=100)
    engagement_label: EngagementLabel | None = None
    engagement_available: bool = False
    recommended_action: str = ""
    suspicion_score: int = Field(0, ge=0, le=100)
    suspicion_label: SuspicionLabel | None = None
    suspicion_reasons: list[str] = Field(default_factory=list)
    type: str = ""
    title: str = ""
    detail: str = Field("", description="A sentence for people.")
    errors: list[FieldProblem] = Field(default_factory=list)


class BatchAnswer(BaseModel):
    """One result for each lead, in their order."""

    ok: bool = Field(description="Whether every lead was taken.")
    stored: int
    results: list[BatchedLead]


class ListedLead(LeadScores):
    """A stored lead, under the names that the webhook gives its fields."""

    lead_id: str
    client_id: int
    created_at: str = Field(description="UTC.")
    updated_at: str | None = Field(description="UTC.")
    channel: Channel
    name: str | None
    first_name: str | None
    last_name: str | None
    email: str | None
    phone: str | None = Field(description="As given.")
    phone_e164: str | None = Field(description="In international form, where it could be read.")
    message: str | None
    project: str | None
    page_url: str | None
    referrer: str | None
    country: str | None = Field(description="Of the sender's address, ISO 3166.")
    site: str | None
    lead_source: str
    consent: bool | None
    utm_source: str | None
    utm_medium: str | None
    utm_campaign: str | None
    utm_term: str | None
    utm_content: str | None
    click_ids: dict[str, Any]
    visitor_id: str | None
    session_id: str | None
    pages_visited: int
    session_duration_seconds: int
    return_visits: int
    vpn_suspected: int
    match_kind: MatchKind = Field(description="How the lead was matched to a visit.")
    engagement_factors: Any = Field(description="Each factor with its value and points.")
    extra: dict[str, Any] = Field(description="Every other field, under its own name.")


class LeadPage(BaseModel):
    """Leads, and where to go on."""

    leads: list[ListedLead]
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last.")


class WorkedLead(BaseModel):
    """How far a lead has come."""

    ok: Literal[True]
    lead_id: str
    status: LeadStatus
    status_at: str | None = Field(description="Since when, UTC.")
    first_contact_at: str | None = Field(description="UTC.")
    owner: str | None = Field(description="E-mail address of the user.")
    changed: list[ChangeKind] = Field(description="What this request changed.")


class Problem(BaseModel):
    """A problem document (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = Field("", description="A sentence for people.")
    errors: list[FieldProblem]


class Readiness(BaseModel):
    """Whether the store commits a write."""

    ready: bool
    store: str = Field("", description="What is wrong with it.")
