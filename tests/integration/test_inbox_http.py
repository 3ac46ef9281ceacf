"""The inbox over HTTP: what a page shows, to whom, and what odd input does to it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest

from server.store.contract import Statement
from server.web.dashboard.inbox import MAX_VIEWS
from server.web.dashboard.inbox_export import PAGE_ROWS
from tests.dashboard import BOUNDED_ADMIN, OTHERS_SALES, SALES, Dashboard, Desk, unique
from tests.stored_leads import add_leads, lead_row

INBOX = "/clients/1/leads"
PAYLOADS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "{{ 7 * 7 }}",
    "' onmouseover='alert(1)",
)


@pytest.fixture
def desk(dashboard: Dashboard) -> Desk:
    return dashboard.desk(SALES)


@pytest.fixture
def name(dashboard: Dashboard) -> Iterator[str]:
    """A name of this test's leads; views that the test saves are forgotten."""
    yield unique("ada")
    dashboard.server.execute("DELETE FROM saved_views")


def shown(answer: httpx.Response) -> list[str]:
    """The ids of the leads that a page links to."""
    return re.findall(rf'href="{INBOX}/(lead_\w+)["?]', answer.text)


def test_inbox_shows_score_action_contact_visit_and_clock_of_a_lead(
    dashboard: Dashboard, desk: Desk, name: str
) -> None:
    add_leads(
        dashboard.server,
        lead_row(
            82,
            Name=name,
            Email="ada@example.com",
            Phone="020 7946 0123",
            PhoneE164="+442079460123",
            Project="Creek View",
            PagesVisited=5,
            SessionDuration=200,
            ReturnVisits=2,
            CreatedAt="2026-01-01T10:00:00.000Z",
        ),
    )
    page = desk.get(INBOX, q=name).text
    for text in (
        '<strong class="score">82</strong>',
        "Very Hot",
        "call immediately",
        'href="tel:+442079460123"',
        'href="https://wa.me/442079460123"',
        'href="mailto:ada@example.com"',
        "Creek View",
        "5 pages",
        "3 min 20 s",
        "2 returns",
        "overdue by",
    ):
        assert text in page


def test_inbox_of_a_lead_without_a_tracked_visit_shows_dashes_with_the_reason(
    dashboard: Dashboard, desk: Desk, name: str
) -> None:
    add_leads(dashboard.server, lead_row(None, Name=name))
    page = desk.get(INBOX, q=name).text
    row = page[page.index('class="c-score"') : page.index('class="c-grade')]
    assert row.count('title="no tracked visit"') == 2
    assert "Cold" not in row


def test_inbox_shows_what_a_real_form_sent(dashboard: Dashboard, desk: Desk, name: str) -> None:
    lead_id = dashboard.server.lead(name=name, phone="+44 20 7946 0123").json()["lead_id"]
    assert shown(desk.get(INBOX, q=name)) == [lead_id]
    assert shown(desk.get(INBOX, q="020 7946 0123"))[0] == lead_id


def test_inbox_of_many_leads_is_paged_forwards_and_back(
    dashboard: Dashboard, desk: Desk, name: str
) -> None:
    ids = add_leads(dashboard.server, *(lead_row(50, Name=name) for _ in range(120)))
    found, addresses = [], [f"{INBOX}?q={name}&sort=score"]
    while addresses[-1]:
        page = desk.get(addresses[-1])
        found.append(shown(page))
        addresses.append(link_of(page, "next"))
    assert [lead_id for page_ids in found for lead_id in page_ids] == ids[::-1]
    assert [len(page_ids) for page_ids in found] == [50, 50, 20]
    second = desk.get(link_of(desk.get(addresses[2]), "prev"))
    assert shown(second) == found[1]
    first = desk.get(link_of(second, "prev"))
    assert shown(first) == found[0]
    assert link_of(first, "prev") == ""


def link_of(page: httpx.Response, relation: str) -> str:
    found = re.search(rf'rel="{relation}" href="([^"]+)"', page.text)
    return found[1].replace("&amp;", "&") if found else ""


@pytest.mark.parametrize("path", ["", "/export.csv", "/live"])
def test_inbox_of_another_client_is_not_there(dashboard: Dashboard, path: str) -> None:
    assert dashboard.desk(OTHERS_SALES).get(INBOX + path).status_code == 404
    assert dashboard.desk(BOUNDED_ADMIN).get("/clients/2/leads" + path).status_code == 404


def test_inbox_without_leads_tells_how_they_come(dashboard: Dashboard) -> None:
    empty = "/clients/2/leads"
    for_sales = dashboard.desk(OTHERS_SALES).get(empty).text
    for_admin = dashboard.desk().get(empty).text
    assert "No leads yet" in for_sales
    assert "/clients/2/sites" not in for_sales
    assert 'href="/clients/2/sites"' in for_admin


def test_inbox_filtered_to_nothing_offers_the_way_back(desk: Desk, name: str) -> None:
    page = desk.get(INBOX, q=name, label="Hot").text
    assert "No lead passes these filters" in page
    assert f'href="{INBOX}?label=Hot"' in page


@pytest.mark.parametrize(
    ("field", "value"),
    [("from", "soon"), ("label", "Boiling"), ("owner", "x"), ("sort", "Id; DROP TABLE Leads")],
)
def test_inbox_with_a_filter_that_cannot_be_tells_it_beside_the_field(
    desk: Desk, field: str, value: str
) -> None:
    answer = desk.get(INBOX, **{field: value})
    assert answer.status_code == 422
    assert "cannot be used" in answer.text
    assert f'id="e-{field}"' in answer.text or field == "sort"
    assert shown(answer) == []


def test_inbox_at_a_place_that_is_none_is_refused(desk: Desk) -> None:
    assert desk.get(INBOX, after="nonsense").status_code == 422


def test_inbox_shows_hostile_texts_as_texts(dashboard: Dashboard, desk: Desk, name: str) -> None:
    columns = ("Email", "Phone", "Project", "LeadSource", "Message", "RecommendedAction")
    rows = [
        lead_row(None, Name=f"{name} {text}", **dict.fromkeys(columns, text)) for text in PAYLOADS
    ]
    add_leads(dashboard.server, *rows)
    answer = desk.get(INBOX, q=name, sort="oldest")
    assert shown(answer) == [row["PublicId"] for row in rows]
    for text in ("<script>alert", "<img src=x", 'href="javascript:', "}} 49", "' onmouseover='"):
        assert text not in answer.text


def test_inbox_of_leads_without_anything_and_with_64_kib_fields_stays_readable(
    dashboard: Dashboard, desk: Desk, name: str
) -> None:
    long = name + "x" * 65_000
    columns = ("Name", "Email", "Phone", "Project", "Message", "RecommendedAction")
    add_leads(
        dashboard.server,
        lead_row(12, **dict.fromkeys(columns, long), LeadSource=long),
        lead_row(None, LeadSource=name, **dict.fromkeys(columns)),
    )
    found = desk.get(INBOX, q=name)
    bare = desk.get(INBOX, source=name)
    assert (len(shown(found)), len(shown(bare))) == (1, 1)
    assert "No name" in bare.text
    assert len(found.text) < 60_000


def test_view_is_saved_renewed_and_deleted_by_its_user_alone(
    dashboard: Dashboard, desk: Desk, name: str
) -> None:
    first = desk.post(f"{INBOX}/views", {"name": name, "query": "label=Hot&x=1&after=abc"})
    assert first.headers["location"] == f"{INBOX}?label=Hot"
    desk.post(f"{INBOX}/views", {"name": name, "query": "label=Warm"})
    (view,) = dashboard.server.query("SELECT id, query FROM saved_views WHERE name = ?", (name,))
    assert view["query"] == "label=Warm"
    assert name in desk.get(INBOX).text

    other = dashboard.desk(BOUNDED_ADMIN)
    assert name not in other.get(INBOX).text
    delete = f"{INBOX}/views/{view['id']}/delete"
    assert other.post(delete).status_code == 404
    assert desk.post(delete).status_code == 303
    assert f"“{name}” deleted" in desk.get(INBOX).text
    assert name not in desk.get(INBOX, status="won").text


@pytest.mark.parametrize(
    ("view", "message"), [("", "give it a name"), ("x" * 41, "at most 40 characters")]
)
def test_view_with_a_name_that_cannot_be_is_told_beside_the_field(
    desk: Desk, view: str, message: str
) -> None:
    answer = desk.post(f"{INBOX}/views", {"name": view, "query": "label=Hot"})
    assert answer.status_code == 422
    assert message in answer.text
    assert 'aria-describedby="e-name"' in answer.text


def test_view_beyond_the_limit_is_refused(dashboard: Dashboard, desk: Desk, name: str) -> None:
    (user,) = dashboard.server.query("SELECT id FROM users WHERE email = ?", (SALES,))
    add = (
        "INSERT INTO saved_views (user_id, client_id, name, query, created_at) VALUES (?,1,?,'','')"
    )
    views = [Statement(add, (user["id"], f"{name} {number}")) for number in range(MAX_VIEWS)]
    dashboard.server.database.write(*views)
    new = {"name": name, "query": "label=Hot"}
    assert desk.post(f"{INBOX}/views", new).status_code == 422
    assert desk.post(f"{INBOX}/views", new | {"name": f"{name} 7"}).status_code == 303


def rows_of(answer: httpx.Response) -> list[dict[str, str]]:
    text = answer.content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_export_holds_all_leads_that_pass_and_is_kept_in_the_trail(
    dashboard: Dashboard, desk: Desk, name: str
) -> None:
    rows = [lead_row(80, Name=name, Project=f"p{number}") for number in range(PAGE_ROWS + 50)]
    add_leads(dashboard.server, *rows, lead_row(10, Name=name))
    answer = desk.get(f"{INBOX}/export.csv", q=name, label="Very Hot")
    exported = rows_of(answer)
    assert [row["project"] for row in exported] == [f"p{n}" for n in range(PAGE_ROWS + 49, -1, -1)]
    assert answer.headers["content-disposition"].startswith('attachment; filename="leads-1-')
    entry = dashboard.server.query(
        "SELECT actor, details FROM audit_trail WHERE action = 'leads_exported' ORDER BY id"
    )[-1]
    assert entry["actor"] == SALES
    assert json.loads(entry["details"]) == {"query": "label=Very+Hot", "searched": True}


def test_export_leaves_engagement_empty_without_a_tracked_visit(
    dashboard: Dashboard, desk: Desk, name: str
) -> None:
    add_leads(dashboard.server, lead_row(None, Name=name), lead_row(0, Name=name))
    cold, untracked = rows_of(desk.get(f"{INBOX}/export.csv", q=name))
    assert (cold["engagement_score"], cold["engagement_label"]) == ("0", "Cold")
    assert (untracked["engagement_score"], untracked["engagement_label"]) == ("", "")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", " ="])
def test_export_takes_no_formula_to_a_spreadsheet(
    dashboard: Dashboard, desk: Desk, name: str, start: str
) -> None:
    add_leads(dashboard.server, lead_row(Name=name, Project=f'{start}HYPERLINK("x")'))
    (row,) = rows_of(desk.get(f"{INBOX}/export.csv", q=name))
    assert row["project"].startswith("'")
    assert row["project"][1:].strip() == f'{start}HYPERLINK("x")'.strip()


def test_export_with_a_filter_that_cannot_be_is_refused(desk: Desk) -> None:
    assert desk.get(f"{INBOX}/export.csv", label="Boiling").status_code == 422


def test_page_asked_by_htmx_gets_a_clean_address(desk: Desk, name: str) -> None:
    headers = {"hx-request": "true", "hx-source": "form#filters"}
    answer = desk.http.get(f"{INBOX}?q=&label=Hot&from=&sort=newest", headers=headers)
    assert answer.headers["hx-push-url"] == f"{INBOX}?label=Hot"
    typing = desk.http.get(f"{INBOX}?q={quote(name)}", headers=headers | {"hx-source": "input#q"})
    again = desk.http.get(
        INBOX,
        params={"label": "Hot"},
        headers={"hx-request": "true", "hx-current-url": f"http://x{INBOX}?label=Hot"},
    )
    assert again.headers["hx-replace-url"] == f"{INBOX}?label=Hot"
    assert typing.headers["hx-replace-url"] == f"{INBOX}?q={name}"
