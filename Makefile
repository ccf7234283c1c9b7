# Everything here only prepares the Python environment and calls `slipway` (cli/) or a tool. Needs Python 3.11+ with venv.
# The first that really runs and is new enough: a version manager's shim may be on PATH and not work.
PYTHON ?= $(shell for one in python3 python3.13 python3.12 python3.11; do \
  $$one -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$one && break; done)
BIN := .venv/bin
ENV ?= $(ENVIRONMENT)
export PYTHONDONTWRITEBYTECODE := 1

.PHONY: setup demo up down upgrade status doctor ci scan verify compose prune osv report rollback test gauntlet lint bench mutants lock

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
.venv/.base: .venv/bin/uv requirements/base.lock pyproject.toml
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

demo: .venv/.base ## the whole story on this machine; APPROVE=me waits for you in the UI; RUNTIME=compose in containers
	@$(BIN)/slipway demo $(if $(filter me,$(APPROVE)),--approve-me) $(if $(RUNTIME),--runtime $(RUNTIME))

up: setup ## start databases, routers, what was live, Prefect, workers; MONITORING=1 (or 0): with Prometheus and the rest
	@$(BIN)/slipway up $(if $(RUNTIME),--runtime $(RUNTIME)) $(if $(SERVER),--server $(SERVER)) $(if $(filter 1,$(MONITORING)),--monitoring) $(if $(filter 0,$(MONITORING)),--no-monitoring)

down: .venv/.base ## stop everything that was started here
	@$(BIN)/slipway down

upgrade: ## run the control plane on the code checked out now; refused while a release or a question is open
	@test ! -x $(BIN)/slipway || $(BIN)/python -m cli.main upgrade --check
	@$(MAKE) --no-print-directory setup
	@$(BIN)/slipway upgrade

status: .venv/.base ## what is live where, what waits, what is wrong
	@$(BIN)/slipway status

doctor: .venv/.base ## what this machine has and lacks
	@$(BIN)/slipway doctor

rollback: .venv/.base ## make rollback ENVIRONMENT=production: go back, with or without a Prefect server
	@test -n "$(ENV)" || { echo "error: say where: make rollback ENVIRONMENT=production" >&2; exit 1; }
	@$(BIN)/slipway rollback "$(ENV)"

ci: .venv/.base ## make ci APP=PATH: every check on a working tree, uncommitted changes included; without APP the configured app
	@$(BIN)/slipway ci $(if $(APP),"$(APP)") $(if $(COMMIT),--commit "$(COMMIT)") $(if $(REFRESH),--refresh) $(if $(FAIL_FAST),--fail-fast)

scan: .venv/.base ## make scan APP=PATH: the security scans on a working tree; without APP on the configured app
	@$(BIN)/slipway scan $(if $(APP),"$(APP)") $(if $(COMMIT),--commit "$(COMMIT)") $(if $(PIPELINE),--pipeline "$(PIPELINE)") \
	  $(if $(SARIF),--sarif "$(SARIF)")

verify: .venv/.base ## make verify DIGEST=...: the chain of an artifact, from its bytes to where it was promoted
	@test -n "$(DIGEST)" || { echo "error: say which: make verify DIGEST=<digest, commit or version>" >&2; exit 1; }
	@$(BIN)/slipway verify "$(DIGEST)"

osv: .venv/.base ## make osv RECORDS=directory PORT=4270: serve OSV records on this machine as the advisory source
	@test -n "$(RECORDS)" || { echo "error: say what: make osv RECORDS=directory-of-OSV-records" >&2; exit 1; }
	@$(BIN)/slipway osv "$(RECORDS)" --port "$(or $(PORT),4270)"

compose: .venv/.base ## make compose ENV=production: the compose files that a release there would run
	@test -n "$(ENV)" || { echo "error: say where: make compose ENV=production" >&2; exit 1; }
	@$(BIN)/slipway compose "$(ENV)" $(if $(VERSION),--version "$(VERSION)")

report: .venv/.base ## how well the team delivers: DORA's figures as one HTML file; ENV=staging, DAYS=30
	@$(BIN)/slipway report $(or $(ENV),production) $(if $(DAYS),--days $(DAYS))

prune: .venv/.base ## make prune KEEP=5: remove images and old scans that no environment can need any more
	@$(BIN)/slipway prune $(if $(KEEP),--keep "$(KEEP)")

test: .venv/.dev ## all tests but the gauntlet's, one summary
	@$(BIN)/python -m pytest -m "not gauntlet" -n logical --maxprocesses 4 --no-loadscope-reorder

gauntlet: .venv/.dev ## whole stories on the whole installation: a push to its promotion, a fault to its rollback, every query
	@$(BIN)/python -m pytest -m gauntlet

lint: .venv/.dev ## black, isort, flake8, mypy, import-linter, bandit
	$(BIN)/black --check -q .
	$(BIN)/isort --check-only -q .
	$(BIN)/flake8
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit -q -r -c pyproject.toml cli control deployments evidence flows gates host notify services settings tasks traffic

bench: .venv/.dev ## figures, as ratios within one run; ONLY="checks scans"
	@$(BIN)/python -m benchmarks $(ONLY)

mutants: .venv/.dev ## what the tests do not notice: SAMPLE=200 small changes; SEED=1, ONLY="gates/release/approval.py evidence/first_sightings.py"
	@$(BIN)/python -m benchmarks.mutants $(if $(SAMPLE),--sample "$(SAMPLE)") $(if $(SEED),--seed "$(SEED)") $(if $(ONLY),--only $(ONLY))

lock: .venv/bin/uv ## compile requirements/*.in into hash-locked *.lock
	@for set in base dev bootstrap scanners quality load services server; do \
	  inputs="requirements/$$set.in"; [ $$set = dev ] && inputs="requirements/base.in requirements/dev.in"; \
	  case $$set in dev|bootstrap|server) constraint="-c requirements/base.lock";; *) constraint="";; esac; \
	  $(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --universal --python-version 3.11 \
	    --custom-compile-command "make lock" $$constraint $$inputs -o requirements/$$set.lock || exit 1; \
	done
