"""Settings → Meta, Make.com, Typeform and Models over HTTP; no secret leaves by any page."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator

import pytest
from standardwebhooks.webhooks import Webhook

from server.destinations.meta_user_data import user_data_of
from server.domain.conversion import UserData
from tests import typeform_payloads
from tests.dashboard import BOUNDED_ADMIN
from tests.graph_server import TRACE_ID, accepted, refused
from tests.integration.http_fixtures import eventually
from tests.settings_desk import SettingsDesk

TOKEN, APP_SECRET, FORM_SECRET = "EAAcanarytoken", "canaryappsecret", "canaryformsecret"
_ONCE = re.compile(r'<code id="new-secret">([^<]+)</code>')


@pytest.fixture
def desk(settings_desk: SettingsDesk) -> SettingsDesk:
    return settings_desk


@pytest.fixture(autouse=True)
def _as_in_the_beginning(desk: SettingsDesk) -> Iterator[None]:
    desk.graph.answer_with(accepted())
    desk.graph.requests.clear()
    desk.receiver.requests.clear()
    desk.receiver.status = 200
    yield
    desk.execute(
        "UPDATE clients SET lead_scoring_config = '{}', make_webhook_url = NULL,"
        " make_webhook_secret = NULL, typeform_secret = NULL"
    )
    desk.execute("DELETE FROM paused_destinations")


META = {
    "pixel_id": "1234567890",
    "capi_token": TOKEN,
    "app_secret": APP_SECRET,
    "event_name": "SubmitApplication",
    "event_source_url": "https://www.example.com/apply",
    "action_source": "website",
}


def test_meta_settings_when_saved_show_that_secrets_are_set_and_never_which(
    desk: SettingsDesk,
) -> None:
    assert desk.post("/meta", META | {"limited_data_use": "1"}).status_code == 303
    config = desk.config()
    assert (config["pixel_id"], config["limited_data_use"]) == ("1234567890", True)
    page = desk.get("/meta").text
    assert page.count('<span class="badge good">set</span>') == 2
    assert 'value="1234567890"' in page


def test_meta_token_left_empty_is_kept_and_removed_when_asked(desk: SettingsDesk) -> None:
    desk.post("/meta", META)
    desk.post("/meta", META | {"capi_token": "", "app_secret": "", "remove_app_secret": "1"})
    config = desk.config()
    assert (config["capi_token"], config["app_secret"]) == ("********", "")


def test_meta_settings_that_cannot_be_are_told_beside_their_field_and_kept_in_the_form(
    desk: SettingsDesk,
) -> None:
    wrong = META | {"pixel_id": "12a", "event_source_url": "javascript:alert(1)"}
    answer = desk.post("/meta", wrong)
    assert answer.status_code == 422
    assert 'id="e-pixel_id">must be digits, at most 20' in answer.text
    assert 'id="e-event_source_url">must be an http or https address' in answer.text
    assert 'value="12a"' in answer.text
    assert TOKEN not in answer.text


def test_meta_settings_saved_upon_older_ones_are_told_and_kept_in_the_form(
    desk: SettingsDesk,
) -> None:
    old = desk.revision()
    desk.post("/meta", META, BOUNDED_ADMIN)
    answer = desk.post("/meta", META | {"pixel_id": "999", "revision": old})
    assert answer.status_code == 409
    assert f"Not saved: {BOUNDED_ADMIN} changed these settings" in answer.text
    assert 'value="999"' in answer.text
    assert desk.config()["pixel_id"] == "1234567890"


def test_meta_settings_of_64_kib_are_refused_not_broken_by(desk: SettingsDesk) -> None:
    answer = desk.post("/meta", META | {"event_name": "<b>" * 21_845, "capi_token": "x" * 65_536})
    assert answer.status_code == 422
    assert "<b><b>" not in answer.text


def test_test_mode_sends_its_code_until_it_ends_by_itself(desk: SettingsDesk) -> None:
    desk.post("/meta", META)
    desk.post("/meta/test-mode", {"test_event_code": "TEST123", "hours": "1"})
    desk.post("/meta/test")
    assert desk.graph.requests[-1].body["test_event_code"] == "TEST123"
    assert "TEST123" in desk.get("/meta").text
    desk.post("/meta/test-mode", {"end": "1"})
    assert (desk.config()["test_event_code"], desk.config()["test_event_until"]) == ("", "")


def test_test_mode_that_has_run_out_is_off(desk: SettingsDesk) -> None:
    admin, headers = desk.dashboard.desk(), {"x-csrf-token": desk.dashboard.desk().csrf()}
    ended = {"test_event_code": "TEST123", "test_event_until": "2026-01-01T00:00:00.000Z"}
    config = desk.config() | ended | {"pixel_id": "1", "capi_token": TOKEN}
    assert (
        admin.http.put("/api/v1/leadscoring/config/1", json=config, headers=headers).status_code
        == 200
    )
    assert "Start test mode" in desk.get("/meta").text
    answer = desk.post("/meta/test")
    assert (answer.status_code, desk.graph.requests) == (422, [])
    assert "Begin test mode first" in answer.text


@pytest.mark.parametrize(
    ("code", "told"), [("", "is missing: Meta"), ("not a code!", "must hold letters, digits")]
)
def test_test_mode_without_a_usable_code_is_refused(
    desk: SettingsDesk, code: str, told: str
) -> None:
    answer = desk.post("/meta/test-mode", {"test_event_code": code, "hours": "24"})
    assert (answer.status_code, 'id="e-test_event_code"' in answer.text) == (422, True)
    assert told in answer.text


def test_stale_form_shows_what_others_changed_where_it_was_left_as_it_stood(
    desk: SettingsDesk,
) -> None:
    desk.post("/meta", META)
    opened = desk.revision()
    desk.post("/meta", META | {"pixel_id": "111"})
    desk.post("/meta", META | {"pixel_id": "222", "limited_data_use": "1"})
    page = desk.post("/meta", META | {"event_name": "Qualified", "revision": opened})
    assert page.status_code == 409
    assert 'value="222"' in page.text
    assert 'name="limited_data_use" value="1" checked' in page.text
    assert 'value="Qualified"' in page.text


def _in_test_mode(desk: SettingsDesk) -> None:
    desk.post("/meta", META)
    desk.post("/meta/test-mode", {"test_event_code": "TEST123", "hours": "24"})


def test_test_event_shows_what_meta_answered_and_is_about_nobody(desk: SettingsDesk) -> None:
    _in_test_mode(desk)
    page = desk.post("/meta/test").text
    assert "Meta took it" in page
    assert TRACE_ID in page
    nobody = user_data_of(UserData(email="test-lead@example.com"))
    assert desk.graph.requests[-1].event["user_data"]["em"] == nobody["em"]
    assert desk.rows("SELECT * FROM facebook_capi_event_log") == []


def test_test_event_that_meta_refuses_shows_its_error_and_no_token(desk: SettingsDesk) -> None:
    _in_test_mode(desk)
    desk.graph.answer_with(refused(190, message=f"Malformed <i>access</i> token {TOKEN}"))
    answer = desk.post("/meta/test")
    assert "Meta did not take it" in answer.text
    assert "Malformed &lt;i&gt;access&lt;/i&gt; token [secret]" in answer.text
    assert TRACE_ID in answer.text
    assert TOKEN not in answer.text
    assert desk.rows("SELECT * FROM paused_destinations") == []


@pytest.mark.parametrize(
    ("tab", "destination"), [("/meta", "meta_capi"), ("/make", "make_webhook")]
)
def test_paused_destination_tells_why_and_is_resumed(
    desk: SettingsDesk, tab: str, destination: str
) -> None:
    reason = "<b>refuses</b> the access token"
    desk.execute(
        "INSERT INTO paused_destinations VALUES (1, ?, '2026-11-20T10:00:00.000Z', ?)",
        destination,
        reason,
    )
    page = desk.get(tab).text
    assert "Sending is paused" in page
    assert "&lt;b&gt;refuses&lt;/b&gt;" in page
    assert desk.post(f"{tab}/resume").status_code == 303
    assert desk.rows("SELECT * FROM paused_destinations") == []
    newest = desk.trail()[0]
    assert (newest["action"], newest["subject"]) == ("destination_resumed", destination)


def test_recent_events_show_their_state_and_trace(desk: SettingsDesk) -> None:
    desk.execute(
        "INSERT INTO facebook_capi_event_log (client_id, event_id, event_name, email, request_body,"
        " response_status, fbtrace_id, created_at) VALUES (1, 'e', 'Lead', 'a@example.com', '{}',"
        " 200, 'trace-of-it', '2026-11-20T10:00:00.000Z')"
    )
    assert "trace-of-it" in desk.get("/meta").text
    assert ">Sent<" in desk.get("/meta").text
    assert "trace-of-it" not in desk.dashboard.desk().get("/clients/2/settings/meta").text
    desk.execute("DELETE FROM facebook_capi_event_log")


# --- Make.com -----------------------------------------------------------------


def test_webhook_address_when_saved_shows_host_and_last_characters_only(
    desk: SettingsDesk,
) -> None:
    secret_part = "canarypathofthewebhook9876"
    desk.post("/make", {"make_webhook_url": f"https://hook.eu2.make.com/{secret_part}"})
    page = desk.get("/make").text
    assert "hook.eu2.make.com/…9876" in page
    assert secret_part not in page
    assert secret_part not in str(desk.rows("SELECT make_webhook_url FROM clients"))
    assert desk.trail()[0]["details"]["changes"] == [
        {"field": "make_webhook_url", "old": "", "new": "changed"}
    ]


@pytest.mark.parametrize(
    "url", ["ftp://example.com/x", "hook.example.com", "https://a b/", "x" * 65_536]
)
def test_webhook_address_that_cannot_be_is_refused_beside_its_field(
    desk: SettingsDesk, url: str
) -> None:
    answer = desk.post("/make", {"make_webhook_url": url})
    assert (answer.status_code, 'id="e-make_webhook_url"' in answer.text) == (422, True)


def test_webhook_address_when_removed_is_gone(desk: SettingsDesk) -> None:
    desk.post("/make", {"make_webhook_url": desk.receiver.url})
    desk.post("/make", {"remove_make_webhook_url": "1"})
    assert "not configured" in desk.get("/make").text


def test_leads_after_a_new_address_go_there_at_once(desk: SettingsDesk) -> None:
    desk.post("/make", {"make_webhook_url": desk.receiver.url})
    desk.dashboard.server.lead(email="buyer@example.com")
    body = eventually(lambda: desk.receiver.requests[0].body if desk.receiver.requests else None)
    assert body["email"] == "buyer@example.com"


def test_signing_secret_is_shown_once_and_signs_the_test(desk: SettingsDesk) -> None:
    desk.post("/make", {"make_webhook_url": desk.receiver.url})
    once = _ONCE.search(desk.post("/make/secret").text)
    assert once
    assert once[1] not in desk.get("/make").text
    page = desk.post("/make/test").text
    assert "Arrived" in page
    received = desk.receiver.requests[-1]
    content = Webhook(once[1]).verify(received.raw, received.headers)
    assert (content["test"], content["lead_source"]) == (True, "Test")
    assert content["email"].endswith("@example.com")


def test_test_that_the_webhook_refuses_tells_the_status_and_pauses_nothing(
    desk: SettingsDesk,
) -> None:
    desk.post("/make", {"make_webhook_url": desk.receiver.url})
    desk.receiver.status = 410
    page = desk.post("/make/test").text
    assert "Did not arrive" in page
    assert "<dd>410</dd>" in page
    assert desk.rows("SELECT * FROM paused_destinations") == []
    assert desk.rows("SELECT * FROM deliveries WHERE delivery_id LIKE 'test%'") == []


def test_test_without_an_address_says_so(desk: SettingsDesk) -> None:
    answer = desk.post("/make/test")
    assert (answer.status_code, "There is no webhook address yet" in answer.text) == (422, True)


def test_making_a_secret_twice_from_one_page_makes_it_once(desk: SettingsDesk) -> None:
    old = desk.revision()
    assert desk.post("/make/secret", {"revision": old}).status_code == 200
    assert desk.post("/make/secret", {"revision": old}).status_code == 409


# --- Typeform -----------------------------------------------------------------


def test_typeform_settings_name_the_address_and_what_came_last(desk: SettingsDesk) -> None:
    page = desk.get("/typeform").text
    assert f"{desk.dashboard.server.url}/api/v1/leadscoring/webhook?client_id=1" in page
    assert "No response has come yet" in page
    assert "Without a secret responses are refused" in page


def test_typeform_secret_and_roles_when_saved_hold_for_the_next_response(
    desk: SettingsDesk,
) -> None:
    fields = {
        "typeform_secret": FORM_SECRET,
        "typeform_form_ids": "f0rm\nothers, f0rm",
        "role_email": "Where do we reach you?",
    }
    assert desk.post("/typeform", fields).status_code == 303
    config = desk.config()
    assert config["typeform_form_ids"] == ["f0rm", "others"]
    assert config["typeform_roles"] == {"email": "Where do we reach you?"}
    answers = [typeform_payloads.answer("text", "reached@example.com", "q1", "short_text", "r1")]
    payload = typeform_payloads.payload(email="", phone="", answers=answers, form_id="f0rm")
    _title(payload, "q1", "Where do we reach you?")
    body = typeform_payloads.encoded(payload)
    mac = base64.b64encode(hmac.new(FORM_SECRET.encode(), body, hashlib.sha256).digest()).decode()
    answer = desk.dashboard.server.client.post(
        "/api/v1/leadscoring/webhook?client_id=1",
        content=body,
        headers={"typeform-signature": f"sha256={mac}", "content-type": "application/json"},
    )
    assert answer.json() == {"ok": True}
    assert desk.rows("SELECT email FROM form_responses") == [{"email": "reached@example.com"}]
    assert "Last response" in desk.get("/typeform").text


def _title(payload: dict[str, object], field_id: str, title: str) -> None:
    """Call a question of the form by that title."""
    response = payload["form_response"]
    assert isinstance(response, dict)
    fields = response["definition"]["fields"]
    fields[:] = [field for field in fields if field["id"] != field_id]
    fields.append({"id": field_id, "ref": "r1", "type": "short_text", "title": title})


def test_typeform_secret_when_made_is_shown_once(desk: SettingsDesk) -> None:
    once = _ONCE.search(desk.post("/typeform/secret").text)
    assert once
    assert once[1] not in desk.get("/typeform").text
    assert desk.config()["typeform_secret"] == "********"


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"typeform_form_ids": "a/b"}, "typeform_form_ids"),
        ({"typeform_secret": "x" * 501}, "typeform_secret"),
        ({"role_phone": "x" * 65_536}, "role_phone"),
    ],
)
def test_typeform_settings_that_cannot_be_are_refused(
    desk: SettingsDesk, fields: dict[str, str], name: str
) -> None:
    answer = desk.post("/typeform", fields)
    assert answer.status_code == 422
    assert 'class="error"' in answer.text.partition(f'name="{name}"')[2]


# --- models -------------------------------------------------------------------


def test_models_when_saved_are_asked_in_that_order(desk: SettingsDesk) -> None:
    lines = "openai:gpt-4o@none\n\n gemini:gemini-2.0-flash "
    assert desk.post("/models", {"form_ai_models": lines}).status_code == 303
    assert desk.config()["form_ai_models"] == "openai:gpt-4o@none,gemini:gemini-2.0-flash"
    page = desk.get("/models").text
    assert page.index("openai:gpt-4o") < page.index("gemini:gemini-2.0-flash")
    assert "will be shut down on 2027-01-14" in page
    assert "was shut down on 2026-06-01" in page
    assert "responses stay unscored" in page


def test_models_that_cannot_be_read_are_told_and_kept_in_the_form(desk: SettingsDesk) -> None:
    answer = desk.post("/models", {"form_ai_models": "claude:<b>"})
    assert answer.status_code == 422
    assert "does not begin with" in answer.text
    assert "claude:&lt;b&gt;</textarea>" in answer.text


# --- secrets ------------------------------------------------------------------


def test_secrets_stand_in_no_page_no_log_and_no_audit_trail(desk: SettingsDesk) -> None:
    url_part = "canaryhookpath0123456789"
    desk.post("/meta", META)
    desk.post("/make", {"make_webhook_url": f"{desk.receiver.url}{url_part}"})
    desk.post("/typeform", {"typeform_secret": FORM_SECRET})
    made = _ONCE.search(desk.post("/make/secret").text)
    assert made
    desk.post("/meta/test-mode", {"test_event_code": "TEST1", "hours": "1"})
    desk.graph.answer_with(refused(190, message=TOKEN))
    shown = [desk.post("/meta/test").text, desk.post("/make/test").text]
    tabs = ("", "/meta", "/make", "/typeform", "/models", "/history")
    shown += [desk.get(tab).text for tab in tabs]
    shown += [str(desk.config()), str(desk.trail()), str(desk.rows("SELECT * FROM clients"))]
    shown += desk.dashboard.server.output
    for secret in (TOKEN, APP_SECRET, FORM_SECRET, url_part, made[1]):
        assert [text for text in shown if secret in text] == []
