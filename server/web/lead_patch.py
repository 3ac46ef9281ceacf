"""PATCH /api/leads/{lead_id}: what a partner's system knows of a lead's fate."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from server.domain.directory import ApiKey, Scope
from server.domain.errors import AppError, ErrorCode, field_errors, invalid_field, invalid_fields
from server.domain.ids import LeadId
from server.domain.lead_status import LeadStatus
from server.domain.user import UserId
from server.store import lead_changes, users
from server.store.contract import Store
from server.store.lead_changes import Actor
from server.usecases.work_lead import MAX_NOTE_CHARS, Keep, LeadEdit, work_lead
from server.web import bodies
from server.web.lead_intake import LeadIntake
from server.web.leads import PATH as LEADS_PATH
from server.web.rate_limits import tightest

PATH = LEADS_PATH + "/{lead_id}"


class LeadPatch(BaseModel):
    """What is to become of a lead; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    status: LeadStatus | None = Field(None, description="null leaves it as it is.")
    owner: Annotated[str, Field(max_length=254)] | None = Field(
        None, description="E-mail address of a user who sees the client's leads; null for nobody."
    )
    note: Annotated[str, Field(max_length=MAX_NOTE_CHARS)] = Field(
        "", description="Kept with the lead's changes."
    )


class LeadPatchEndpoint:
    """Takes status, owner and notes from partners; needs a key that may write."""

    def __init__(self, store: Store, intake: LeadIntake, now: Callable[[], datetime]) -> None:
        self._store = store
        self._intake = intake
        self._now = now

    async def patch(self, request: Request) -> Response:
        """Change a lead of the key's client; the answer tells how it stands then."""
        key = await self._intake.required_key(request, Scope.WRITE)
        allowance = self._intake.count(request, key)
        length = request.headers.get("content-length", "")
        sent = _read(bodies.json_value(await bodies.read(request.receive, length)))
        lead_id = LeadId(request.path_params["lead_id"])
        actor = Actor(None, f"API key {key.name}")
        edit = LeadEdit(sent.status, await self._owner(sent), sent.note)
        changes = await work_lead(self._store, key.client_id, lead_id, edit, actor, self._now())
        content = await self._content(key, lead_id) | {"changed": [one.kind for one in changes]}
        return JSONResponse(content, headers={"cache-control": "no-store", **tightest([allowance])})

    async def _owner(self, sent: LeadPatch) -> UserId | Keep | None:
        if "owner" not in sent.model_fields_set:
            return Keep.AS_IS
        if not sent.owner:
            return None
        found = await users.find_by_email(self._store, sent.owner.strip())
        if found is None:
            raise invalid_field("owner", "cannot see this client's leads")
        return found.user.user_id

    async def _content(self, key: ApiKey, lead_id: LeadId) -> dict[str, Any]:
        state = await lead_changes.state_of(self._store, key.client_id, lead_id)
        if state is None:
            raise AppError(ErrorCode.NOT_FOUND, "There is no such lead")
        return {
            "ok": True,
            "lead_id": lead_id,
            "status": state.status,
            "status_at": state.status_at or None,
            "first_contact_at": state.first_contact_at or None,
            "owner": state.owner or None,
        }


def _read(value: Any) -> LeadPatch:
    if not isinstance(value, dict):
        raise invalid_field("body", "must be a JSON object")
    try:
        return LeadPatch.model_validate(bodies.clean_object(value))
    except ValidationError as error:
        raise invalid_fields(field_errors(error, "body")) from None
