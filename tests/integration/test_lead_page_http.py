"""The lead page over HTTP: what it tells, who may see it, and edits that meet."""

from __future__ import annotations

import html
import re
from typing import Any

import httpx
import pytest

from tests.dashboard import ADMIN, OTHERS_SALES, SALES, Dashboard, unique
from tests.lead_pages import lead_path, partner_lead, tracked_lead
from tests.stored_leads import add_leads
from tests.stored_leads import lead_row as stored_row

SCRIPT = "<script>alert('x')</script><img src=x onerror=alert(1)>"


def text_of(answer: httpx.Response) -> str:
    """What a page says, on one line."""
    words = re.sub(
        r"<[^>]+>", " ", re.sub(r"<(script|style).*?</\1>", " ", answer.text, flags=re.DOTALL)
    )
    return " ".join(html.unescape(words).split())


def hidden(answer: httpx.Response, name: str) -> str:
    """A hidden field of the page's form."""
    found = re.search(rf'name="{name}" value="([^"]*)"', answer.text)
    assert found, f"no field {name}"
    return found[1]


def edit(dashboard: Dashboard, lead_id: str, email: str = SALES, **fields: str) -> httpx.Response:
    """Open the page and send its form."""
    desk = dashboard.desk(email)
    page = desk.get(lead_path(lead_id))
    seen = {name: hidden(page, name) for name in ("revision", "seen")}
    return desk.post(lead_path(lead_id), {"status": "new", "owner": "", **seen, **fields})


def lead_row(dashboard: Dashboard, lead_id: str) -> dict[str, Any]:
    (row,) = dashboard.server.query("SELECT * FROM Leads WHERE PublicId = ?", (lead_id,))
    return row


def test_page_of_a_tracked_lead_explains_score_match_and_visit(dashboard: Dashboard) -> None:
    lead_id = tracked_lead(dashboard.server, name="Ana Example", budget="1m", rooms=["2", "3"])
    shown = text_of(dashboard.desk(SALES).get(lead_path(lead_id)))
    assert "43 of 100 Warm" in shown
    assert "2 min 20 s" in shown
    assert "30 s more on the pages (+3 points) makes it Hot." in shown
    assert "By visitor id Sure" in shown
    assert "Sent the enquiry" in shown
    assert "brochure_download plan: 2BR" in shown
    assert "came from https://www.example.org/" in shown
    assert "budget 1m" in shown
    assert 'rooms ["2", "3"]' in shown


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"score": 50}, "Not contacted yet: overdue since 22 Nov 2025, 14:00 ."),
        ({"score": 30}, "Not contacted yet: overdue since 23 Nov 2025, 12:00 ."),
        ({"score": 50, "CreatedAt": "2199-11-22T12:00:00.000Z"}, "yet: due by 22 Nov 2199, 14:00"),
        ({"score": 5}, "Not contacted yet."),
        ({"score": 50, "Status": "lost"}, "Not contacted yet."),
    ],
)
def test_page_of_a_lead_that_waits_tells_until_when_it_should_be_contacted(
    dashboard: Dashboard, row: dict[str, Any], words: str
) -> None:
    (lead_id,) = add_leads(
        dashboard.server, stored_row(**{"CreatedAt": "2025-11-22T12:00:00.000Z", **row})
    )
    assert words in text_of(dashboard.desk(SALES).get(lead_path(lead_id)))


def test_page_of_a_lead_without_its_factors_does_not_guess_what_would_raise_it(
    dashboard: Dashboard,
) -> None:
    (lead_id,) = add_leads(dashboard.server, stored_row(30))
    shown = text_of(dashboard.desk(SALES).get(lead_path(lead_id)))
    assert "30 of 100 Warm The factors of this score were not kept" in shown
    assert "makes it" not in shown


def test_page_of_a_lead_matched_by_address_tells_that_it_is_not_sure(dashboard: Dashboard) -> None:
    lead_id = tracked_lead(dashboard.server)
    dashboard.server.execute("UPDATE Leads SET MatchKind = 'ip' WHERE PublicId = ?", lead_id)
    shown = text_of(dashboard.desk().get(lead_path(lead_id)))
    assert "By internet address Likely, not sure" in shown


def test_page_of_an_untracked_lead_shows_a_dash_and_why(dashboard: Dashboard) -> None:
    answer = dashboard.desk().get(lead_path(partner_lead(dashboard.server)))
    shown = text_of(answer)
    assert 'title="no tracked visit"' in answer.text
    assert "It came from Facebook" in shown
    assert "of 100 Cold" not in shown
    assert "+15 No tracked visit" in shown


def test_page_of_a_lead_whose_consent_is_refused_tells_so(dashboard: Dashboard) -> None:
    lead_id = partner_lead(dashboard.server, __consent="no", SOURCE="WebSite")
    answer = dashboard.desk().get(lead_path(lead_id))
    assert "refused to be tracked" in text_of(answer)
    assert "127.0.0.1" not in text_of(answer)


def test_page_shows_the_visits_no_more_once_consent_is_withdrawn(dashboard: Dashboard) -> None:
    visitor = unique("visitor")
    lead_id = tracked_lead(dashboard.server, visitor)
    dashboard.server.execute("UPDATE sessions SET consent = 0 WHERE visitor_id = ?", visitor)
    shown = text_of(dashboard.desk().get(lead_path(lead_id)))
    assert "took their consent back" in shown
    assert "brochure_download" not in shown


def test_page_names_other_leads_of_the_person_and_by_what(dashboard: Dashboard) -> None:
    server, visitor, phone = dashboard.server, unique("visitor"), "+44 20 7946 0185"
    one = tracked_lead(server, visitor, name="First Name", phone=phone)
    by_email = partner_lead(server, email=f"{visitor}@example.com".upper(), name="By Email")
    by_phone = partner_lead(server, phone=phone, name="By Phone")
    shown = text_of(dashboard.desk().get(lead_path(one)))
    assert re.search(r"By Email .*? same e-mail(?! and)", shown)
    assert re.search(r"By Phone .*? same phone", shown)
    shown = text_of(dashboard.desk().get(lead_path(by_phone)))
    assert "First Name" in shown
    assert "By Email" not in shown
    assert by_email in dashboard.desk().get(lead_path(one)).text


def test_scripts_in_every_field_show_harmlessly(dashboard: Dashboard) -> None:
    names = ("name", "message", "project", "phone", "page_url", "utm_source", "utm_campaign")
    fields = dict.fromkeys((*names, SCRIPT, "SOURCE"), SCRIPT)
    lead_id = tracked_lead(dashboard.server, **fields)
    session = "UPDATE sessions SET referrer = ?1, utm_source = ?1, browser = ?1 WHERE session_id ="
    mine = " (SELECT SessionId FROM Leads WHERE PublicId = ?2)"
    dashboard.server.execute(session + mine, SCRIPT, lead_id)
    views = "UPDATE page_views SET title = ?1, url = 'javascript:alert(1)' WHERE session_id ="
    dashboard.server.execute(views + mine, SCRIPT, lead_id)
    events = "UPDATE events SET name = ?1, props = json_object(?1, ?1) WHERE session_id ="
    dashboard.server.execute(events + mine, SCRIPT, lead_id)
    assert edit(dashboard, lead_id, note=SCRIPT).status_code == 303
    page = dashboard.desk().get(lead_path(lead_id)).text
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert 'href="javascript:' not in page
    assert "&lt;script&gt;alert" in page


def test_page_of_a_lead_with_every_field_missing_or_64_kib_long_stands(
    dashboard: Dashboard,
) -> None:
    lead_id = tracked_lead(dashboard.server)
    names = [
        row["name"]
        for row in dashboard.server.query("SELECT name, [notnull] FROM pragma_table_info('Leads')")
        if not row["notnull"] and row["name"] not in ("Id", "OwnerId", "IdempotencyKey")
    ]
    missing = ", ".join(f"{name} = NULL" for name in names)
    dashboard.server.execute(f"UPDATE Leads SET {missing} WHERE PublicId = ?", lead_id)
    assert "Unnamed lead" in text_of(dashboard.desk().get(lead_path(lead_id)))
    texts = ("Name", "Email", "Phone", "Message", "Project", "PageUrl", "Referrer", "UtmSource")
    long = ", ".join(f"{name} = ?1" for name in (*texts, "LeadSource", "UserAgent"))
    extra = "Extra = json_object(?1, ?1)"
    sql = f"UPDATE Leads SET {long}, {extra} WHERE PublicId = ?2"
    dashboard.server.execute(sql, "W" * 65_536, lead_id)
    assert dashboard.desk().get(lead_path(lead_id)).status_code == 200


def test_save_keeps_status_owner_and_note_and_shows_the_history(dashboard: Dashboard) -> None:
    lead_id = partner_lead(dashboard.server)
    (owner,) = dashboard.server.query("SELECT id FROM users WHERE email = ?", (SALES,))
    fields = {"status": "viewing", "owner": str(owner["id"]), "note": "Saturday at ten"}
    assert edit(dashboard, lead_id, **fields).status_code == 303
    row = lead_row(dashboard, lead_id)
    assert (row["Status"], row["OwnerId"], row["Revision"]) == ("viewing", owner["id"], 1)
    shown = text_of(dashboard.desk().get(lead_path(lead_id)))
    assert "Saturday at ten" in shown
    assert "New → Viewing" in shown
    assert f"Owner: nobody → {SALES}" in shown


def test_called_now_saves_the_form_and_notes_the_first_contact(dashboard: Dashboard) -> None:
    lead_id = partner_lead(dashboard.server)
    edit(dashboard, lead_id, contacted="1", note="No answer, left a message")
    row = lead_row(dashboard, lead_id)
    assert row["Status"] == "contacted"
    assert row["FirstContactAt"] is not None
    page = text_of(dashboard.desk().get(lead_path(lead_id)))
    assert "Called now" not in page
    assert "left a message" in page


def test_stale_edit_is_told_with_what_the_other_did_and_loses_nothing(
    dashboard: Dashboard,
) -> None:
    lead_id, desk = partner_lead(dashboard.server), dashboard.desk(SALES)
    page = desk.get(lead_path(lead_id))
    seen = {name: hidden(page, name) for name in ("revision", "seen")}
    edit(dashboard, lead_id, ADMIN, status="contacted", note="I am on it")
    mine = {"status": "lost", "owner": "", "note": "Not interested", **seen}
    refused = desk.post(lead_path(lead_id), mine)
    assert refused.status_code == 409
    told = text_of(refused)
    assert "Somebody else changed this lead" in told
    assert f"{ADMIN}, just now : New → Contacted" in told
    assert "I am on it" in told
    assert "Not interested</textarea>" in refused.text
    assert '<option value="lost" selected>' in refused.text
    assert lead_row(dashboard, lead_id)["Status"] == "contacted"
    again = mine | {name: hidden(refused, name) for name in ("revision", "seen")}
    assert desk.post(lead_path(lead_id), again).status_code == 303
    assert lead_row(dashboard, lead_id)["Status"] == "lost"


@pytest.mark.parametrize("note", ["Call back at six", "W" * 5_000])
def test_stale_note_leaves_the_others_status_and_owner_selected(
    dashboard: Dashboard, note: str
) -> None:
    lead_id, desk = partner_lead(dashboard.server), dashboard.desk(SALES)
    page = desk.get(lead_path(lead_id))
    names = ("revision", "seen", "opened_status", "opened_owner")
    seen = {name: hidden(page, name) for name in names}
    (owner,) = dashboard.server.query("SELECT id FROM users WHERE email = ?", (SALES,))
    edit(dashboard, lead_id, ADMIN, status="won", owner=str(owner["id"]))
    refused = desk.post(lead_path(lead_id), {"status": "new", "owner": "", "note": note, **seen})
    assert refused.status_code in {409, 422}
    assert '<option value="won" selected>' in refused.text
    assert f'<option value="{owner["id"]}" selected>' in refused.text
    assert [hidden(refused, name) for name in names[2:]] == ["won", str(owner["id"])]


def test_form_without_a_revision_is_stale(dashboard: Dashboard) -> None:
    lead_id = partner_lead(dashboard.server)
    sent = dashboard.desk().post(lead_path(lead_id), {"status": "won", "owner": ""})
    assert sent.status_code == 409
    assert lead_row(dashboard, lead_id)["Status"] == "new"


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("note", "W" * 65_536, "has more than 4,000 characters"),
        ("status", "sold", "choose one of the list"),
        ("owner", "nobody", "choose one of the list"),
        ("owner", "9999", "cannot see this client"),
    ],
)
def test_wrong_field_is_told_beside_it(
    dashboard: Dashboard, field: str, value: str, fault: str
) -> None:
    lead_id = partner_lead(dashboard.server)
    refused = edit(dashboard, lead_id, **{field: value})
    assert refused.status_code == 422
    assert f'aria-describedby="e-{field}"' in refused.text
    assert re.search(rf'id="e-{field}">{fault}', html.unescape(refused.text))
    assert lead_row(dashboard, lead_id)["Revision"] == 0


def test_query_of_the_list_is_kept_on_the_way_back(dashboard: Dashboard) -> None:
    lead_id, query = partner_lead(dashboard.server), "label=Hot&q=a b"
    desk = dashboard.desk()
    page = desk.get(lead_path(lead_id), **{"from": query})
    assert 'href="/clients/1/leads?label=Hot&amp;q=a b"' in page.text
    seen = {name: hidden(page, name) for name in ("revision", "seen", "from")}
    assert html.unescape(seen["from"]) == query
    sent = {"status": "new", "owner": "", **seen, "from": query}
    saved = desk.post(lead_path(lead_id), sent)
    assert saved.headers["location"].endswith("?from=label%3DHot%26q%3Da%20b")


def test_lead_is_shown_to_those_of_its_client_only(dashboard: Dashboard) -> None:
    lead_id = partner_lead(dashboard.server)
    stranger = dashboard.desk(OTHERS_SALES)
    assert dashboard.desk(SALES).get(lead_path(lead_id)).status_code == 200
    assert stranger.get(lead_path(lead_id)).status_code == 404
    assert stranger.get(lead_path(lead_id, 2)).status_code == 404
    change = {"status": "won", "owner": "", "revision": "0"}
    assert stranger.post(lead_path(lead_id, 2), change).status_code == 404
    assert stranger.post(lead_path(lead_id), change).status_code == 404
    outsider = dashboard.stranger()
    assert outsider.get(lead_path(lead_id)).status_code == 303
    outsider.http.close()
    assert lead_row(dashboard, lead_id)["Status"] == "new"


def insert_response(dashboard: Dashboard, lead_id: str, email: str, **fields: Any) -> None:
    """A form response of a lead, as Form AI left it."""
    values = {
        "client_id": 1,
        "channel": "typeform",
        "event_id": unique("event"),
        "event_type": "form_response",
        "email": email,
        "lead_id": lead_id,
        "raw": "{}",
        "received_at": "2026-11-20T10:00:00.000Z",
        **fields,
    }
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    sql = f"INSERT INTO form_responses ({names}) VALUES ({marks})"
    dashboard.server.execute(sql, *values.values())


def test_ai_scores_are_shown_with_signals_model_and_earlier_ones(dashboard: Dashboard) -> None:
    email = f"{unique('scored')}@example.com"
    lead_id = partner_lead(dashboard.server, email=email)
    scored = {
        "scored_at": "2026-11-20T10:01:00.000Z",
        "model": "gemini:gemini-3.8-flash@none",
        "prompt_version": "1",
        "signals": '{"emotional_urgency": 0.66, "financial_stability": 0.25}',
    }
    low = {"ai_fin": 0.1, "ai_show": 0.2, "ai_sql": 0.3}
    high = {"ai_fin": 0.9, "ai_show": 0.85, "ai_sql": 0.7, "review": "an answer tries to instruct"}
    insert_response(dashboard, "lead_of_before", email, **scored, **low)
    insert_response(dashboard, lead_id, email, **scored, **high)
    shown = text_of(dashboard.desk().get(lead_path(lead_id)))
    assert "Rotator A p_fin 0.90 p_show 0.85 p_sql 0.70" in shown
    assert "Emotional urgency 0.66" in shown
    assert "gemini:gemini-3.8-flash@none, prompt version 1" in shown
    assert "an answer tries to instruct" in shown
    assert "1 earlier response of this person" in shown
    assert "Rotator C p_fin 0.10" in shown


def test_response_that_could_not_be_scored_shows_no_number(dashboard: Dashboard) -> None:
    email = f"{unique('unscored')}@example.com"
    lead_id = partner_lead(dashboard.server, email=email)
    insert_response(dashboard, lead_id, email, last_error="gemini answered 500")
    shown = text_of(dashboard.desk().get(lead_path(lead_id)))
    assert "Not scored yet" in shown
    assert "gemini answered 500" in shown
    assert "p_fin" not in shown
