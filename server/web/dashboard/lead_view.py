"""What the lead page shows, made of rows: the score, the match, the visits, the scorings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from server.domain.engagement import FactorScore
from server.domain.match_explanation import MatchExplanation, MatchFacts, explain_match
from server.domain.qualification import LeadScoringConfig
from server.domain.score_explanation import NextLabel, next_label
from server.domain.visit_timeline import EntryKind, Stretch, TimelineEntry, stretches
from server.factors import FACTORS
from server.store.contract import Row
from server.store.form_responses import FULL
from server.store.lead_page import Visits, decoded
from server.web.dashboard.presenting import shorten

Lead = Mapping[str, Any]
"""A lead as `store/lead_page.py` finds it."""


@dataclass(frozen=True, slots=True)
class ScoreView:
    """The engagement score with its factors, and what is missing to the next label."""

    factors: tuple[FactorScore, ...]
    following: NextLabel | None


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session, what happened in it, and how much of that is not shown."""

    row: Row
    stretches: list[Stretch]
    unshown: int


@dataclass(frozen=True, slots=True)
class ScoringView:
    """A form response and what Form AI made of it.

    `state` is "scored", "waiting", "given_up" or "partial". `is_graded_now` tells that the grade
    is by today's thresholds, where the one of its time is not kept.
    """

    row: Row
    state: str
    grade: str
    is_graded_now: bool
    signals: Mapping[str, float]
    of_this_lead: bool


def score_of(lead: Lead) -> ScoreView:
    """The score of a lead with a tracked visit."""
    factors = tuple(filter(None, map(_factor, lead["engagement_factors"])))
    return ScoreView(factors, next_label(lead["engagement_score"], factors, FACTORS))


def _factor(kept: Any) -> FactorScore | None:
    try:
        return FactorScore(
            str(kept["factor"]), int(kept["value"]), int(kept["points"]), int(kept["cap"])
        )
    except (KeyError, TypeError, ValueError):
        return None


def findings_of(lead: Lead) -> list[Mapping[str, Any]]:
    """The suspicion signals that fired, the heaviest first."""
    whole = [one for one in lead["suspicion_signals"] if isinstance(one, dict)]
    known = [one for one in whole if type(one.get("points")) is int and "signal" in one]
    return sorted(known, key=lambda one: -one["points"])


def match_of(lead: Lead) -> MatchExplanation:
    """How the lead was matched."""
    return explain_match(
        MatchFacts(
            lead["match_kind"],
            lead["channel"],
            shorten(lead["lead_source"]) or "elsewhere",
            lead["visitor_id"] or "",
            lead["consent"],
            frozenset(str(one.get("signal")) for one in findings_of(lead)),
        )
    )


def sessions_of(lead: Lead, visits: Visits) -> list[SessionView]:
    """The sessions of the person, the last first, with the submission at its place."""
    entries: dict[str, list[TimelineEntry]] = {row["session_id"]: [] for row in visits.sessions}
    for row in visits.views:
        entries[row["session_id"]].append(_page(row))
    for row in visits.events:
        entries[row["session_id"]].append(_event(row))
    pages = {row["session_id"]: row["pages_visited"] for row in visits.sessions}
    for row in visits.views:
        pages[row["session_id"]] -= 1
    if lead["session_id"] in entries:
        sent = TimelineEntry(EntryKind.SUBMISSION, lead["created_at"], url=lead["page_url"] or "")
        entries[lead["session_id"]].append(sent)
    ordered = sorted(visits.sessions, key=lambda row: row["started_at"], reverse=True)
    return [
        SessionView(row, stretches(entries[row["session_id"]]), max(0, pages[row["session_id"]]))
        for row in ordered
    ]


def _page(row: Row) -> TimelineEntry:
    return TimelineEntry(
        EntryKind.PAGE,
        row["at"],
        title=row["title"] or "",
        url=row["url"] or "",
        duration_ms=row["duration_ms"],
        scroll_percent=row["scroll_percent"] if row["scrollable"] else None,
        clicks=row["clicks"],
    )


def _event(row: Row) -> TimelineEntry:
    return TimelineEntry(EntryKind.EVENT, row["at"], row["name"], props=decoded(row["props"]))


def scorings_of(
    lead: Lead, rows: Sequence[Row], result: Row | None, config: LeadScoringConfig
) -> list[ScoringView]:
    """The responses of the person with their scores, the last first."""
    return [_scoring(lead, row, result, config) for row in rows]


def _scoring(lead: Lead, row: Row, result: Row | None, config: LeadScoringConfig) -> ScoringView:
    grade, now = "", False
    if row["scored_at"]:
        kept = _kept_grade(row, result)
        grade, now = kept or config.rotator(row["ai_fin"], row["ai_show"]), not kept
    return ScoringView(
        row,
        _scoring_state(row),
        grade,
        now,
        decoded(row["signals"]),
        row["lead_id"] == lead["lead_id"],
    )


def _kept_grade(row: Row, result: Row | None) -> str:
    """The grade that was given, where the address's result is this response's."""
    if result is None or not result["rotator"]:
        return ""
    scores = (row["ai_fin"], row["ai_show"], row["ai_sql"])
    kept = (result["p_fin_model"], result["p_show_model"], result["p_sql_model"])
    return str(result["rotator"]) if scores == kept else ""


def _scoring_state(row: Row) -> str:
    if row["scored_at"]:
        return "scored"
    if row["event_type"] != FULL:
        return "partial"
    return "given_up" if row["job_state"] == "failed" else "waiting"


def fields_of(lead: Lead) -> list[tuple[str, str]]:
    """Every field of the form that has no name of ours, as text."""
    return [(name, _text(value)) for name, value in lead["extra"].items()]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False)
