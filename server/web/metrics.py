"""Counters of one server, in Prometheus' text form."""

from __future__ import annotations

import collections
import math

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from server.domain.ids import ClientId
from server.store.contract import StoreError


class Metrics:
    """Everything counted; no label ever holds personal data."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.beacons_stored = Counter(
            "propgauge_beacons_stored", "Beacons committed.", registry=self.registry
        )
        self.beacons_dropped = Counter(
            "propgauge_beacons_dropped",
            "Beacons that left no trace, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.dropped_of_clients: collections.Counter[tuple[ClientId, str]] = collections.Counter()
        """The same for `usecases/keep_rollups.py`, which stores it and takes it out."""
        self.leads = Counter(
            "propgauge_leads", "Leads committed, by channel.", ["channel"], registry=self.registry
        )
        self.leads_refused = Counter(
            "propgauge_leads_refused",
            "Leads that were not stored, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.responses = Counter(
            "propgauge_form_responses",
            "Form responses taken: full, partial, duplicate.",
            ["kind"],
            registry=self.registry,
        )
        self.responses_refused = Counter(
            "propgauge_form_responses_refused",
            "Form responses that were not kept, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.lead_seconds = Histogram(
            "propgauge_lead_seconds", "Time to answer a lead.", registry=self.registry
        )
        self.deliveries = Counter(
            "propgauge_delivery_attempts",
            "Delivery attempts, by destination and verdict.",
            ["destination", "verdict"],
            registry=self.registry,
        )
        self.outbox_pending = Gauge(
            "propgauge_outbox_pending", "Deliveries waiting.", registry=self.registry
        )
        self.outbox_oldest_seconds = Gauge(
            "propgauge_outbox_oldest_seconds",
            "Age of the oldest delivery waiting.",
            registry=self.registry,
        )
        self.destinations_paused = Gauge(
            "propgauge_destinations_paused",
            "Destinations that stand paused.",
            registry=self.registry,
        )

    def forget_backlog(self) -> None:
        """What waits is not known."""
        for gauge in (self.outbox_pending, self.outbox_oldest_seconds, self.destinations_paused):
            gauge.set(math.nan)


class StoreMetrics:
    """What is known of a watched store; beside the counters of a server that has one."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._ready = Gauge(
            "propgauge_store_ready",
            "1 while the store commits writes, by the last probe.",
            registry=registry,
        )
        self._fault = Gauge(
            "propgauge_store_fault",
            "1 for the fault that the store has, with what mends it.",
            ["fault", "cure"],
            registry=registry,
        )

    def observe(self, fault: StoreError | None) -> None:
        """Note what a probe found, None for nothing wrong."""
        self._ready.set(fault is None)
        self._fault.clear()
        if fault is not None:
            kind = type(fault).__name__.removesuffix("Error").lower()
            self._fault.labels(kind, fault.cure).set(1)
