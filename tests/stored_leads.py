"""Leads put straight into a database: with any score, status and time, as many as a test needs."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from server.domain.clock import to_text
from server.domain.engagement import RECOMMENDED_ACTIONS, label_of
from server.domain.suspicion import label_of as suspicion_label_of
from server.store.contract import Statement
from tests.running import RunningServer

_NUMBERS = itertools.count()


def lead_row(score: int | None = None, **columns: Any) -> dict[str, Any]:
    """A lead's columns; without a score it has no tracked visit."""
    moment = to_text(datetime.now(UTC))
    label = label_of(score or 0)
    suspicion = columns.get("SuspicionScore", 0)
    return {
        "PublicId": f"lead_{next(_NUMBERS):05}{secrets.token_hex(8)}",
        "ClientId": 1,
        "Channel": "form",
        "CreatedAt": moment,
        "UpdatedAt": moment,
        "LeadSource": "WebSite",
        "MatchKind": "none" if score is None else "visitor_id",
        "EngagementScore": score or 0,
        "EngagementLabel": label,
        "RecommendedAction": RECOMMENDED_ACTIONS[label],
        "SuspicionLabel": suspicion_label_of(suspicion),
        **columns,
    }


def insert_statement(row: Mapping[str, Any]) -> Statement:
    """The INSERT of a lead's row."""
    marks = ", ".join("?" * len(row))
    return Statement(f"INSERT INTO Leads ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))


def add_leads(server: RunningServer, *rows: Mapping[str, Any]) -> list[str]:
    """Store rows beside a running server, as another server would; their ids."""
    server.database.write(*(insert_statement(row) for row in rows))
    return [row["PublicId"] for row in rows]
