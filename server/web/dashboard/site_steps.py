"""The steps of a site's verification: what is reached, what is wrong, what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from server.domain.directory import Site, origin_of
from server.store.site_checks import SeenView
from server.usecases.site_directory import SiteDirectory
from server.usecases.watch_site import MARK, Watch
from server.web.builds import FORM, TRACKER


class State(StrEnum):
    """How far a step is."""

    DONE = "done"
    WRONG = "wrong"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Step:
    """One step; `allow` is an origin that could be put on the list to mend it."""

    title: str
    state: State
    text: str
    advice: Sequence[str] = ()
    allow: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of a visit that is watched for. `own_host` is this server's."""

    site: Site
    watch: Watch
    view: SeenView | None
    form_found: bool
    own_host: str

    @property
    def origin(self) -> str:
        """Where the visit's beacon came from, "" before one came."""
        if self.watch.sighting is not None:
            return self.watch.sighting.origin or "null"
        return origin_of(self.view.url) if self.view is not None else ""

    @property
    def site_key(self) -> str:
        """The key that the page's tag tells."""
        if self.watch.sighting is not None:
            return self.watch.sighting.site
        return self.view.site_key if self.view is not None else ""


def steps(evidence: Evidence, directory: SiteDirectory) -> list[Step]:
    """The four steps, in the order in which they are reached."""
    return [
        _script(evidence),
        _origin(evidence),
        _stored(evidence, directory),
        _form(evidence),
    ]


def _script(evidence: Evidence) -> Step:
    title, watch = "Script loaded", evidence.watch
    if evidence.origin:
        return Step(title, State.DONE, "tracker.js runs on the page.")
    if TRACKER in watch.scripts:
        return Step(title, State.DONE, f"A page of {watch.origin} fetched tracker.js.")
    advice = [
        f"Open the page by the button above: its address must keep “?{MARK}=…”.",
        "Look into the page’s source for the tag of tracker.js. A cached page may lack it.",
        "Where the site sends a Content-Security-Policy, it must name this server in script-src.",
        "Try without an ad blocker. TRACKER_PATH and TRACK_PATH give the script other names.",
    ]
    if watch.others_arrive:
        advice[0] = (
            "Other visits of this origin do arrive. So the mark was dropped from the address by"
            " a redirect, or this browser keeps out of statistics."
        )
    return Step(title, State.WAITING, f"Waiting for a page of {watch.origin}.", advice)


def _origin(evidence: Evidence) -> Step:
    title, origin = "Origin allowed", evidence.origin
    if not origin:
        return Step(title, State.WAITING, "Told by the first beacon.")
    if origin in evidence.site.allowed_origins:
        return Step(title, State.DONE, f"{origin} is on the site’s list.")
    if origin.partition("://")[2] == evidence.own_host:
        return Step(title, State.DONE, f"{origin} is this very server.")
    if not origin_of(origin):
        why = "The page runs in a sandboxed frame, which has no origin that could be listed."
        return Step(title, State.WRONG, why, ["Take the sandbox away, or allow-same-origin to it."])
    why = (
        f"{origin} is not on the site’s list. Its visits are stored, but its scripts may not read"
        " the answers, and its leads count as suspicious."
    )
    return Step(title, State.WRONG, why, allow=origin)


def _stored(evidence: Evidence, directory: SiteDirectory) -> Step:
    title, site = "Beacon stored", evidence.site
    if not evidence.origin:
        return Step(title, State.WAITING, "Waiting for the first beacon.", _silence(evidence))
    owner = directory.owner(key=None, site_key=evidence.site_key, origin=evidence.origin)
    if owner.site is None or owner.site.site_key != site.site_key:
        told = f'data-site="{evidence.site_key}"' if evidence.site_key else "no data-site"
        why = f"The page’s tag has {told}, so the visit does not count for this site."
        return Step(title, State.WRONG, why, [f'Correct it to data-site="{site.site_key}".'])
    if evidence.view is None:
        return Step(
            title,
            State.WAITING,
            "The beacon came, and is not in the store yet.",
            ["If it stays so, the store takes no writes now: see /readyz and the log."],
        )
    return Step(title, State.DONE, f"The visit is stored for {site.site_key}.")


def _silence(evidence: Evidence) -> Sequence[str]:
    return _SILENT if TRACKER in evidence.watch.scripts else ()


def _form(evidence: Evidence) -> Step:
    title = "Form found"
    if evidence.form_found:
        return Step(title, State.DONE, "form.js looks after a lead form of the page.")
    advice = _NO_FORM if FORM in evidence.watch.scripts else _NO_FORM_SCRIPT
    return Step(title, State.WAITING, "Waiting for form.js to find a lead form.", advice)


_SILENT = (
    'With data-consent="required" nothing is sent before the visitor consents: do so on the page.',
    "Global Privacy Control, and Do Not Track with data-dnt, keep a browser out: try another.",
    "A Content-Security-Policy must name this server in connect-src too.",
)
"""Why a page with the tracker sends nothing."""

_NO_FORM = (
    "form.js is there, but no form posts here: give it the snippet’s action, or data-pg-lead.",
    "A form that opens later is found once it does: open it.",
)

_NO_FORM_SCRIPT = (
    "Put the tag of form.js behind the one of tracker.js.",
    "A page without a form needs none: open the page that has it.",
    "Frozen tags of an older version do not tell: send the form once instead.",
)
