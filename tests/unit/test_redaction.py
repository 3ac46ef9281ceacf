import json

import pytest

from server.domain.redaction import redacted

SECRET = 'pass/word "1"'


def test_redacted_takes_out_a_secret_in_every_form() -> None:
    forms = [
        SECRET,
        json.dumps(SECRET),
        json.dumps(SECRET).replace("/", r"\/"),
        "pass%2Fword%20%221%22",
    ]
    cleaned = redacted(" | ".join(forms), [SECRET])
    assert "word" not in cleaned
    assert cleaned.count("[secret]") == 4


@pytest.mark.parametrize(
    "text",
    [
        "https://hook.eu1.make.com/abcdef0123456789",
        "EAAGm0PX4ZCpsBAKZAbcdefghijklmnop",
        "whsec_c2VjcmV0IG9mIHRlc3Rz",
    ],
)
def test_redacted_takes_out_what_looks_like_a_secret_of_the_past(text: str) -> None:
    assert redacted(f"sent to {text} twice", []) == "sent to [secret] twice"


def test_redacted_leaves_ordinary_texts_alone() -> None:
    text = '{"page_url": "https://www.example.com/homes?a=1", "message": "Hook me up, EAA"}'
    assert redacted(text, ["", "ab"]) == text
