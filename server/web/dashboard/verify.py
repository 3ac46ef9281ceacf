"""Verify a site: open one of its pages, and see which step its visit reaches."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode, urlsplit, urlunsplit

from starlette.responses import Response
from starlette.routing import BaseRoute

from server.domain.directory import Site, origin_of
from server.domain.errors import invalid_field
from server.domain.ids import new_id
from server.store import site_changes, site_checks
from server.store.audit import Entry
from server.usecases.watch_site import WATCH_SECONDS, Watch, mark_of
from server.web.access import Access
from server.web.dashboard.call import Call
from server.web.dashboard.parts import Parts
from server.web.dashboard.rendering import flash
from server.web.dashboard.site_steps import Evidence, State, Step, steps
from server.web.dashboard.sites import ONE_PATH, find, is_demo, path_of
from server.web.snippets import base_url

LATE = timedelta(seconds=25)
"""After it each step that is not reached says what to do."""

MAX_PAGE_CHARS = 1_500
FORM_EVENT = "propgauge-form"
"""What form.js tells of a form it found on a marked page."""

MAX_TOKEN_CHARS = 40
_TOKEN = re.compile(r"check_[0-9a-f]{29}")
_TIME_DIGITS = slice(6, 17)


class VerifyPage:
    """The verification of one site; all of it stands in the address, so it can be loaded again."""

    def __init__(self, parts: Parts) -> None:
        self._gate = parts.gate
        self._render = parts.renderer
        self._store = parts.store
        self._directory = parts.directory
        self._watches = parts.site_watches
        self._config = parts.config

    def routes(self) -> list[BaseRoute]:
        """The page, and the button that allows an origin."""
        path = f"{ONE_PATH}/verify"
        return [
            self._gate.route(path, self.show, Access.ADMIN),
            self._gate.route(path, self.allow, Access.ADMIN, ["POST"]),
        ]

    async def show(self, call: Call) -> Response:
        """Ask for a page, then watch its visit arrive."""
        site = await find(self._directory, call)
        page, token = call.query.get("page", "").strip(), call.query.get("check", "")
        if not page:
            return self._page(call, site, self._first_page(site))
        fault = page_fault(page)
        if fault:
            return self._page(call, site, page, fault)
        if not _TOKEN.fullmatch(token):
            return self._gate.redirect(_address(site, page, new_id("check", call.now)))
        watch = self._watches.watch(token, origin_of(page))
        found = steps(await self._evidence(call, site, watch, token), self._directory)
        return self._page(call, site, page, token=token, found=found)

    async def allow(self, call: Call) -> Response:
        """Put an origin on the site's list, and go on."""
        site = await find(self._directory, call)
        origin = origin_of(call.text("origin"))
        if not origin:
            raise invalid_field("origin", "is no origin of a site")
        changed = replace(site, allowed_origins=site.allowed_origins | {origin})
        user = call.user
        details = {"origin": origin}
        entry = Entry(
            site.client_id, user.user_id, user.email, "origin_allowed", site.site_key, details
        )
        await site_changes.change_site(self._store, changed, entry, call.now)
        await self._directory.refresh()
        page = call.text("page")
        back = _address(
            site, "" if page_fault(page) else page, call.text("check")[:MAX_TOKEN_CHARS]
        )
        return flash(self._gate.redirect(back), f"{origin} is allowed now.")

    async def _evidence(self, call: Call, site: Site, watch: Watch, token: str) -> Evidence:
        client_id, seen, mark = site.client_id, watch.sighting, mark_of(token)
        view = None
        if seen is None:
            view = await site_checks.marked_view(self._store, client_id, mark)
        elif seen.client_id == client_id:
            view = await site_checks.view(
                self._store, client_id, seen.session_id, seen.page_view_id
            )
        told = view is not None and await site_checks.has_event(
            self._store, client_id, view, FORM_EVENT
        )
        form_found = told or await site_checks.has_lead(
            self._store, client_id, mark, _started(token)
        )
        return Evidence(site, watch, view, form_found, call.request.headers.get("host", ""))

    def _first_page(self, site: Site) -> str:
        if is_demo(site) and self._config.demo and not site.allowed_origins:
            return base_url(self._config) + "/demo/"
        return next((f"{origin}/" for origin in sorted(site.allowed_origins)), "")

    def _page(
        self,
        call: Call,
        site: Site,
        page: str,
        fault: str = "",
        token: str = "",
        found: list[Step] | None = None,
    ) -> Response:
        age = call.now - _started(token) if token else timedelta()
        done = [step for step in found or () if step.state is State.DONE]
        return self._render.page(
            call,
            "verify.html",
            422 if fault else 200,
            site=site,
            place=path_of(site),
            page=page,
            fault=fault,
            token=token,
            steps=found or [],
            done=len(done),
            late=age > LATE,
            watching=bool(found)
            and len(done) < len(found or ())
            and age.total_seconds() < WATCH_SECONDS,
            marked=_marked(page, token) if token else "",
            here=_address(site, page, token) if token else "",
        )


def page_fault(page: str) -> str:
    """Why an address cannot be one of the site's pages, "" when it can."""
    if len(page) > MAX_PAGE_CHARS:
        return f"has more than {MAX_PAGE_CHARS} characters"
    if not origin_of(page):
        return "must be the whole address of a page, such as https://www.example.com/towers"
    return ""


def _address(site: Site, page: str, token: str) -> str:
    return f"{path_of(site)}/verify?{urlencode({'page': page, 'check': token})}"


def _marked(page: str, token: str) -> str:
    """The page's address with the mark in its query, before the fragment."""
    parts = urlsplit(page)
    query = f"{parts.query}&{mark_of(token)}" if parts.query else mark_of(token)
    return urlunsplit(parts._replace(query=query))


def _started(token: str) -> datetime:
    """When a token was made: every id begins with its time."""
    return datetime.fromtimestamp(int(token[_TIME_DIGITS], 16) / 1000, UTC)
