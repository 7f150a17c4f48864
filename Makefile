# `make demo` and `make test` need only Python 3.11 and make.
PYTHON ?= python3.11
# One thread per process: many small operations only wait for each other otherwise.
export OMP_NUM_THREADS ?= 1
VENV := .venv
COMPILED_VENV := .venv-compiled
BIN := $(VENV)/bin
# One more than two cores: some tests wait for processes.
WORKERS ?= 3
GPU_PYTHON ?= $(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON))

.PHONY: help demo test setup setup-compiled matrix test-compiled lint format types unit coverage quick test-slow fuzz rows docs bench gpu clean

help:  ## list the verbs
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo:  ## set up, train and test on made videos, or yours: make demo VIDEOS=folder
	@PYTHON=$(PYTHON) tools/setup_env.sh user $(VENV)
	@$(BIN)/python tools/demo.py $(if $(VIDEOS),--videos "$(VIDEOS)")

test: setup lint  ## the whole check, as CI runs it
	@$(MAKE) --output-sync=target -j $(WORKERS) types fuzz docs
	$(BIN)/pytest -n $(WORKERS) --dist worksteal

setup:
	@PYTHON=$(PYTHON) tools/setup_env.sh dev $(VENV)

setup-compiled:  ## an environment with mmcv's operators compiled; an option, takes minutes
	@PYTHON=$(PYTHON) tools/setup_env.sh compiled $(COMPILED_VENV)

matrix:  ## build each environment that the README lists and check it; an hour, gigabytes
	@$(PYTHON) .ci/matrix.py

test-compiled: setup setup-compiled  ## our operators and detection against the compiled ones
	$(COMPILED_VENV)/bin/pytest tests/operators tests/models/roi_heads tests/models/detectors
	$(BIN)/python benchmarks/operators.py --compiled $(COMPILED_VENV)/bin/python

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

format: setup  ## rewrite the code in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: setup
	$(BIN)/mypy

unit: setup  ## fast tests
	$(BIN)/pytest -n $(WORKERS) -m 'not slow and not rows'

coverage: setup  ## fast tests, and the lines that none of them reaches; twice as long
	$(BIN)/pytest -n $(WORKERS) -m 'not slow and not rows' --cov --cov-report=term:skip-covered

quick: setup  ## after each change: rules, and the tests that fit into a minute
	$(BIN)/ruff check -q .
	$(BIN)/pytest -q -n $(WORKERS) -m 'not slow and not rows' --quick

test-slow: setup  ## tests that take more than ten seconds each
	$(BIN)/pytest -n $(WORKERS) -m 'slow and not rows'

fuzz: setup  ## wrong arguments for all components, damaged files for all readers
	$(BIN)/python -W ignore tests/helpers/fuzz.py

rows: setup  ## build, train and test every row of the papers' tables, shrunk
	$(BIN)/pytest -n $(WORKERS) -m rows

docs: setup  ## build the documentation into docs/_build; warnings are errors
	$(BIN)/python -W ignore -m sphinx -q -W --keep-going -c docs . docs/_build

bench: setup  ## speed and evidence; prints ratios measured side by side
	$(BIN)/python benchmarks/run_all.py

gpu:  ## test and time everything on one GPU in eight minutes: make gpu [WHEELS=folder] [GPU_PYTHON=python]
	@$(GPU_PYTHON) benchmarks/gpu.py $(if $(WHEELS),--wheels "$(WHEELS)")

clean:  ## remove environments and caches of this checkout
	rm -rf $(VENV) $(COMPILED_VENV) .mypy_cache .ruff_cache .pytest_cache build *.egg-info
