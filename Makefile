# Everything that is made goes into .build/. `make` alone says what there is.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

IMAGE := cleanroom-action:dev
VENV := .build/venv
# Recipes that need an engine begin with this: it names the one that answers.
ENGINE := eval "$$(scripts/engine.sh env)"; export CLEANROOM_IMAGE=$(IMAGE)

.PHONY: help
help: ## Say what there is
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/\1|\2/' \
		| while IFS='|' read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

.PHONY: demo
demo: venv image ## Set up what is missing and run the main example
	@$(ENGINE); $(VENV)/bin/cleanroom run examples/quickstart

.PHONY: test
test: ## Set up what is missing, then lint and every test but the long ones
test: venv-dev image lint test-unit test-engine test-e2e

.PHONY: test-unit
test-unit: venv-dev ## Unit tests, without network
	@scripts/offline.sh scripts/pytest.sh unit -n 2 tests/unit tests/contract

.PHONY: test-engine
test-engine: venv-dev image ## Tests against real engines
	@$(ENGINE); scripts/twice.sh engine 2 --timeout 300 tests/engine

.PHONY: test-e2e
test-e2e: venv-dev image ## The action itself, in workflows run on this machine
	@$(ENGINE); scripts/twice.sh e2e 0 --timeout 600 tests/e2e

.PHONY: test-full
test-full: venv-dev image ## Every test, the long ones too; the outcome goes to docs/test-full.txt
	@$(ENGINE); scripts/full.sh

.PHONY: test-kernel
test-kernel: venv-dev image ## The faults on a hosted runner's kernel, in a machine of your own; says how, and docs/test-kernel.txt has the outcome
	@$(ENGINE); tests/kernel/run.sh

.PHONY: lint
lint: venv-dev ## Format, rules, types, layers, shell, Dockerfile, action and workflows
	@echo '==> Linting'; scripts/lint.sh

.PHONY: format
format: venv-dev ## Let ruff write the format and the safe fixes
	@$(VENV)/bin/ruff format .; $(VENV)/bin/ruff check --fix .

.PHONY: docs
docs: venv-dev ## Write docs/spec.md and docs/faults.md anew from the tables that the program works by
	@scripts/docs.sh

.PHONY: bench
bench: image ## Compare with testcontainers, wrk, pgbench and others, in the same run
	@scripts/venv.sh bench; $(ENGINE); missed=; for script in benchmarks/*.py; do \
		$(VENV)/bin/python "$$script" || missed="$$missed $$script"; done; \
		[ -z "$$missed" ] || { echo "missed its goal:$$missed" >&2; exit 1; }

.PHONY: fault-evidence
fault-evidence: venv-dev image ## Run the spec of every fault and write what was seen into docs/fault-evidence.md
	@$(ENGINE); scripts/fault-evidence.sh

.PHONY: venv
venv: ## A virtual environment with the locked packages
	@scripts/venv.sh runtime

.PHONY: venv-dev
venv-dev:
	@scripts/venv.sh dev

.PHONY: image
image: engine-up ## Build the image, if anything in it changed
	@eval "$$(scripts/engine.sh env)"; scripts/base-image.sh; scripts/image.sh $(IMAGE)

.PHONY: engine-up
engine-up: ## Find a Docker engine, or start a private one
	@scripts/engine.sh up

.PHONY: engine-down
engine-down: ## Stop the private engine, if there is one
	@scripts/engine.sh down

.PHONY: lock
lock: venv-dev ## Resolve the dependencies anew into requirements/*.lock
	@scripts/lock.sh

.PHONY: clean
clean: engine-down ## Stop the private engine and remove everything that was made
	@scripts/clean.sh
