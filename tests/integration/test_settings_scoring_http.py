"""Settings → Lead scoring over HTTP: thresholds, preview, drafts, publishing, the history."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from server.domain.qualification import THRESHOLDS
from tests.dashboard import ADMIN, BOUNDED_ADMIN, OTHERS_SALES, SALES
from tests.settings_desk import DEFAULTS, PATH, SettingsDesk

XSS = "<script>alert(1)</script>"


@pytest.fixture
def desk(settings_desk: SettingsDesk) -> SettingsDesk:
    return settings_desk


@pytest.fixture(autouse=True)
def _as_in_the_beginning(desk: SettingsDesk) -> Iterator[None]:
    yield
    desk.execute("DELETE FROM settings_drafts")
    desk.execute("DELETE FROM leadscoring_results")
    desk.execute("UPDATE clients SET lead_scoring_config = '{}'")


def test_thresholds_when_published_are_in_force_at_once(desk: SettingsDesk) -> None:
    answer = desk.publish(a_rotator_fin="0.9", fb_capi_show="0.25")
    assert (answer.status_code, answer.headers["location"]) == (303, PATH)
    config = desk.dashboard.desk().get("/api/v1/leadscoring/config/1").json()
    assert (config["a_rotator_fin"], config["fb_capi_show"]) == (0.9, 0.25)


def test_thresholds_when_published_stand_in_the_history_with_who_and_what(
    desk: SettingsDesk,
) -> None:
    desk.post("/publish", DEFAULTS | {"b_rotator_show": "0.4"}, BOUNDED_ADMIN)
    newest = desk.trail()[0]
    assert (newest["action"], newest["actor"]) == ("settings_published", BOUNDED_ADMIN)
    assert newest["details"] == {"changes": [{"field": "b_rotator_show", "old": 0.3, "new": 0.4}]}
    page = desk.get("/history").text
    assert BOUNDED_ADMIN in page
    assert "b_rotator_show" in page


def test_draft_when_saved_is_shown_but_not_in_force(desk: SettingsDesk) -> None:
    answer = desk.post("/draft", DEFAULTS | {"a_rotator_fin": "0.95"})
    assert answer.status_code == 303
    page = desk.get().text
    assert "Draft, not in force" in page
    assert f"Saved by {ADMIN}" in page
    assert 'name="a_rotator_fin" type="number" min="0" max="1" step="0.01" required' in page
    assert 'value="0.95"' in page
    assert desk.config()["a_rotator_fin"] == 0.8


def test_draft_when_published_is_gone(desk: SettingsDesk) -> None:
    desk.post("/draft", DEFAULTS | {"a_rotator_fin": "0.95"})
    desk.publish(a_rotator_fin="0.95")
    assert desk.rows("SELECT * FROM settings_drafts") == []
    assert desk.config()["a_rotator_fin"] == 0.95


def test_draft_when_discarded_is_gone_and_changes_nothing(desk: SettingsDesk) -> None:
    desk.post("/draft", DEFAULTS | {"a_rotator_fin": "0.95"})
    assert desk.post("/discard").status_code == 303
    assert desk.rows("SELECT * FROM settings_drafts") == []
    assert desk.config()["a_rotator_fin"] == 0.8
    assert desk.trail()[0]["action"] == "settings_draft_discarded"


@pytest.mark.parametrize("path", ["/draft", "/publish"])
def test_change_upon_older_settings_is_told_and_not_lost(desk: SettingsDesk, path: str) -> None:
    old = desk.revision()
    desk.post("/draft", DEFAULTS | {"a_rotator_fin": "0.85"}, BOUNDED_ADMIN)
    mine = DEFAULTS | {"a_rotator_fin": "0.99", "revision": old}
    answer = desk.post(path, mine)
    assert answer.status_code == 409
    assert f"Not saved: {BOUNDED_ADMIN} changed these settings" in answer.text
    assert 'value="0.99"' in answer.text
    assert desk.config()["a_rotator_fin"] == 0.8
    assert '"a_rotator_fin": 0.85' in desk.rows("SELECT config FROM settings_drafts")[0]["config"]
    assert desk.trail()[0]["actor"] == BOUNDED_ADMIN


def test_discarding_a_newer_draft_is_refused(desk: SettingsDesk) -> None:
    old = desk.revision()
    desk.post("/draft", DEFAULTS | {"a_rotator_fin": "0.85"}, BOUNDED_ADMIN)
    assert desk.post("/discard", {"revision": old}).status_code == 409
    assert len(desk.rows("SELECT * FROM settings_drafts")) == 1


def test_settings_that_the_api_changed_are_told_to_who_publishes_over_them(
    desk: SettingsDesk,
) -> None:
    old, admin = desk.revision(), desk.dashboard.desk()
    config = desk.config() | {"c_rotator_show": 0.1}
    headers = {"x-csrf-token": admin.csrf()}
    put = admin.http.put("/api/v1/leadscoring/config/1", json=config, headers=headers)
    assert put.status_code == 200
    assert desk.publish(revision=old).status_code == 409
    assert desk.config()["c_rotator_show"] == 0.1


@pytest.mark.parametrize(
    ("fields", "name", "message"),
    [
        ({"a_rotator_fin": "1.1"}, "a_rotator_fin", "must be a number from 0 to 1"),
        ({"fb_capi_fin": "-0.1"}, "fb_capi_fin", "must be a number from 0 to 1"),
        ({"fb_capi_show": "nan"}, "fb_capi_show", "must be a number from 0 to 1"),
        ({"c_rotator_show": ""}, "c_rotator_show", "must be a number from 0 to 1"),
        ({"b_rotator_fin": XSS * 2_000}, "b_rotator_fin", "must be a number from 0 to 1"),
        ({"a_rotator_fin": "0.5"}, "a_rotator_fin", "is lower than the 0.6 of B"),
        ({"c_rotator_show": "0.4"}, "b_rotator_show", "is lower than the 0.4 of C"),
        ({"scoring_method": "GUESS"}, "scoring_method", "must be AI or ML"),
    ],
)
@pytest.mark.parametrize("path", ["/draft", "/publish"])
def test_thresholds_that_cannot_be_are_refused_beside_their_field(
    desk: SettingsDesk, path: str, fields: dict[str, str], name: str, message: str
) -> None:
    answer = desk.post(path, DEFAULTS | fields)
    assert answer.status_code == 422
    shown = answer.text.partition(f'name="{name}"')[2][:100_000]
    assert 'aria-invalid="true"' in shown
    assert message in shown
    assert XSS not in answer.text
    assert desk.config()["a_rotator_fin"] == 0.8
    assert desk.rows("SELECT * FROM settings_drafts") == []


def test_preview_of_other_thresholds_counts_grades_people_and_events(desk: SettingsDesk) -> None:
    desk.scored("stays-a@example.com", 0.9, 0.9)
    desk.scored("falls@example.com", 0.8, 0.8)
    desk.scored("rises@example.com", 0.5, 0.5)
    desk.scored("others@example.com", 0.5, 0.5, client_id=2)
    page = desk.get(a_rotator_fin="0.85", b_rotator_fin="0.5", fb_capi_fin="0.5").text
    assert "2 of 3 responses change grade. Events: 2 now, 2 then." in page
    assert "falls@example.com" in page
    assert "rises@example.com" in page
    assert "stays-a@example.com" not in page
    assert "others@example.com" not in page


def test_preview_of_more_than_ten_changes_names_the_ten_newest(desk: SettingsDesk) -> None:
    for number in range(15):
        desk.scored(f"person{number:02}@example.com", 0.8, 0.8 + (number % 3) / 100)
    page = desk.get(a_rotator_fin="0.9").text
    assert "15 of 15 responses change grade" in page
    shown = [number for number in range(15) if f"person{number:02}@example.com" in page]
    assert shown == list(range(5, 15))


def test_preview_of_the_settings_in_force_changes_nothing(desk: SettingsDesk) -> None:
    desk.scored("a@example.com", 0.9, 0.9)
    assert "Nothing would change." in desk.get().text


def test_preview_of_a_client_without_scored_responses_says_so(desk: SettingsDesk) -> None:
    desk.execute(
        "INSERT INTO leadscoring_results (client_id, email, created_at, updated_at)"
        " VALUES (1, 'partial@example.com', '', '')"
    )
    assert "No response of this client has been scored yet" in desk.get().text


def test_preview_of_thresholds_out_of_order_tells_that_instead(desk: SettingsDesk) -> None:
    answer = desk.get(a_rotator_fin="0.1")
    assert (answer.status_code, "is lower than the 0.6 of B" in answer.text) == (200, True)
    assert "Correct the thresholds" in answer.text


def test_preview_of_a_lead_with_a_hostile_name_shows_it_as_text(desk: SettingsDesk) -> None:
    email = f"{XSS}{'x' * 65_000}@example.com"
    desk.scored(email, 0.8, 0.8)
    page = desk.get(a_rotator_fin="0.9").text
    assert "&lt;script&gt;alert(1)" in page
    assert XSS not in page
    assert len(page) < 60_000


def test_history_of_a_client_nobody_has_changed_says_so(desk: SettingsDesk) -> None:
    page = desk.dashboard.desk().get("/clients/2/settings/history").text
    assert "Nothing changed yet" in page


def test_history_of_a_hostile_value_shows_it_as_text(desk: SettingsDesk) -> None:
    desk.post("/typeform", {"role_email": XSS})
    page = desk.get("/history").text
    assert "&lt;script&gt;alert(1)" in page
    assert XSS not in page


# --- who may ------------------------------------------------------------------

PAGES = ("", "/meta", "/make", "/typeform", "/models", "/history")
FORMS = (
    *("/draft", "/publish", "/discard", "/meta", "/meta/test-mode", "/meta/test", "/meta/resume"),
    *("/make", "/make/secret", "/make/test", "/make/resume", "/typeform", "/typeform/secret"),
    "/models",
)


@pytest.mark.parametrize("path", PAGES)
def test_page_of_settings_is_refused_to_sales_and_hidden_from_others(
    desk: SettingsDesk, path: str
) -> None:
    assert desk.get(path, SALES).status_code == 403
    assert desk.get(path, OTHERS_SALES).status_code == 403
    other = f"/clients/2/settings{path}"
    assert desk.dashboard.desk(BOUNDED_ADMIN).get(other).status_code == 404
    assert desk.dashboard.server.client.get(PATH + path).status_code == 303


@pytest.mark.parametrize("path", FORMS)
def test_form_of_settings_is_refused_to_sales_others_and_without_a_token(
    desk: SettingsDesk, path: str
) -> None:
    before, count = desk.config(), len(desk.trail())
    assert desk.post(path, DEFAULTS, SALES).status_code == 403
    other = desk.dashboard.desk(BOUNDED_ADMIN)
    assert other.post(f"/clients/2/settings{path}", DEFAULTS).status_code == 404
    assert desk.dashboard.desk().http.post(PATH + path, data=DEFAULTS).status_code == 403
    assert (desk.config(), len(desk.trail())) == (before, count)


def test_menu_of_sales_does_not_offer_settings(desk: SettingsDesk) -> None:
    assert "/settings" in desk.dashboard.desk().get("/account").text
    assert "/settings" not in desk.dashboard.desk(SALES).get("/account").text


# --- the API with a session ---------------------------------------------------


def test_result_is_told_to_the_sales_of_its_client_only(desk: SettingsDesk) -> None:
    desk.scored("asked@example.com", 0.5, 0.5)
    path = "/api/v1/leadscoring?client_id=1&email=asked@example.com"
    assert desk.dashboard.desk(SALES).get(path).json()["p_fin_model"] == 0.5
    assert desk.dashboard.desk(OTHERS_SALES).get(path).status_code == 403
    assert desk.dashboard.server.client.get(path).status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/config/1"),
        ("PUT", "/config/1"),
        ("POST", "/fire-capi-event/1/a@example.com"),
        ("POST", "/predictions/1"),
    ],
)
def test_api_of_settings_is_refused_to_a_session_of_sales(
    desk: SettingsDesk, method: str, path: str
) -> None:
    sales = desk.dashboard.desk(SALES)
    headers = {"x-csrf-token": sales.csrf()}
    url = f"/api/v1/leadscoring{path}"
    assert sales.http.request(method, url, json={}, headers=headers).status_code == 403


@pytest.mark.parametrize(
    "headers", [{}, {"x-csrf-token": "0" * 80}, {"sec-fetch-site": "cross-site"}]
)
def test_api_change_with_a_session_but_not_from_a_page_is_refused(
    desk: SettingsDesk, headers: dict[str, str]
) -> None:
    admin = desk.dashboard.desk()
    if "sec-fetch-site" in headers:
        headers = headers | {"x-csrf-token": admin.csrf()}
    config = desk.config() | {"fb_capi_fin": 0.1}
    answer = admin.http.put("/api/v1/leadscoring/config/1", json=config, headers=headers)
    assert answer.status_code == 403
    assert desk.config()["fb_capi_fin"] == 0.8


def test_api_change_with_a_session_stands_in_the_history_under_the_user(desk: SettingsDesk) -> None:
    admin = desk.dashboard.desk()
    headers = {"x-csrf-token": admin.csrf()}
    config = desk.config() | dict.fromkeys(THRESHOLDS, 0.5)
    answer = admin.http.put("/api/v1/leadscoring/config/1", json=config, headers=headers)
    assert answer.status_code == 200
    newest = desk.trail()[0]
    assert (newest["action"], newest["actor"]) == ("settings_published", ADMIN)
