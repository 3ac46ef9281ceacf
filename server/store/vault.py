"""Secrets in rows: encrypted with a key derived from SECRET_KEY, never stored in clear."""

from __future__ import annotations

import base64
import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from server.store.contract import StoreError

_INFO = b"propgauge secrets in rows v1"
_NAMES_INFO = b"propgauge pseudonyms v1"
_PREFIX = "v1:"


class Vault:
    """Encrypts and decrypts texts; the prefix of each names the scheme of its key."""

    def __init__(self, secret_key: str) -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(_derived(secret_key, _INFO)))
        self._names_key = _derived(secret_key, _NAMES_INFO)

    def pseudonym(self, text: str) -> str:
        """16 hex digits that stand for a text: equal for equal ones, and never turned back."""
        return hmac.new(self._names_key, text.encode(), hashlib.sha256).hexdigest()[:16]

    def encrypt(self, text: str) -> str:
        """The text as it may stand in a row; "" stays ""."""
        return _PREFIX + self._fernet.encrypt(text.encode()).decode() if text else ""

    def decrypt(self, token: str) -> str:
        """What was encrypted; raises StoreError when SECRET_KEY is not the one it was made with."""
        if not token:
            return ""
        try:
            return self._fernet.decrypt(token.removeprefix(_PREFIX).encode()).decode()
        except InvalidToken as error:
            raise StoreError("a stored secret was encrypted with another SECRET_KEY") from error


def _derived(secret_key: str, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret_key.encode())
