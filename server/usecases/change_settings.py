"""Change a client's settings: in one batch with who did it, never over somebody else's change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from server.destinations import make_webhook, meta_capi
from server.domain.directory import Client
from server.domain.errors import (
    AppError,
    ErrorCode,
    FieldError,
    field_errors,
    invalid_field,
    invalid_fields,
)
from server.domain.ids import ClientId
from server.domain.qualification import (
    DRAFTED,
    SECRETS,
    LeadScoringConfig,
    disorder,
    merged,
)
from server.domain.user import UserId
from server.form_ai.chain import parse_models
from server.store import audit, directory, outbox, settings_drafts
from server.store.audit import Entry
from server.store.contract import ConstraintError, Statement, Store
from server.store.settings_drafts import Draft
from server.store.vault import Vault
from server.usecases.site_directory import SiteDirectory

PUBLISHED = "settings_published"
CHANGED = "settings_changed"
DRAFTED_ACTION = "settings_drafted"
DISCARDED = "settings_draft_discarded"
RESUMED = "destination_resumed"
ACTIONS = (PUBLISHED, CHANGED, DRAFTED_ACTION, DISCARDED, RESUMED)
"""What the history of settings tells."""

ALL_SECRETS = frozenset({*SECRETS, "make_webhook_url", "make_webhook_secret"})


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes something: a user's address, or the name of a key."""

    actor: str
    user_id: UserId | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """A client's settings as stored, at one revision, and the draft beside them."""

    revision: int
    client: Client
    draft: Draft | None

    @property
    def scoring(self) -> LeadScoringConfig:
        """The settings in force for scored responses."""
        return self.client.scoring

    @property
    def drafted(self) -> LeadScoringConfig:
        """The settings as the draft would have them; those in force without one."""
        if self.draft is None:
            return self.scoring
        return self.scoring.model_copy(update=dict(self.draft.fields))


class SettingsChange:
    """Changes settings; a running server goes by them as soon as a method returns.

    Each change names the revision that it was made upon and raises AppError (conflict) when that
    is no longer the present one; nothing is changed then. `wake` tells the workers.
    """

    def __init__(
        self,
        store: Store,
        vault: Vault,
        site_directory: SiteDirectory,
        now: Callable[[], datetime],
        wake: Callable[[], None],
    ) -> None:
        self._store = store
        self._vault = vault
        self._directory = site_directory
        self._now = now
        self._wake = wake

    async def settings(self, client_id: ClientId) -> Settings:
        """The settings as they are now."""
        # In this order a change in between shows as a revision that is too old, never too new.
        revision = await settings_drafts.revision_of(self._store, client_id)
        draft = await settings_drafts.draft_of(self._store, client_id)
        await self._directory.refresh()
        return Settings(revision, self._directory.own(client_id), draft)

    async def save_draft(
        self, by: Author, client_id: ClientId, revision: int, fields: Mapping[str, Any]
    ) -> None:
        """Keep thresholds as the client's draft; raises AppError (invalid) for what cannot be."""
        stored = (await self.settings(client_id)).scoring
        drafted = changed(stored, fields).model_dump(mode="json", include=set(DRAFTED))
        changes = differences(stored.model_dump(mode="json"), drafted)
        save = settings_drafts.save_statement(client_id, drafted, by.actor, self._now())
        await self._commit(by, client_id, revision, [save], DRAFTED_ACTION, changes)

    async def discard_draft(self, by: Author, client_id: ClientId, revision: int) -> None:
        """Forget the client's draft."""
        discard = settings_drafts.discard_statement(client_id)
        await self._commit(by, client_id, revision, [discard], DISCARDED, [])

    async def publish(
        self, by: Author, client_id: ClientId, revision: int, fields: Mapping[str, Any]
    ) -> None:
        """Put thresholds into force and end the draft."""
        stored = (await self.settings(client_id)).scoring
        config = changed(stored, fields)
        batch = [
            directory.scoring_statement(self._vault, client_id, config),
            settings_drafts.discard_statement(client_id),
        ]
        changes = differences(stored.model_dump(mode="json"), config.model_dump(mode="json"))
        await self._commit(by, client_id, revision, batch, PUBLISHED, changes)

    async def change_scoring(
        self, by: Author, client_id: ClientId, revision: int, fields: Mapping[str, Any]
    ) -> bool:
        """Put other settings into force; False when they were so already.

        A new token or pixel takes paused events up again.
        """
        stored = (await self.settings(client_id)).scoring
        return await self._replace(by, client_id, revision, stored, changed(stored, fields))

    async def replace_scoring(
        self, by: Author, client_id: ClientId, sent: Mapping[str, Any]
    ) -> LeadScoringConfig:
        """Replace all settings, but secrets whose mask came; the settings as they are now."""
        now = await self.settings(client_id)
        try:
            config = merged(now.scoring, sent)
        except ValidationError as error:
            raise _refusal(error) from None
        _check_models(config)
        await self._replace(by, client_id, now.revision, now.scoring, config, PUBLISHED)
        return self._directory.own(client_id).scoring

    async def change_client(
        self, by: Author, client_id: ClientId, revision: int, fields: Mapping[str, Any]
    ) -> bool:
        """Change name, default region or webhook; a new webhook takes paused leads up again."""
        stored = (await self.settings(client_id)).client
        client = replace(stored, **fields)
        changes = differences(_told(stored), _told(client))
        if not changes:
            return False
        save = directory.client_statement(self._vault, client)
        await self._commit(by, client_id, revision, [save], CHANGED, changes)
        if client.make_webhook_url != stored.make_webhook_url:
            await outbox.resume(self._store, client_id, make_webhook.NAME, self._now())
            self._wake()
        return True

    async def resume(self, by: Author, client_id: ClientId, destination: str) -> bool:
        """Take a paused destination up again; False when it was not paused."""
        now = self._now()
        reason = await outbox.resume(self._store, client_id, destination, now)
        if reason is None:
            return False
        entry = Entry(client_id, by.user_id, by.actor, RESUMED, destination)
        await self._store.write([audit.entry_statement(entry, now)])
        self._wake()
        return True

    async def _replace(
        self,
        by: Author,
        client_id: ClientId,
        revision: int,
        stored: LeadScoringConfig,
        config: LeadScoringConfig,
        action: str = CHANGED,
    ) -> bool:
        changes = differences(stored.model_dump(mode="json"), config.model_dump(mode="json"))
        if not changes:
            return False
        save = directory.scoring_statement(self._vault, client_id, config)
        await self._commit(by, client_id, revision, [save], action, changes)
        if (config.capi_token, config.pixel_id) != (stored.capi_token, stored.pixel_id):
            await outbox.resume(self._store, client_id, meta_capi.NAME, self._now())
            self._wake()
        return True

    async def _commit(
        self,
        by: Author,
        client_id: ClientId,
        revision: int,
        statements: list[Statement],
        action: str,
        changes: list[dict[str, Any]],
    ) -> None:
        entry = Entry(client_id, by.user_id, by.actor, action, details={"changes": changes})
        advance = settings_drafts.advance_statement(client_id, revision)
        try:
            await self._store.write(
                [advance, *statements, audit.entry_statement(entry, self._now())]
            )
        except ConstraintError:
            message = "Somebody changed these settings since this page was opened"
            raise AppError(ErrorCode.CONFLICT, message) from None
        await self._directory.refresh()


def changed(stored: LeadScoringConfig, fields: Mapping[str, Any]) -> LeadScoringConfig:
    """Settings with some fields replaced; raises AppError (invalid) that names each at fault."""
    try:
        config = LeadScoringConfig.model_validate({**stored.model_dump(), **fields})
    except ValidationError as error:
        raise _refusal(error, {**stored.model_dump(), **fields}) from None
    _check_models(config)
    return config


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What of `new` is otherwise in `old`, for the audit trail: of secrets only that they are."""
    return [
        {"field": name, "old": "", "new": "changed"}
        if name in ALL_SECRETS
        else {"field": name, "old": old.get(name), "new": value}
        for name, value in new.items()
        if value != old.get(name)
    ]


def _told(client: Client) -> dict[str, Any]:
    fields = asdict(replace(client, scoring=LeadScoringConfig()))
    return {name: fields[name] for name in fields if name not in ("client_id", "scoring")}


def _check_models(config: LeadScoringConfig) -> None:
    if not config.form_ai_models:
        return
    try:
        parse_models(config.form_ai_models)
    except ValueError as error:
        raise invalid_field("form_ai_models", str(error)) from None


def _refusal(error: ValidationError, tried: Mapping[str, Any] | None = None) -> AppError:
    """What is wrong; with the values that were tried the order's fault is a threshold's."""
    fields = field_errors(error, "rotator")
    if tried is not None and fields[0].field == "rotator":
        fields = [
            FieldError(higher, f"is lower than the {tried[lower]} of {lower[0].upper()}")
            for higher, lower in disorder({name: _number(tried[name]) for name in DRAFTED[1:]})
        ]
    return invalid_fields(fields)


def _number(value: Any) -> float:
    """A threshold that has passed as a number."""
    return float(value)
