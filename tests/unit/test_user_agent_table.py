"""The verdict on the agents of real browsers and crawlers, as user_agents.txt expects it."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.domain.user_agent import bot_reason, parse

TABLE = Path(__file__).with_name("user_agents.txt")


def rows(verdict: str) -> list[tuple[str, ...]]:
    """What stands after a verdict: device, browser and agent of a person, the agent of a bot."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    split = [tuple(line.split("\t")) for line in lines if line and not line.startswith("#")]
    return [row[1:] for row in split if row[0] == verdict]


PEOPLE, BOTS = rows("person"), rows("bot")


def test_table_has_enough_agents_and_each_once() -> None:
    agents = [row[-1] for row in (*PEOPLE, *BOTS)]
    assert len(PEOPLE) > 120
    assert len(BOTS) > 120
    assert len(agents) == len(set(agents))


@pytest.mark.parametrize("user_agent", [row[-1] for row in PEOPLE])
def test_agent_of_a_person_is_no_bots(user_agent: str) -> None:
    assert bot_reason(user_agent, automation=False) == ""


@pytest.mark.parametrize(("device", "browser", "user_agent"), PEOPLE)
def test_agent_of_a_person_tells_device_and_browser(
    device: str, browser: str, user_agent: str
) -> None:
    agent = parse(user_agent)
    assert (agent.device, agent.browser) == (device, browser)


@pytest.mark.parametrize("user_agent", [row[-1] for row in BOTS])
def test_agent_of_a_bot_is_its_own_word(user_agent: str) -> None:
    assert bot_reason(user_agent, automation=False) == (
        "the user agent names a crawler or a program"
    )
