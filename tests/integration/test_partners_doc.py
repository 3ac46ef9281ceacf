"""docs/partners.md, carried out: its commands make the keys, its bodies become leads."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from server.config import ROOT
from tests.running import RunningServer, propgauge

_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_BLOCK = re.compile(r"```(sh|json)\n(.*?)```", re.DOTALL)


class Example(NamedTuple):
    """One partner of the page: its command and the body that it sends."""

    command: list[str]
    body: dict[str, Any]


def examples() -> dict[str, Example]:
    text = (ROOT / "docs" / "partners.md").read_text("utf-8")
    titles_and_texts = _SECTION.split(text)[1:]
    found = {}
    for title, section in zip(titles_and_texts[::2], titles_and_texts[1::2], strict=True):
        blocks = dict(_BLOCK.findall(section))
        if "sh" in blocks:
            command = shlex.split(blocks["sh"].replace("\\\n", " "))
            found[title] = Example(command[1:], json.loads(blocks["json"]))
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("partners") / "data") as running:
        yield running


def send(server: RunningServer, example: Example) -> tuple[int, dict[str, Any], bool]:
    """Make the key as the page says and send the body; status, lead row, whether a replay."""
    made = propgauge(*example.command, settings=server.settings)
    assert made.returncode == 0, made.stderr
    headers = {"authorization": f"Bearer {made.stdout.splitlines()[-1]}"}
    answer = server.client.post("/api/lead", json=example.body, headers=headers)
    assert answer.status_code == 201, answer.text
    lead_id = answer.json()["lead_id"]
    (row,) = server.query("SELECT * FROM Leads WHERE PublicId = ?", (lead_id,))
    return answer.status_code, row, "idempotent-replayed" in answer.headers


def test_page_has_an_example_for_each_partner() -> None:
    assert list(examples()) == ["Facebook Lead Ads", "WhatsApp", "JustLead"]


@pytest.mark.parametrize(
    ("partner", "expected"),
    [
        (
            "Facebook Lead Ads",
            {
                "LeadSource": "Facebook",
                "Name": "Ana Example",
                "Email": "ana@example.com",
                "PhoneE164": "+442079460123",
                "UtmCampaign": "Saffron Quay launch",
            },
        ),
        (
            "WhatsApp",
            {
                "LeadSource": "WhatsApp",
                "Name": "Ana Example",
                "PhoneE164": "+442079460123",
                "Message": "Is the two-bedroom still available?",
            },
        ),
        (
            "JustLead",
            {
                "LeadSource": "JustLead",
                "Name": "Ana Example",
                "Email": "ana@example.com",
                "PhoneE164": "+442079460123",
                "Project": "Saffron Quay",
                "Message": "Sea view, high floor",
            },
        ),
    ],
)
def test_example_of_the_page_becomes_one_lead(
    server: RunningServer, partner: str, expected: dict[str, str]
) -> None:
    example = examples()[partner]
    _status, row, replayed = send(server, example)
    assert not replayed
    assert {name: row[name] for name in expected} == expected
    _status, again, replayed = send(server, example)
    assert replayed
    assert again["PublicId"] == row["PublicId"]


def test_mapping_keeps_the_partners_own_fields_with_the_lead(server: RunningServer) -> None:
    example = examples()["Facebook Lead Ads"]
    other = example.body | {"id": "880000000000002"}
    _status, row, _replayed = send(server, Example(example.command, other))
    extra = json.loads(row["Extra"])
    assert extra["field_data"] == example.body["field_data"]
    assert extra["leadgen_id"] == "880000000000002"


def test_leads_of_partners_without_a_key_when_that_is_required_are_refused(tmp_path: Path) -> None:
    body = examples()["JustLead"].body
    with RunningServer(tmp_path / "data", {"REQUIRE_API_KEY": "on"}) as server:
        refused = server.lead(**body)
        assert refused.status_code == 401
        assert [error["field"] for error in refused.json()["errors"]] == ["SOURCE"]
        assert server.query("SELECT * FROM Leads") == []
        assert server.lead(email="ana@example.com").status_code == 201
        example = Example(examples()["JustLead"].command, body)
        assert send(server, example)[1]["LeadSource"] == "JustLead"
