"""What the owner of a site pastes into it: tags, a form, a policy, a recipe; as texts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import urlsplit

from server.config import Config
from server.domain.script import ScriptBuild, hashed_path
from server.web import builds as scripts
from server.web import lead, track

_FORM = """\
<form method="post" action="{action}">
  <input name="name" autocomplete="name" aria-label="Name">
  <input name="email" type="email" autocomplete="email" aria-label="E-mail">
  <input name="phone" type="tel" autocomplete="tel" aria-label="Phone">
  <textarea name="message" aria-label="Message"></textarea>
  <input type="hidden" name="_redirect" value="/thank-you/">
  <button>Send</button>
</form>"""

_POLICY = """\
script-src {origin};
connect-src {origin};
form-action 'self' {origin};"""

# As ECMAScript 5: the tag manager takes no other. It strips data- attributes of script tags.
_TAG_MANAGER = """\
<script>
  [
    {attributes}
  ].forEach(function (attributes) {{
    var script = document.createElement("script");
    for (var name in attributes) script.setAttribute(name, attributes[name]);
    document.head.appendChild(script);
  }});
</script>"""

Attributes = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Snippet:
    """A text to paste, and what it is."""

    title: str
    text: str


def base_url(config: Config) -> str:
    """Where browsers reach this server; without PUBLIC_URL those of this machine only."""
    return config.public_url or config.local_url


def snippets(config: Config, builds: Sequence[ScriptBuild], site_key: str) -> list[Snippet]:
    """Everything there is to paste for a site, in the order in which people need it."""
    plain = [_attributes(config, build, site_key) for build in builds]
    frozen = [_frozen(config, build, site_key) for build in builds]
    action = escape(base_url(config) + lead.PATH)
    return [
        Snippet("Scripts", _tags(plain)),
        Snippet("Scripts, frozen", _tags(frozen)),
        Snippet("Form", _FORM.format(action=action)),
        Snippet("Content-Security-Policy", _POLICY.format(origin=_origin(config))),
        Snippet("Google Tag Manager", _tag_manager(plain)),
    ]


def _attributes(config: Config, build: ScriptBuild, site_key: str) -> Attributes:
    src = base_url(config) + scripts.paths(config)[build.name]
    return {"src": src, "data-site": site_key, **_endpoint(config, build)}


def _endpoint(config: Config, build: ScriptBuild) -> Attributes:
    """The scripts take their endpoint for one at the root: below a path it must be told."""
    prefix = urlsplit(base_url(config)).path
    beacons = build.name == scripts.TRACKER
    path = (config.track_path or track.PATH) if beacons else lead.PATH
    return {"data-endpoint": prefix + path} if prefix else {}


def _frozen(config: Config, build: ScriptBuild, site_key: str) -> Attributes:
    plain = _attributes(config, build, site_key)
    src = base_url(config) + hashed_path(scripts.paths(config)[build.name], build.hash)
    return {**plain, "src": src, "integrity": build.integrity, "crossorigin": "anonymous"}


def _tags(scripts_attributes: Sequence[Attributes]) -> str:
    return "\n".join(map(_tag, scripts_attributes))


def _tag(attributes: Attributes) -> str:
    written = " ".join(f'{name}="{escape(value)}"' for name, value in attributes.items())
    return f"<script defer {written}></script>"


def _tag_manager(scripts_attributes: Sequence[Attributes]) -> str:
    literals = [json.dumps(attributes).replace("<", r"\u003c") for attributes in scripts_attributes]
    return _TAG_MANAGER.format(attributes=",\n    ".join(literals))


def _origin(config: Config) -> str:
    parts = urlsplit(base_url(config))
    return f"{parts.scheme}://{parts.netloc}"
