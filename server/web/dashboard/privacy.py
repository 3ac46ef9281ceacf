"""Privacy: how long data is kept, one person's data exported or erased, and who did what when."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from server.domain.errors import AppError, ErrorCode
from server.domain.person import IdentityKind, Person, from_texts, recognise
from server.domain.retention import MAX_DAYS, Kept, Retention
from server.store import audit, privacy, retention
from server.store.audit import Entry
from server.usecases.erase_person import erase_person
from server.usecases.export_person import PersonActor, export_person, subject_of
from server.web.access import Access
from server.web.dashboard.call import Call
from server.web.dashboard.parts import Parts
from server.web.dashboard.rendering import HEADERS, flash

PATH = "/clients/{client_id}/privacy"
CHANGED = "privacy_changed"
TRAIL_LIMIT = 50

_WORDS = {
    IdentityKind.EMAIL: "E-mail",
    IdentityKind.PHONE: "Phone",
    IdentityKind.VISITOR: "Visitor id",
}


class PrivacyPage:
    """Everything below a client's /privacy, for admins."""

    def __init__(self, parts: Parts) -> None:
        self._gate = parts.gate
        self._render = parts.renderer
        self._store = parts.store
        self._vault = parts.vault
        self._directory = parts.directory
        self._default_days = parts.config.retention_days

    def routes(self) -> list[BaseRoute]:
        """The page, its settings, and what is done with one person's data."""
        route, admin = self._gate.route, Access.ADMIN
        return [
            route(PATH, self.show, admin),
            route(PATH, self.save, admin, ["POST"]),
            route(f"{PATH}/person", self.back, admin),
            route(f"{PATH}/person", self.find, admin, ["POST"]),
            route(f"{PATH}/export", self.export, admin, ["POST"]),
            route(f"{PATH}/erase", self.erase, admin, ["POST"]),
        ]

    async def show(self, call: Call) -> Response:
        """Settings, the search, the audit trail."""
        client = call.client
        texts = {kind.value: str(client.retention.days(kind) or "") for kind in Kept}
        return await self._page(call, texts, truncate_ip=client.truncate_ip)

    async def save(self, call: Call) -> Response:
        """Store retention and whether addresses are cut; what is wrong is told beside it."""
        client = call.client
        texts = {kind.value: call.text(kind.value) for kind in Kept}
        truncate_ip = bool(call.text("truncate_ip"))
        errors = {name: fault for name, text in texts.items() if (fault := _days_fault(text))}
        if errors:
            return await self._page(call, texts, truncate_ip=truncate_ip, errors=errors)
        kept = Retention(**{name: int(text) if text else None for name, text in texts.items()})
        changes = _changes(client.retention, kept)
        if truncate_ip != client.truncate_ip:
            changes["truncate_ip"] = [client.truncate_ip, truncate_ip]
        if changes:
            entry = Entry(
                client.client_id, call.user.user_id, call.user.email, CHANGED, "", changes
            )
            await self._store.write(
                [
                    retention.save_statement(client.client_id, kept, truncate_ip=truncate_ip),
                    audit.entry_statement(entry, call.now),
                ]
            )
            await self._directory.refresh()
        return flash(self._gate.redirect(_path(call)), "Privacy settings saved.")

    async def back(self, call: Call) -> Response:
        """A person is not named by an address, so that none stands in histories and logs."""
        return self._gate.redirect(_path(call))

    async def find(self, call: Call) -> Response:
        """What is stored of a person, by the identities chosen so far."""
        if "identity" in call.form or "first" in call.form:
            person = _person(call)
        else:
            typed = call.text("who")
            one = recognise(typed, call.client.default_region)
            if one is None:
                fault = "is no e-mail address, phone number or visitor id"
                client = call.client
                texts = {kind.value: str(client.retention.days(kind) or "") for kind in Kept}
                return await self._page(
                    call,
                    texts,
                    truncate_ip=client.truncate_ip,
                    errors={"who": fault},
                    who=typed,
                )
            person = Person((one,))
        return await self._person_page(call, "privacy_person.html", person)

    async def export(self, call: Call) -> Response:
        """All of a person's rows as a file; noted in the audit trail."""
        told = await export_person(
            self._store,
            self._vault,
            call.client.client_id,
            _person(call),
            _actor(call),
            call.now,
        )
        headers = {
            **HEADERS,
            "content-disposition": f'attachment; filename="person-{call.now:%Y%m%d-%H%M%S}.json"',
        }
        return JSONResponse(told, headers=headers)

    async def erase(self, call: Call) -> Response:
        """First say what will go; confirmed, let it go."""
        person = _person(call)
        if not call.text("confirmed"):
            return await self._person_page(call, "privacy_erase.html", person)
        rows = await erase_person(
            self._store, self._vault, call.client.client_id, person, _actor(call), call.now
        )
        told = f"{sum(rows.values()):,} rows erased for good."
        return flash(self._gate.redirect(_path(call)), told)

    async def _person_page(self, call: Call, template: str, person: Person) -> Response:
        found = await privacy.find(self._store, call.client.client_id, person)
        counted = await privacy.count(self._store, found.reach)
        subject = subject_of(self._vault, call.client.client_id, person.identities[0])
        return self._render.page(
            call,
            template,
            person=person,
            linked=found.linked,
            counted=counted,
            total=sum(counted.values()),
            words=_WORDS,
            earlier=await audit.of_subject(self._store, call.client.client_id, subject),
        )

    async def _page(
        self,
        call: Call,
        texts: dict[str, str],
        *,
        truncate_ip: bool,
        errors: dict[str, str] | None = None,
        who: str = "",
    ) -> Response:
        older = call.query.get("before", "")
        before = int(older) if older.isascii() and older.isdigit() and len(older) < 19 else None
        rows = await audit.trail(
            self._store, call.client.client_id, before=before, limit=TRAIL_LIMIT + 1
        )
        return self._render.page(
            call,
            "privacy.html",
            422 if errors else 200,
            texts=texts,
            truncate_ip=truncate_ip,
            errors=errors or {},
            who=who,
            default_days=self._default_days,
            trail=[{**row, "told": _told(row["details"])} for row in rows[:TRAIL_LIMIT]],
            more=rows[TRAIL_LIMIT - 1]["id"] if len(rows) > TRAIL_LIMIT else None,
            is_older=before is not None,
            actions=_ACTIONS,
        )


_ACTIONS = {
    "person_exported": "Exported a person",
    "person_erased": "Erased a person",
    CHANGED: "Changed privacy settings",
}
"""Acts of other pages are told by their own names."""


def _path(call: Call) -> str:
    return f"/clients/{call.client.client_id}/privacy"


def _actor(call: Call) -> PersonActor:
    return PersonActor(call.user.user_id, call.user.email)


def _person(call: Call) -> Person:
    """The identities of a form, the one searched for first; raises AppError for others."""
    texts = [*call.form.get("first", ()), *call.form.get("identity", ())]
    try:
        return from_texts(texts)
    except ValueError:
        raise AppError(ErrorCode.INVALID, "Nobody is named: look the person up again") from None


def _days_fault(text: str) -> str:
    if not text or (text.isascii() and text.isdigit() and 0 < int(text[:9]) <= MAX_DAYS):
        return ""
    return f"must be a whole number of days from 1 to {MAX_DAYS:,}, or empty"


def _changes(before: Retention, after: Retention) -> dict[str, list[int | bool | None]]:
    return {
        kind.value: [before.days(kind), after.days(kind)]
        for kind in Kept
        if before.days(kind) != after.days(kind)
    }


def _told(text: str) -> str:
    """The details of an act in a few words: counts and settings, never data."""
    details = json.loads(text)
    if isinstance(details.get("rows"), dict):
        return f"{sum(details['rows'].values()):,} rows in {len(details['rows'])} tables"
    return "; ".join(
        f"{_SETTINGS[name]}: {_value(change[0])} → {_value(change[1])}"
        for name, change in details.items()
        if name in _SETTINGS and isinstance(change, list) and len(change) == 2
    )


_SETTINGS = {
    "visits": "visits",
    "leads": "leads",
    "responses": "form responses",
    "truncate_ip": "addresses cut",
}


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "default" if value is None else f"{value:,} days"
