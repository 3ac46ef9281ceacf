"""The secret key that the server makes for itself and keeps in a file of DATA_DIR."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def place(data_dir: Path) -> Path:
    """The file of the key."""
    return data_dir / "secret_key"


def kept(data_dir: Path) -> str:
    """The key of the folder, made (mode 0600) when there is none. Raises OSError."""
    path = place(data_dir)
    if not path.exists():
        _make(path)
    return path.read_text("utf-8").strip()


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{secrets.token_hex(4)}")
    draft.touch(mode=0o600)
    with draft.open("w", encoding="utf-8") as file:
        file.write(secrets.token_urlsafe(48))
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
