"""Form responses where no secret is set: refused, unless the settings say otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import typeform_payloads
from tests.integration.http_fixtures import eventually
from tests.running import RunningServer

WEBHOOK = "/api/v1/leadscoring/webhook?client_id=1"


@pytest.mark.parametrize(
    ("settings", "status", "kept"),
    [
        ({}, 401, 0),
        ({"ALLOW_UNSIGNED_WEBHOOKS": "off"}, 401, 0),
        ({"ALLOW_UNSIGNED_WEBHOOKS": "on"}, 200, 1),
        ({"ALLOW_UNSIGNED_WEBHOOKS": "on", "TYPEFORM_SECRET": "secret"}, 401, 0),
    ],
)
def test_unsigned_response_is_taken_only_without_a_secret_and_where_that_is_allowed(
    tmp_path: Path, settings: dict[str, str], status: int, kept: int
) -> None:
    with RunningServer(tmp_path / "data", settings) as server:
        answer = server.client.post(WEBHOOK, json=typeform_payloads.payload())
        assert answer.status_code == status
        assert len(server.query("SELECT * FROM form_responses")) == kept


def test_response_without_any_model_key_stays_unscored_and_says_why(tmp_path: Path) -> None:
    with RunningServer(tmp_path / "data", {"ALLOW_UNSIGNED_WEBHOOKS": "on"}) as server:
        server.client.post(WEBHOOK, json=typeform_payloads.payload())

        def told() -> str | None:
            (row,) = server.query("SELECT last_error FROM form_responses")
            error: str | None = row["last_error"]
            return error

        assert "no API key" in eventually(told)
        assert server.query("SELECT * FROM leadscoring_results") == []
        (job,) = server.query("SELECT * FROM jobs")
        assert (job["state"], job["attempts"]) == ("pending", 1)
        (delivery,) = server.query("SELECT * FROM deliveries")
        assert (delivery["destination"], delivery["state"]) == ("make_webhook", "pending")
