"""tracker.js and form.js as this version and its settings make them."""

from __future__ import annotations

from pathlib import Path

from server.config import ROOT, Config, ConfigError
from server.domain.script import ScriptBuild
from server.web import track

STATIC = ROOT / "static"
TRACKER, FORM = "tracker.js", "form.js"
_ENDPOINT = f'"{track.PATH}"'


def build(track_path: str, folder: Path = STATIC) -> tuple[ScriptBuild, ScriptBuild]:
    """The tracker and the form script, minified; the tracker posts to `track_path` unless "".

    Raises ConfigError when tracker.js does not hold its default endpoint exactly once.
    """
    tracker = (folder / TRACKER).read_text("utf-8")
    form = (folder / FORM).read_text("utf-8")
    return _minified(TRACKER, _with_endpoint(tracker, track_path)), _minified(FORM, form)


def paths(config: Config) -> dict[str, str]:
    """Where pages find each script: under its alias if one is set."""
    return {
        TRACKER: config.tracker_path or f"/{TRACKER}",
        FORM: config.form_path or f"/{FORM}",
    }


def _with_endpoint(source: str, track_path: str) -> str:
    if not track_path:
        return source
    if source.count(_ENDPOINT) != 1:
        raise ConfigError(f"TRACK_PATH: {TRACKER} does not hold {_ENDPOINT} exactly once")
    return source.replace(_ENDPOINT, f'"{track_path}"')


def _minified(name: str, source: str) -> ScriptBuild:
    # Written in Go: with it come threads, which a process that forks must not have.
    import minify  # noqa: PLC0415

    return ScriptBuild(name, minify.string("application/javascript", source))
