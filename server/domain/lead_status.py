"""Lead status: how far salespeople have come with a lead."""

from __future__ import annotations

from enum import StrEnum


class LeadStatus(StrEnum):
    """From the first look to the end of a sale; `spam` is for enquiries that nobody follows."""

    NEW = "new"
    CONTACTED = "contacted"
    VIEWING = "viewing"
    OFFER = "offer"
    WON = "won"
    LOST = "lost"
    SPAM = "spam"
