"""The website form: what form.js and plain HTML forms send."""

from __future__ import annotations

from server.domain import lead_fields
from server.domain.lead import Channel, LeadDraft, Submission


def claims(_submission: Submission) -> bool:
    """Everything that no other channel claims came from a form."""
    return True


def parse(submission: Submission) -> LeadDraft:
    """A draft whose lead source is WebSite unless the form names another."""
    return lead_fields.draft(submission.fields, Channel.FORM)
