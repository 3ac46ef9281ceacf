"""`propgauge site show`: a site, and every text to paste into its pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from server.config import ROOT, load
from server.domain.script import ScriptBuild
from server.web import builds
from server.web.snippets import snippets
from tests.integration.test_cli import Installation, run
from tests.integration.test_frozen_scripts_http import ALIASES
from tests.running import RunningServer
from tests.shown import shown_snippets

__all__ = ["run"]  # a fixture

SERVER = "https://leads.example.com"
SITE = "marina"
TITLES = [
    "Scripts",
    "Scripts, frozen",
    "Form",
    "Content-Security-Policy",
    "Google Tag Manager",
]


def shown(run: Installation, site: str = "demo", **settings: str) -> dict[str, str]:
    return shown_snippets("\n".join(run.done("site", "show", site, **settings)))


def test_site_when_it_is_shown_is_told_with_its_client_and_origins(run: Installation) -> None:
    run.done("client", "add", "Acme")
    origins = ("--origin", "https://www.example.com", "--origin", "https://example.com")
    run.done("site", "add", SITE, "--client", "2", *origins)
    head = run.done("site", "show", SITE, PUBLIC_URL=SERVER)[:3]
    assert head == [
        "site marina of client 2 (Acme)",
        "origins: https://example.com https://www.example.com",
        "",
    ]


def test_site_when_it_is_shown_has_every_text_in_order(run: Installation) -> None:
    assert list(shown(run)) == TITLES


def test_site_when_public_url_is_set_is_shown_with_that_address(run: Installation) -> None:
    texts = shown(run, PUBLIC_URL=SERVER + "/")
    assert texts["Scripts"] == (
        f'<script defer src="{SERVER}/tracker.js" data-site="demo"></script>\n'
        f'<script defer src="{SERVER}/form.js" data-site="demo"></script>'
    )
    assert f'action="{SERVER}/api/lead"' in texts["Form"]
    assert "127.0.0.1" not in str(texts)


def test_site_when_public_url_is_not_set_is_shown_with_the_local_one_and_a_hint(
    run: Installation,
) -> None:
    lines = run.done("site", "show", "demo", PORT="8790")
    assert any(line.startswith("PUBLIC_URL is not set") for line in lines)
    assert "http://127.0.0.1:8790/tracker.js" in shown_snippets("\n".join(lines))["Scripts"]
    told = run.done("site", "show", "demo", PUBLIC_URL=SERVER)
    assert not any("PUBLIC_URL" in line for line in told)


def test_site_when_aliases_are_set_is_shown_without_the_plain_names(run: Installation) -> None:
    texts = shown(run, PUBLIC_URL=SERVER, **ALIASES)
    for title in ("Scripts", "Scripts, frozen", "Google Tag Manager"):
        addresses = re.findall(rf'{SERVER}([^"]+)', texts[title])
        assert [re.sub("-[0-9a-f]{16}", "", address) for address in addresses] == [
            "/assets/pg.js",
            "/assets/pg-form.js",
        ]


def test_site_when_the_server_stands_below_a_path_is_shown_with_its_endpoints(
    run: Installation,
) -> None:
    tracker, form = shown(run, PUBLIC_URL=f"{SERVER}/pg", TRACK_PATH="/t")["Scripts"].splitlines()
    assert f'src="{SERVER}/pg/tracker.js" data-site="demo" data-endpoint="/pg/t"' in tracker
    assert f'src="{SERVER}/pg/form.js" data-site="demo" data-endpoint="/pg/api/lead"' in form
    policy = shown(run, PUBLIC_URL=f"{SERVER}/pg")["Content-Security-Policy"]
    assert f"script-src {SERVER};" in policy


def test_site_when_it_is_not_known_is_refused_in_one_line(run: Installation) -> None:
    assert run.refused("site", "show", "nowhere", exit_code=1) == "Error: there is no site nowhere"


def test_site_when_it_is_shown_has_frozen_scripts_that_a_server_of_another_build_serves(
    run: Installation,
) -> None:
    with RunningServer(run.data_dir) as server:
        tags = shown(run, PUBLIC_URL=server.url, TRACK_PATH="/collect")["Scripts, frozen"]
        for tag in tags.splitlines():
            src, integrity = re.findall(r'(?:src|integrity)="([^"]+)"', tag)
            answer = server.client.get(src)
            assert answer.status_code == 200
            assert integrity == ScriptBuild("", answer.text).integrity
        assert '"/collect"' in server.client.get(tags.split('"')[1]).text


def test_snippets_when_the_address_has_characters_of_markup_cannot_break_out(
    tmp_path: Path,
) -> None:
    hostile = 'https://leads.example.com/"><script>alert(1)</script>'
    config = load(tmp_path, {"SECRET_KEY": "k" * 32, "PUBLIC_URL": hostile})
    texts = {one.title: one.text for one in snippets(config, builds.build(""), SITE)}
    for title in ("Scripts", "Scripts, frozen", "Form"):
        assert "<script>alert" not in texts[title]
    assert texts["Google Tag Manager"].count("</script>") == 1


def test_recipe_for_the_tag_manager_holds_no_variable_of_it(run: Installation) -> None:
    assert "{{" not in shown(run)["Google Tag Manager"]


@pytest.mark.parametrize("title", TITLES)
def test_text_of_the_documentation_is_the_one_that_is_shown(tmp_path: Path, title: str) -> None:
    config = load(tmp_path, {"SECRET_KEY": "k" * 32, "PUBLIC_URL": SERVER})
    built = builds.build("")
    (text,) = [one.text for one in snippets(config, built, SITE) if one.title == title]
    document = (ROOT / "docs" / "embedding.md").read_text("utf-8")
    section = document.split(f"\n## {title}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"```\w*\n(.*?)\n```", section, re.DOTALL)
    assert without_hashes(text, built) in blocks


def without_hashes(text: str, built: tuple[ScriptBuild, ...]) -> str:
    """A snippet as the documentation shows it, which no change of a script touches."""
    for build in built:
        text = text.replace(build.hash, "0123456789abcdef").replace(build.integrity, "sha384-…")
    return text
