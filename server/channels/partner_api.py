"""The partner API: leads from Facebook, WhatsApp, JustLead … that no browser of ours saw."""

from __future__ import annotations

from server.domain import lead_fields
from server.domain.ids import is_outside_id
from server.domain.lead import WEBSITE, Channel, LeadDraft, Submission


def claims(submission: Submission) -> bool:
    """A submission without a visitor that has an API key or names its SOURCE."""
    known = lead_fields.known_fields(submission.fields)
    if is_outside_id(lead_fields.plain(known.get("visitor_id"))):
        return False
    source = lead_fields.plain(known.get("lead_source")).lower()
    return submission.authenticated or source not in ("", WEBSITE.lower())


def parse(submission: Submission) -> LeadDraft:
    """A draft whose lead source is what SOURCE says, word for word."""
    return lead_fields.draft(submission.fields, Channel.API)
