"""The privacy page over HTTP, and the same from the command line, on a running server."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.beacons import view
from tests.dashboard import (
    BOUNDED_ADMIN,
    OTHERS_SALES,
    SALES,
    SECRET_KEY,
    Dashboard,
    running_dashboard,
    unique,
)
from tests.privacy_rows import bytes_of
from tests.running import propgauge

PAGE = "/clients/1/privacy"
EMPTY = {"visits": "", "leads": "", "responses": ""}


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """A server of this file, behind a trusted proxy and with a default retention."""
    settings = {"TRUSTED_PROXIES": "127.0.0.1", "RETENTION_DAYS": "400"}
    with running_dashboard(tmp_path_factory.mktemp("privacy") / "data", settings) as dashboard:
        yield dashboard


def person(dashboard: Dashboard) -> str:
    """The e-mail address of a lead of a tracked visit."""
    word = unique("canary")
    visitor = f"v-{word}"
    dashboard.server.track(view(visitor, f"s-{word}", title=word))
    email = f"{word}@example.com"
    answer = dashboard.server.lead(email=email, message=f"I am {word}", _visitor_id=visitor)
    assert answer.status_code == 201
    return email


def visitor_of(email: str) -> str:
    return f"visitor:v-{email.partition('@')[0]}"


def test_person_looked_up_is_shown_with_counts_and_linked_identities(dashboard: Dashboard) -> None:
    email = person(dashboard)
    shown = dashboard.desk().post(f"{PAGE}/person", {"who": email.upper()}).text
    assert email in shown
    assert visitor_of(email) in shown
    assert "Deliveries" in shown
    assert "Sessions" not in shown


def test_person_looked_up_again_with_a_linked_identity_has_their_visits(
    dashboard: Dashboard,
) -> None:
    email = person(dashboard)
    chosen = {"first": f"email:{email}", "identity": [visitor_of(email)]}
    assert "Sessions" in dashboard.desk().post(f"{PAGE}/person", chosen).text


def test_person_nobody_knows_is_told(dashboard: Dashboard) -> None:
    answer = dashboard.desk().post(f"{PAGE}/person", {"who": "nobody@example.com"})
    assert answer.status_code == 200
    assert "Nothing is stored" in answer.text


@pytest.mark.parametrize("who", ["", "<script>alert(1)</script>", "two words", "x" * 60_000])
def test_look_up_of_what_is_nobody_says_so_beside_the_field(dashboard: Dashboard, who: str) -> None:
    answer = dashboard.desk().post(f"{PAGE}/person", {"who": who})
    assert answer.status_code == 422
    assert "is no e-mail address, phone number or visitor id" in answer.text
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize("identity", ["", "ip:203.0.113.7", "email:", "x"])
@pytest.mark.parametrize("act", ["person", "export", "erase"])
def test_act_on_identities_that_no_page_offered_is_refused(
    dashboard: Dashboard, act: str, identity: str
) -> None:
    answer = dashboard.desk().post(f"{PAGE}/{act}", {"identity": identity, "confirmed": "1"})
    assert answer.status_code == 422


def test_export_is_a_file_with_every_row(dashboard: Dashboard) -> None:
    email = person(dashboard)
    chosen = {"identity": [f"email:{email}", visitor_of(email)]}
    answer = dashboard.desk().post(f"{PAGE}/export", chosen)
    assert answer.headers["content-disposition"].startswith('attachment; filename="person-')
    tables = answer.json()["tables"]
    assert tables["Leads"][0]["Email"] == email
    assert tables.keys() >= {"Leads", "deliveries", "sessions", "page_views", "fingerprints"}


def test_erasure_is_done_only_once_it_is_confirmed(dashboard: Dashboard) -> None:
    email = person(dashboard)
    chosen = {"identity": [f"email:{email}", visitor_of(email)]}
    count = "SELECT COUNT(*) AS n FROM Leads WHERE Email = ?"
    asked = dashboard.desk().post(f"{PAGE}/erase", chosen)
    assert "Erase for good?" in asked.text
    assert dashboard.server.query(count, [email])[0]["n"] == 1
    done = dashboard.desk().post(f"{PAGE}/erase", {**chosen, "confirmed": "1"})
    assert done.headers["location"] == PAGE
    assert dashboard.server.query(count, [email])[0]["n"] == 0
    assert email not in str(dashboard.server.query("SELECT * FROM sessions"))


def test_audit_trail_tells_who_exported_and_erased_but_not_whom(dashboard: Dashboard) -> None:
    email = person(dashboard)
    chosen = {"identity": [f"email:{email}"]}
    dashboard.desk(BOUNDED_ADMIN).post(f"{PAGE}/export", chosen)
    dashboard.desk(BOUNDED_ADMIN).post(f"{PAGE}/erase", {**chosen, "confirmed": "1"})
    page = dashboard.desk().get(PAGE).text
    assert BOUNDED_ADMIN in page
    assert "Exported a person" in page
    assert "Erased a person" in page
    assert email not in str(dashboard.server.query("SELECT * FROM audit_trail"))
    again = dashboard.desk().post(f"{PAGE}/person", {"who": email}).text
    assert f"by {BOUNDED_ADMIN}" in again


def test_retention_saved_is_shown_again_and_kept_in_the_trail(dashboard: Dashboard) -> None:
    answer = dashboard.desk().post(PAGE, {**EMPTY, "visits": "90"})
    assert answer.status_code == 303
    page = dashboard.desk().get(PAGE).text
    assert 'value="90"' in page
    assert "visits: default → 90 days" in page
    dashboard.desk().post(PAGE, EMPTY)


@pytest.mark.parametrize("days", ["0", "-1", "1.5", "ten", "36501", "9" * 60_000, "٣"])
def test_retention_that_is_no_number_of_days_is_told_beside_it(
    dashboard: Dashboard, days: str
) -> None:
    answer = dashboard.desk().post(PAGE, {**EMPTY, "leads": days})
    assert answer.status_code == 422
    assert 'id="e-leads"' in answer.text


def test_settings_saved_as_they_were_leave_no_trace(dashboard: Dashboard) -> None:
    count = "SELECT COUNT(*) AS n FROM audit_trail"
    before = dashboard.server.query(count)
    assert dashboard.desk().post(PAGE, EMPTY).status_code == 303
    assert dashboard.server.query(count) == before


def test_server_default_is_told_where_a_client_has_chosen_nothing(dashboard: Dashboard) -> None:
    assert "400 days, the server" in dashboard.desk().get(PAGE).text


@pytest.mark.parametrize("path", ["", "/person", "/export", "/erase"])
@pytest.mark.parametrize(("email", "status"), [(SALES, 403), (OTHERS_SALES, 403)])
def test_privacy_is_refused_to_salespeople(
    dashboard: Dashboard, path: str, email: str, status: int
) -> None:
    answer = dashboard.desk(email).post(PAGE + path, {"identity": "email:ana@example.com"})
    assert answer.status_code == status


def test_privacy_of_another_client_is_not_there_for_an_admin_of_one(dashboard: Dashboard) -> None:
    assert dashboard.desk(BOUNDED_ADMIN).get("/clients/2/privacy").status_code == 404


def test_person_of_another_client_is_not_found(dashboard: Dashboard) -> None:
    email = person(dashboard)
    answer = dashboard.desk().post("/clients/2/privacy/person", {"who": email})
    assert "Nothing is stored" in answer.text


@pytest.mark.parametrize(
    ("ip", "kept"),
    [("203.0.113.77", "203.0.113.0"), ("2001:db8:7:8::9", "2001:db8:7::")],
)
def test_addresses_are_cut_before_they_are_stored_where_a_client_wants_that(
    dashboard: Dashboard, ip: str, kept: str
) -> None:
    dashboard.desk().post(PAGE, {**EMPTY, "truncate_ip": "1"})
    word = unique("cut")
    server = dashboard.server
    try:
        beacon = view(f"v-{word}", f"s-{word}")
        server.track(beacon, x_forwarded_for=ip)
        lead = {"email": f"{word}@example.com"}
        server.client.post("/api/lead", json=lead, headers={"x-forwarded-for": ip})
    finally:
        dashboard.desk().post(PAGE, EMPTY)
    session = "SELECT ip FROM sessions WHERE visitor_id = ?"
    assert server.query(session, [f"v-{word}"]) == [{"ip": kept}]
    assert server.query("SELECT Ip FROM Leads WHERE Email = ?", [lead["email"]]) == [{"Ip": kept}]


def test_erase_command_beside_a_running_server_leaves_no_byte(dashboard: Dashboard) -> None:
    email = person(dashboard)
    word = email.partition("@")[0]
    server = dashboard.server
    database = server.data_dir / "propgauge.db"
    settings = {**server.settings, "SECRET_KEY": SECRET_KEY}
    assert word.encode() in bytes_of(database)
    done = propgauge("erase", email, "--linked", "--yes", settings=settings)
    assert done.returncode == 0, done.stderr
    assert "rows erased" in done.stdout
    assert word.encode() not in bytes_of(database)
    assert server.client.get("/readyz").status_code == 200
    assert person(dashboard)


def test_export_command_prints_what_the_page_exports(dashboard: Dashboard) -> None:
    email = person(dashboard)
    settings = {**dashboard.server.settings, "SECRET_KEY": SECRET_KEY}
    done = propgauge("export", email, settings=settings)
    assert json.loads(done.stdout)["tables"]["Leads"][0]["Email"] == email
    assert visitor_of(email).removeprefix("visitor:") in done.stderr


def test_export_command_that_cannot_write_says_so_in_a_line_and_leaves_nothing(
    dashboard: Dashboard, tmp_path: Path
) -> None:
    settings = {**dashboard.server.settings, "SECRET_KEY": SECRET_KEY}
    nowhere = tmp_path / "nowhere" / "export.json"
    refused = propgauge("export", "a@example.com", "--output", str(nowhere), settings=settings)
    assert refused.returncode == 1
    assert refused.stderr == f"Error: {nowhere}: No such file or directory\n"
    output = tmp_path / "export.json"
    odd = propgauge("export", "no person", "--output", str(output), settings=settings)
    assert odd.returncode == 2
    assert not output.exists()


def test_purge_command_says_what_goes_and_asks_first(dashboard: Dashboard) -> None:
    email = person(dashboard)
    visitor = visitor_of(email).removeprefix("visitor:")
    server, long_ago = dashboard.server, "2020-01-01T00:00:00.000Z"
    with closing(sqlite3.connect(server.data_dir / "propgauge.db", timeout=10)) as database:
        change = "UPDATE sessions SET started_at = ?1, last_seen_at = ?1 WHERE visitor_id = ?2"
        database.execute(change, (long_ago, visitor))
        database.commit()
    settings = {**server.settings, "SECRET_KEY": SECRET_KEY}
    sessions = "SELECT COUNT(*) AS n FROM sessions WHERE visitor_id = ?"
    asked = propgauge("purge", settings=settings)
    assert asked.returncode == 1
    assert "client 1: 1 visits past their time" in asked.stdout
    assert server.query(sessions, [visitor]) == [{"n": 1}]
    trail = "SELECT client_id, actor, details FROM audit_trail WHERE action = 'purged'"
    assert server.query(trail) == []
    done = propgauge("purge", "--yes", settings=settings)
    assert "1 visits, leads and responses purged" in done.stdout
    assert server.query(sessions, [visitor]) == [{"n": 0}]
    told = {"client_id": 1, "actor": "command line", "details": '{"rows": {"visits": 1}}'}
    assert server.query(trail) == [told]
    assert server.query("SELECT 1 FROM Leads WHERE Email = ?", [email])
