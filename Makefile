# `make train` and `make test` set everything up by themselves; `make help` lists the rest.

PYTHON  ?= $(firstword $(foreach each,python3 python3.11 python3.12 python3.13,$(shell \
	$(each) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(each))))
SUITE   ?= tasks/flights/suite.yaml
WORKERS ?= 2
JOBS    ?= 2
TESTS   ?=
ROWS    ?=

VENV  := .venv
BIN   := $(VENV)/bin
STAMP := $(VENV)/.set-up
PINS  := constraints.txt tasks/requirements-nodeps.txt

# Neither engine reports to its makers.
export RAY_USAGE_STATS_ENABLED := 0
export MLFLOW_DISABLE_TELEMETRY := true
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help venv train test check test-fast test-real bench results format

help:
	@echo 'make train      set up, train $(SUITE) on $(WORKERS) Ray workers (SUITE=..., WORKERS=...)'
	@echo 'make test       set up, check, run the tests that need no Ray, server or browser (TESTS=path)'
	@echo 'make test-real  set up, run those that do'
	@echo 'make check      set up, format, lint, types, floors and doors, the rules of the house'
	@echo 'make bench      set up, print the measured ratios of tests/bench'
	@echo 'make results    set up, make the rows of tests/results that are not made yet: hours (ROWS="flights star")'
	@echo 'make format     set up, format the code and mend what ruff can mend'
	@echo 'make venv       set up only: a virtual environment in $(VENV)'

venv: $(STAMP)

# The stamp is written last, so that an interrupted set-up goes on where it was. --no-compile: Python compiles what is
# imported, a fraction of the 2 GB, when it is first imported; compiling all of it takes longer than installing it.
$(STAMP): pyproject.toml $(PINS)
	@test -n '$(PYTHON)' || { echo 'Python 3.11 or newer is needed: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11' >&2; exit 2; }
	@echo 'Setting up $(VENV): a few minutes, once.'
	@$(PYTHON) -m venv $(VENV) || { echo 'Python has no venv module; on Debian: apt-get install python3-venv' >&2; exit 2; }
	@$(BIN)/python -m pip install --quiet --upgrade --constraint constraints.txt pip
	@$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable '.[dev,tasks]'
	@$(BIN)/python -m pip install --quiet --no-compile --no-deps --requirement tasks/requirements-nodeps.txt
	@touch $@
	@echo 'Set up: $(BIN)/polygraft is ready.'

train: $(STAMP)
	@$(BIN)/polygraft train $(SUITE) --workers $(WORKERS)
	@echo
	@echo 'Activate the environment:    . $(BIN)/activate'
	@echo 'Then, all runs in a browser: mlflow ui --backend-store-uri '$${MLFLOW_TRACKING_URI:-sqlite:///runs/mlflow.db}
	@echo 'The report of this one:      runs/'$$(sed -n 's/^suite: *\([A-Za-z0-9_-]*\).*/\1/p' $(SUITE))'/latest/report.html'
	@echo 'A suite for your own table:  polygraft init my.csv --target COLUMN -o my'
	@echo '... and its training:        polygraft train my/suite.yaml'

test: check test-fast

# One thread a process: the tests' tensors are small, and two processes share the machine.
test-fast: $(STAMP)
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile --durations 10 $(TESTS)

test-real: $(STAMP)
	@$(BIN)/python -m pytest -q -m real --durations 10 $(TESTS)

check: $(STAMP)
	@$(BIN)/ruff format --check --quiet . || { $(BIN)/ruff format --check .; echo 'mend it: make format' >&2; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo > $(VENV)/lint-imports.txt 2>&1 || { cat $(VENV)/lint-imports.txt; exit 1; }
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q tests/test_house.py
	@echo 'check: format, lint, types, floors, doors and house rules are kept.'

format: $(STAMP)
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/ruff format --quiet .

bench: $(STAMP)
	@for each in tests/bench/*.py; do echo "== $$each"; $(BIN)/python $$each || exit 1; done

results: $(STAMP)
	@$(BIN)/python tests/results/run.py $(ROWS)
