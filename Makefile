# Two commands for a new clone: `make serve` and `make test`. Each makes its own environment; nothing else is needed
# but Python 3.11 or newer and make. `make live` starts real servers on loopback first (docs/live.md).
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
ARGS ?=
KILLING := tests/live/test_degradation.py tests/live/test_crash.py
MEASURED := tests/simulate/test_validate_service.py
OVER_LIVE := tests/unit/test_stateful.py tests/gateway -k "not litestar and not same_bytes" \
	--ignore tests/gateway/test_schema.py --ignore tests/gateway/test_server.py

.PHONY: serve test check lint types slow crash live live-own live-over live-killed crash-live servers live-down bench clean

serve: $(VENV)/run
	$(BIN)/twit serve $(ARGS)

test: $(VENV)/dev
	$(BIN)/python -m pytest -n 2 -m "not slow and not live" $(ARGS)

check: lint types slow

lint: $(VENV)/dev
	$(BIN)/ruff check .

types: $(VENV)/dev
	mkdir -p .lint && ln -sfn .. .lint/twit
	MYPYPATH=.lint $(BIN)/mypy -p twit.core -p twit.cli -p twit.ops -p twit.simulate

# A service that is measured has the machine to itself.
slow: $(VENV)/dev
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "slow and not live" --ignore $(MEASURED) $(ARGS)
	$(BIN)/python -m pytest -m "slow and not live" $(MEASURED) $(ARGS)

crash: $(VENV)/dev
	TWIT_CRASH_ROUNDS=200 $(BIN)/python -m pytest tests/crash -m slow -s $(ARGS)

# Each test process has a namespace of its own on the servers; a file that has servers of its own stays in one process.
live: live-own live-over live-killed

live-own: $(VENV)/dev servers
	TWIT_LIVE_RUN=make $(BIN)/python -m pytest -n 2 --dist loadfile -m live $(KILLING:%=--deselect %) $(ARGS)

# Alone: these end the servers that the others use.
live-killed: $(VENV)/dev servers
	$(BIN)/python -m pytest -s -m live $(KILLING) $(ARGS)

crash-live: $(VENV)/dev servers
	TWIT_CRASH_KILLS=50 $(BIN)/python -m pytest -s -m live tests/live/test_crash.py $(ARGS)

# What is said of any world, over the live one.
live-over: $(VENV)/dev servers
	TWIT_LIVE_RUN=make $(BIN)/python -m pytest -n 2 -m "not slow and not live" --world live $(OVER_LIVE) $(ARGS)

servers:
	$(PYTHON) -m tests.live.servers up

live-down:
	$(PYTHON) -m tests.live.servers down

bench: $(VENV)/dev
	$(BIN)/python -m tests.bench $(ARGS)

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "twit needs Python 3.11 or newer: none found on PATH (make PYTHON=/path/to/python3.11)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/run: $(VENV)/bin/python setup.cfg constraints.txt
	$(PIP) -e '.[live,simulate,reports]'
	@touch $@

$(VENV)/dev: $(VENV)/bin/python setup.cfg constraints.txt
	$(PIP) -e '.[live,simulate,reports,dev]'
	@touch $@ $(VENV)/run

clean:
	rm -rf $(VENV) .lint .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
