"""The settings of lead scoring in a browser: tried, drafted and published; looked at by axe."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.desk import axe_findings, open_desk
from tests.settings_desk import PATH, SettingsDesk, running_settings

LIGHT_AND_DARK = ("light", "dark")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Iterator[SettingsDesk]:
    folder = tmp_path_factory.mktemp("settings") / "data"
    with running_settings(folder, database_url=database_url) as settings:
        for number in range(12):
            settings.scored(f"buyer{number:02}@example.com", 0.8 + number / 100, 0.9)
        yield settings


@pytest.fixture
def page(browser: Browser, settings: SettingsDesk) -> Iterator[Page]:
    with open_desk(browser, settings.dashboard) as page:
        page.goto(settings.dashboard.server.url + PATH)
        yield page


@pytest.mark.both_stores
def test_thresholds_are_tried_with_the_preview_drafted_and_published(
    page: Page, settings: SettingsDesk
) -> None:
    expect(page.get_by_text("Nothing would change.")).to_be_visible()
    page.get_by_label("A rotator Financial", exact=True).fill("0.85")
    expect(page.locator("#preview")).to_contain_text("5 of 12")
    expect(page.locator("#preview")).to_contain_text("buyer04@example.com")
    expect(page.locator("#live")).to_contain_text("5 of 12 responses change grade")
    expect(page.get_by_label("A rotator financial, slider")).to_have_value("0.85")
    page.get_by_role("button", name="Save draft").click()
    expect(page.get_by_role("heading", name="Draft, not in force")).to_be_visible()
    assert settings.config()["a_rotator_fin"] == 0.8
    assert axe_findings(page) == []
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Published.")).to_be_visible()
    assert settings.config()["a_rotator_fin"] == 0.85
    page.get_by_role("link", name="History").click()
    published = page.get_by_role("listitem").filter(has_text="Published")
    expect(published).to_contain_text("a_rotator_fin 0.8 → 0.85")
    assert axe_findings(page) == []


def test_slider_moved_by_keyboard_moves_the_number_and_the_preview(page: Page) -> None:
    slider = page.get_by_label("FB CAPI financial, slider")
    slider.focus()
    slider.press("End")
    expect(page.get_by_label("FB CAPI Financial", exact=True)).to_have_value("1")
    expect(page.locator("#preview")).to_contain_text("12 → 0")


def test_threshold_out_of_order_is_told_while_typing(page: Page) -> None:
    field = page.get_by_label("A rotator Show", exact=True)
    field.fill("0.1")
    expect(field).to_have_accessible_description("is lower than the 0.3 of B")
    expect(page.locator("#preview")).to_contain_text("Correct the thresholds")
    assert axe_findings(page) == []
    page.get_by_label("B rotator Show", exact=True).fill("0.1")
    expect(field).to_have_accessible_description("")


def test_preview_without_script_is_a_plain_page(browser: Browser, settings: SettingsDesk) -> None:
    with open_desk(browser, settings.dashboard, java_script_enabled=False) as page:
        page.goto(settings.dashboard.server.url + PATH)
        page.get_by_label("FB CAPI Show", exact=True).fill("0.95")
        page.get_by_role("button", name="Preview").click()
        expect(page.locator("#preview")).to_contain_text("12 → 0")
        assert "_csrf" not in page.url


@pytest.mark.parametrize("scheme", LIGHT_AND_DARK)
def test_every_tab_when_looked_at_by_axe_is_clean(
    browser: Browser, settings: SettingsDesk, scheme: str
) -> None:
    """As empty as it begins, with faults told, and with all that it can show."""
    url = settings.dashboard.server.url
    with open_desk(browser, settings.dashboard, color_scheme=scheme) as page:
        for tab in ("", "/meta", "/make", "/typeform", "/models", "/history"):
            page.goto(url + PATH + tab)
            assert axe_findings(page) == [], tab
            page.goto(f"{url}/clients/2/settings{tab}")
            assert axe_findings(page) == [], tab
        page.goto(url + PATH + "/meta")
        page.get_by_label("Pixel id").fill("not a number")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_label("Pixel id")).to_have_accessible_description(
            "must be digits, at most 20"
        )
        assert axe_findings(page) == []
        page.goto(url + PATH + "/make")
        page.get_by_role("button", name="Make a secret").or_(
            page.get_by_role("button", name="Replace the secret")
        ).click()
        assert axe_findings(page) == []


def test_meta_test_mode_sends_a_test_event_and_shows_the_answer(
    page: Page, settings: SettingsDesk
) -> None:
    page.get_by_role("link", name="Meta").click()
    page.get_by_label("Pixel id").fill("1234567890")
    page.get_by_label("Access token").fill("EAAtoken")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Meta settings saved.")).to_be_visible()
    page.get_by_label("Test event code").fill("TEST123")
    page.get_by_role("button", name="Start test mode").click()
    page.get_by_role("button", name="Send test event").click()
    expect(page.get_by_text("Meta took it")).to_be_visible()
    assert settings.graph.requests[-1].body["test_event_code"] == "TEST123"
    assert axe_findings(page) == []
