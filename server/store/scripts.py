"""Every build of the scripts that a server on this store ever served."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from server.domain.clock import to_text
from server.domain.script import ScriptBuild
from server.store.contract import Statement, Store

_FREEZE = """
INSERT INTO frozen_scripts (name, hash, body, created_at) VALUES (?, ?, ?, ?)
ON CONFLICT (name, hash) DO NOTHING"""

_FIND = "SELECT body FROM frozen_scripts WHERE name = ? AND hash = ?"


async def freeze(store: Store, builds: Sequence[ScriptBuild], now: datetime) -> None:
    """Keep builds for good; changes nothing where they stand."""
    moment = to_text(now)
    await store.write(
        [Statement(_FREEZE, (build.name, build.hash, build.text, moment)) for build in builds]
    )


async def find(store: Store, name: str, script_hash: str) -> ScriptBuild | None:
    """The build of that hash, whichever version made it."""
    rows = await store.query(_FIND, (name, script_hash))
    return ScriptBuild(name, rows[0]["body"]) if rows else None
