"""tracker.js and form.js: their sizes, and the main thread's time for them in Chromium."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from statistics import median
from typing import Any

import brotli
from playwright.sync_api import Browser, Page

from tests.browser.recorder import STATIC, Site, minified, running_chromium, running_site

NAMES = ("tracker.js", "form.js")
LOADS = 15
EVENTS = 200
CATEGORIES = ["devtools.timeline", "disabled-by-default-devtools.timeline", "v8"]

Trace = list[dict[str, Any]]


def run() -> None:
    """Print sizes, the time to load each script, and tracker.js' time per event."""
    _sizes()
    with running_site() as site, running_chromium() as browser:
        _loads(browser, site)
        _events(browser, site)


def _sizes() -> None:
    print(f"\nscripts, bytes\n{'':12}{'source':>8}{'min':>8}{'gzip':>8}{'brotli':>8}")
    for name in NAMES:
        source, small = (STATIC / name).read_bytes(), minified(name).encode()
        zipped, brotlied = gzip.compress(small, 9), brotli.compress(small, quality=11)
        sizes = (source, small, zipped, brotlied)
        print(f"{name:12}" + "".join(f"{len(body):8}" for body in sizes))


def _loads(browser: Browser, site: Site) -> None:
    print(f"\nmain thread on load, ms, median of {LOADS} (compile and run)")
    for name in NAMES:
        html = f'<!doctype html><title>x</title><script src="{site.origin}/{name}"></script>'
        times = [
            _milliseconds(_traced(browser, lambda page: _open(page, site, html)), name)  # noqa: B023 # called at once
            for _ in range(LOADS)
        ]
        print(f"  {name:12}{median(times):6.2f}")


def _open(page: Page, site: Site, html: str) -> None:
    page.route("**/bench", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto(f"{site.origin}/bench")
    page.wait_for_timeout(100)


def _events(browser: Browser, site: Site) -> None:
    def move(page: Page, step: int) -> None:
        page.mouse.move(10 + step % 100, 10 + step % 90)

    def click(page: Page, _step: int) -> None:
        page.mouse.click(20, 20)

    def wheel(page: Page, step: int) -> None:
        page.mouse.wheel(0, 40 if step % 100 < 50 else -40)

    def key(page: Page, _step: int) -> None:
        page.keyboard.press("a")

    print(f"\nmain thread in tracker.js per event, µs ({EVENTS} of each)")
    kinds: tuple[tuple[str, Callable[[Page, int], None]], ...] = (
        ("pointer move", move),
        ("click", click),
        ("wheel and scroll", wheel),
        ("key", key),
    )
    for label, act in kinds:

        def many(page: Page, act: Callable[[Page, int], None] = act) -> None:
            page.goto(site.page("long.html"))
            for step in range(EVENTS):
                act(page, step)

        total_ms = _milliseconds(_traced(browser, many), "tracker.js", "FunctionCall")
        print(f"  {label:18}{total_ms / EVENTS * 1000:7.1f}")


def _traced(browser: Browser, act: Callable[[Page], None]) -> Trace:
    context = browser.new_context()
    page = context.new_page()
    browser.start_tracing(page=page, categories=CATEGORIES)
    act(page)
    trace: Trace = json.loads(browser.stop_tracing())["traceEvents"]
    context.close()
    return trace


def _milliseconds(trace: Trace, script: str, *names: str) -> float:
    """Time of the trace's complete events that a script is responsible for."""
    wanted = names or ("v8.compile", "EvaluateScript")
    return sum(
        float(event.get("dur", 0)) / 1000
        for event in trace
        if event.get("name") in wanted and script in json.dumps(event.get("args", {}))
    )
