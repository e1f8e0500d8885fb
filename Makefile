# Lounge. `make` alone says what there is.

V := .venv/bin
# python3 may be older than what else is installed
PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11 python3.14 python,\
  $(shell $(name) -c 'import sys, venv; sys.version_info >= (3, 11) and print("$(name)")' 2>/dev/null)))
export PYTHONPATH := $(CURDIR)
PYTEST = $(ROOMY) $(V)/python -m pytest -n 5 --dist loadfile --no-loadscope-reorder
# where memory is to be had (4 GB), tests keep their databases there: nobody pulls the plug meanwhile
ROOMY := $(shell df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 4000000 {print "TMPDIR=/dev/shm"}')
export UV_PYTHON_DOWNLOADS := never
# without compiled modules a process of ours takes seconds longer to start, and tests start a hundred
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help run test long mutants check format bench scale chaos lock clean

help: ## Say what there is
	@sed -n 's/^\([a-z]*\):.*## /make \1	/p' $(MAKEFILE_LIST)

run: .venv/.run ## Open the lounge as a demonstration, on this machine only
	@$(V)/lounge serve --demo

test: .venv/.dev ## Run every test, on real parts (pass arguments by T="-k words")
	@$(V)/python -m tests.chromium
	$(PYTEST) $(T)

long: .venv/.dev ## Run what is left out of `make test` for its time: other database, other look, other way
	$(PYTEST) -m long $(T)

mutants: .venv/.dev ## Break each promise on purpose: a test must notice (some by T="no-dedup")
	$(V)/python -m tests.mutants $(T)

check: .venv/.dev ## Format, lint, types, layers, locks
	$(V)/ruff format --check .
	$(V)/ruff check .
	$(V)/mypy
	$(V)/python -m pytest -q tests/test_layers.py tests/test_locks.py

format: .venv/.dev ## Put the code into its format
	$(V)/ruff format .
	$(V)/ruff check --fix .

bench: .venv/.dev ## Build the load generator and measure
	$(V)/python -m tests.bench
	$(V)/python -m tests.bench.guard
	$(V)/python -m tests.bench.page
	$(V)/python -m tests.quality

scale: .venv/.dev ## Measure what is promised in numbers: storm, stalled peers, parting, Redis away
	$(V)/python -m tests.scale $(T)

chaos: .venv/.dev ## Load, faults of every kind, and a judge: on SQLite, then on PostgreSQL (10 minutes each)
	$(V)/python -m tests.chaos $(T)

lock: .venv/.dev ## Write the locks again from pyproject.toml: hashes, and no addresses
	echo uv | $(COMPILE) - -o requirements/uv.txt
	$(COMPILE) pyproject.toml -o requirements/run.lock
	$(COMPILE) pyproject.toml --group dev -c requirements/run.lock -o requirements/dev.lock

clean: ## Remove what was installed and built here; keeps data/
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

COMPILE = $(V)/uv pip compile --quiet --universal --python-version 3.11 --upgrade \
  --generate-hashes --no-annotate --no-header

# $(call install,LOCK): by uv, and by pip where uv is not to be had or cannot reach the packages
define install
	@echo "Installing $(1) into .venv …"
	@$(V)/uv pip install -q --python $(V)/python --require-hashes -r $(1) \
	  || { echo "uv cannot; pip takes a minute longer …"; \
	       $(V)/python -m pip install -q --require-hashes -r $(1); }
	@$(V)/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $@
endef

.venv/.run: requirements/run.lock pyproject.toml | .venv/.uv
	$(call install,requirements/run.lock)

.venv/.dev: requirements/dev.lock pyproject.toml | .venv/.uv
	$(call install,requirements/dev.lock)
	@touch .venv/.run

.venv/.uv: requirements/uv.txt
	@test -n "$(PYTHON)" || { echo "Lounge needs Python 3.11 or newer with its venv module: \
	none of python3, python3.11 … python3.14 is one. PYTHON=/path/to/python make run names another."; exit 1; }
	@echo "Making .venv with $$($(PYTHON) -V) …"
	@$(PYTHON) -m venv .venv
	@$(V)/python -m pip install -q --disable-pip-version-check --require-hashes -r $< \
	  || echo "uv cannot be installed here; pip does its work."
	@touch $@
