# Everything a person or a CI does with this project. `make help` lists it.
# Needs Python 3.11 or newer with venv, make, and a way to PyPI; nothing else.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
# The first of these that can make a virtual environment; PYTHON=... overrides it.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
# An environment of its own for every SDK that the tests call us with. Those for Node come from
# npm's registry, and the Node for them from PyPI: nothing else need be on the machine.
SDKS := zai-sdk zhipuai openai-2.2 openai-2.54 openai-3.51
NODE_SDKS := openai-node-6.49 openai-node-7.55
SDK_VENVS := $(patsubst %,.venv-sdk/%/.ready,$(SDKS) node $(NODE_SDKS))
NPM := PATH="$(CURDIR)/.venv-sdk/node/bin:$$PATH" npm
# How many test files run at a time: one more than two processors, for while some wait others compute.
# -n 0 in ARGS runs all in one process, as a debugger wants it.
WORKERS ?= 3
# How many tasks `make soak` hands in.
TASKS ?= 600
LOCK := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1|\2/' | \
		while IFS='|' read -r name text; do printf '  \033[1m%-12s\033[0m %s\n' "$$name" "$$text"; done

$(VENV)/.ready: requirements-dev.txt
	@$(or $(PYTHON),python3) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "$(or $(PYTHON),python3) is not Python 3.11 or newer: install that first (Debian: python3 python3-venv)" >&2; exit 1; }
	@$(or $(PYTHON),python3) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "$(or $(PYTHON),python3) cannot make virtual environments: install python3-venv first" >&2; exit 1; }
	@echo "setting up $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/pip install -qq --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/pip install -qq --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

.venv-sdk/%/.ready: tests/sdk/%.txt $(VENV)/.ready
	@echo "setting up .venv-sdk/$*"
	@$(BIN)/uv venv -q --clear --python $(BIN)/python .venv-sdk/$*
	@# Where only pip knows the way, through a mirror say, it takes a little longer.
	@$(BIN)/uv pip install -q --python .venv-sdk/$* --only-binary :all: --require-hashes -r $< || \
		$(BIN)/pip --python .venv-sdk/$* install -qq --disable-pip-version-check \
		--only-binary :all: --require-hashes -r $<
	@touch $@

# Outside CI the tests of an SDK that cannot be had are skipped, and say so.
.venv-sdk/openai-node-%/.ready: tests/sdk/openai-node-%/package.json tests/sdk/openai-node-%/package-lock.json .venv-sdk/node/.ready
	@echo "setting up .venv-sdk/openai-node-$*"
	@mkdir -p $(@D)
	@cp $(filter %.json,$^) $(@D)/
	@if $(NPM) ci --prefix $(@D) --loglevel=error --ignore-scripts --no-audit --no-fund >/dev/null; then touch $@; \
		elif [ -n "$${CI:-}" ]; then exit 1; \
		else echo "that came from npm: the tests of openai-node-$* will be skipped" >&2; fi

.PHONY: setup
setup: $(VENV)/.ready ## Make the virtual environment (every other target does so too)

.PHONY: demo
demo: $(VENV)/.ready ## Make videos through the whole way on this machine: store, simulator, gateway
	@$(BIN)/gateway demo

.PHONY: run
run: $(VENV)/.ready ## Run the gateway with the settings of the environment and gateway.yaml
	@$(BIN)/gateway serve

# Each test starts processes, and these start faster with the bytecode of the last one kept.
.PHONY: test
test: export PYTHONDONTWRITEBYTECODE :=
test: $(VENV)/.ready $(SDK_VENVS) ## Run the tests (ARGS="-k slots" for some of them)
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile $(ARGS)

.PHONY: check
check: $(VENV)/.ready ## Run ruff, mypy and the import contract
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

.PHONY: format
format: $(VENV)/.ready ## Format the code and mend what ruff can mend
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

.PHONY: bench
bench: $(VENV)/.ready ## Measure submits and cached results beside bare servers, and who watches
	@$(BIN)/python -m bench
	@$(BIN)/python -m bench.watching

.PHONY: looks
looks: $(VENV)/.ready ## Measure slot time in use under a backlog against looks a task (some 9 minutes)
	@$(BIN)/python -m bench.looks

.PHONY: bench-pool
bench-pool: $(VENV)/.ready ## Measure a pool of 200 accounts under a backlog (some 14 minutes)
	@$(BIN)/python -m bench.pool $(ARGS)

.PHONY: modelcheck
modelcheck: $(VENV)/.ready ## Walk through every state of a task's life, crashes included (some 6 minutes)
	@$(BIN)/python -m tests.modelcheck

.PHONY: failpoints
failpoints: $(VENV)/.ready ## Fail at every store call and every byte to the vendor (under 10 minutes)
	@GATEWAY_TEST_FAILPOINTS=all $(BIN)/pytest tests/failpoints

.PHONY: soak
soak: $(VENV)/.ready ## Kill everything all the time for some minutes (TASKS=20000: over an hour)
	@$(BIN)/python -m tests.soak --tasks $(TASKS) $(ARGS)

.PHONY: mutants
mutants: $(VENV)/.ready ## See that the suites find seeded faults (some minutes)
	@$(BIN)/python -m tests.mutants $(ARGS)

.PHONY: containers
containers: $(VENV)/.ready ## Build the image for real and run the compose demo (Debian, root)
	@bash deploy/containers.sh

.PHONY: metrics
metrics: $(VENV)/.ready ## Write the pages that are made of code: the metrics, the Grafana boards
	@$(BIN)/python -m gateway.telemetry.table > deploy/metrics.md
	@$(BIN)/python deploy/grafana/make_boards.py

.PHONY: lock
lock: $(VENV)/.ready ## Pin the newest allowed versions, with hashes, into the requirements files
	@$(LOCK) --upgrade pyproject.toml -o requirements.txt
	@$(LOCK) --upgrade pyproject.toml --extra otel -o requirements-otel.txt
	@$(LOCK) --upgrade pyproject.toml --extra otel --group dev -o requirements-dev.txt
	@for set in build lint; do $(LOCK) --upgrade deploy/requirements-$$set.in -o deploy/requirements-$$set.txt; done
	@for sdk in $(SDKS) node; do $(LOCK) --upgrade tests/sdk/$$sdk.in -o tests/sdk/$$sdk.txt; done
	@$(MAKE) --no-print-directory .venv-sdk/node/.ready
	@for sdk in $(NODE_SDKS); do (cd tests/sdk/$$sdk && $(NPM) update --silent --package-lock-only \
		--ignore-scripts --no-audit --no-fund --omit-lockfile-registry-resolved); done

.PHONY: clean
clean: ## Remove what the targets made
	@rm -rf $(VENV) .venv-sdk .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
