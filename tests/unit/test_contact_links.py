import pytest

from server.web.dashboard.contact_links import call_link, mail_link, whatsapp_link


@pytest.mark.parametrize(
    ("e164", "given", "link"),
    [
        ("+442079460123", "020 7946 0123", "tel:+442079460123"),
        (None, "020 7946 0123", "tel:02079460123"),
        (None, "call me", ""),
        (None, "7" * 64_000, ""),
        (None, None, ""),
    ],
)
def test_call_link_dials_what_can_be_dialled(
    e164: str | None, given: str | None, link: str
) -> None:
    assert call_link(e164, given) == link


def test_whatsapp_link_needs_the_country() -> None:
    assert whatsapp_link("+442079460123") == "https://wa.me/442079460123"
    assert whatsapp_link(None) == ""


@pytest.mark.parametrize(
    ("email", "link"),
    [
        ("ana+home@example.com", "mailto:ana+home@example.com"),
        ("ana?subject=x&bcc=y@example.com", "mailto:ana%3Fsubject%3Dx%26bcc%3Dy@example.com"),
        ("no address", ""),
        ("a" * 300 + "@example.com", ""),
        (None, ""),
    ],
)
def test_mail_link_is_of_addresses_only(email: str | None, link: str) -> None:
    assert mail_link(email) == link
