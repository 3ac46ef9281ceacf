"""`make bench`: runs every benchmark and prints its table; by name, only those named."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

from bench import checks, dashboard, growth, ingest, leads, overview, scoring, scripts, stores

SECONDS = 5
NAMES = (
    "ingest",
    "leads",
    "stores",
    "growth",
    "scoring",
    "checks",
    "overview",
    "scripts",
    "dashboard",
)


def main() -> None:
    """Run what is asked for."""
    asked = _asked()
    benches: dict[str, Callable[[], None]] = {
        "ingest": partial(ingest.run, asked.seconds),
        "leads": partial(leads.run, asked.seconds),
        "stores": partial(stores.run, asked.seconds),
        "growth": partial(growth.run, large=asked.large),
        "scoring": scoring.run,
        "checks": checks.run,
        "overview": partial(overview.run, asked.seconds, large=asked.large),
        "scripts": scripts.run,
        "dashboard": partial(dashboard.run, large=asked.large),
    }
    for name in asked.names or NAMES:
        benches[name]()


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument(
        "--seconds", type=int, default=SECONDS, help="length of one measured stretch (%(default)s)"
    )
    parser.add_argument(
        "--large",
        action="store_true",
        help="with 5 million sessions, 10 million page views and a million leads",
    )
    asked = parser.parse_args()
    for name in asked.names:
        if name not in NAMES:
            parser.error(f"there is no benchmark {name!r}")
    return asked


if __name__ == "__main__":
    main()
