"""`make bench`: runs every benchmark and prints its table."""

from __future__ import annotations

import os
import sys

from bench import checks, dashboard, growth, ingest, leads, overview, scoring, scripts, stores


def main() -> None:
    """Run all; BENCH_SECONDS (default 5) is the length of one measured stretch.

    `--million` measures the dashboard at a million leads too, `--large` growth at 5 million
    sessions.
    """
    seconds = int(os.environ.get("BENCH_SECONDS", "5"))
    beacons_per_second = ingest.run(seconds)
    leads.run(seconds, beacons_per_second)
    stores.run(seconds)
    growth.run(large="--large" in sys.argv)
    scoring.run()
    checks.run()
    overview.run()
    scripts.run()
    dashboard.run(million="--million" in sys.argv)


if __name__ == "__main__":
    main()
