"""Outcomes: what became of leads by label and grade, and a file of outcomes taken in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

from starlette.responses import Response
from starlette.routing import BaseRoute

from server.domain import outcome_file, wilson
from server.domain.clock import to_text
from server.domain.engagement import EngagementLabel
from server.domain.errors import AppError
from server.domain.lead_status import LeadStatus
from server.domain.qualification import Rotator
from server.domain.wilson import Share
from server.store import audit, outcomes
from server.store.audit import Entry
from server.store.lead_changes import Actor
from server.store.outcomes import Counts
from server.usecases import import_outcomes
from server.web.access import Access
from server.web.dashboard.call import Call
from server.web.dashboard.parts import Parts
from server.web.dashboard.rendering import flash

PATH = "/clients/{client_id}/outcomes"
IMPORTED = "outcomes_imported"
PERIODS = {"30": "30 days", "90": "90 days", "365": "12 months", "all": "All time"}
DEFAULT_PERIOD = "90"
MAX_FILE_CHARS = 500_000


@dataclass(frozen=True, slots=True)
class Line:
    """One group of the report; `label` is an engagement label's name, for its badge."""

    title: str
    counts: Counts
    label: str = ""
    filter: str = ""

    @property
    def contacted(self) -> Share:
        """The share that was contacted."""
        return wilson.share(self.counts.contacted, self.counts.leads)

    @property
    def won(self) -> Share:
        """The share that was won."""
        return wilson.share(self.counts.won, self.counts.leads)


class OutcomesPage:
    """The report for everybody, the import for admins."""

    def __init__(self, parts: Parts) -> None:
        self._gate = parts.gate
        self._render = parts.renderer
        self._store = parts.store

    def routes(self) -> list[BaseRoute]:
        """The report, and the import in two steps."""
        route, admin = self._gate.route, Access.ADMIN
        return [
            route(PATH, self.report),
            route(f"{PATH}/import", self.form, admin),
            route(f"{PATH}/import", self.take, admin, ["POST"]),
        ]

    async def report(self, call: Call) -> Response:
        """Leads by label and by grade, with how many were contacted and won."""
        period = call.query.get("period", DEFAULT_PERIOD)
        period = period if period in PERIODS else DEFAULT_PERIOD
        since = "" if period == "all" else to_text(call.now - timedelta(days=int(period)))
        client_id = call.client.client_id
        by_label = await outcomes.counts_by_label(self._store, client_id, since)
        by_grade = await outcomes.counts_by_grade(self._store, client_id, since)
        total = sum(by_label.values(), Counts())
        return self._render.page(
            call,
            "outcomes.html",
            period=period,
            periods=PERIODS,
            total=total,
            groups={
                "Engagement": _label_lines(by_label),
                "Rotator grade": _grade_lines(by_grade, total),
            },
            min_leads=wilson.MIN_TRIALS,
        )

    async def form(self, call: Call) -> Response:
        """Where a file is chosen."""
        return self._form(call)

    async def take(self, call: Call) -> Response:
        """First show what a file will change; confirmed, change it."""
        text = (call.form.get("file") or [""])[-1]
        try:
            if len(text) > MAX_FILE_CHARS:
                return self._form(call, f"is longer than {MAX_FILE_CHARS:,} characters")
            lines, faults = outcome_file.read(text, call.now, call.zone)
        except AppError as error:
            return self._form(call, error.fields[0].message)
        plan = await import_outcomes.plan(self._store, call.client, lines, faults, call.zone)
        if not call.text("confirmed"):
            return self._render.page(call, "outcomes_preview.html", plan=plan, file=text)
        user, client_id = call.user, call.client.client_id
        actor = Actor(user.user_id, user.email)
        made = await import_outcomes.apply(self._store, client_id, plan.changes, actor, call.now)
        entry = Entry(client_id, user.user_id, user.email, IMPORTED, details={"leads": made})
        await self._store.write([audit.entry_statement(entry, call.now)])
        word = "lead" if made == 1 else "leads"
        return flash(
            self._gate.redirect(f"/clients/{client_id}/outcomes"), f"{made:,} {word} changed."
        )

    def _form(self, call: Call, fault: str = "") -> Response:
        return self._render.page(
            call,
            "outcomes_import.html",
            422 if fault else 200,
            fault=fault,
            statuses=list(LeadStatus),
            max_lines=outcome_file.MAX_LINES,
        )


def _label_lines(counted: Mapping[str, Counts]) -> list[Line]:
    lines = [
        Line(label, counted.get(label, Counts()), label, f"label={quote(label)}")
        for label in reversed(EngagementLabel)
    ]
    return [*lines, Line("No tracked visit", counted.get("", Counts()))]


def _grade_lines(counted: Mapping[str, Counts], total: Counts) -> list[Line]:
    scored = sum(counted.values(), Counts())
    lines = [Line(f"Grade {grade}", counted.get(grade, Counts())) for grade in Rotator]
    return [*lines, Line("Not scored", total - scored)]
