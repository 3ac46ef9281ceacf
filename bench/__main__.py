"""`make bench`: runs every benchmark and prints its table."""

from __future__ import annotations

import os

from bench import checks, ingest, leads, scoring, scripts, stores


def main() -> None:
    """Run all; BENCH_SECONDS (default 5) is the length of one measured stretch."""
    seconds = int(os.environ.get("BENCH_SECONDS", "5"))
    beacons_per_second = ingest.run(seconds)
    leads.run(seconds, beacons_per_second)
    stores.run(seconds)
    scoring.run()
    checks.run()
    scripts.run()


if __name__ == "__main__":
    main()
