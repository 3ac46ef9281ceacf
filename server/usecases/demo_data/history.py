"""What earlier leads tell of a new one: counted as `leads.contact_history` counts, in memory."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import NamedTuple

from server.domain.lead import LeadDraft
from server.store.leads import DUPLICATE_WINDOW, VELOCITY_WINDOW, ContactHistory, message_hash


class _Earlier(NamedTuple):
    number: int
    moment: datetime
    email: str
    phone: str


class History:
    """The leads so far; they must come in the order of their moments."""

    def __init__(self) -> None:
        self._count = 0
        self._known: defaultdict[tuple[str, str], list[_Earlier]] = defaultdict(list)

    def of(self, draft: LeadDraft, e164: str, ip: str, moment: datetime) -> ContactHistory:
        """What came before, and from now on this lead too."""
        email, since = draft.email.lower(), moment - DUPLICATE_WINDOW
        contacts = [("email", email), ("e164", e164), ("phone", draft.phone)]
        message = ("message", message_hash(draft.message) or "")
        same = {one.number for key in contacts for one in self._recent(key, since)}
        others = [
            one
            for one in self._recent(message, since)
            if not (email and one.email == email) and not (draft.phone and one.phone == draft.phone)
        ]
        neighbours = len(self._recent(("ip", ip), moment - VELOCITY_WINDOW))
        self._count += 1
        this = _Earlier(self._count, moment, email, draft.phone)
        for kind, text in (*contacts, message, ("ip", ip)):
            if text:
                self._known[kind, text].append(this)
        return ContactHistory(len(same), len(others), neighbours)

    def _recent(self, key: tuple[str, str], since: datetime) -> list[_Earlier]:
        if key not in self._known:
            return []
        kept = [one for one in self._known[key] if one.moment >= since]
        self._known[key] = kept
        return kept
