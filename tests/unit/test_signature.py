import base64
import hashlib
import hmac

import pytest

from server.domain.signature import is_signed

BODY, SECRET = b'{"event_id": "1"}', "secret"


def header(body: bytes = BODY, secret: str = SECRET) -> str:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return "sha256=" + base64.b64encode(digest).decode()


def test_signature_of_the_very_bytes_is_valid() -> None:
    assert is_signed(BODY, header(), SECRET)
    assert is_signed(BODY, f" {header()} ", SECRET)


@pytest.mark.parametrize(
    "wrong",
    ["", "sha256=", header(BODY + b" "), header(secret="other"), header()[7:], "sha256=é\udcff"],
)
def test_signature_of_anything_else_is_not(wrong: str) -> None:
    assert not is_signed(BODY, wrong, SECRET)
