#!/bin/sh
# venv.sh PYTHON LOCK: make .venv and install exactly what the lock file pins, then this project.
set -eu
python=$1 lock=$2
if [ ! -x .venv/bin/pip ]; then
  # Debian keeps ensurepip in a package of its own.
  "$python" -m venv .venv 2>/dev/null || {
    rm -rf .venv
    sh scripts/need.sh "" python3-venv
    "$python" -m venv .venv
  }
fi
.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement "$lock"
.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
  --requirement requirements-nodeps.lock
.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-index \
  --no-build-isolation --editable .
