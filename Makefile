# Everything here only prepares the Python environment and calls `slipway` (cli/) or a tool. Needs Python 3.11+ with venv.
# The first that really runs and is new enough: a version manager's shim may be on PATH and not work.
PYTHON ?= $(shell for one in python3 python3.13 python3.12 python3.11; do \
  $$one -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$one && break; done)
BIN := .venv/bin
ENV ?= $(ENVIRONMENT)
export PYTHONDONTWRITEBYTECODE := 1

.PHONY: setup demo adopt release up down upgrade status doctor ci scan baseline verify compose deployments prune osv report rollback test fuzz attack gauntlet lint docs bench mutants lock

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

setup: .venv/.base ## make the Python environment, the keys, and the .env that lets `prefect` work here
	@$(BIN)/slipway setup

demo: .venv/.base ## run the whole story on this machine; APPROVE=me waits for you in the UI, RUNTIME=compose uses containers
	@$(BIN)/slipway demo $(if $(filter me,$(APPROVE)),--approve-me) $(if $(RUNTIME),--runtime $(RUNTIME))

up: setup ## start databases, routers, what was live, Prefect, workers; RUNTIME=compose, SERVER=compose, MONITORING=1 (0 ends it)
	@$(BIN)/slipway up $(if $(RUNTIME),--runtime $(RUNTIME)) $(if $(SERVER),--server $(SERVER)) $(if $(filter 1,$(MONITORING)),--monitoring) $(if $(filter 0,$(MONITORING)),--no-monitoring)

down: .venv/.base ## stop everything that was started here; state is kept
	@$(BIN)/slipway down

upgrade: ## restart the control plane on the code checked out now; refused while a release or a question is open
	@test ! -x $(BIN)/slipway || $(BIN)/python -m cli.main upgrade --check
	@$(MAKE) --no-print-directory setup
	@$(BIN)/slipway upgrade

status: .venv/.base ## show what is live where, what waits, what is wrong
	@$(BIN)/slipway status

doctor: .venv/.base ## show what this machine has and lacks
	@$(BIN)/slipway doctor

release: .venv/.base ## release a version and say how it ended and why; ENVIRONMENT=production, VERSION=v2, WAIT=0 only starts it
	@test -n "$(ENV)" || { echo "error: say where: make release ENVIRONMENT=production" >&2; exit 1; }
	@$(BIN)/slipway release "$(ENV)" $(if $(VERSION),--version "$(VERSION)") $(if $(filter 0,$(WAIT)),--no-wait)

rollback: .venv/.base ## go back to the version before, with or without a Prefect server; ENVIRONMENT=production
	@test -n "$(ENV)" || { echo "error: say where: make rollback ENVIRONMENT=production" >&2; exit 1; }
	@$(BIN)/slipway rollback "$(ENV)"

adopt: .venv/.base ## propose config/ for a repository; APP=PATH or URL, OUTPUT=DIRECTORY, YES=1, FORCE=1; CHECK=1 only says what a first release would meet
	@test -n "$(APP)" || { echo "error: say which: make adopt APP=../shop" >&2; exit 1; }
	@$(BIN)/slipway adopt "$(APP)" $(if $(OUTPUT),--output "$(OUTPUT)") $(if $(YES),--yes) $(if $(FORCE),--force) $(if $(CHECK),--check)

ci: .venv/.base ## run every check on a working tree, uncommitted changes included; APP=PATH, COMMIT=main, REFRESH=1, FAIL_FAST=1
	@$(BIN)/slipway ci $(if $(APP),"$(APP)") $(if $(COMMIT),--commit "$(COMMIT)") $(if $(REFRESH),--refresh) $(if $(FAIL_FAST),--fail-fast)

baseline: .venv/.base ## write config/baseline.toml from the last ci; OF=COMMIT or run, APPROVER=NAME, ALL=1, NEW=1
	@$(BIN)/slipway baseline $(if $(OF),"$(OF)") $(if $(APPROVER),--approver "$(APPROVER)") $(if $(ALL),--all) $(if $(NEW),--new)

scan: .venv/.base ## run the security scans on a working tree; APP=PATH, COMMIT=main, PIPELINE=FILE, SARIF=FILE
	@$(BIN)/slipway scan $(if $(APP),"$(APP)") $(if $(COMMIT),--commit "$(COMMIT)") $(if $(PIPELINE),--pipeline "$(PIPELINE)") \
	  $(if $(SARIF),--sarif "$(SARIF)")

verify: .venv/.base ## show the chain of evidence of an artifact; DIGEST=a digest, commit or version. QUARANTINE=1 moves bad records aside
	@test -n "$(DIGEST)$(QUARANTINE)" || { echo "error: say which: make verify DIGEST=<digest, commit or version>" >&2; exit 1; }
	@$(BIN)/slipway verify $(if $(QUARANTINE),--quarantine,"$(DIGEST)")

osv: .venv/.base ## serve OSV records on this machine as the advisory source; RECORDS=DIRECTORY, PORT=4270
	@test -n "$(RECORDS)" || { echo "error: say what: make osv RECORDS=directory-of-OSV-records" >&2; exit 1; }
	@$(BIN)/slipway osv "$(RECORDS)" --port "$(or $(PORT),4270)"

compose: .venv/.base ## tell what a release would run, and all that is in the way; ENV=production, APP=PATH or VERSION=v2, LABELS=1
	@test -n "$(ENV)" || { echo "error: say where: make compose ENV=production" >&2; exit 1; }
	@$(BIN)/slipway compose "$(ENV)" $(if $(APP),--app "$(APP)") $(if $(VERSION),--version "$(VERSION)") $(if $(LABELS),--write-labels)

report: .venv/.base ## write DORA's figures of the team's delivery as one HTML file; ENV=staging, DAYS=30
	@$(BIN)/slipway report $(ENV) $(if $(DAYS),--days $(DAYS))

deployments: .venv/.base ## write prefect.yaml's deployments, one set for each config/*.env: for `prefect deploy`
	@$(BIN)/slipway deployments

prune: .venv/.base ## remove images and old scans that no environment can need; KEEP=5
	@$(BIN)/slipway prune $(if $(KEEP),--keep "$(KEEP)")

test: .venv/.dev ## run all tests but the gauntlet
	@$(BIN)/python -m pytest -m "not gauntlet" -n logical --maxprocesses 4 --no-loadscope-reorder

fuzz: .venv/.dev ## draw 20 times as many documents for each reader of outside data as `make test` does, and new ones
	@$(BIN)/python -m pytest -m fuzz --hypothesis-profile fuzz -n logical --maxprocesses 4 --no-loadscope-reorder

gauntlet: .venv/.dev ## run whole stories on the whole installation, minutes each
	@$(BIN)/python -m pytest -m gauntlet

attack: .venv/.dev ## play a stranger's app against the real code; prints tried and held
	@$(BIN)/python -m pytest -m attack tests/attacks

lint: .venv/.dev ## check with black, isort, flake8, mypy, import-linter, deptry and bandit; check the links of the documentation
	$(BIN)/black --check -q .
	$(BIN)/isort --check-only -q .
	$(BIN)/flake8
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/bandit -q -r -c pyproject.toml cli control deployments evidence flows gates host notify services settings tasks traffic
	$(BIN)/python -m docs.links

bench: .venv/.dev ## measure, as ratios within one run; ONLY="checks scans"
	@$(BIN)/python -m benchmarks $(ONLY)

.venv/docs/.ready: .venv/bin/uv requirements/docs.lock
	@echo "installing the locked requirements of the documentation's site"
	@$(BIN)/uv venv -q --clear --python $(BIN)/python .venv/docs
	@$(BIN)/uv pip sync -q --python .venv/docs/bin/python --require-hashes requirements/docs.lock
	@touch $@

docs: .venv/.dev .venv/docs/.ready ## write the generated parts of docs/, and build the site: site/index.html
	@$(BIN)/python -m docs.reference
	@NO_MKDOCS_2_WARNING=1 .venv/docs/bin/mkdocs build -q --strict

mutants: .venv/.dev ## find small changes that the tests do not notice; SAMPLE=200, SEED=1, ONLY="gates/release/approval.py"
	@$(BIN)/python -m benchmarks.mutants $(if $(SAMPLE),--sample "$(SAMPLE)") $(if $(SEED),--seed "$(SEED)") $(if $(ONLY),--only $(ONLY))

lock: .venv/bin/uv ## compile requirements/*.in into hash-locked *.lock
	@for set in base dev bootstrap scanners quality load services acme server docs build; do \
	  inputs="requirements/$$set.in"; [ $$set = dev ] && inputs="requirements/base.in requirements/dev.in"; \
	  case $$set in dev|bootstrap|server) constraint="-c requirements/base.lock";; *) constraint="";; esac; \
	  case $$set in build) python=3.10;; *) python=3.11;; esac; \
	  $(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --universal --python-version $$python \
	    --custom-compile-command "make lock" $$constraint $$inputs -o requirements/$$set.lock || exit 1; \
	done
