import pytest

from server.web.dashboard.settings_make import shown_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("", ""),
        ("https://hook.eu2.make.com/abcdefghijklmnop1234", "hook.eu2.make.com/…1234"),
        ("https://user:secret@hook.example.com/abcdefghijklmnop", "hook.example.com/…mnop"),
        ("https://hook.example.com/short", "hook.example.com/…"),
        ("https://hook.example.com", "hook.example.com/…"),
        ("https://[2001:db8::1]:8443/?key=abcdefghijklmnop", "2001:db8::1/…mnop"),
    ],
)
def test_webhook_address_as_shown_gives_away_host_and_ending_only(url: str, shown: str) -> None:
    assert shown_url(url) == shown
