# Everything here only prepares the Python environment and calls `slipway` (cli/) or a tool. Needs Python 3.11+ with venv.
# The first that really runs and is new enough: a version manager's shim may be on PATH and not work.
PYTHON ?= $(shell for one in python3 python3.13 python3.12 python3.11; do \
  $$one -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$one && break; done)
BIN := .venv/bin
ENV ?= $(ENVIRONMENT)
export PYTHONDONTWRITEBYTECODE := 1

.PHONY: setup demo up down upgrade status doctor test lint bench rollback lock
.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

.venv/bin/uv: requirements/bootstrap.lock
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11+ with venv on PATH; install one (Debian: python3 python3-venv)," \
	  "or: make PYTHON=/path/to/python3.11 setup" >&2; exit 1; }
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/bootstrap.lock
	@touch $@

# dev.lock holds all of base.lock: once there, the development tools stay.
.venv/.base: .venv/bin/uv requirements/base.lock
	@echo "installing the locked requirements"
	@$(BIN)/uv pip sync -q --compile-bytecode --python $(BIN)/python --require-hashes \
	  requirements/$$(test -e .venv/.dev && echo dev || echo base).lock
	@$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation --offline -e .
	@touch $@

.venv/.dev: .venv/.base requirements/dev.lock
	@echo "installing the locked development requirements"
	@$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements/dev.lock
	@touch $@

setup: .venv/.base ## the Python environment, keys, and the .env that lets `prefect` work here
	@$(BIN)/slipway setup

demo: .venv/.base ## the whole story on this machine; APPROVE=me waits for you in the UI
	@$(BIN)/slipway demo $(if $(filter me,$(APPROVE)),--approve-me)

up: setup ## start databases, routers, what was live, Prefect, workers
	@$(BIN)/slipway up

down: .venv/.base ## stop everything that was started here
	@$(BIN)/slipway down

upgrade: ## run the control plane on the code checked out now; refused while a release or a question is open
	@test ! -x $(BIN)/slipway || $(BIN)/slipway upgrade --check
	@$(MAKE) --no-print-directory setup
	@$(BIN)/slipway upgrade

status: .venv/.base ## what is live where, what waits, what is wrong
	@$(BIN)/slipway status

doctor: .venv/.base ## what this machine has and lacks
	@$(BIN)/slipway doctor

rollback: .venv/.base ## make rollback ENVIRONMENT=production: go back, with or without a Prefect server
	@test -n "$(ENV)" || { echo "error: say where: make rollback ENVIRONMENT=production" >&2; exit 1; }
	@$(BIN)/slipway rollback "$(ENV)"

test: .venv/.dev ## all tests, one summary
	@$(BIN)/python -m pytest

lint: .venv/.dev ## black, isort, flake8, mypy, import-linter, bandit
	$(BIN)/black --check -q .
	$(BIN)/isort --check-only -q .
	$(BIN)/flake8
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit -q -r -c pyproject.toml cli deployments evidence flows gates services tasks

bench: .venv/.dev ## figures, as ratios within one run
	@$(BIN)/python -m benchmarks

lock: .venv/bin/uv ## compile requirements/*.in into hash-locked *.lock
	@for set in base dev bootstrap; do \
	  inputs="requirements/$$set.in"; [ $$set = dev ] && inputs="requirements/base.in requirements/dev.in"; \
	  constraint=""; [ $$set = base ] || constraint="-c requirements/base.lock"; \
	  $(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --universal --python-version 3.11 \
	    --custom-compile-command "make lock" $$constraint $$inputs -o requirements/$$set.lock || exit 1; \
	done
