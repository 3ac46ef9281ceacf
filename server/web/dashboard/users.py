"""Who may sign in: list, add, change, end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from starlette.responses import Response
from starlette.routing import BaseRoute

from server.domain.clock import to_text
from server.domain.errors import AppError, ErrorCode, invalid_field
from server.domain.ids import ClientId
from server.domain.user import Role, UserId
from server.store import audit, users
from server.store.audit import Entry
from server.store.contract import ConstraintError, Statement
from server.store.users import StoredUser
from server.usecases.sign_in import NewUser
from server.web.access import Access
from server.web.dashboard.call import Call
from server.web.dashboard.parts import Parts
from server.web.dashboard.rendering import flash

PATH = "/users"
SHOWN_CHANGES = 20

TOLD: Mapping[str, str] = {
    "user_added": "added",
    "user_changed": "changed",
    "password_set": "given another password",
}
"""How each act on a user is told in the list of changes."""


@dataclass(frozen=True, slots=True)
class _Choice:
    """What a form says of a user."""

    email: str
    role: Role
    client_ids: frozenset[ClientId]


class UsersPage:
    """Everything below /users, for admins of all clients."""

    def __init__(self, parts: Parts) -> None:
        self._gate = parts.gate
        self._render = parts.renderer
        self._store = parts.store
        self._sign_in = parts.sign_in

    def routes(self) -> list[BaseRoute]:
        """The list, the form of a new user, and one user."""
        every, one = Access.ALL_CLIENTS, f"{PATH}/{{user_id:int}}"
        return [
            self._gate.route(PATH, self.list, every),
            self._gate.route(PATH, self.add, every, ["POST"]),
            self._gate.route(f"{PATH}/new", self.new, every),
            self._gate.route(one, self.edit, every),
            self._gate.route(one, self.change, every, ["POST"]),
            self._gate.route(f"{one}/password", self.set_password, every, ["POST"]),
        ]

    async def list(self, call: Call) -> Response:
        """All users, and who added and changed them."""
        stored = await users.list_users(self._store)
        names = {client.client_id: client.name for client in call.clients}
        changes = await audit.history(self._store, None, tuple(TOLD), SHOWN_CHANGES)
        return self._render.page(
            call, "users.html", users=stored, client_names=names, changes=changes, told=TOLD
        )

    async def new(self, call: Call) -> Response:
        """The form of a new user."""
        empty = _Choice("", Role.SALES, frozenset())
        return self._form(call, "user_new.html", empty, {})

    async def add(self, call: Call) -> Response:
        """Add a user; what is wrong is told beside its field."""
        choice = _choice(call, call.text("email"))
        password = (call.form.get("password") or [""])[-1]
        try:
            _check(choice)
            new = NewUser(choice.email, password, choice.role, choice.client_ids)
            user_id = await self._sign_in.add(new, _entry(call, "user_added", choice.email))
        except ConstraintError:
            taken = {"email": "signs in here already"}
            return self._form(call, "user_new.html", choice, taken)
        except AppError as error:
            return self._form(call, "user_new.html", choice, _errors(error))
        return flash(self._gate.redirect(f"{PATH}/{user_id}"), f"{choice.email} added.")

    async def edit(self, call: Call) -> Response:
        """One user."""
        stored = await self._user(call)
        user = stored.user
        return self._form(
            call, "user.html", _Choice(user.email, user.role, user.client_ids), {}, stored
        )

    async def change(self, call: Call) -> Response:
        """Store role, clients and whether the user may sign in."""
        stored = await self._user(call)
        choice = _choice(call, stored.user.email)
        ended = "" if call.text("active") else stored.user.disabled_at or to_text(call.now)
        changed = replace(
            stored.user, role=choice.role, client_ids=choice.client_ids, disabled_at=ended
        )
        try:
            _check(choice)
            if changed.user_id == call.user.user_id and (ended or not changed.sees_all):
                raise invalid_field("role", "cannot be taken from yourself")
        except AppError as error:
            return self._form(call, "user.html", choice, _errors(error), stored)
        entry = _entry(call, "user_changed", changed.email)
        await users.change_user(self._store, changed, entry)
        return flash(self._gate.redirect(PATH), f"{changed.email} changed.")

    async def set_password(self, call: Call) -> Response:
        """Give a user another password; their sessions end."""
        stored = await self._user(call)
        user = stored.user
        try:
            password = (call.form.get("password") or [""])[-1]
            entry = _entry(call, "password_set", user.email)
            await self._sign_in.set_password(user.user_id, password, entry)
        except AppError as error:
            choice = _Choice(user.email, user.role, user.client_ids)
            return self._form(call, "user.html", choice, _errors(error), stored)
        return flash(self._gate.redirect(PATH), f"{user.email} has a new password.")

    def _form(
        self,
        call: Call,
        template: str,
        choice: _Choice,
        errors: dict[str, str],
        stored: StoredUser | None = None,
    ) -> Response:
        status = 422 if errors else 200
        return self._render.page(
            call, template, status, choice=choice, errors=errors, stored=stored, roles=list(Role)
        )

    async def _user(self, call: Call) -> StoredUser:
        stored = await users.find(self._store, UserId(call.request.path_params["user_id"]))
        if stored is None:
            raise AppError(ErrorCode.NOT_FOUND, "There is no such user")
        return stored


def _entry(call: Call, action: str, subject: str) -> Statement:
    entry = Entry(None, call.user.user_id, call.user.email, action, subject)
    return audit.entry_statement(entry, call.now)


def _choice(call: Call, email: str) -> _Choice:
    role = Role.ADMIN if call.text("role") == Role.ADMIN else Role.SALES
    ids = {client for client in call.form.get("clients", ()) if client.isdecimal()}
    seen = {str(client.client_id): client.client_id for client in call.clients}
    return _Choice(email, role, frozenset(seen[text] for text in ids if text in seen))


def _check(choice: _Choice) -> None:
    if choice.role is Role.SALES and not choice.client_ids:
        raise invalid_field("clients", "choose at least one: a salesperson sees only these")


def _errors(error: AppError) -> dict[str, str]:
    return {field.field: field.message for field in error.fields} or {"": error.message}
