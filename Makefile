# Two commands: `make quickstart` and `make test`. Each makes .venv if needed, installs the tested set, and does its job.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help install quickstart test lint

help:
	@echo "make quickstart  rank the shipped checkpoints on embedded tasks (minutes on two cores)"
	@echo "make test        run the tests"
	@echo "make lint        run ruff and mypy"
	@echo "make install     only make $(VENV) and install into it"

$(VENV)/.installed: setup.py pyproject.toml $(wildcard requirements/*.txt)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -r requirements/build.txt
	$(BIN)/pip install --quiet -r requirements/base.txt
	$(BIN)/pip install --quiet --no-build-isolation -r requirements/host.txt
	$(BIN)/pip install --quiet -r requirements/dev.txt
	$(BIN)/pip install --quiet --no-build-isolation --no-deps --editable .
	touch $@

install: $(VENV)/.installed

quickstart: install
	$(BIN)/python tools/benchmark.py configs/benchmarks/quickstart.py --work-dir work_dirs/quickstart

test: install
	$(BIN)/python -m pytest -n $(JOBS)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
