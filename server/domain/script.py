"""Scripts as browsers get them: a text, and the names that stand for exactly that text."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from posixpath import splitext

HASH_CHARS = 16


@dataclass(frozen=True, slots=True)
class ScriptBuild:
    """One script, minified. `name` is its plain one, such as `tracker.js`."""

    name: str
    text: str

    @property
    def hash(self) -> str:
        """The first 16 hex digits of the text's SHA-256."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:HASH_CHARS]

    @property
    def integrity(self) -> str:
        """What a page's `integrity` attribute says of it (Subresource Integrity, SHA-384)."""
        digest = hashlib.sha384(self.text.encode()).digest()
        return f"sha384-{base64.b64encode(digest).decode()}"


def hashed_path(path: str, script_hash: str) -> str:
    """`/tracker.js` → `/tracker-<hash>.js`; a path without an ending gets the hash at its end."""
    stem, ending = splitext(path)
    return f"{stem}-{script_hash}{ending}"
