"""Clients and sites in the dashboard: added, changed, ended; what is wrong is told by its field."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from html import unescape
from typing import Any

import pytest

from tests import beacons
from tests.dashboard import (
    BOUNDED_ADMIN,
    PASSWORD,
    SALES,
    Dashboard,
    Desk,
    running_dashboard,
    unique,
)
from tests.integration.http_fixtures import eventually
from tests.stored_leads import add_leads
from tests.stored_leads import lead_row as stored_lead

XSS = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
HUGE = "x" * 65_536


def add_site(desk: Desk, client_id: int = 1, **fields: str) -> str:
    """A new site; its key."""
    key = fields.setdefault("site_key", unique("site"))
    answer = desk.post(f"/clients/{client_id}/add-site", fields)
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"] == f"/clients/{client_id}/sites/{key}"
    return key


def row(dashboard: Dashboard, sql: str, *args: Any) -> dict[str, Any]:
    (found,) = dashboard.server.query(sql, args)
    return found


def described(page: str, name: str) -> str:
    """What a page says is wrong with a field, which must point to it."""
    control = re.search(rf'<(?:input|textarea)[^>]*id="f-{name}"[^>]*>', page)
    assert control, name
    assert 'aria-invalid="true"' in control[0]
    assert f"e-{name}" in control[0]
    found = re.search(rf'id="e-{name}">([^<]*)<', page)
    assert found
    return unescape(found[1])


def test_client_when_added_leads_on_to_its_first_site(dashboard: Dashboard) -> None:
    desk, name = dashboard.desk(), unique("Palm Homes")
    answer = desk.post("/clients", {"name": name, "default_region": "ae"})
    client = row(dashboard, "SELECT * FROM clients WHERE name = ?", name)
    assert client["default_region"] == "AE"
    assert answer.headers["location"] == f"/clients/{client['id']}/add-site"
    assert "Add a site" in desk.get(answer.headers["location"]).text
    assert "No sites yet" in desk.get(f"/clients/{client['id']}/sites").text
    trail = row(dashboard, "SELECT * FROM audit_trail WHERE subject = ?", name)
    assert (trail["action"], trail["client_id"]) == ("client_added", client["id"])


def test_client_when_renamed_stands_in_the_list_and_the_menu(dashboard: Dashboard) -> None:
    desk, before, after = dashboard.desk(), unique("Before"), unique("After")
    number = desk.post("/clients", {"name": before}).headers["location"].split("/")[2]
    answer = desk.post(f"/clients/{number}/edit", {"name": after, "default_region": ""})
    assert answer.status_code == 303
    page = desk.get("/clients").text
    assert after in page
    assert before not in page


def test_client_when_moved_to_another_time_zone_has_its_days_counted_anew(
    dashboard: Dashboard,
) -> None:
    desk, name = dashboard.desk(), unique("Far Homes")
    number = desk.post("/clients", {"name": name}).headers["location"].split("/")[2]
    late = stored_lead(ClientId=int(number), CreatedAt="2026-11-01T20:30:00.000Z")
    add_leads(dashboard.server, late)

    def counted_on(day: str) -> bool | None:
        days = "SELECT 1 FROM lead_days WHERE client_id = ? AND day = ?"
        return bool(dashboard.server.query(days, (int(number), day))) or None

    assert eventually(lambda: counted_on("2026-11-01"))
    moved = {"name": name, "timezone": "Asia/Dubai"}
    assert desk.post(f"/clients/{number}/edit", moved).status_code == 303
    assert eventually(lambda: counted_on("2026-11-02"))
    assert not counted_on("2026-11-01")
    assert 'value="Asia/Dubai"' in desk.get(f"/clients/{number}/edit").text
    assert "Days are those of Asia/Dubai" in desk.get(f"/clients/{number}/overview").text


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"name": ""}, "name", "is missing"),
        ({"name": "  "}, "name", "is missing"),
        ({"name": HUGE}, "name", "more than 80 characters"),
        ({"name": "Homes", "default_region": "UK"}, "default_region", "no country code"),
        ({"name": "Homes", "default_region": XSS}, "default_region", "no country code"),
        ({"name": "Homes", "timezone": "Dubai"}, "timezone", "no time zone"),
        ({"name": "Homes", "timezone": "../../etc/passwd"}, "timezone", "no time zone"),
        ({"name": "Homes", "timezone": XSS}, "timezone", "no time zone"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_client_with_a_wrong_field_is_told_beside_it(
    dashboard: Dashboard, fields: dict[str, str], field: str, message: str
) -> None:
    for path in ("/clients", "/clients/1/edit"):
        answer = dashboard.desk().post(path, fields)
        assert answer.status_code == 422
        assert message in described(answer.text, field)
        assert "<script>alert" not in answer.text


def test_site_when_added_normalises_its_origins_and_takes_beacons_at_once(
    dashboard: Dashboard,
) -> None:
    origins = "HTTPS://Www.Marina.Example:443/towers?x=1\r\n\r\n  http://127.0.0.1:8000/ \n"
    key = add_site(dashboard.desk(), name="Marina <Gate>", origins=origins)
    stored = row(dashboard, "SELECT * FROM sites WHERE site_key = ?", key)
    assert stored["allowed_origins"] == '["http://127.0.0.1:8000", "https://www.marina.example"]'
    visitor = unique("visitor")
    answer = dashboard.server.track(
        beacons.view(visitor, site=key), origin="https://www.marina.example"
    )
    assert answer.headers["access-control-allow-origin"] == "https://www.marina.example"
    page = dashboard.desk().get("/clients/1/sites").text
    assert "Marina &lt;Gate&gt;" in page
    assert "just now" in page[page.index(key) : page.index(f"{key}/verify")]
    trail = row(dashboard, "SELECT * FROM audit_trail WHERE subject = ?", key)
    assert (trail["action"], trail["actor"]) == ("site_added", "admin@localhost")


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("", "is missing"),
        ("Marina", "small letters"),
        ("a b", "small letters"),
        ("..", "must begin with a letter"),
        ("a/b", "small letters"),
        (HUGE, "more than 40 characters"),
        (XSS, "more than 40"),
        ("demo", "is taken"),
    ],
    ids=lambda value: value[:20],
)
def test_site_with_a_key_that_cannot_be_is_told_beside_it(
    dashboard: Dashboard, key: str, message: str
) -> None:
    answer = dashboard.desk().post("/clients/1/add-site", {"site_key": key})
    assert answer.status_code == 422
    assert message in described(answer.text, "site_key")
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize(
    ("origins", "messages"),
    [
        ("https://a.example\nwww.b.example", ["Line 2: “www.b.example” must begin with https://"]),
        ("https://*.example", ["Line 1: “https://*.example” has a *"]),
        ("ftp://a.example\nhttps://b c", ["Line 1: ", "Line 2: "]),
        ("https://user@a.example", ["is no address of a site"]),
        ("javascript://a.example/%0aalert(1)", ["is no address of a site"]),
        (XSS, ["Line 1: "]),
        ("x\n" * 2000, ["Line 5: ", "1995 more lines are wrong"]),
        ("\n".join(f"https://{n}.example" for n in range(101)), ["more than 100"]),
        (HUGE, ["Line 1: "]),
    ],
    ids=lambda value: str(value)[:30],
)
def test_site_with_wrong_origins_is_told_each_with_its_line(
    dashboard: Dashboard, origins: str, messages: list[str]
) -> None:
    desk = dashboard.desk()
    key = add_site(desk)
    for path in ("/clients/1/add-site", f"/clients/1/sites/{key}"):
        answer = desk.post(path, {"site_key": unique("new"), "origins": origins})
        assert answer.status_code == 422
        told = described(answer.text, "origins")
        assert all(message in told for message in messages), told
        assert "<script>alert" not in answer.text
        assert unescape(answer.text).count(origins.strip()[:1000]) >= 1


def test_site_when_changed_keeps_its_key_whatever_the_form_says(dashboard: Dashboard) -> None:
    desk = dashboard.desk()
    key = add_site(desk, origins="https://a.example")
    fields = {"site_key": "another", "name": "New", "origins": "https://b.example"}
    assert desk.post(f"/clients/1/sites/{key}", fields).status_code == 303
    stored = row(dashboard, "SELECT * FROM sites WHERE site_key = ?", key)
    assert (stored["name"], stored["allowed_origins"]) == ("New", '["https://b.example"]')


def test_site_of_another_client_is_not_there_under_ones_own(dashboard: Dashboard) -> None:
    key = add_site(dashboard.desk(), client_id=2)
    for email in (BOUNDED_ADMIN, "admin@localhost"):
        desk = dashboard.desk(email)
        assert desk.get(f"/clients/1/sites/{key}").status_code == 404
        assert desk.post(f"/clients/1/sites/{key}", {"name": "Mine"}).status_code == 404
        assert desk.post(f"/clients/1/sites/{key}/end").status_code == 404
        assert desk.get(f"/clients/1/sites/{key}/verify").status_code == 404
        assert key not in desk.get("/clients/1/sites").text
    assert row(dashboard, "SELECT name FROM sites WHERE site_key = ?", key)["name"] is None


def test_site_that_is_quiet_when_ended_is_gone_and_kept_in_the_trail(dashboard: Dashboard) -> None:
    desk = dashboard.desk()
    key = add_site(desk)
    assert "it can be ended" in desk.get(f"/clients/1/sites/{key}").text
    answer = desk.post(f"/clients/1/sites/{key}/end")
    assert answer.headers["location"] == "/clients/1/sites"
    assert desk.get(f"/clients/1/sites/{key}").status_code == 404
    actions = dashboard.server.query("SELECT action FROM audit_trail WHERE subject = ?", (key,))
    assert [one["action"] for one in actions] == ["site_added", "site_ended"]


@pytest.mark.parametrize("kind", ["beacon", "lead"])
def test_site_that_is_heard_of_when_ended_stays(dashboard: Dashboard, kind: str) -> None:
    desk = dashboard.desk()
    key = add_site(desk)
    if kind == "beacon":
        dashboard.server.track(beacons.view(unique("visitor"), site=key))
    else:
        dashboard.server.lead(email=f"{key}@example.com", __site=key)
    assert "Take its tags off the pages first" in desk.get(f"/clients/1/sites/{key}").text
    assert desk.post(f"/clients/1/sites/{key}/end").status_code == 409
    assert desk.get(f"/clients/1/sites/{key}").status_code == 200


def test_site_of_the_demo_cannot_be_ended(dashboard: Dashboard) -> None:
    assert dashboard.desk().post("/clients/1/sites/demo/end").status_code == 409


def test_snippets_of_a_site_are_shown_as_they_are_printed(dashboard: Dashboard) -> None:
    desk = dashboard.desk()
    key = add_site(desk)
    expected = {
        "": f'tracker.js" data-site="{key}"></script>',
        "frozen": 'integrity="sha384-',
        "form": f'action="{dashboard.server.url}/api/lead"',
        "csp": f"connect-src {dashboard.server.url};",
        "gtm": "document.createElement",
        "no-such": f'tracker.js" data-site="{key}"></script>',
    }
    for show, text in expected.items():
        page = desk.get(f"/clients/1/sites/{key}", show=show).text
        found = re.search(r'<code id="snippet">(.*?)</code>', page, re.DOTALL)
        assert found
        assert text in unescape(found[1])
        assert "PUBLIC_URL is not set" in page


def test_list_of_clients_counts_sites_keys_and_leads_of_a_week(dashboard: Dashboard) -> None:
    desk, name = dashboard.desk(), unique("Counted")
    number = int(desk.post("/clients", {"name": name}).headers["location"].split("/")[2])
    key = add_site(desk, client_id=number)
    desk.post(f"/clients/{number}/keys", {"name": "One", "scope": "write"})
    for place in range(3):
        dashboard.server.lead(email=f"{place}-{key}@example.com", __site=key)
    with closing(sqlite3.connect(dashboard.server.data_dir / "propgauge.db", timeout=10)) as file:
        old = ("2020-01-01T00:00:00.000Z", f"0-{key}@example.com")
        file.execute("UPDATE Leads SET CreatedAt = ? WHERE Email = ?", old)
        file.commit()
    page = desk.get("/clients").text
    for told in ("1 sites", "1 keys", "2 leads"):
        assert f'aria-label="{told} of {name}' in page


def test_pages_below_the_path_of_public_url_lead_there(tmp_path: Any) -> None:
    settings = {"PUBLIC_URL": "https://www.example.com/gauge"}
    with running_dashboard(tmp_path / "data", settings) as dashboard:
        desk = dashboard.stranger()
        session = desk.sign_in(PASSWORD).headers["set-cookie"].split(";")[0]
        desk.http.headers["cookie"] = session
        page = desk.get("/clients/1/sites/demo").text
        assert "PUBLIC_URL is not set" not in page
        assert 'href="/gauge/clients/1/sites/demo/verify"' in page
        added = desk.post("/clients/1/add-site", {"site_key": "below"})
        assert added.headers["location"] == "/gauge/clients/1/sites/below"
        query = {"page": "https://www.example.com/towers"}
        started = desk.get("/clients/1/sites/below/verify", **query)
        assert started.headers["location"].startswith("/gauge/clients/1/sites/below/verify?page=")


def test_sites_for_sales_are_neither_shown_nor_in_the_menu(dashboard: Dashboard) -> None:
    desk = dashboard.desk(SALES)
    assert desk.get("/clients/1/sites").status_code == 403
    assert "/clients/1/sites" not in desk.get("/account").text
