# Every target works from a fresh clone with Python 3.11 and make; what was done once is not done again.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header
DATA ?=
DEMO_ARGS ?=
TESTS ?= tests
# each has a Postgres of its own
TEST_PROCESSES ?= 2
TEST_ARGS ?=
BENCHMARKS ?= lake queue ingestion ingestion_faults features regimes simulation optimization

.DEFAULT_GOAL := help
.PHONY: help setup setup-locked setup-runtime up demo test test-slow check fmt lock bench docker-check clean

help:  ## show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)

# no index is asked for anything that the lock files do not name by hash; the build runs without isolation for that
$(VENV)/.locked: $(BIN)/python requirements.txt requirements-build.txt
	$(PIP) --require-hashes -r requirements-build.txt -r requirements.txt
	@touch $@

$(VENV)/.runtime: $(VENV)/.locked pyproject.toml
	$(PIP) --no-deps --no-index --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.txt
	$(PIP) --require-hashes -r requirements-dev.txt
	@touch $@

$(VENV)/.bench: $(VENV)/.dev requirements-bench.txt
	$(PIP) --require-hashes -r requirements-bench.txt
	@touch $@

setup-locked: $(VENV)/.locked  ## install the locked dependencies alone, without this project

setup-runtime: $(VENV)/.runtime  ## install what running needs

setup: $(VENV)/.dev  ## install what running and developing need

up: setup-runtime  ## start everything on this machine; Ctrl-C stops it
	$(BIN)/barsmith up

demo: setup-runtime  ## one complete run; DATA=folder takes real bars instead of the simulated market
	$(BIN)/barsmith demo $(if $(DATA),--data "$(DATA)") $(DEMO_ARGS)

test: setup  ## all tests but the slow ones
	$(BIN)/python -m pytest -m "not slow" -n $(TEST_PROCESSES) --dist loadfile $(TEST_ARGS) $(TESTS)

test-slow: setup  ## the tests that take longer than a minute
	$(BIN)/python -m pytest -m slow $(TESTS)

check: setup  ## style, types, rooms, house rules, unit tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -q -m "not slow" -n $(TEST_PROCESSES) --dist loadfile tests/architecture tests/unit

fmt: setup  ## put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock:  ## write the lock files anew (needs uv)
	$(COMPILE) pyproject.toml -o requirements.txt
	$(COMPILE) pyproject.toml --extra dev -o requirements-dev.txt
	$(COMPILE) pyproject.toml --extra dev --extra bench -o requirements-bench.txt
	sed -n 's/^requires = \["\(.*\)"\]/\1/p' pyproject.toml | $(COMPILE) --no-annotate - -o requirements-build.txt

bench: $(VENV)/.bench  ## print every benchmark beside its named peers
	for name in $(BENCHMARKS); do $(BIN)/python benchmarks/$$name.py || exit 1; done

docker-check: setup  ## what can be checked of the container files without a container engine
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(BIN)/hadolint Dockerfile.base *_service/Dockerfile simulated_exchange/Dockerfile barsmith/Dockerfile

clean:  ## remove what was made here, the virtual environment and the data folder too
	rm -rf $(VENV) .barsmith build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache
