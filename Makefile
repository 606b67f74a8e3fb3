# make run   set up what is needed, then start makemore-tui (ARGS="..." passes arguments on)
# make test  set up what tests need, then lint, types, import contracts and tests
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: run test lint bench bench-dashboard clean

run: $(VENV)/installed
	@$(BIN)/makemore-tui $(ARGS)

test: $(VENV)/installed-dev lint
	$(BIN)/python -m pytest

lint: $(VENV)/installed-dev
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(VENV)/installed-dev
	$(BIN)/python -m benchmarks

bench-dashboard: $(VENV)/installed-dev
	$(BIN)/python -m benchmarks.dashboard

# Stamps: a second start installs nothing.
$(VENV)/installed: pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "makemore-tui needs Python 3.11 or newer, and $(PYTHON) is not there; name one: make run PYTHON=/path/to/python3"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "makemore-tui needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) -V`; name another: make run PYTHON=python3.11"; exit 2; }
	@echo "setting up $(VENV), once; torch is large, this takes some minutes"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --editable .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@$(PIP) --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
