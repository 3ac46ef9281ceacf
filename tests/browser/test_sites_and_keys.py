"""Clients, sites and keys in a browser: the journeys, and each page looked at by axe."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import beacons
from tests.browser.desk import axe_findings, open_desk
from tests.dashboard import Dashboard, unique

PATHS = (
    "/clients",
    "/clients/new",
    "/clients/1/edit",
    "/clients/1/sites",
    "/clients/2/sites",
    "/clients/1/add-site",
    "/clients/1/sites/demo",
    "/clients/1/sites/quiet?show=gtm",
    "/clients/1/sites/demo/verify",
    "/clients/1/keys",
    "/clients/2/keys",
    "/clients/1/keys/new",
    "/clients/99/sites",
    "/users",
    "/users/2",
)


@pytest.fixture(scope="module")
def furnished(dashboard: Dashboard) -> Dashboard:
    """Client 1 with sites and keys of every kind, client 2 with none."""
    desk = dashboard.desk()
    origins = "\n".join(f"https://{name}.example.com" for name in ("a", "b", "c", "d" * 60))
    desk.post("/clients/1/add-site", {"site_key": "quiet", "origins": origins, "name": "n" * 80})
    for scope, mapping in (("write", "email=a.b\nphone=c"), ("read", ""), ("admin", "")):
        desk.post("/clients/1/keys", {"name": "k" * 70 + scope, "scope": scope, "mapping": mapping})
    dashboard.server.track(beacons.view(unique("visitor")))
    return dashboard


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_page_of_sites_and_keys_is_clean_and_no_wider_than_the_window(
    browser: Browser, furnished: Dashboard, scheme: str, width: int
) -> None:
    size = {"width": width, "height": 800}
    with open_desk(browser, furnished, color_scheme=scheme, viewport=size) as page:
        for path in PATHS:
            page.goto(furnished.server.url + path)
            assert axe_findings(page) == [], path
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


@pytest.mark.both_stores
def test_client_when_added_goes_on_to_its_site_and_its_snippet_is_copied(
    desk: Page, furnished: Dashboard
) -> None:
    key = unique("palm")
    desk.context.grant_permissions(["clipboard-read", "clipboard-write"])
    desk.goto(furnished.server.url + "/clients")
    desk.get_by_role("button", name="Add a client").click()
    desk.get_by_label("Name").fill("Palm Homes")
    desk.get_by_label("Country of phone numbers").fill("ae")
    desk.get_by_role("button", name="Add client").click()
    expect(desk.get_by_text("Palm Homes added.")).to_be_visible()
    desk.get_by_label("Key").fill(key)
    desk.get_by_label("Allowed origins").fill("https://palm.example\npalm.example")
    desk.get_by_role("button", name="Add site").click()
    expect(desk.get_by_label("Allowed origins")).to_have_accessible_description(
        re.compile("^Line 2: “palm")
    )
    assert axe_findings(desk) == []
    desk.get_by_label("Allowed origins").fill("https://palm.example/home")
    desk.get_by_role("button", name="Add site").click()
    expect(desk.get_by_label("Allowed origins")).to_have_value("https://palm.example")
    desk.get_by_role("link", name="Form", exact=True).click()
    expect(desk.get_by_text("A form to begin with")).to_be_visible()
    assert "show=form" in desk.url
    desk.get_by_role("button", name="Copy").click()
    expect(desk.get_by_role("button", name="Copied")).to_be_visible()
    copied = desk.evaluate("navigator.clipboard.readText()")
    assert copied.startswith('<form method="post"')
    assert axe_findings(desk) == []


@pytest.mark.both_stores
def test_key_when_created_is_copied_once_and_revoked_after_a_second_thought(
    desk: Page, furnished: Dashboard
) -> None:
    desk.context.grant_permissions(["clipboard-read", "clipboard-write"])
    name = unique("Facebook")
    desk.goto(furnished.server.url + "/clients/1/keys")
    desk.get_by_role("button", name="Create a key").click()
    desk.get_by_label("Name").fill(name)
    desk.get_by_label("Field mapping").fill("email")
    desk.get_by_role("button", name="Create key").click()
    expect(desk.get_by_label("Field mapping")).to_have_accessible_description(
        re.compile("^Line 1 has no")
    )
    assert axe_findings(desk) == []
    desk.get_by_label("Field mapping").fill("email=contact.mail")
    desk.get_by_role("button", name="Create key").click()
    expect(desk.get_by_text("Copy it now.")).to_be_visible()
    assert axe_findings(desk) == []
    desk.get_by_role("button", name="Copy").first.click()
    expect(desk.get_by_role("button", name="Copied")).to_be_visible()
    assert desk.evaluate("navigator.clipboard.readText()").startswith("pg_")
    desk.get_by_role("link", name="I have copied it").click()
    desk.get_by_label(f"Revoke {name}", exact=True).click()
    assert axe_findings(desk) == []
    desk.get_by_role("button", name=f"Revoke {name} for good").click()
    expect(desk.get_by_text(f"{name} revoked: it opens nothing any more.")).to_be_visible()


def test_button_when_pressed_again_before_the_answer_sends_nothing_more(
    desk: Page, dashboard: Dashboard
) -> None:
    desk.goto(dashboard.server.url + "/clients/2/keys/new")
    desk.evaluate(
        "window.refused = []; addEventListener('submit', (event) => {"
        " window.refused.push(event.defaultPrevented); event.preventDefault(); })"
    )
    desk.get_by_label("Name").fill("Pressed")
    desk.get_by_role("button", name="Create key").dblclick()
    assert desk.evaluate("window.refused") == [False, True]


def test_snippet_where_the_browser_lends_no_clipboard_is_copied_by_selection(
    desk: Page, dashboard: Dashboard
) -> None:
    desk.add_init_script(
        "Object.defineProperty(navigator, 'clipboard', {value: undefined});"
        "document.addEventListener('copy', () => { window.taken = getSelection().toString(); })"
    )
    desk.goto(dashboard.server.url + "/clients/1/sites/demo")
    desk.get_by_role("button", name="Copy").first.click()
    expect(desk.get_by_role("button", name="Copied")).to_be_visible()
    assert 'data-site="demo"' in desk.evaluate("window.taken")
