# MyNode's commands. Each sets up what it needs in .venv first; `make` alone lists them.

BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help cluster sql status bench test lint unit metamorphic comparison simulate format protos clean distclean

help: ## Show this list
	@awk -F ': .*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

cluster: .venv/.runtime ## Start five nodes on 127.0.0.1:9601-9605, data under ./data; Ctrl-C stops them
	@exec $(BIN)/mynode cluster

sql: .venv/.runtime ## Open the SQL shell on that cluster
	@exec $(BIN)/mynode sql

status: .venv/.runtime ## Show every node of that cluster
	@exec $(BIN)/mynode status

bench: .venv/.runtime ## Measure writes and reads on that cluster, 10 seconds each
	@$(BIN)/mynode bench write --seconds 10
	@$(BIN)/mynode bench read --seconds 10

test: lint unit ## Run lint, types and all tests

lint: .venv/.dev ## Check style, types and layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: .venv/.dev ## Run all tests
	$(BIN)/pytest

metamorphic: .venv/.dev ## Check 100,000 random queries against one another; prints the seed
	@$(BIN)/python -m mynode.testing.metamorphic

comparison: .venv/.dev ## Compare 100,000 random statements with Python's sqlite3; prints the seed
	@$(BIN)/python -m mynode.testing.sqlite_comparison

simulate: .venv/.runtime ## Run a cluster with faults in virtual time, 100 seeds; stops at the first that fails
	@$(BIN)/mynode simulate --seed 1 --runs 100

format: .venv/.dev ## Format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

protos: .venv/.dev ## Generate the gRPC messages from protos/
	$(BIN)/python tools/generate_protos.py

clean: ## Remove the data of the cluster and all caches
	rm -rf data .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

distclean: clean ## Remove the virtual environment too
	rm -rf .venv

# The stamps say what is installed, so that a second start installs nothing: .runtime what a node needs, .dev what the
# tests need on top of it.
.venv/.runtime: pyproject.toml constraints.txt tools/venv
	@tools/venv
	@echo "installing MyNode into .venv (once)"
	@$(PIP_INSTALL) --editable .
	@touch $@

.venv/.dev: .venv/.runtime
	@echo "installing what the tests need into .venv (once)"
	@$(PIP_INSTALL) --editable '.[dev]'
	@touch $@
