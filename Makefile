# make run   set up what is needed, then start makemore-tui (ARGS="..." passes arguments on)
# make pictures, make bench and bench-dashboard, -scale, -long, -ssh: see README.md and docs/performance.md
# (DATA=... gives make bench another data set or file of words)
# make test-faults  the faults that take minutes: kills, full disks, slow syncs, stalled terminals, long runs
# make test-compiler  the compiled step of every model; needs a C++ compiler
# make test-ssh     through OpenSSH on this machine; needs sshd, ssh and ssh-keygen, and installs nothing
# make test  set up what tests need, then lint, types, import contracts and tests, in JOBS processes
PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2
DATA ?= names
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: run test test-faults test-compiler test-ssh lint bench bench-dashboard bench-scale bench-long bench-ssh pictures clean

run: $(VENV)/installed
	@$(BIN)/makemore-tui $(ARGS)

test: $(VENV)/installed-dev lint
	$(BIN)/python -m pytest --numprocesses $(JOBS) -m "not faults and not ssh and not compiler"

test-faults: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m "faults and not ssh"

test-compiler: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m compiler

test-ssh: $(VENV)/installed-dev
	@$(BIN)/python -c "import sys; from benchmarks.sshd import missing; sys.exit(missing() or 0)"
	$(BIN)/python -m pytest -m ssh

lint: $(VENV)/installed-dev
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(VENV)/installed-dev
	$(BIN)/python -m benchmarks --data "$(DATA)"
	$(BIN)/python -m benchmarks.engines --data "$(DATA)"
	$(BIN)/python -m benchmarks.long

bench-dashboard: $(VENV)/installed-dev
	$(BIN)/python -m benchmarks.dashboard

bench-scale: $(VENV)/installed-dev
	$(BIN)/python -m benchmarks.scaling

bench-long: $(VENV)/installed-dev
	$(BIN)/python -m benchmarks.long

bench-ssh: $(VENV)/installed-dev
	$(BIN)/python -m benchmarks.ssh

# The pictures of the README, made by the program itself; some minutes.
PICTURE = $(BIN)/makemore-tui --headless --home $(VENV)/pictures --screenshot docs/pictures
pictures: $(VENV)/installed
	@mkdir -p docs/pictures
	$(PICTURE)/dashboard.svg --size 120x36 --press "l s e m" > $(VENV)/picture.json
	$(PICTURE)/dataset.svg   --size 100x30 --press "1 z" > $(VENV)/picture.json
	$(PICTURE)/loss.svg      --size 100x30 --press "2 z" > $(VENV)/picture.json
	$(PICTURE)/samples.svg   --size 100x30 --press "3 z s e m escape" > $(VENV)/picture.json
	$(PICTURE)/sweep.svg     --size 100x30 --press "l z" > $(VENV)/picture.json
	$(PICTURE)/rates.svg     --size 100x30 --press "R z" > $(VENV)/picture.json
	$(PICTURE)/embedding.svg --size 100x30 --press "5 z" > $(VENV)/picture.json
	$(PICTURE)/bigrams.svg   --size 100x36 --press "6 z" > $(VENV)/picture.json
	$(PICTURE)/layers.svg    --size 100x30 --press "7 z" > $(VENV)/picture.json
	$(PICTURE)/timeline.svg  --size 100x30 --press "8 z" > $(VENV)/picture.json
	$(PICTURE)/log.svg       --size 100x30 --press "9 z" > $(VENV)/picture.json
	$(PICTURE)/setup.svg     --size 100x36 --press "e" > $(VENV)/picture.json
	$(BIN)/makemore-tui train --home $(VENV)/pictures --model gru --steps 600 --name gru > $(VENV)/picture.json
	$(BIN)/makemore-tui train --home $(VENV)/pictures --model wavenet --steps 600 --name wavenet > $(VENV)/picture.json
	$(PICTURE)/compare.svg   --size 120x36 --press "r space down space down space c p m a" > $(VENV)/picture.json
	rm -r $(VENV)/pictures $(VENV)/picture.json

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
