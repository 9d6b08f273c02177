# All that a newcomer needs: make demo, make test, make check. Each installs what it needs into .venv.
# make chaos breaks things for half an hour, really and in a simulation, and says what was lost by it.
# Arguments go through: make demo ARGS="--seconds 20 --json", make test ARGS="tests/unit -k money".
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
ARGS   ?=

.PHONY: demo test chaos check format lock clean

demo: $(STAMP)
	@$(BIN)/exchange demo $(ARGS)

# A file of tests stays together; each process has stores of its own. In one process: ARGS="-n 0".
test: $(STAMP)
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile $(ARGS)

chaos: $(STAMP)
	$(BIN)/python -m tests.chaos --rounds 30 --json $(ARGS)
	$(BIN)/python -m tests.simulation --seeds 1000 --leads 1000

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest tests/unit/test_import_map.py

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# What is installed is what the lock file says, hash by hash; the project itself is linked, not copied.
$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11")'
	@echo "Installing into $(VENV), once; it takes a minute."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

# Written anew by people, when a dependency is added or raised. The second file is the part of the
# first that runs in production, without the tools of the tests: the Dockerfile installs it.
COMPILE = build/lock/bin/uv pip compile --quiet --universal --generate-hashes --no-header \
	--no-emit-index-url --no-annotate --python-version 3.11 --group build pyproject.toml
lock:
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet uv
	$(COMPILE) --extra dev --output-file requirements.lock
	$(COMPILE) --constraint requirements.lock --output-file requirements-run.lock

clean:
	rm -rf $(VENV) build
