"""The page of one lead: who it is, why to call, what was done; and the form to work it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from starlette.responses import Response
from starlette.routing import BaseRoute

from server.domain.clock import to_text
from server.domain.contact_links import contact_links
from server.domain.errors import AppError, ErrorCode, invalid_field
from server.domain.ids import LeadId
from server.domain.lead_status import LeadStatus
from server.domain.user import UserId
from server.store import delivery_pages, lead_changes, lead_page, scoring_results
from server.store.contract import Row
from server.store.lead_changes import Actor
from server.usecases.receive_response import SCORE_JOB
from server.usecases.work_lead import LeadEdit, StaleLeadError, owners_of, work_lead
from server.web.dashboard import delivery_view, lead_view
from server.web.dashboard.call import Call
from server.web.dashboard.inbox_rows import clock_of
from server.web.dashboard.parts import Parts
from server.web.dashboard.rendering import flash

PATH = "/clients/{client_id}/leads/{lead_id}"
NO_REVISION = -1
"""Of a form that does not say what it saw: never the present one."""

_MAX_QUERY_CHARS = 2_000
_MAX_DIGITS = 15


@dataclass(frozen=True, slots=True)
class _Draft:
    """What the form of the page says, before it is stored; texts as they were sent.

    Status and owner also as they stood when the form was opened, None where it does not say.
    """

    status: str
    owner: str
    note: str = ""
    opened_status: str | None = None
    opened_owner: str | None = None

    def upon(self, present: _Draft) -> _Draft:
        """The same, with what was left as it stood moved on to what it is at present."""
        return replace(
            self,
            status=present.status if self.status == self.opened_status else self.status,
            owner=present.owner if self.owner == self.opened_owner else self.owner,
        )


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Why a form was not taken: faults by field, or what others changed meanwhile."""

    status: int = 200
    errors: Mapping[str, str] = field(default_factory=dict)
    missed: tuple[Row, ...] = ()
    is_stale: bool = False


_NO_TROUBLE = _Trouble()


class LeadPage:
    """One lead of a client, for all who may see the client."""

    def __init__(self, parts: Parts) -> None:
        self._gate = parts.gate
        self._render = parts.renderer
        self._store = parts.store

    def routes(self) -> list[BaseRoute]:
        """The page and its form."""
        return [
            self._gate.route(PATH, self.show),
            self._gate.route(PATH, self.work, methods=["POST"]),
        ]

    async def show(self, call: Call) -> Response:
        """The page."""
        return await self._page(call, None, _NO_TROUBLE)

    async def work(self, call: Call) -> Response:
        """Store status, owner and note; what another did meanwhile is told, and nothing is lost."""
        draft = _draft(call)
        try:
            edit = LeadEdit(
                status=_status(draft.status),
                owner_id=_owner(draft.owner),
                note=draft.note,
                contacted=bool(call.text("contacted")),
                revision=_whole(call.text("revision"), NO_REVISION),
            )
            changes = await self._work(call, edit)
        except StaleLeadError:
            return await self._stale(call, draft)
        except AppError as error:
            if error.code is not ErrorCode.INVALID:
                raise
            errors = {fault.field: fault.message for fault in error.fields}
            return await self._page(call, draft, _Trouble(422, errors))
        return flash(self._back(call), "Saved." if changes else "There was nothing to save.")

    async def _work(self, call: Call, edit: LeadEdit) -> bool:
        actor = Actor(call.user.user_id, call.user.email)
        client_id, lead_id = call.client.client_id, _lead_id(call)
        return bool(await work_lead(self._store, client_id, lead_id, edit, actor, call.now))

    async def _stale(self, call: Call, draft: _Draft) -> Response:
        seen = _whole(call.text("seen"), 0)
        missed = await lead_changes.history(
            self._store, call.client.client_id, _lead_id(call), after=seen
        )
        return await self._page(call, draft, _Trouble(409, missed=tuple(missed), is_stale=True))

    def _back(self, call: Call) -> Response:
        path = f"/clients/{call.client.client_id}/leads/{_lead_id(call)}"
        return self._gate.redirect(path + origin_query(call))

    async def _page(self, call: Call, draft: _Draft | None, trouble: _Trouble) -> Response:
        lead = await lead_page.find(self._store, call.client.client_id, _lead_id(call))
        if lead is None:
            raise AppError(ErrorCode.NOT_FOUND, "There is no such lead")
        present = _Draft(lead["status"], str(lead["owner_id"] or ""))
        shown = draft.upon(present) if draft else present
        context = {**_static(lead), **await self._read(call, lead)}
        origin = _origin(call)
        return self._render.page(
            call,
            "lead.html",
            trouble.status,
            lead=lead,
            draft=shown,
            trouble=trouble,
            origin=origin,
            back=f"/clients/{call.client.client_id}/leads" + (f"?{origin}" if origin else ""),
            self_query=origin_query(call),
            statuses=list(LeadStatus),
            clean=delivery_view.cleaner(call.client),
            **context,
        )

    async def _read(self, call: Call, lead: dict[str, Any]) -> dict[str, Any]:
        """Everything around the lead, read at once."""
        person, work = await asyncio.gather(self._person(call, lead), self._follow_up(call))
        return {**person, **work}

    async def _person(self, call: Call, lead: dict[str, Any]) -> dict[str, Any]:
        """What is known of the person: visits, other leads, scored responses."""
        store, client_id, email = self._store, call.client.client_id, lead["email"] or ""
        visits, others, responses, result = await asyncio.gather(
            lead_page.visits(store, client_id, lead["session_id"] or ""),
            lead_page.others(store, client_id, lead),
            lead_page.responses(store, client_id, lead["lead_id"], lead["email"], SCORE_JOB),
            scoring_results.result_of(store, client_id, email),
        )
        return {
            "sessions": lead_view.sessions_of(lead, visits),
            "others": others[: lead_page.MAX_OTHERS],
            "more_others": len(others) > lead_page.MAX_OTHERS,
            "scorings": lead_view.scorings_of(lead, responses, result, call.client.scoring),
        }

    async def _follow_up(self, call: Call) -> dict[str, Any]:
        """What became of the lead: deliveries, events, changes, and who may own it."""
        store, client_id, lead_id = self._store, call.client.client_id, _lead_id(call)
        deliveries, events, changes, owners = await asyncio.gather(
            delivery_pages.of_lead(store, client_id, lead_id),
            delivery_pages.events_of_lead(store, client_id, lead_id),
            lead_changes.history(store, client_id, lead_id),
            owners_of(store, client_id),
        )
        return {
            "deliveries": deliveries,
            "events": events,
            "changes": changes,
            "owners": [one.user for one in owners],
        }


def _static(lead: dict[str, Any]) -> dict[str, Any]:
    """What the row alone tells."""
    is_tracked = lead["match_kind"] != "none"
    times = lead["created_at"], lead["first_contact_at"]
    clock = clock_of(*times, lead["engagement_label"], lead["status"], tracked=is_tracked)
    return {
        "clock": clock,
        "due_text": to_text(clock.due_at) if clock.due_at else "",
        "is_tracked": is_tracked,
        "score": lead_view.score_of(lead),
        "match": lead_view.match_of(lead),
        "findings": lead_view.findings_of(lead),
        "fields": lead_view.fields_of(lead),
        "links": contact_links(lead["phone"] or "", lead["phone_e164"] or "", lead["email"] or ""),
    }


def _lead_id(call: Call) -> LeadId:
    return LeadId(call.request.path_params["lead_id"])


def _origin(call: Call) -> str:
    """The query of the list that one came from, given on from page to page."""
    return (call.text("from") or call.query.get("from", ""))[:_MAX_QUERY_CHARS]


def origin_query(call: Call) -> str:
    """What keeps that query in an address of a lead's page, "" without one."""
    origin = _origin(call)
    return f"?from={quote(origin, safe='')}" if origin else ""


def _draft(call: Call) -> _Draft:
    opened = {
        name: call.text(name) if name in call.form else None
        for name in ("opened_status", "opened_owner")
    }
    return _Draft(call.text("status"), call.text("owner"), call.text("note"), **opened)


def _status(text: str) -> LeadStatus:
    try:
        return LeadStatus(text)
    except ValueError:
        raise _invalid("status") from None


def _owner(text: str) -> UserId | None:
    if not text:
        return None
    number = _whole(text, 0)
    if not number:
        raise _invalid("owner")
    return UserId(number)


def _whole(text: str, otherwise: int) -> int:
    is_number = text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS
    return int(text) if is_number else otherwise


def _invalid(name: str) -> AppError:
    return invalid_field(name, "choose one of the list")
