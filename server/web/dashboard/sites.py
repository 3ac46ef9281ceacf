"""A client's sites: list, add, change, end; and what to paste into their pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from starlette.responses import Response
from starlette.routing import BaseRoute

from server.domain.directory import FIRST_CLIENT, FIRST_SITE, Site
from server.domain.errors import AppError, ErrorCode
from server.store import site_changes, site_pages
from server.store.audit import Entry
from server.store.contract import ConstraintError
from server.usecases.site_directory import SiteDirectory
from server.web.access import Access
from server.web.dashboard import site_form
from server.web.dashboard.call import Call
from server.web.dashboard.parts import Parts
from server.web.dashboard.rendering import flash
from server.web.dashboard.site_form import SiteForm
from server.web.snippets import snippets

PATH = "/clients/{client_id}/sites"
ADD_PATH = "/clients/{client_id}/add-site"
ONE_PATH = PATH + "/{site_key}"
QUIET = timedelta(days=30)
"""How long nothing must have come of a site that is to end."""


class Paste(NamedTuple):
    """How a snippet is called in an address, what its tab says, and what it is for."""

    name: str
    title: str
    purpose: str


PASTES: Sequence[Paste] = (
    Paste("scripts", "Scripts", "Into the <head> of every page. They load beside the page and"
          " hold nothing up."),
    Paste("frozen", "Frozen", "In place of the plain tags where a policy asks for"
          " integrity: this very version, for good. Corrections reach it by new tags only."),
    Paste("form", "Form", "A form to begin with. A form of your own needs its action, or the"
          " attribute data-pg-lead, and nothing else."),
    Paste("csp", "Policy", "To be added where the site sends a Content-Security-Policy."),
    Paste("gtm", "Tag Manager", "As a Custom HTML tag that fires on all pages."),
)  # fmt: skip
"""In the order of `web/snippets.py`."""


class SitesPage:
    """Everything below a client's sites but their verification."""

    def __init__(self, parts: Parts) -> None:
        self._gate = parts.gate
        self._render = parts.renderer
        self._store = parts.store
        self._directory = parts.directory
        self._config = parts.config
        self._builds = parts.builds

    def routes(self) -> list[BaseRoute]:
        """The list, the form of a new site, one site, and its end."""
        admin = Access.ADMIN
        return [
            self._gate.route(PATH, self.list, admin),
            self._gate.route(ADD_PATH, self.new, admin),
            self._gate.route(ADD_PATH, self.add, admin, ["POST"]),
            self._gate.route(ONE_PATH, self.show, admin),
            self._gate.route(ONE_PATH, self.change, admin, ["POST"]),
            self._gate.route(f"{ONE_PATH}/end", self.end, admin, ["POST"]),
        ]

    async def list(self, call: Call) -> Response:
        """The client's sites, and when each was last heard of."""
        client_id = call.client.client_id
        activity = await site_pages.site_activity(self._store, client_id, call.now - QUIET)
        sites = self._directory.sites_of(client_id)
        return self._render.page(call, "sites.html", sites=sites, activity=activity)

    async def new(self, call: Call) -> Response:
        """The form of a new site."""
        return self._render.page(call, "site_new.html", form=SiteForm())

    async def add(self, call: Call) -> Response:
        """Add a site and go on to what is to be pasted."""
        form = site_form.read(call)
        if form.errors:
            return self._render.page(call, "site_new.html", 422, form=form)
        site = form.site(call.client.client_id)
        try:
            await site_changes.add_site(
                self._store, site, _entry(call, "site_added", site), call.now
            )
        except ConstraintError:
            form.errors["site_key"] = "is taken, perhaps by another client"
            return self._render.page(call, "site_new.html", 422, form=form)
        await self._directory.refresh()
        done = f"{site.site_key} added. Paste the scripts, then verify."
        return flash(self._gate.redirect(path_of(site)), done)

    async def show(self, call: Call) -> Response:
        """One site: its form and its snippets."""
        site = await find(self._directory, call)
        return await self._page(call, site, site_form.of_site(site))

    async def change(self, call: Call) -> Response:
        """Store another name or other origins."""
        site = await find(self._directory, call)
        form = site_form.read(call, site.site_key)
        if form.errors:
            return await self._page(call, site, form)
        changed = form.site(site.client_id)
        entry = _entry(call, "site_changed", changed)
        await site_changes.change_site(self._store, changed, entry, call.now)
        await self._directory.refresh()
        return flash(self._gate.redirect(path_of(site)), f"{site.site_key} changed.")

    async def end(self, call: Call) -> Response:
        """Take a site away of which nothing comes any more."""
        site = await find(self._directory, call)
        if is_demo(site):
            raise AppError(ErrorCode.CONFLICT, "Every start makes the demo's site anew")
        entry = _entry(call, "site_ended", site)
        quiet_since = call.now - QUIET
        if not await site_changes.end_site(self._store, site, quiet_since, entry, call.now):
            message = f"Something came of {site.site_key} in the last {QUIET.days} days"
            raise AppError(ErrorCode.CONFLICT, message)
        await self._directory.refresh()
        place = f"/clients/{call.client.client_id}/sites"
        return flash(self._gate.redirect(place), f"{site.site_key} ended.")

    async def _page(self, call: Call, site: Site, form: SiteForm) -> Response:
        since = call.now - QUIET
        activity = await site_pages.site_activity(self._store, site.client_id, since)
        if site.site_key not in activity:
            raise AppError(ErrorCode.NOT_FOUND, "This site has just been ended")
        texts = snippets(self._config, self._builds, site.site_key)
        shown = call.query.get("show", "")
        place = next((at for at, paste in enumerate(PASTES) if paste.name == shown), 0)
        return self._render.page(
            call,
            "site.html",
            422 if form.errors else 200,
            site=site,
            form=form,
            activity=activity[site.site_key],
            pastes=PASTES,
            paste=PASTES[place],
            snippet=texts[place].text,
            reaches=bool(self._config.public_url),
            is_demo=is_demo(site),
            quiet=QUIET,
        )


def path_of(site: Site) -> str:
    """Where a site's page stands."""
    return f"/clients/{site.client_id}/sites/{site.site_key}"


async def find(directory: SiteDirectory, call: Call) -> Site:
    """The site of the path among the client's own; raises AppError (not_found)."""
    key = call.request.path_params["site_key"]
    if directory.should_refresh_for(key):
        await directory.refresh()
    for site in directory.sites_of(call.client.client_id):
        if site.site_key == key:
            return site
    raise AppError(ErrorCode.NOT_FOUND, "There is no such site")


def is_demo(site: Site) -> bool:
    """Whether it is the one that every start makes."""
    return (site.client_id, site.site_key) == (FIRST_CLIENT, FIRST_SITE)


def _entry(call: Call, action: str, site: Site) -> Entry:
    details = {"name": site.name, "origins": sorted(site.allowed_origins)}
    user = call.user
    return Entry(site.client_id, user.user_id, user.email, action, site.site_key, details)
