"""The steps of a site's verification, told from what really came."""

from __future__ import annotations

import re
import time
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests import beacons
from tests.dashboard import Dashboard, unique

PAGE = "https://www.towers.example/a?b=1#c"
ORIGIN = "https://www.towers.example"


class Verification:
    """One verification of a new site of client 1."""

    def __init__(self, dashboard: Dashboard, origins: str = ORIGIN, page: str = PAGE) -> None:
        self.server, self.desk = dashboard.server, dashboard.desk()
        self.key = unique("verified")
        self.desk.post("/clients/1/add-site", {"site_key": self.key, "origins": origins})
        self.path = f"/clients/1/sites/{self.key}/verify"
        started = self.desk.get(self.path, page=page)
        assert started.status_code == 303, started.text
        self.address = started.headers["location"]
        self.token = parse_qs(urlsplit(self.address).query)["check"][0]
        self.url = f"https://www.towers.example/a?b=1&propgauge_verify={self.token}#c"
        self.visitor = unique("visitor")
        self.look()

    def look(self) -> str:
        """The page as text, without its markup."""
        answer = self.desk.get(self.address)
        assert answer.status_code == 200, answer.text
        self.html = answer.text
        return unescape(re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", answer.text)))

    def view(self, site: str = "", page: str = "p1") -> dict[str, Any]:
        """The beacon of the marked page; `site` is the key that its tag tells."""
        return beacons.view(self.visitor, page=page, site=site or self.key, url=self.url)

    def states(self) -> list[str]:
        """How far each of the four steps is."""
        self.look()
        return re.findall(r'<li class="(done|wrong|waiting)">', self.html)


def test_page_to_open_carries_the_mark_before_its_fragment(dashboard: Dashboard) -> None:
    one = Verification(dashboard)
    assert f'href="{one.url.replace("&", "&amp;")}"' in one.html
    assert one.states() == ["waiting"] * 4
    assert 'hx-trigger="every 2s"' in one.html


def test_beacon_of_the_marked_page_reaches_three_steps_and_its_form_the_last(
    dashboard: Dashboard,
) -> None:
    one = Verification(dashboard)
    one.server.track(one.view(), origin=ORIGIN)
    assert one.states() == ["done", "done", "done", "waiting"]
    told = beacons.event(one.visitor, site=one.key, name="propgauge-form")
    one.server.track(told, origin=ORIGIN)
    assert one.states() == ["done"] * 4
    assert "every 2s" not in one.html


def test_lead_of_the_marked_page_proves_its_form(dashboard: Dashboard) -> None:
    one = Verification(dashboard)
    one.server.track(one.view(), origin=ORIGIN)
    one.server.lead(email=f"{one.visitor}@example.com", page_url=one.url, __site=one.key)
    assert one.states() == ["done"] * 4


def test_beacon_of_an_unlisted_origin_is_named_and_can_be_allowed(dashboard: Dashboard) -> None:
    one = Verification(dashboard, origins="https://other.example")
    one.server.track(one.view(), origin=ORIGIN)
    assert one.states() == ["done", "wrong", "done", "waiting"]
    fields = {"origin": ORIGIN, "page": PAGE, "check": one.token}
    answer = one.desk.post(one.path, fields)
    assert answer.headers["location"] == one.address
    assert one.states() == ["done", "done", "done", "waiting"]
    (site,) = one.server.query("SELECT * FROM sites WHERE site_key = ?", (one.key,))
    assert site["allowed_origins"] == f'["https://other.example", "{ORIGIN}"]'
    trail = "SELECT actor FROM audit_trail WHERE subject = ? AND action = 'origin_allowed'"
    assert one.server.query(trail, (one.key,)) == [{"actor": "admin@localhost"}]


def test_origin_that_is_none_cannot_be_allowed(dashboard: Dashboard) -> None:
    one = Verification(dashboard)
    one.server.track(one.view(), origin="null")
    assert one.states() == ["done", "wrong", "done", "waiting"]
    assert "sandboxed frame" in one.look()
    assert "<button" not in one.html.split('class="visit-steps"')[1]
    for origin in ("null", "", "<script>", "https://a b"):
        answer = one.desk.post(one.path, {"origin": origin, "page": PAGE, "check": one.token})
        assert answer.status_code == 422


def test_key_of_another_site_on_the_page_is_told_until_it_is_mended(dashboard: Dashboard) -> None:
    one = Verification(dashboard)
    one.server.track(one.view(site="demo"), origin=ORIGIN)
    assert one.states() == ["done", "done", "wrong", "waiting"]
    assert 'The page’s tag has data-site="demo"' in one.look()
    one.server.track(one.view(page="p2"), origin=ORIGIN)
    assert one.states() == ["done", "done", "done", "waiting"]


def test_key_of_another_clients_site_on_the_page_is_told(dashboard: Dashboard) -> None:
    one, others = Verification(dashboard), unique("others")
    one.desk.post("/clients/2/add-site", {"site_key": others})
    one.server.track(one.view(site=others), origin=ORIGIN)
    assert one.states() == ["done", "done", "wrong", "waiting"]


def test_script_that_was_fetched_without_a_beacon_is_told(dashboard: Dashboard) -> None:
    one = Verification(dashboard)
    for name in ("tracker.js", "form.js"):
        one.server.client.get(f"/{name}", headers={"referer": ORIGIN + "/"})
    assert one.states() == ["done", "waiting", "waiting", "waiting"]
    assert "Global Privacy Control" not in one.look()


def test_steps_not_reached_after_a_while_say_what_to_do(dashboard: Dashboard) -> None:
    one = Verification(dashboard)
    long_ago = f"{int((time.time() - 60) * 1000):011x}"
    one.token = f"check_{long_ago}{one.token[17:]}"
    one.address = f"{one.path}?{urlencode({'page': PAGE, 'check': one.token})}"
    assert "ad blocker" in one.look()
    assert "Put the tag of form.js behind" in one.look()
    one.server.track(beacons.view(unique("visitor"), site=one.key, url=ORIGIN), origin=ORIGIN)
    assert "Other visits of this origin do arrive" in one.look()
    for name in ("tracker.js", "form.js"):
        one.server.client.get(f"/{name}", headers={"referer": ORIGIN + "/"})
    assert "Global Privacy Control" in one.look()
    assert "no form posts here" in one.look()


def test_verification_that_is_over_stops_looking(dashboard: Dashboard) -> None:
    one = Verification(dashboard)
    long_ago = f"{int((time.time() - 660) * 1000):011x}"
    one.token = f"check_{long_ago}{one.token[17:]}"
    one.address = f"{one.path}?{urlencode({'page': PAGE, 'check': one.token})}"
    assert "No longer looking" in one.look()
    assert "every 2s" not in one.html


def test_page_that_is_no_address_is_told_beside_its_field(dashboard: Dashboard) -> None:
    one = Verification(dashboard)
    for page in ("towers", "javascript:alert(1)", "https://", '"><script>alert(1)</script>'):
        answer = one.desk.get(one.path, page=page, check=one.token)
        assert answer.status_code == 422
        assert "must be the whole address of a page" in answer.text
        assert "<script>alert" not in answer.text
    assert "1500 characters" in one.desk.get(one.path, page=PAGE + "x" * 30_000).text


def test_token_that_we_did_not_make_begins_anew(dashboard: Dashboard) -> None:
    one = Verification(dashboard)
    for token in ("", "check_", "check_" + "g" * 29, "%", "check_" + "f" * 29 + "\n"):
        assert one.desk.get(one.path, page=PAGE, check=token).status_code == 303
