"""Deliveries and conversion events: what left, what waits, what failed; sent again on demand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response
from starlette.routing import BaseRoute

from server.destinations import make_webhook, meta_capi
from server.domain.clock import to_text
from server.domain.delivery import DeliveryState
from server.domain.errors import AppError, ErrorCode, invalid_field
from server.domain.ids import DeliveryId
from server.domain.qualification import LEAD, SUBMIT_APPLICATION
from server.store import audit, delivery_pages, outbox
from server.store.audit import Entry
from server.store.contract import Row
from server.store.delivery_pages import DeliveryFilters, DeliveryPlace
from server.web.dashboard import delivery_view
from server.web.dashboard.call import Call
from server.web.dashboard.lead import origin_query
from server.web.dashboard.parts import Parts
from server.web.dashboard.rendering import flash

PATH = "/clients/{client_id}/deliveries"
PAGE_ROWS = 50
DESTINATIONS = (make_webhook.NAME, meta_capi.NAME)
REPLAYED = (DeliveryState.FAILED, DeliveryState.NOT_CONFIGURED)
_SOON, _LONG_AGO = timedelta(seconds=60), timedelta(minutes=5)
"""How near the next try must be, ahead or behind, for the page to look again by itself."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """The filters as the address has them; texts that are no date are told, not passed over."""

    destination: str = ""
    state: str = ""
    event_name: str = ""
    since: str = ""
    until: str = ""

    @property
    def query(self) -> dict[str, str]:
        """What of it stands in an address."""
        pairs = {
            "destination": self.destination,
            "state": self.state,
            "event": self.event_name,
            "since": self.since,
            "until": self.until,
        }
        return {name: value for name, value in pairs.items() if value}


class DeliveriesPage:
    """Everything below /clients/N/deliveries."""

    def __init__(self, parts: Parts) -> None:
        self._gate = parts.gate
        self._render = parts.renderer
        self._store = parts.store
        self._wake = parts.wake
        self._graph_url = parts.config.meta_graph_url

    def routes(self) -> list[BaseRoute]:
        """The list, what is done to many, and one delivery."""
        route, one = self._gate.route, f"{PATH}/{{delivery_id}}"
        return [
            route(PATH, self.overview),
            route(f"{PATH}/replay", self.ask),
            route(f"{PATH}/replay", self.replay_all, methods=["POST"]),
            route(f"{PATH}/resume", self.resume, methods=["POST"]),
            route(one, self.show),
            route(f"{one}/replay", self.replay, methods=["POST"]),
        ]

    async def overview(self, call: Call) -> Response:
        """A page of deliveries, by the filters of the address."""
        asked, client_id = _asked(call), call.client.client_id
        try:
            filters, after = _filters(call, asked), _place(call.query.get("after", ""))
        except AppError as error:
            errors = {fault.field: fault.message for fault in error.fields}
            return self._list(call, asked, [], {"errors": errors, "paused": [], "failed": 0})
        rows = await delivery_pages.list_page(self._store, client_id, filters, after, PAGE_ROWS + 1)
        paused = await delivery_pages.paused(self._store, client_id)
        failed = await delivery_pages.count(
            self._store, client_id, _replayed(asked.state), asked.destination
        )
        more = {"errors": {}, "paused": paused, "failed": failed, "is_first": after is None}
        return self._list(call, asked, rows, more)

    def _list(
        self, call: Call, asked: _Asked, rows: list[Row], more: Mapping[str, Any]
    ) -> Response:
        shown = rows[:PAGE_ROWS]
        beyond = len(rows) > PAGE_ROWS
        following = {**asked.query, "after": _place_text(shown[-1])} if beyond else {}
        names = {LEAD, SUBMIT_APPLICATION, call.client.scoring.event_name, asked.event_name}
        return self._render.page(
            call,
            "deliveries.html",
            422 if more["errors"] else 200,
            rows=shown,
            asked=asked,
            is_filtered=bool(asked.query),
            following=urlencode(following),
            event_names=sorted(names - {""}),
            states=delivery_pages.STATES,
            destinations=DESTINATIONS,
            replayed=_replayed(asked.state),
            replay_query=urlencode(_of_replay(_replayed(asked.state), asked.destination)),
            clean=delivery_view.cleaner(call.client),
            **{"is_first": True, **more},
        )

    async def ask(self, call: Call) -> Response:
        """How many would be sent again, and whether that is meant."""
        state = _replayed(call.query.get("state", ""))
        destination = _destination(call.query.get("destination", ""))
        found = await delivery_pages.count(self._store, call.client.client_id, state, destination)
        paused = await self._paused(call)
        return self._render.page(
            call,
            "deliveries_replay.html",
            found=found,
            state=state,
            destination=destination,
            paused=paused,
        )

    async def replay_all(self, call: Call) -> Response:
        """Send all of a state again; the workers are told."""
        client_id = call.client.client_id
        state = _replayed(call.text("state"))
        destination = _destination(call.text("destination"))
        count = await delivery_pages.replay_all(
            self._store, client_id, state, destination, call.now
        )
        details = {"state": state, "destination": destination, "count": count}
        await self._keep(call, "deliveries_replayed", destination, details)
        self._wake()
        told = "1 delivery is" if count == 1 else f"{count:,} deliveries are"
        return flash(self._gate.redirect(_path(call)), f"{told} sent again.")

    async def resume(self, call: Call) -> Response:
        """Take a paused destination up again; all that waits for it is due at once."""
        destination = _destination(call.text("destination"))
        reason = await outbox.resume(self._store, call.client.client_id, destination, call.now)
        if reason is None:
            return flash(self._gate.redirect(_path(call)), "It was not paused any more.")
        await self._keep(call, "destination_resumed", destination, {"paused_for": reason})
        self._wake()
        return flash(self._gate.redirect(_path(call)), "Resumed: all that waited is sent now.")

    async def show(self, call: Call) -> Response:
        """One delivery with its attempts."""
        client_id, delivery_id = call.client.client_id, _delivery_id(call)
        row = await self._find(call)
        attempts = await delivery_pages.attempts(self._store, client_id, delivery_id)
        log = await delivery_pages.event_log(self._store, client_id, delivery_id)
        paused = await delivery_pages.paused(self._store, client_id)
        secrets = delivery_view.secrets_of(call.client)
        return self._render.page(
            call,
            "delivery.html",
            row=row,
            request=delivery_view.request_of(row, call.client, self._graph_url),
            attempts=delivery_view.attempts_of(attempts, log, secrets),
            paused=[one for one in paused if one["destination"] == row["destination"]],
            clean=delivery_view.cleaner(call.client),
            is_live=_is_live(row, call.now),
        )

    async def replay(self, call: Call) -> Response:
        """Send one delivery again, and go back to where one came from."""
        row = await self._find(call)
        sent = await delivery_pages.replay_one(
            self._store, call.client.client_id, _delivery_id(call), call.now
        )
        told = "It is being sent just now; wait for its end."
        if sent:
            await self._keep(call, "delivery_replayed", row["delivery_id"], {})
            self._wake()
            told = "It is sent again now."
            if row["destination"] in await self._paused(call):
                told = "It will be sent again once its destination is resumed."
        return flash(self._gate.redirect(_back(call, row)), told)

    async def _paused(self, call: Call) -> list[str]:
        rows = await delivery_pages.paused(self._store, call.client.client_id)
        return [row["destination"] for row in rows]

    async def _find(self, call: Call) -> Row:
        row = await delivery_pages.find(self._store, call.client.client_id, _delivery_id(call))
        if row is None:
            raise AppError(ErrorCode.NOT_FOUND, "There is no such delivery")
        return row

    async def _keep(
        self, call: Call, action: str, subject: str, details: Mapping[str, Any]
    ) -> None:
        user = call.user
        entry = Entry(call.client.client_id, user.user_id, user.email, action, subject, details)
        await self._store.write([audit.entry_statement(entry, call.now)])


def _asked(call: Call) -> _Asked:
    asked = {name: call.query.get(name, "").strip() for name in _PARAMETERS}
    return _Asked(
        asked["destination"], asked["state"], asked["event"], asked["since"], asked["until"]
    )


_PARAMETERS = ("destination", "state", "event", "since", "until")


def _filters(call: Call, asked: _Asked) -> DeliveryFilters:
    """What the store is asked for; raises AppError naming each field at fault."""
    if asked.state and asked.state not in delivery_pages.STATES:
        raise invalid_field("state", "choose one of the list")
    if asked.destination and asked.destination not in DESTINATIONS:
        raise invalid_field("destination", "choose one of the list")
    since, until = _day(call, "since", asked.since), _day(call, "until", asked.until)
    return DeliveryFilters(
        asked.destination,
        asked.state,
        asked.event_name,
        to_text(since) if since else "",
        to_text(until + timedelta(days=1)) if until else "",
    )


def _day(call: Call, name: str, text: str) -> datetime | None:
    """The moment when a day begins where the viewer is."""
    if not text:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=call.zone)
        return day.astimezone(UTC)
    except (ValueError, OverflowError):
        raise invalid_field(name, "is no date such as 2026-11-22") from None


def _place(text: str) -> DeliveryPlace | None:
    moment, _, delivery_id = text.partition(" ")
    return DeliveryPlace(moment, delivery_id) if delivery_id else None


def _place_text(row: Row) -> str:
    return f"{row['created_at']} {row['delivery_id']}"


def _replayed(state: str) -> DeliveryState:
    """The state whose deliveries are sent again: failed, unless the other was asked for."""
    waits = state == DeliveryState.NOT_CONFIGURED
    return DeliveryState.NOT_CONFIGURED if waits else DeliveryState.FAILED


def _destination(text: str) -> str:
    """A destination of ours, "" for all."""
    if text and text not in DESTINATIONS:
        raise AppError(ErrorCode.NOT_FOUND, "There is no such destination")
    return text


def _of_replay(state: str, destination: str) -> dict[str, str]:
    return {"state": state} | ({"destination": destination} if destination else {})


def _is_live(row: Row, now: datetime) -> bool:
    """Whether the page should look again: the next try is near."""
    waits = row["state"] == DeliveryState.PENDING and not row["paused_reason"]
    return waits and to_text(now - _LONG_AGO) <= row["due_at"] <= to_text(now + _SOON)


def _delivery_id(call: Call) -> DeliveryId:
    return DeliveryId(call.request.path_params["delivery_id"])


def _path(call: Call) -> str:
    return f"/clients/{call.client.client_id}/deliveries"


def _back(call: Call, row: Row) -> str:
    """To the lead's page for who came from there, else to the delivery."""
    if call.text("back") == "lead" and row["lead_id"]:
        return f"/clients/{call.client.client_id}/leads/{row['lead_id']}" + origin_query(call)
    return f"{_path(call)}/{row['delivery_id']}"
