"""The overview over plain HTTP: its figures, its days, its tables, and who may see them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from html import unescape
from typing import Any

import pytest

from server.domain.clock import to_text
from server.store.contract import Statement
from tests.dashboard import OTHERS_SALES, SALES, Dashboard, running_dashboard
from tests.integration.http_fixtures import eventually
from tests.overview_data import DAYS, LEADS_A_DAY, VISITORS_A_DAY, XSS, fill
from tests.stored_leads import add_leads, lead_row

HERE = "/clients/1/overview"
TODAY = datetime.now(UTC).date()


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """A server of its own: others' leads would be counted too."""
    with running_dashboard(tmp_path_factory.mktemp("overview") / "data") as dashboard:
        yield fill(dashboard)


def page(dashboard: Dashboard, query: str = "", status: int = 200) -> str:
    answer = dashboard.desk(SALES).http.get(HERE + query)
    assert answer.status_code == status
    return answer.text


def tiles(html: str) -> dict[str, str]:
    found = re.findall(r'tile-title">([^<]+)</span>\s*<strong[^>]*>([^<]+)<', html)
    return dict(found)


def chart(html: str) -> dict[str, Any]:
    found = re.search(r'id="chart-data">(.*?)</script>', html)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def rows(html: str) -> dict[str, list[str]]:
    """The breakdown: the cells of each row by its name, texts only."""
    table = html.partition('class="breakdown"')[2]
    cells = [
        [
            unescape(re.sub(r"<[^>]+>", "", cell)).strip()
            for cell in re.findall(_CELL, row, re.DOTALL)
        ]
        for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)[1:]
    ]
    return {row[0]: row[1:] for row in cells}


_CELL = r"<t[hd][^>]*>(.*?)</t[hd]>"


def test_figures_of_four_weeks_are_those_of_the_raw_rows(counted: Dashboard) -> None:
    assert tiles(page(counted)) == {
        "Visitors": f"{28 * VISITORS_A_DAY}",
        "Leads": f"{28 * LEADS_A_DAY}",
        "Conversion": "25.0 %",
        "Median score": "50",
        "Hot and above": "100.0 %",
        "First contact": "30 min",
        "Spam": "25.0 %",
    }


def test_leads_without_a_visit_are_counted_apart(counted: Dashboard) -> None:
    html = page(counted)
    assert "28 without a tracked visit" in html
    assert rows(html)["Facebook"][:3] == ["28", "— no tracked visit", "28"]


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ("?period=today", 1),
        ("?period=7d", 7),
        ("?period=90d", DAYS),
        ("?period=12mo", DAYS),
        (f"?period=custom&from={TODAY - timedelta(days=3)}&to={TODAY - timedelta(days=2)}", 2),
        (f"?period=custom&from={TODAY}&to={TODAY + timedelta(days=900)}", 1),
    ],
)
def test_days_of_the_address_are_counted(counted: Dashboard, query: str, days: int) -> None:
    assert tiles(page(counted, query))["Leads"] == f"{days * LEADS_A_DAY}"


def test_month_is_counted_from_its_first_day(counted: Dashboard) -> None:
    days = min(TODAY.day, DAYS)
    assert tiles(page(counted, "?period=month"))["Leads"] == f"{days * LEADS_A_DAY}"


@pytest.mark.parametrize(
    "figure", ["visitors", "leads", "conversion", "score", "hot", "wait", "spam"]
)
@pytest.mark.parametrize("period", ["today", "28d", "12mo"])
def test_chart_of_each_figure_has_a_step_for_each_label(
    counted: Dashboard, figure: str, period: str
) -> None:
    data = chart(page(counted, f"?figure={figure}&period={period}"))
    assert len(data["now"]) == len(data["labels"]) == len(data["before"] or data["labels"])
    assert any(value is not None for value in data["now"])


@pytest.mark.parametrize(
    ("figure", "value"),
    [("visitors", VISITORS_A_DAY), ("leads", LEADS_A_DAY), ("score", 50), ("wait", 1800)],
)
def test_chart_of_days_holds_the_value_of_each_day(
    counted: Dashboard, figure: str, value: int
) -> None:
    data = chart(page(counted, f"?figure={figure}&period=7d"))
    assert data["now"] == [value] * 7
    assert data["before"] == [value] * 7
    assert data["running"] is True


def test_chart_of_months_adds_up_what_the_days_hold(counted: Dashboard) -> None:
    data = chart(page(counted, "?figure=leads&period=12mo"))
    assert len(data["labels"]) == 12
    assert sum(data["now"]) == DAYS * LEADS_A_DAY


@pytest.mark.parametrize("figure", ["score", "leads"])
def test_chart_of_weeks_has_their_values(counted: Dashboard, figure: str) -> None:
    since = TODAY - timedelta(days=150)
    data = chart(page(counted, f"?period=custom&from={since}&to={TODAY}&figure={figure}"))
    assert len(data["labels"]) == 22
    expected = 50 if figure == "score" else 7 * LEADS_A_DAY
    assert expected in data["now"]


def test_comparison_when_off_shows_nothing_of_before(counted: Dashboard) -> None:
    html = page(counted, "?compare=off")
    assert chart(html)["before"] is None
    assert 'tile-note">was' not in html
    assert "compare=off" in html


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("source", {"WebSite", "Facebook"}),
        ("project", {XSS, "No project"}),
        ("landing_page", {f"www.example.com/page-{n}" for n in range(3)} | {"Unknown"}),
        ("first_campaign", {"spring", "No campaign"}),
        ("last_campaign", {"spring", "autumn", XSS, "No campaign"}),
        ("country", {"GB", "Unknown"}),
        ("device", {"desktop"}),
        ("bot", {"WebSite", "Facebook"}),
        ("nonsense", {"WebSite", "Facebook"}),
    ],
)
def test_table_of_each_dimension_has_its_values(
    counted: Dashboard, by: str, expected: set[str]
) -> None:
    assert set(rows(page(counted, f"?by={by}"))) == expected


def test_row_leads_to_the_inbox_with_its_filter_and_days(counted: Dashboard) -> None:
    first = TODAY - timedelta(days=6)
    wanted = f'href="/clients/1/leads?source=Facebook&amp;from={first}&amp;to={TODAY}&amp;days=UTC"'
    assert wanted in page(counted, "?period=7d")


@pytest.mark.parametrize("by", ["project", "landing_page", "first_campaign", "country"])
def test_row_without_a_value_leads_to_the_leads_that_have_none(counted: Dashboard, by: str) -> None:
    found = re.search(rf'href="([^"]+without={by}[^"]*)"', page(counted, f"?by={by}&period=7d"))
    assert found
    inbox = counted.desk(SALES).http.get(unescape(found[1])).text
    assert ">7 leads<" in inbox
    assert f'name="without" value="{by}" checked' in inbox


def test_row_of_a_client_elsewhere_leads_to_the_days_of_its_zone(counted: Dashboard) -> None:
    database, zone = counted.server.database, "UPDATE clients SET timezone = ? WHERE id = 1"
    database.write(Statement(zone, ("Asia/Dubai",)))
    html = page(counted, "?period=7d")
    database.write(Statement(zone, ("UTC",)))
    assert "&amp;days=Asia%2FDubai" in html


@pytest.fixture(scope="module")
def of_two_days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """A lead of today's first moment, one of yesterday's first and two of its last."""
    midnight = datetime.combine(TODAY, time(), UTC)
    moments = (midnight, midnight - timedelta(days=1), *[midnight - timedelta(milliseconds=1)] * 2)
    leads = [lead_row(50, CreatedAt=to_text(moment)) for moment in moments]
    with running_dashboard(tmp_path_factory.mktemp("two_days") / "data") as dashboard:
        add_leads(dashboard.server, *leads)
        eventually(lambda: leads_tile(dashboard, "?period=7d").startswith("4 ") or None)
        yield dashboard


def leads_tile(dashboard: Dashboard, query: str) -> str:
    html = page(dashboard, query)
    found = re.search(r"title\">Leads</span>(.*?)</li>", html, re.DOTALL)
    text = re.sub(r"<[^>]+>|\s+", " ", found[1]) if found else ""
    return " ".join(text.split())


@pytest.mark.parametrize("period", ["today", "custom&from={0}&to={0}"])
def test_running_day_is_compared_with_the_same_hours_of_the_day_before(
    of_two_days: Dashboard, period: str
) -> None:
    query = f"?period={period.format(TODAY)}"
    told = leads_tile(of_two_days, query)
    assert "1 = no change was 1 " in told
    assert "Today is still running" in page(of_two_days, query)


def test_day_whose_rows_are_purged_is_compared_and_drawn_as_a_whole(
    of_two_days: Dashboard,
) -> None:
    database = of_two_days.server.database
    kept_from = "UPDATE rollup_clients SET leads_kept_from = ? WHERE client_id = 1"
    database.write(Statement(kept_from, (to_text(datetime.now(UTC)),)))
    told, html = leads_tile(of_two_days, "?period=today"), page(of_two_days, "?period=today")
    drawn = chart(page(of_two_days, "?period=today&figure=leads"))
    database.write(Statement(kept_from, ("",)))
    assert "67 % fewer so far was 3 " in told
    assert "Today is still running" not in html
    assert (drawn["now"], drawn["before"]) == ([1], [3])


def test_days_that_are_over_are_compared_as_wholes(of_two_days: Dashboard) -> None:
    yesterday = TODAY - timedelta(days=1)
    query = f"?period=custom&from={yesterday}&to={yesterday}"
    told = leads_tile(of_two_days, query)
    assert told.startswith("3 ")
    assert "Today is still running" not in page(of_two_days, query)


def test_markup_in_campaigns_and_projects_is_shown_as_text(counted: Dashboard) -> None:
    html = page(counted, "?by=last_campaign") + page(counted, "?by=project")
    assert "<img" not in html
    assert "&lt;img src=x" in html


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("from=yesterday&to=2026-01-01", "is no date"),
        ("to=2026-01-01", "is no date"),
        ("from=2026-01-02&to=2026-01-01", "lies before the first day"),
        ("from=9999-12-31&to=9999-12-31", "lies ahead"),
        ("from=0001-01-01&to=2026-01-01", "lies before the year 2000"),
        ("from=2001-01-01&to=2026-01-01", "lies more than 1,830 days before the last day"),
    ],
)
def test_days_that_cannot_be_are_told_beside_the_field(
    counted: Dashboard, query: str, message: str
) -> None:
    html = page(counted, f"?period=custom&{query}", 422)
    assert f">{message}</p>" in html
    assert 'aria-invalid="true"' in html


@pytest.mark.parametrize("query", ["?period=x", "?figure=%00", "?by=" + "b" * 3000, "?rows=x"])
def test_address_with_names_that_are_none_shows_the_usual(counted: Dashboard, query: str) -> None:
    assert tiles(page(counted, query)) == tiles(page(counted))


def test_client_without_anything_is_told_so(counted: Dashboard) -> None:
    answer = counted.desk(OTHERS_SALES).get("/clients/2/overview")
    assert answer.status_code == 200
    assert "Nothing to show yet" in answer.text


def test_days_without_anything_are_told_so(counted: Dashboard) -> None:
    assert "No leads and no visits" in page(counted, "?period=custom&from=2024-01-01&to=2024-01-02")


@pytest.mark.parametrize("path", ["overview", "visitors", "visitors/v0"])
def test_page_of_another_client_is_not_found(counted: Dashboard, path: str) -> None:
    assert counted.desk(OTHERS_SALES).get(f"/clients/1/{path}").status_code == 404


@pytest.mark.parametrize("path", ["overview", "visitors", "visitors/v0"])
def test_page_for_who_has_not_signed_in_leads_to_the_sign_in(counted: Dashboard, path: str) -> None:
    stranger = counted.stranger()
    answer = stranger.get(f"/clients/1/{path}")
    stranger.http.close()
    assert (answer.status_code, answer.headers["location"][:8]) == (303, "/sign-in")


# ---- visitors


def visitors_page(dashboard: Dashboard, path: str = "", status: int = 200) -> str:
    answer = dashboard.desk(SALES).get("/clients/1/visitors" + path)
    assert answer.status_code == status
    return answer.text


def test_visitors_of_now_are_shown_and_bots_are_not(counted: Dashboard) -> None:
    html = visitors_page(counted)
    assert f'<p class="big">{VISITORS_A_DAY}</p>' in html
    assert 'href="/clients/1/visitors/v0"' in html
    assert 'href="/clients/1/visitors/bot"' not in html


def test_bots_of_the_week_are_counted_by_reason(counted: Dashboard) -> None:
    html = unescape(visitors_page(counted)).partition("Filtered as bots")[2]
    assert re.search(r'crawler[^<]*</th><td class="number">7</td>', html, re.IGNORECASE)
    assert f"beside {7 * VISITORS_A_DAY} visits of people" in html


def test_visitors_of_a_client_without_any_are_told_of_and_asked_for_again(
    counted: Dashboard,
) -> None:
    answer = counted.desk(OTHERS_SALES).get("/clients/2/visitors")
    assert "No visitors yet" in answer.text
    assert 'id="presence" hx-get="/clients/2/visitors" hx-trigger="every 5s"' in answer.text


def test_profile_shows_sessions_pages_and_leads_as_text(counted: Dashboard) -> None:
    html = visitors_page(counted, "/v0")
    assert html.count('class="card visit"') == 30
    assert "lead sent" in html
    assert "<img" not in html


def test_profile_of_nobody_is_not_found(counted: Dashboard) -> None:
    visitors_page(counted, "/nobody", 404)
    visitors_page(counted, "/" + "x" * 5000, 404)


def test_profile_of_who_withdrew_consent_is_not_found(counted: Dashboard) -> None:
    view = {"v": 1, "site": "demo", "session_id": "gone-1", "page_view_id": "p1", "type": "view"}
    view |= {"visitor_id": "gone", "url": "https://www.example.com/"}
    counted.server.track(view)
    visitors_page(counted, "/gone")
    counted.server.track({**view, "consent": False, "seq": 1})
    visitors_page(counted, "/gone", 404)
    assert "visitors/gone" not in visitors_page(counted)


def test_profile_with_long_and_hostile_fields_is_shown_as_text(counted: Dashboard) -> None:
    view = {"v": 1, "site": "demo", "session_id": "evil-1", "page_view_id": "p1", "type": "view"}
    view |= {"visitor_id": "evil", "url": "javascript:alert(1)//" + "y" * 1900}
    view |= {"title": XSS * 7, "referrer": "https://[", "language": XSS, "screen": XSS}
    counted.server.track(view, user_agent=XSS * 50)
    event = {"v": 1, "site": "demo", "session_id": "evil-1", "page_view_id": "p1", "type": "event"}
    event |= {"visitor_id": "evil", "event_id": "e1", "name": XSS, "props": {XSS: XSS}}
    counted.server.track(event)
    html = visitors_page(counted, "/evil")
    assert "<img" not in html
    assert 'href="javascript' not in html
    assert "visitors/evil" in visitors_page(counted)
