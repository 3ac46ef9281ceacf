"""Destinations: where events go. A new one is a file here and a line in the app's wiring."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from server.domain.delivery import Delivery, Outcome


class Destination(Protocol):
    """One place deliveries go to, by the name their rows carry."""

    name: str

    async def send(self, delivery: Delivery, now: datetime) -> Outcome:
        """Try once, at `now`, and judge the answer; raises nothing but CancelledError."""
        ...
