"""The settings of lead scoring as an admin uses them, by plain HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from server.domain.qualification import THRESHOLDS, LeadScoringConfig
from tests.dashboard import ADMIN, Dashboard, running_dashboard
from tests.graph_server import GraphServer
from tests.receiver import Receiver

PATH = "/clients/1/settings"
DEFAULTS = {name: str(getattr(LeadScoringConfig(), name)) for name in THRESHOLDS} | {
    "scoring_method": "AI"
}
"""What the form of thresholds holds for a client that has changed nothing."""

_REVISION = re.compile(r'name="revision" value="(\d+)"')
_RESULT = """
INSERT INTO leadscoring_results
  (client_id, email, p_fin_model, p_show_model, rotator, created_at, updated_at)
VALUES (?, ?, ?, ?, 'C', '2026-11-01T00:00:00.000Z', '2026-11-01T00:00:00.000Z')"""


@dataclass(frozen=True)
class SettingsDesk:
    """A dashboard whose client 1 sends to `receiver` and `graph`."""

    dashboard: Dashboard
    graph: GraphServer
    receiver: Receiver

    def get(self, tab: str = "", email: str = ADMIN, **query: str) -> httpx.Response:
        return self.dashboard.desk(email).get(PATH + tab, **query)

    def revision(self) -> str:
        """Of the settings as they are now."""
        found = _REVISION.search(self.get("/models").text)
        assert found
        return found[1]

    def post(
        self,
        path: str,
        fields: Mapping[str, str | Sequence[str]] = {},
        email: str = ADMIN,
    ) -> httpx.Response:
        """Send a form of a page that was opened just now; `fields` may name an older revision."""
        return self.dashboard.desk(email).post(PATH + path, {"revision": self.revision(), **fields})

    def publish(self, **thresholds: str) -> httpx.Response:
        return self.post("/publish", DEFAULTS | thresholds)

    def config(self) -> dict[str, Any]:
        """Settings in force, as the API tells them to the session of the admin."""
        answer = self.dashboard.desk().get("/api/v1/leadscoring/config/1")
        assert answer.status_code == 200, answer.text
        content: dict[str, Any] = answer.json()
        return content

    def rows(self, sql: str, *args: Any) -> list[dict[str, Any]]:
        return self.dashboard.server.query(sql, args)

    def trail(self) -> list[dict[str, Any]]:
        """The audit trail, newest first, its details read."""
        rows = self.rows("SELECT * FROM audit_trail ORDER BY id DESC")
        return [{**row, "details": json.loads(row["details"])} for row in rows]

    def execute(self, sql: str, *args: Any) -> None:
        """Change the server's database behind its back."""
        self.dashboard.server.execute(sql, *args)

    def scored(self, email: str, p_fin: float, p_show: float, client_id: int = 1) -> None:
        """Store a result as of a response scored in the past."""
        self.execute(_RESULT, client_id, email, p_fin, p_show)


@contextmanager
def running_settings(data_dir: Path, *, database_url: str = "") -> Iterator[SettingsDesk]:
    """A server of one's own, its peers local; its store as `running_dashboard` says."""
    with GraphServer() as graph, Receiver() as receiver:
        settings = {"ALLOW_PRIVATE_TARGETS": "on", "META_GRAPH_URL": graph.url, "DEMO": "off"}
        with running_dashboard(data_dir, settings, database_url=database_url) as dashboard:
            yield SettingsDesk(dashboard, graph, receiver)
