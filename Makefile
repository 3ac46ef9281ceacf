# Two commands: `make serve` and `make test`. Each sets up what it needs by itself.

PYTHON ?= python3
BIN := .venv/bin
LINT_PATHS := server tests bench

.PHONY: serve test lint unit rest bench lock clean

serve: .set-up/serve
	@exec $(BIN)/propgauge serve

test: .set-up/test lint unit rest

# Everything but running: style, types, arrows, the scripts' types.
lint: .set-up/test
	$(BIN)/ruff check $(LINT_PATHS)
	$(BIN)/ruff format --check $(LINT_PATHS)
	$(BIN)/mypy
	$(BIN)/lint-imports
	node_modules/.bin/tsc -p static/jsconfig.json
	node_modules/.bin/tsc -p demo/jsconfig.json

# The pure code, with every line and branch covered.
unit: .set-up/test
	$(BIN)/python -m pytest tests/unit -n 2 -q --cov-reset \
	  --cov=server.domain --cov=server.factors --cov=server.signals --cov=server.channels \
	  --cov-branch --cov-report= --cov-fail-under=100

# The program as a whole: real store, real HTTP, real browser, real wrangler. Much of it waits.
rest: .set-up/test
	$(BIN)/python -m pytest tests/integration tests/browser -n 3 --dist loadfile -q \
	  --cov=server --cov-branch --cov-append --cov-report= --cov-fail-under=90

bench: .set-up/test
	@sh scripts/need.sh wrk wrk
	$(BIN)/python -m bench $(BENCH)

# Pin what pyproject.toml names. Needs uv; only who changes a dependency runs it.
# requirements-nodeps.lock is kept by hand.
lock:
	echo setuptools > .set-up/build.in
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	  pyproject.toml .set-up/build.in -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	  --extra test pyproject.toml .set-up/build.in -o requirements-test.lock

clean:
	rm -rf .venv node_modules .set-up

.set-up/serve: requirements.lock requirements-nodeps.lock pyproject.toml
	@sh scripts/venv.sh $(PYTHON) requirements.lock
	@mkdir -p .set-up && touch $@

.set-up/test: requirements-test.lock requirements-nodeps.lock pyproject.toml package-lock.json
	@sh scripts/venv.sh $(PYTHON) requirements-test.lock
	npm ci --silent
	@sh scripts/need.sh chromium chromium chromium-browser google-chrome
	@sh scripts/need.sh chromium-headless-shell chromium-headless-shell || echo "going on without"
	@mkdir -p .set-up && touch $@ .set-up/serve
