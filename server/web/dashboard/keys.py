"""A client's API keys: list, create (shown once), map fields anew, revoke."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.responses import Response
from starlette.routing import BaseRoute

from server.domain import field_mapping
from server.domain.directory import ApiKey, Scope, hash_of_key, name_fault, new_key
from server.domain.errors import AppError, ErrorCode
from server.domain.field_mapping import FieldMapping
from server.store import audit, site_changes, site_pages
from server.store.audit import Entry
from server.store.site_pages import ListedKey
from server.web.access import Access
from server.web.dashboard.call import Call
from server.web.dashboard.parts import Parts
from server.web.dashboard.rendering import flash
from server.web.snippets import base_url

PATH = "/clients/{client_id}/keys"
SHOWN_CHANGES = 20
MAX_MAPPED = 200
"""As many fields as a lead may have."""

MAY: Mapping[Scope, str] = {
    Scope.WRITE: "Store leads. For partners and platforms that send leads: it cannot read any.",
    Scope.READ: "Read this client's leads. For reports and CRMs: it cannot store or change any.",
    Scope.ADMIN: "Both, and read and change the lead scoring settings. For your own programs.",
}


@dataclass(frozen=True, slots=True)
class KeyForm:
    """The texts of the form, to be shown again as they were."""

    name: str = ""
    scope: str = ""
    mapping: str = ""
    errors: dict[str, str] = field(default_factory=dict)


class KeysPage:
    """Everything below a client's keys."""

    def __init__(self, parts: Parts) -> None:
        self._gate = parts.gate
        self._render = parts.renderer
        self._store = parts.store
        self._base_url = base_url(parts.config)

    def routes(self) -> list[BaseRoute]:
        """The list, the form of a new key, and the mapping and the end of one."""
        admin, one = Access.ADMIN, f"{PATH}/{{key_id:int}}"
        return [
            self._gate.route(PATH, self.list, admin),
            self._gate.route(PATH, self.create, admin, ["POST"]),
            self._gate.route(f"{PATH}/new", self.new, admin),
            self._gate.route(f"{one}/mapping", self.edit_mapping, admin),
            self._gate.route(f"{one}/mapping", self.map, admin, ["POST"]),
            self._gate.route(f"{one}/revoke", self.revoke, admin, ["POST"]),
        ]

    async def list(self, call: Call) -> Response:
        """The keys in force, and who made, mapped and ended keys."""
        client_id = call.client.client_id
        keys = await site_pages.keys_of(self._store, client_id)
        actions = ("key_created", "key_mapped", "key_revoked")
        changes = await audit.history(self._store, client_id, actions, SHOWN_CHANGES)
        return self._render.page(call, "keys.html", keys=keys, changes=changes)

    async def new(self, call: Call) -> Response:
        """The form of a new key."""
        return self._form(call, KeyForm(scope=Scope.WRITE))

    async def create(self, call: Call) -> Response:
        """Make a key and show it, this once."""
        form, mapping = _read(call)
        if form.errors:
            return self._form(call, form)
        secret = new_key()
        client_id, scope = call.client.client_id, Scope(form.scope)
        key = ApiKey(0, form.name, hash_of_key(secret), client_id, scope, mapping)
        details = {"scope": scope, "mapping": dict(mapping)}
        entry = _entry(call, "key_created", form.name, details)
        await site_changes.add_key(self._store, key, entry, call.now)
        example = _example(self._base_url, secret, scope)
        return self._render.page(
            call, "key_made.html", 201, key=key, secret=secret, example=example, may=MAY[scope]
        )

    async def edit_mapping(self, call: Call) -> Response:
        """The form of a key's field mapping."""
        key = await self._key(call)
        return self._mapping_form(call, key, mapping_text(key.field_mapping))

    async def map(self, call: Call) -> Response:
        """Replace a key's field mapping; what is wrong is told beside it."""
        key, text = await self._key(call), call.text("mapping")
        mapping, fault = read_mapping(text)
        known, _fault = read_mapping(call.text("known"))
        if not fault and known != key.field_mapping:
            fault = "was changed meanwhile: the list of keys shows how. Save again to replace it"
        if fault:
            return self._mapping_form(call, key, text, fault)
        if mapping != key.field_mapping:
            details = {"from": dict(key.field_mapping), "to": dict(mapping)}
            entry = _entry(call, "key_mapped", key.name, details)
            if not await site_changes.map_key(self._store, key.key_id, mapping, entry, call.now):
                raise _no_key()
        return flash(self._gate.redirect(_keys(call)), f"Field mapping of {key.name} saved.")

    async def revoke(self, call: Call) -> Response:
        """End a key at once."""
        key = await self._key(call)
        entry = _entry(call, "key_revoked", key.name, {"scope": key.scope})
        await site_changes.revoke_key(self._store, key.key_id, entry, call.now)
        return flash(
            self._gate.redirect(_keys(call)), f"{key.name} revoked: it opens nothing any more."
        )

    def _form(self, call: Call, form: KeyForm) -> Response:
        return self._render.page(
            call, "key_new.html", 422 if form.errors else 200, form=form, scopes=MAY
        )

    def _mapping_form(self, call: Call, key: ListedKey, text: str, fault: str = "") -> Response:
        shown = {"text": text, "known": mapping_text(key.field_mapping), "error": fault}
        return self._render.page(call, "key_mapping.html", 422 if fault else 200, key=key, **shown)

    async def _key(self, call: Call) -> ListedKey:
        key_id = call.request.path_params["key_id"]
        for key in await site_pages.keys_of(self._store, call.client.client_id):
            if key.key_id == key_id:
                return key
        raise _no_key()


def _no_key() -> AppError:
    return AppError(ErrorCode.NOT_FOUND, "There is no such key in force")


def _keys(call: Call) -> str:
    return f"/clients/{call.client.client_id}/keys"


def _read(call: Call) -> tuple[KeyForm, FieldMapping]:
    name, scope, text = call.text("name"), call.text("scope"), call.text("mapping")
    mapping, fault = read_mapping(text)
    faults = {
        "name": name_fault(name),
        "scope": "" if scope in set(Scope) else "is to be chosen",
        "mapping": fault,
    }
    errors = {name: fault for name, fault in faults.items() if fault}
    return KeyForm(name, scope, text, errors), mapping


def read_mapping(text: str) -> tuple[FieldMapping, str]:
    """A mapping told in lines `field=expression`, and the first fault with its line."""
    mapping: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        name, equals, expression = (part.strip() for part in line.partition("="))
        if not line.strip():
            continue
        if not equals:
            return {}, f"Line {number} has no “=” between field and expression"
        if name in mapping:
            return {}, f"Line {number} tells {name} a second time"
        try:
            field_mapping.check({name: expression})
        except ValueError as error:
            return {}, f"Line {number}: {error}"[:300]
        mapping[name] = expression
    if len(mapping) > MAX_MAPPED:
        return {}, f"are more than {MAX_MAPPED} fields"
    return mapping, ""


def mapping_text(mapping: FieldMapping) -> str:
    """A mapping as `read_mapping` reads it."""
    return "\n".join(f"{name}={expression}" for name, expression in mapping.items())


def _example(base: str, secret: str, scope: Scope) -> str:
    bearer = f"-H 'Authorization: Bearer {secret}'"
    if scope is Scope.READ:
        return f"curl {base}/api/leads?limit=5 \\\n  {bearer}"
    lead = '{"SOURCE": "Facebook", "name": "Ana Example", "email": "ana@example.com"}'
    return (
        f"curl {base}/api/lead?dry_run=1 \\\n  {bearer} \\\n"
        f"  -H 'Content-Type: application/json' \\\n  -d '{lead}'"
    )


def _entry(call: Call, action: str, subject: str, details: Mapping[str, object]) -> Entry:
    user = call.user
    return Entry(call.client.client_id, user.user_id, user.email, action, subject, details)
