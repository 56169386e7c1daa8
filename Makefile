# Every command of the project; `make help` lists them.
#
# PYTHON           the interpreter that the virtual environment is made from, 3.11 or later
# VENV             where the virtual environment lives: a path without spaces
# INSTALL_OPTIONS  more options for every pip install, for instance a package index of your own
# WORKERS          test processes

PYTHON ?= python3
VENV ?= .venv
INSTALL_OPTIONS ?=
WORKERS ?= 2

PY := $(VENV)/bin/python
DEV := $(VENV)/.dev-installed
DOCS := $(VENV)/.docs-installed
INSTALL := "$(PY)" -m pip install --quiet --no-input --disable-pip-version-check $(INSTALL_OPTIONS)
# One thread a process: the suite runs in WORKERS processes, and one thread makes sums repeatable.
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo test test-all check format bench contract solvers gallery mutate docs pins clean distclean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

install: $(DEV) ## create the virtual environment and install the pinned packages

demo: $(DEV) ## fit digits and a table, draw samples, say where to look
	@"$(VENV)/bin/scorematching" demo

test: $(DEV) ## run the tests, without the slow ones
	$(ONE_THREAD) "$(PY)" -m pytest -m "not slow" -n $(WORKERS) --dist worksteal

test-all: $(DEV) ## run every test
	$(ONE_THREAD) "$(PY)" -m pytest -n $(WORKERS) --dist worksteal

check: $(DEV) ## lint, formatting and types
	"$(PY)" -m ruff check .
	"$(PY)" -m ruff format --check .
	"$(PY)" -m mypy

format: $(DEV) ## format the code and sort its imports
	"$(PY)" -m ruff check --fix .
	"$(PY)" -m ruff format .

bench: $(DEV) ## run the benchmarks behind benchmarks/RESULTS.md
	"$(PY)" -m benchmarks

contract: $(DEV) ## check the objectives against each other and rewrite docs/contract.md
	$(ONE_THREAD) "$(PY)" scripts/contract.py

solvers: $(DEV) ## measure the order of every solver and rewrite docs/solvers.md
	$(ONE_THREAD) "$(PY)" scripts/solvers.py

gallery: $(DEV) ## run every example and draw the pictures of docs/examples
	$(ONE_THREAD) "$(PY)" scripts/gallery.py

mutate: $(DEV) ## apply each known mistake and see that a test catches it
	$(ONE_THREAD) "$(PY)" scripts/mutate.py

docs: $(DOCS) ## build the documentation into docs/_build/html
	"$(PY)" -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

pins: $(DOCS) ## rewrite constraints.txt from what is installed
	"$(PY)" scripts/pins.py > constraints.new
	mv constraints.new constraints.txt
	touch $(DEV) $(DOCS)

clean: ## remove what the commands made, but for the virtual environment and runs/
	rm -rf build dist docs/_build docs/api .pytest_cache .mypy_cache .ruff_cache .hypothesis .bench
	find src tests scripts benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove the virtual environment as well
	@test ! -e "$(VENV)" || test -f "$(VENV)/pyvenv.cfg" || { \
	  echo "'$(VENV)' is no virtual environment: not removed." >&2; exit 1; }
	rm -rf "$(VENV)"

$(DEV): pyproject.toml constraints.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or later is needed: got $$("$(PYTHON)" --version 2>&1 | head -n 1) from '$(PYTHON)'." \
	    "Name another, for instance: make $(or $(MAKECMDGOALS),install) PYTHON=python3.12" >&2; exit 1; }
	@"$(PY)" -m pip --version >/dev/null 2>&1 || "$(PYTHON)" -m venv "$(VENV)" || { \
	  echo "The virtual environment could not be made in '$(VENV)'." \
	    "On Debian and Ubuntu the venv module is a package of its own, python3-venv." >&2; exit 1; }
	@echo "Installing the pinned packages into $(VENV); the first time this downloads several hundred MB."
	$(INSTALL) "$$(grep '^torch==' constraints.txt)"
	$(INSTALL) --constraint constraints.txt --editable ".[dev]"
	@touch $@

$(DOCS): $(DEV)
	$(INSTALL) --constraint constraints.txt --editable ".[docs]"
	@touch $@
