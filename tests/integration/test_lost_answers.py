"""The database commits and its answer is lost: what is then written again stands once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.lossy_proxy import LossyProxy
from tests.receiver import Receiver
from tests.running import RunningServer
from tests.sqld import Sqld


@dataclass(frozen=True)
class Site:
    server: RunningServer
    sqld: Sqld
    proxy: LossyProxy
    receiver: Receiver


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("lost-answers")
    with ExitStack() as stack:
        sqld = stack.enter_context(Sqld(folder / "sqld"))
        proxy = stack.enter_context(LossyProxy(sqld.http_url))
        receiver = stack.enter_context(Receiver())
        settings = {
            "ALLOW_PRIVATE_TARGETS": "on",
            "DATABASE_URL": proxy.origin,
            "MAKE_WEBHOOK_URL": receiver.url,
        }
        server = stack.enter_context(RunningServer(folder / "data", settings))
        yield Site(server, sqld, proxy, receiver)


def test_lead_whose_commit_was_not_heard_of_is_stored_once_and_taken(site: Site) -> None:
    site.proxy.lose_answer_to(b"INSERT INTO Leads")
    answer = site.server.lead(email="unheard@example.com")
    assert site.proxy.lost.is_set()
    assert answer.status_code == 201
    rows = site.sqld.query("SELECT PublicId FROM Leads WHERE Email = 'unheard@example.com'")
    assert rows == [{"PublicId": answer.json()["lead_id"]}]
    queued = site.sqld.query("SELECT COUNT(*) AS n FROM deliveries")
    assert queued == [{"n": 1}]


def test_attempt_whose_record_was_not_heard_of_is_kept_once_and_not_made_again(
    site: Site,
) -> None:
    site.proxy.lose_answer_to(b"INSERT INTO delivery_attempts")
    lead_id = site.server.lead(email="recorded@example.com").json()["lead_id"]
    assert site.proxy.repeated.wait(10)
    (row,) = site.sqld.query(
        "SELECT d.state, d.attempts, COUNT(*) AS kept FROM delivery_attempts AS a"
        f" JOIN deliveries AS d USING (delivery_id) WHERE d.lead_id = '{lead_id}'"
    )
    assert row == {"state": "delivered", "attempts": 1, "kept": 1}
    sent = [one for one in site.receiver.requests if one.body["lead_id"] == lead_id]
    assert len(sent) == 1
