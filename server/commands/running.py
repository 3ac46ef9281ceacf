"""What every command needs: the settings, and the store open while it works."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from server import config as settings
from server.config import Config, ConfigError
from server.domain.directory import name_fault
from server.domain.ids import ClientId
from server.store.audit import COMMAND_LINE, Entry
from server.store.contract import ConstraintError, Store, StoreError

Answer = TypeVar("Answer")

NUMBER = click.IntRange(1, 2**63 - 1)
"""Ids and counts, as far as SQLite counts."""


class _Name(click.ParamType[str]):
    """What a client, site or key is called; as the dashboard takes it."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if fault := name_fault(value.strip()):
            self.fail(fault, param, ctx)
        return value.strip()


NAME = _Name()


def entry(
    client_id: ClientId | None, action: str, subject: str, details: Mapping[str, Any] | None = None
) -> Entry:
    """What the audit trail keeps of a command's act."""
    return Entry(client_id, None, COMMAND_LINE, action, subject, details or {})


def load_config() -> Config:
    """The settings; a command with wrong ones ends with the line that names the fault."""
    try:
        return settings.load(settings.project_root(Path.cwd()), os.environ)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None


def run(work: Callable[[Config, Store], Awaitable[Answer]], *, refusal: str = "refused") -> Answer:
    """Open the store, migrate it, do the work, close it; `refusal` tells a broken constraint."""
    from server.app import open_store, prepare_store

    config = load_config()

    async def session() -> Answer:
        store = open_store(config)
        try:
            await prepare_store(store)
            return await work(config, store)
        finally:
            await store.close()

    try:
        return asyncio.run(session())
    except ConstraintError:
        raise click.ClickException(refusal) from None
    except StoreError as error:
        raise click.ClickException(error.advice) from None
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
