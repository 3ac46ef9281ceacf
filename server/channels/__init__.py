"""Channels: raw submissions to lead drafts. A new one is a file and a line here."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from server.channels import blush, partner_api, typeform, website_form
from server.domain.form_response import ResponseDraft
from server.domain.ids import ClientId
from server.domain.lead import Channel, LeadDraft, Submission


class SubmissionChannel(NamedTuple):
    """A channel of `/api/lead`: does it claim a submission, and how it reads one."""

    claims: Callable[[Submission], bool]
    parse: Callable[[Submission], LeadDraft]


SUBMISSION_CHANNELS: tuple[SubmissionChannel, ...] = (
    SubmissionChannel(partner_api.claims, partner_api.parse),
    SubmissionChannel(website_form.claims, website_form.parse),
)
"""Asked in this order; the last one claims everything."""


class ResponseChannel(NamedTuple):
    """A channel of the forms' webhook: how it reads a payload, and what of it may be kept."""

    parse: Callable[[Mapping[str, Any], Mapping[str, str]], ResponseDraft]
    redacted: Callable[[Mapping[str, Any]], dict[str, Any]]


RESPONSE_CHANNELS: Mapping[Channel, ResponseChannel] = {
    Channel.TYPEFORM: ResponseChannel(typeform.parse, typeform.redacted),
    Channel.BLUSH: ResponseChannel(blush.parse, blush.redacted),
}

BLUSH_CLIENT = ClientId(30)
"""The one client whose forms are Blush's (spec)."""


def response_channel(client_id: ClientId) -> ResponseChannel:
    """What reads the webhooks of a client."""
    return RESPONSE_CHANNELS[Channel.BLUSH if client_id == BLUSH_CLIENT else Channel.TYPEFORM]


def form_id_of(payload: Mapping[str, Any]) -> str:
    """The form that a Typeform payload names, "" for none."""
    response = payload.get("form_response")
    form_id = response.get("form_id") if isinstance(response, dict) else None
    return form_id if isinstance(form_id, str) else ""


def parse(submission: Submission) -> LeadDraft:
    """Read a submission by the first channel that claims it; raises AppError (invalid)."""
    channel = next(channel for channel in SUBMISSION_CHANNELS if channel.claims(submission))
    return channel.parse(submission)
