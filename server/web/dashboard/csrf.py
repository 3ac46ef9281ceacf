"""Whether an unsafe request came from one of our own pages: a token, and what browsers tell."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from starlette.requests import Request

FIELD = "_csrf"
HEADER = "x-csrf-token"
_INFO = b"propgauge csrf v1"
_SALT_CHARS = 16


class CsrfTokens:
    """Tokens bound to a session; each is another text, so that compressed pages give none away."""

    def __init__(self, secret_key: str) -> None:
        derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_INFO)
        self._key = derived.derive(secret_key.encode())

    def make(self, session_token: str) -> str:
        """A token for a page of that session."""
        salt = secrets.token_hex(_SALT_CHARS // 2)
        return salt + self._mac(salt, session_token)

    def fits(self, token: str, session_token: str) -> bool:
        """Whether a token was made for that session."""
        salt, mac = token[:_SALT_CHARS], token[_SALT_CHARS:]
        expected = self._mac(salt, session_token)
        return hmac.compare_digest(mac.encode(), expected.encode())

    def _mac(self, salt: str, session_token: str) -> str:
        message = f"{salt}:{session_token}".encode()
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()


def is_from_elsewhere(request: Request, own_origin: str) -> bool:
    """Whether the browser says that another site sent this (Sec-Fetch-Site, else Origin)."""
    site = request.headers.get("sec-fetch-site", "")
    if site:
        return site not in ("same-origin", "none")
    origin = request.headers.get("origin", "")
    if not origin:
        return False
    host = request.headers.get("host", "")
    return origin not in (own_origin, f"http://{host}", f"https://{host}")
