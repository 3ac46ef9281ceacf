"""The report of outcomes and the import of a file of them, over HTTP."""

from __future__ import annotations

import httpx
import pytest

from tests.dashboard import BOUNDED_ADMIN, OTHERS_SALES, SALES, Dashboard, unique

PAGE, IMPORT = "/clients/1/outcomes", "/clients/1/outcomes/import"


def lead(dashboard: Dashboard, **fields: str) -> tuple[str, str]:
    """The id and the e-mail address of a new lead."""
    email = f"{unique('fate')}@example.com"
    answer = dashboard.server.lead(email=email, **fields)
    return str(answer.json()["lead_id"]), email


def send(dashboard: Dashboard, text: str, email: str = "", **fields: str) -> httpx.Response:
    """Send a file as the page's form does."""
    desk = dashboard.desk(email) if email else dashboard.desk()
    files = {"file": ("outcomes.csv", text.encode(), "text/csv")}
    return desk.http.post(IMPORT, data={"_csrf": desk.csrf(), **fields}, files=files)


def status_of(dashboard: Dashboard, lead_id: str) -> tuple[str, str, str]:
    row = dashboard.server.query(
        "SELECT Status, StatusAt, FirstContactAt FROM Leads WHERE PublicId = ?", [lead_id]
    )[0]
    return row["Status"], row["StatusAt"], row["FirstContactAt"]


def moment_of(dashboard: Dashboard, lead_id: str) -> str:
    row = dashboard.server.query("SELECT CreatedAt FROM Leads WHERE PublicId = ?", [lead_id])[0]
    return str(row["CreatedAt"])


def made_older(dashboard: Dashboard, lead_id: str, created_at: str) -> None:
    sql = "UPDATE Leads SET CreatedAt = ? WHERE PublicId = ?"
    dashboard.server.execute(sql, created_at, lead_id)


def test_file_is_shown_before_anything_changes(dashboard: Dashboard) -> None:
    lead_id, email = lead(dashboard)
    shown = send(dashboard, f"email,status\n{email},won\nnobody@example.com,lost\n").text
    assert "1 to change, 0 as they are, 1 left out" in shown
    assert "no lead is known as nobody@example.com" in shown
    assert status_of(dashboard, lead_id)[0] == "new"


def test_file_confirmed_changes_leads_as_of_its_dates_with_a_history_of_now(
    dashboard: Dashboard,
) -> None:
    lead_id, email = lead(dashboard)
    made_older(dashboard, lead_id, "2026-11-01T10:00:00.000Z")
    text = f"email,status,date\n{email.upper()},won,2026-11-02\n"
    assert send(dashboard, text, confirmed="1").status_code == 303
    moment = "2026-11-02T00:00:00.000Z"
    assert status_of(dashboard, lead_id) == ("won", moment, moment)
    (change,) = dashboard.server.query("SELECT * FROM lead_changes WHERE lead_id = ?", [lead_id])
    assert (change["old_value"], change["new_value"]) == ("new", "won")
    assert change["created_at"] > moment
    trail = dashboard.server.query("SELECT details FROM audit_trail ORDER BY id DESC LIMIT 1")
    assert trail == [{"details": '{"leads": 1}'}]


def test_outcome_of_the_day_of_the_lead_is_not_before_the_lead(dashboard: Dashboard) -> None:
    lead_id, email = lead(dashboard)
    moment = moment_of(dashboard, lead_id)
    send(dashboard, f"email,status,date\n{email},won,{moment[:10]}\n", confirmed="1")
    assert status_of(dashboard, lead_id) == ("won", moment, moment)


def test_dates_of_a_file_are_the_viewers_own(dashboard: Dashboard) -> None:
    lead_id, email = lead(dashboard)
    made_older(dashboard, lead_id, "2026-11-02T02:00:00.000Z")
    files = {"file": ("a.csv", f"email,status,date\n{email},won,2026-11-01\n", "text/csv")}
    desk = dashboard.desk()
    cookies = {**desk.http.cookies, "zone": "America%2FNew_York"}
    shown = httpx.post(
        dashboard.server.url + IMPORT, data={"_csrf": desk.csrf()}, files=files, cookies=cookies
    ).text
    assert "1 to change" in shown
    assert ">1 Nov 2026<" in shown


def test_phone_whose_plus_a_table_has_taken_is_found(dashboard: Dashboard) -> None:
    lead_id, _email = lead(dashboard, phone="+44 20 7946 0993")
    assert lead_id in send(dashboard, "phone,status\n442079460993,offer\n").text


def test_file_sent_twice_changes_nothing_the_second_time(dashboard: Dashboard) -> None:
    _lead_id, email = lead(dashboard)
    text = f"email,status\n{email},lost\n"
    send(dashboard, text, confirmed="1")
    assert "0 to change, 1 as they are, 0 left out" in send(dashboard, text).text


def test_lead_is_found_by_id_and_by_phone_and_a_person_by_their_newest(
    dashboard: Dashboard,
) -> None:
    first, _email = lead(dashboard, phone="+44 20 7946 0991")
    newest, _email = lead(dashboard, phone="+44 20 7946 0991")
    shown = send(dashboard, "phone,status\n+44 (0)20 7946 0991,offer\n").text
    assert newest in shown
    assert "newest of 2" in shown
    assert first in send(dashboard, f"lead_id,status\n{first},offer\n").text


@pytest.mark.parametrize(
    ("date", "times", "message"),
    [
        ("2001-01-01", 1, "date lies before the lead came"),
        ("", 2, "names the same lead as line 2"),
    ],
)
def test_line_that_cannot_be_true_is_left_out(
    dashboard: Dashboard, date: str, times: int, message: str
) -> None:
    _lead_id, email = lead(dashboard)
    lines = f"{email},won,{date}\n" * times
    assert message in send(dashboard, f"email,status,date\n{lines}").text


def test_lead_of_another_client_is_not_found(dashboard: Dashboard) -> None:
    lead_id, _email = lead(dashboard)
    desk = dashboard.desk()
    fields = {"file": f"lead_id,status\n{lead_id},won\n", "confirmed": "1"}
    desk.post("/clients/2/outcomes/import", fields)
    assert status_of(dashboard, lead_id)[0] == "new"


@pytest.mark.parametrize(
    "text", ["", "nonsense", "email,status\n", "x" * 600_000, "\x00", "email,status\n" * 1_100]
)
def test_file_that_cannot_be_read_is_told_beside_the_field(dashboard: Dashboard, text: str) -> None:
    answer = send(dashboard, text)
    assert answer.status_code == 422
    assert 'id="e-file"' in answer.text


def test_hostile_cells_are_shown_as_text(dashboard: Dashboard) -> None:
    _lead_id, email = lead(dashboard, name="<img src=x onerror=alert(1)>")
    shown = send(dashboard, f"email,status\n{email},won\n<script>alert(2)</script>,won\n").text
    assert "<script>alert" not in shown
    assert "<img src=x" not in shown


def test_report_is_for_all_users_and_the_import_for_admins(dashboard: Dashboard) -> None:
    assert dashboard.desk(SALES).get(PAGE).status_code == 200
    assert "Import outcomes" not in dashboard.desk(SALES).get(PAGE).text
    assert dashboard.desk(SALES).get(IMPORT).status_code == 403
    assert send(dashboard, "email,status\n", SALES).status_code == 403
    assert dashboard.desk(OTHERS_SALES).get(PAGE).status_code == 404
    assert dashboard.desk(BOUNDED_ADMIN).get("/clients/2/outcomes").status_code == 404


def test_report_counts_leads_without_a_visit_apart_and_leaves_spam_out(
    dashboard: Dashboard,
) -> None:
    desk = dashboard.desk()
    query = "SELECT COUNT(*) AS n FROM Leads WHERE ClientId = 1 AND Status <> 'spam'"
    lead_id, email = lead(dashboard)
    before = dashboard.server.query(query)[0]["n"]
    assert f'<td class="number">{before}</td>' in desk.get(PAGE, period="all").text
    send(dashboard, f"email,status\n{email},spam\n", confirmed="1")
    assert status_of(dashboard, lead_id)[2] is None
    after = desk.get(PAGE, period="all").text
    assert f'<td class="number">{before - 1}</td>' in after
    assert "No tracked visit" in after


@pytest.mark.parametrize("period", ["30", "all", "nonsense", "9" * 5_000, "-1"])
def test_report_of_any_period_is_shown(dashboard: Dashboard, period: str) -> None:
    assert dashboard.desk().get(PAGE, period=period).status_code == 200


def test_report_without_leads_says_what_will_be_here(dashboard: Dashboard) -> None:
    assert "No leads in this period" in dashboard.desk().get("/clients/2/outcomes").text
