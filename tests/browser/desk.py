"""The dashboard in a real browser: every page watched for script errors, CSP and axe findings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from server.config import ROOT
from tests.dashboard import ADMIN, Dashboard

_AXE = ROOT / "node_modules/axe-core/axe.min.js"
_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
_COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
"""All that a dark page can add to what axe finds on the light one."""
_WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.violatedDirective} ${event.blockedURI}`);
});"""


class Troubles(list[str]):
    """What a browser complained of; a test may empty it after what it meant to provoke."""


@contextmanager
def open_desk(
    browser: Browser, dashboard: Dashboard, email: str = ADMIN, **options: Any
) -> Iterator[Page]:
    """A page of a signed-in user; fails for every script error and every violation of the CSP."""
    context = browser.new_context(locale="en-GB", timezone_id="Asia/Dubai", **options)
    context.set_default_timeout(10_000)
    troubles = Troubles()
    context.on("weberror", lambda thrown: troubles.append(str(thrown.error)))
    context.on(
        "console",
        lambda message: (
            troubles.append(message.text)
            if message.type == "error" and "Content Security Policy" in message.text
            else None
        ),
    )
    context.add_init_script(_WATCH)
    for one in dashboard.desk(email).http.cookies.jar:
        if one.name == "propgauge":
            context.add_cookies(
                [{"name": one.name, "value": one.value or "", "url": dashboard.server.url}]
            )
    context.add_cookies([{"name": "zone", "value": "Asia%2FDubai", "url": dashboard.server.url}])
    page = context.new_page()
    page.goto(dashboard.server.url + "/account")
    yield page
    context.close()
    assert troubles == []


def axe_findings(page: Page) -> list[str]:
    """What axe-core finds on the page as it stands, one line each.

    It is run in an isolated world of the page, which the page's policy does not bind.
    """
    session = page.context.new_cdp_session(page)
    tree = session.send("Page.getFrameTree")
    world = session.send("Page.createIsolatedWorld", {"frameId": tree["frameTree"]["frame"]["id"]})
    script = Path(_AXE).read_text(encoding="utf-8")
    is_dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    rules = json.dumps(_COLOURS if is_dark else _RULES)
    run = f"{script};\naxe.run(document, {rules}).then(r => JSON.stringify(r.violations.map("
    run += "v => v.id + ': ' + v.help + ' @ ' + v.nodes.map(n => n.target.join(' ')).join(', '))))"
    answer = session.send(
        "Runtime.evaluate",
        {
            "expression": run,
            "contextId": world["executionContextId"],
            "awaitPromise": True,
            "returnByValue": True,
        },
    )
    session.detach()
    assert "exceptionDetails" not in answer, answer
    found: list[str] = json.loads(answer["result"]["value"])
    return found
