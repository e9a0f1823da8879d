# Everything a person types. `make` alone lists the targets.
.DEFAULT_GOAL := help
.PHONY: bench-log help demo story test check bench bench-decisions faults assets lock lint types imports migration-check lock-check deps clean
.DELETE_ON_ERROR:

FIND_PYTHON := for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done
BIN := .venv/bin
READY := .venv/.ready
ASSETS := idp/web/static/built/.ready

help: ## list what can be done here
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) $(ASSETS) ## start the demo: our service, an affiliate's login, two sample apps
	@$(BIN)/idp demo

story: $(READY) $(ASSETS) ## play the main job against running servers and print each step
	@$(BIN)/idp story

test: $(READY) $(ASSETS) ## install what the tests need and run all of them, on SQLite and PostgreSQL
	@$(BIN)/python scripts/test_needs.py
	@$(BIN)/python -m pytest -n 2

check: lint types imports migration-check lock-check deps test ## all that must be green before a merge

bench: bench-decisions bench-log ## print all figures: decisions, the service beside a peer, the sharing detector
	@$(BIN)/python -m bench.peers
	@$(BIN)/python -m bench.nppes
	@$(BIN)/python -m bench.sharing
	@$(BIN)/python -m bench.sharing 100 45 1 --guards
	@$(BIN)/python -m bench.sharing_cost

bench-decisions: $(READY) $(ASSETS) ## the table of decisions, goals and what was reached, about ten minutes (DECISIONS=1000000: the whole storms; POSTGRES=server: there too)
	@$(BIN)/python -m bench.table --decisions $(or $(DECISIONS),50000) $(if $(POSTGRES),--postgres $(POSTGRES))

bench-log: $(READY) $(ASSETS) ## the table of log, revocation and detection, goals and what was reached, at most twelve minutes
	@$(BIN)/python -m bench.log_table

faults: $(READY) $(ASSETS) ## the faults that take longer than the test suite should (KILLS=200 DEATHS=200: kill -9 of service and database)
	@IDP_FAULT_KILLS=$(or $(KILLS),20) IDP_FAULT_DEATHS=$(or $(DEATHS),10) IDP_FAULT_PATIENCE=$(or $(PATIENCE),1) \
		$(BIN)/python -m pytest -n 0 -m faults -s tests

assets: $(ASSETS) ## build the front-end assets

lint: $(READY) ## ruff: rules and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(READY) ## mypy, strict
	@$(BIN)/mypy

imports: $(READY) ## the layers of the architecture
	@$(BIN)/lint-imports --no-cache

migration-check: $(READY) ## migrations say what the models say, on both databases
	@$(BIN)/python scripts/migration_check.py

lock-check: $(READY) ## the locks say what pyproject.toml says, with hashes and without addresses
	@$(BIN)/python scripts/locks.py check

deps: $(READY) ## every import is declared, every declared package is imported
	@$(BIN)/deptry .

lock: $(READY) ## resolve the dependencies again and write both locks
	@$(BIN)/python scripts/locks.py write

clean: ## remove what the targets above made (not the demo's data in var/)
	rm -rf .venv node_modules idp/web/static/built .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml scripts/environment.py
	@python=$$($(FIND_PYTHON)); test -n "$$python" || { echo 'Python 3.11 or newer is needed and was not found.' >&2; exit 1; }; \
	"$$python" scripts/environment.py

ASSET_SOURCES := $(wildcard idp/web/assets/* idp/web/templates/*.html idp/web/templates/*/*.html)
$(ASSETS): $(READY) package.json package-lock.json scripts/assets.py $(ASSET_SOURCES)
	@$(BIN)/python scripts/assets.py
