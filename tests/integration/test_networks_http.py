"""Networks: VPNs and data centres by the lists of the settings, and what follows from them."""

from __future__ import annotations

from tests.integration.http_fixtures import (
    HOSTING_ADDRESS,
    VPN_ADDRESS,
    Person,
    SharedServer,
    signals_of,
)


def test_visitor_from_a_known_vpn_is_suspected_of_one(shared: SharedServer, person: Person) -> None:
    person.ip = VPN_ADDRESS
    person.visit(seconds=30, timezone="UTC")
    assert person.session_row()["network_kind"] == "vpn"
    answer = person.tracked_lead()
    assert shared.lead_row(answer)["VpnSuspected"] == 1
    assert signals_of(shared, answer)["vpn"] == (15, "VPN suspected: address of a known VPN")


def test_visitor_from_a_data_centre_is_suspected_of_a_vpn_and_is_no_bot(
    shared: SharedServer, person: Person
) -> None:
    person.ip = HOSTING_ADDRESS
    person.visit(seconds=30, timezone="UTC")
    row = person.session_row()
    assert (row["network_kind"], row["is_bot"]) == ("hosting", 0)
    signals = signals_of(shared, person.tracked_lead())
    assert signals["vpn"] == (15, "VPN suspected: address of a hosting network")
    assert "automation" not in signals


def test_visitor_from_a_vpn_with_a_foreign_time_zone_is_counted_once(
    shared: SharedServer, person: Person
) -> None:
    person.ip = VPN_ADDRESS
    person.visit(headers={"cf_ipcountry": "DE"})
    points, reason = signals_of(shared, person.tracked_lead(cf_ipcountry="DE"))["vpn"]
    assert points == 15
    assert "time zone Europe/London" in reason
    assert "known VPN" in reason


def test_driven_browser_in_a_data_centre_is_a_bot(shared: SharedServer, person: Person) -> None:
    person.ip = HOSTING_ADDRESS
    person.visit(seconds=300, automation=True)
    row = person.session_row()
    assert (row["is_bot"], row["bot_reason"]) == (
        1,
        "a driven browser and an address of a hosting network",
    )
    assert shared.lead_row(person.tracked_lead())["EngagementScore"] == 0


def test_driven_browser_at_home_is_no_bot(person: Person) -> None:
    person.visit(automation=True)
    assert person.session_row()["is_bot"] == 0


def test_nameless_browser_in_a_data_centre_is_a_bot(person: Person) -> None:
    person.ip = HOSTING_ADDRESS
    person.visit(headers={"user_agent": ""})
    assert person.session_row()["bot_reason"] == (
        "no user agent and an address of a hosting network"
    )
