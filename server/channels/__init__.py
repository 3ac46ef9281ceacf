"""Channels: raw submissions to lead drafts. A new one is a file and a line here."""

from collections.abc import Callable
from typing import NamedTuple

from server.channels import partner_api, website_form
from server.domain.lead import LeadDraft, Submission


class SubmissionChannel(NamedTuple):
    """A channel of `/api/lead`: does it claim a submission, and how it reads one."""

    claims: Callable[[Submission], bool]
    parse: Callable[[Submission], LeadDraft]


SUBMISSION_CHANNELS: tuple[SubmissionChannel, ...] = (
    SubmissionChannel(partner_api.claims, partner_api.parse),
    SubmissionChannel(website_form.claims, website_form.parse),
)
"""Asked in this order; the last one claims everything."""


def parse(submission: Submission) -> LeadDraft:
    """Read a submission by the first channel that claims it; raises AppError (invalid)."""
    channel = next(channel for channel in SUBMISSION_CHANNELS if channel.claims(submission))
    return channel.parse(submission)
