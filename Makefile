# Every target sets up what it needs in .venv; only Python 3.11-3.13 and make have to be there.
# Another Python: make setup PYTHON=python3.12

VENV  := .venv
BIN   := $(VENV)/bin
STAMP := $(VENV)/.gannb-is-installed
JOBS  ?= 2
# This notebook compares the runs of the others.
LAST  := compare_runs
SPEED := scores steps live learned_cost moves motion

CANDIDATES := $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python)
SUITABLE   := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
AS_ROOT    := $(if $(filter 0,$(shell id -u)),--allow-root)

.PHONY: help setup run lab test gates lint bench docs refs clean
.DEFAULT_GOAL := help

help:  ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 8

setup: $(STAMP)  ## Install gannb and what it needs into .venv

run: $(STAMP)  ## Run every notebook's quick preset and write one HTML report (at most 10 minutes)
	@export OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1}; failed=0; \
	$(BIN)/gannb list --names | grep -vx $(LAST) \
	  | xargs -P $(JOBS) -n 1 sh -c 'echo "== $$0"; exec $(BIN)/gannb run "$$0"' || failed=1; \
	echo "== $(LAST)"; $(BIN)/gannb run $(LAST) || failed=1; \
	$(BIN)/gannb report || exit 1; \
	if [ "$$failed" = 1 ]; then echo "a notebook failed: see above" >&2; exit 1; fi

lab: $(STAMP)  ## Open the notebooks in JupyterLab
	$(BIN)/python -m jupyterlab $(AS_ROOT) notebooks

test: $(STAMP)  ## Run the tests: units, notebooks against their committed outputs, browser (15 to 35 minutes on two cores)
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python -m pytest -n $(JOBS) --dist loadscope

gates: $(STAMP)  ## Run the long checks and show what each measured
	$(BIN)/python -m pytest -m gate -rA --durations=0

lint: $(STAMP)  ## Check style, format, types, docstrings, sizes and layers
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python -m pytest -q tests/test_docstrings.py tests/test_sizes.py tests/test_layering.py

bench: $(STAMP)  ## Measure speed beside the peers, as ratios (the other benchmarks train for hours: see each)
	@for name in $(SPEED); do \
	  echo "== benchmarks/$$name.py"; $(BIN)/python "benchmarks/$$name.py" || failed="$$failed $$name"; \
	done; \
	if [ -n "$$failed" ]; then echo "failed:$$failed" >&2; exit 1; fi

docs: $(STAMP)  ## Write the reference of the package to build/docs
	$(BIN)/python -m pdoc --docformat google -o build/docs gannb
	@echo "docs: $(CURDIR)/build/docs/index.html"

refs: $(STAMP)  ## Run the notebooks again, store their outputs, and print what changed
	$(BIN)/python docs/claims.py
	$(BIN)/python -m tests.notebooks.renew

clean:  ## Remove what was made here, but neither your runs nor .venv
	rm -rf build dist report scratch *.egg-info .pytest_cache .ruff_cache .hypothesis .coverage* htmlcov
	find . -name $(VENV) -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

# uv installs in seconds what takes pip minutes, so pip fetches uv first; without uv, pip does it all.
# uv does not read pip's configuration: a mirror named there is handed on. Like pip, it compiles what it installs: many
# short-lived processes import torch here, and some machines forbid Python to write bytecode later.
$(STAMP): pyproject.toml constraints.txt | $(BIN)/python
	@$(BIN)/python -c '$(SUITABLE)' || { \
	  echo "$(VENV) holds $$($(BIN)/python --version), gannb needs 3.11 to 3.13: remove $(VENV) and try again" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null
	@echo "Installing gannb and what it needs into $(VENV) …"
	@mirror="$${UV_DEFAULT_INDEX:-$${UV_INDEX_URL:-$$($(BIN)/python -m pip config get global.index-url 2>/dev/null)}}"; \
	mirror="$${PIP_INDEX_URL:-$$mirror}"; \
	if [ -n "$$mirror" ]; then export UV_DEFAULT_INDEX="$$mirror"; fi; \
	{ $(BIN)/python -m pip install --quiet --disable-pip-version-check uv \
	  && $(BIN)/uv pip install --compile-bytecode --python $(BIN)/python -e '.[test,docs]' -c constraints.txt; } \
	|| { echo "uv did not manage: plain pip goes on, which takes longer"; \
	     $(BIN)/python -m pip install --disable-pip-version-check -e '.[test,docs]' -c constraints.txt; }
	@touch $@

$(BIN)/python:
	@for candidate in $(CANDIDATES); do \
	  if "$$candidate" -c '$(SUITABLE)' >/dev/null 2>&1; then found=$$candidate; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "No Python 3.11, 3.12 or 3.13 found (tried: $(CANDIDATES)). Install one, or name it: make setup PYTHON=/path/to/python" >&2; \
	  exit 1; \
	fi; \
	echo "Making $(VENV) with $$("$$found" --version)"; \
	"$$found" -m venv $(VENV) >/dev/null 2>&1 \
	|| { "$$found" -m venv --without-pip $(VENV) && "$$found" -m pip --python $(BIN)/python install --quiet pip; } \
	|| { rm -rf $(VENV); \
	     echo "$$found can neither make an environment with pip nor has pip itself: install its venv package (Debian, Ubuntu: python3-venv)" >&2; \
	     exit 1; }
