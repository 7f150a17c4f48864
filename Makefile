# `make demo` and `make test` need only Python 3.11 and make (and, for test, a C++ compiler).
PYTHON ?= python3.11
# One thread per process: many small operations only wait for each other otherwise.
export OMP_NUM_THREADS ?= 1
VENV := .venv
DEMO_VENV := .venv-demo
BIN := $(VENV)/bin
WORKERS ?= 2

.PHONY: help demo test setup lint format types unit test-slow rows docs bench clean

help:  ## list the verbs
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo:  ## set up, make videos, train, test and draw attention (no compiler needed)
	@PYTHON=$(PYTHON) tools/setup_env.sh light $(DEMO_VENV)
	@$(DEMO_VENV)/bin/python tools/demo.py

test: setup lint types unit test-slow rows docs  ## the whole check, as CI runs it

setup:
	@PYTHON=$(PYTHON) tools/setup_env.sh full $(VENV)

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

format: setup  ## rewrite the code in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: setup
	$(BIN)/mypy

unit: setup  ## fast tests with coverage
	$(BIN)/pytest -n $(WORKERS) -m 'not slow and not rows' --cov --cov-report=term:skip-covered

test-slow: setup  ## tests that take more than ten seconds each
	$(BIN)/pytest -n $(WORKERS) -m 'slow and not rows'

rows: setup  ## build, train and test every row of the papers' tables, shrunk
	$(BIN)/pytest -n $(WORKERS) -m rows

docs: setup  ## build the documentation into docs/_build; warnings are errors
	$(BIN)/python -W ignore -m sphinx -q -W --keep-going -c docs . docs/_build

bench: setup  ## speed and evidence; prints ratios measured side by side
	$(BIN)/python benchmarks/run_all.py

clean:  ## remove environments and caches of this checkout
	rm -rf $(VENV) $(DEMO_VENV) .mypy_cache .ruff_cache .pytest_cache build *.egg-info
