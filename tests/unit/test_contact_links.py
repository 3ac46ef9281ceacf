import pytest

from server.domain.contact_links import contact_links


def test_contact_links_of_a_whole_contact_call_message_and_write() -> None:
    links = contact_links("020 7946 0123", "+442079460123", "ada@example.com")
    assert links.call == "tel:+442079460123"
    assert links.whatsapp == "https://wa.me/442079460123"
    assert links.mail == "mailto:ada@example.com"


def test_contact_links_of_a_number_without_country_call_only() -> None:
    links = contact_links("(020) 7946-0123", "", "")
    assert (links.call, links.whatsapp, links.mail) == ("tel:02079460123", "", "")


@pytest.mark.parametrize("phone", ["", "call me", "12", "1" * 21, "<script>"])
def test_contact_links_of_no_number_have_no_call(phone: str) -> None:
    assert contact_links(phone, "", "").call == ""


@pytest.mark.parametrize(
    "email", ["", "nobody", "a b@example.com", "a@b?cc=c@example.com,x", "x" * 65 + "@example.com"]
)
def test_contact_links_of_no_address_have_no_mail(email: str) -> None:
    assert contact_links("", "", email).mail == ""


def test_contact_links_of_an_odd_address_are_escaped() -> None:
    assert contact_links("", "", "a?b&c@example.com").mail == "mailto:a%3Fb%26c@example.com"
