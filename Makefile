# Two commands: `make quickstart` and `make test`. Each makes .venv if needed, installs the tested set, and does its job.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help install quickstart test documents lint published-cases benchmarks

help:
	@echo "make quickstart  rank the shipped checkpoints on embedded tasks (minutes on two cores)"
	@echo "make test        run the tests"
	@echo "make documents   run every command of README and docs as written, on miniatures (takes long)"
	@echo "make published-cases  reports on the two published tables in data/published"
	@echo "make benchmarks  time and memory against named baselines, as tables"
	@echo "make lint        run ruff and mypy"
	@echo "make install     only make $(VENV) and install into it"

$(VENV)/.installed: setup.py pyproject.toml $(wildcard requirements/*.txt requirements/mmcv_build/*)
	@$(PYTHON) -c 'import sys; v = "%d.%d" % sys.version_info[:2]; v in ("3.11", "3.12", "3.13") or sys.exit("mmbnft needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is " + v + "; name another one: make PYTHON=python3.13")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -r requirements/build.txt
	$(BIN)/pip install -r requirements/base.txt
	$(BIN)/pip install --no-build-isolation --no-deps --editable .
	$(BIN)/mmbnft install-host
	$(BIN)/pip install -r requirements/dev.txt
	touch $@

install: $(VENV)/.installed

quickstart: install
	$(BIN)/python tools/benchmark.py configs/benchmarks/quickstart.py --work-dir work_dirs/quickstart

published-cases: install
	$(BIN)/python benchmarks/published_cases.py --out work_dirs/published_cases

benchmarks: install
	$(BIN)/python benchmarks/step_time.py
	$(BIN)/python benchmarks/optimizer_time.py
	$(BIN)/python benchmarks/linear_arm.py
	$(BIN)/python benchmarks/image_speed.py
	$(BIN)/python benchmarks/few_shot_speed.py
	$(BIN)/python benchmarks/grid_time.py

test: install
	$(BIN)/python -m pytest -n $(JOBS)

documents: install
	ALL_PAGES=1 $(BIN)/python -m pytest tests/test_documents.py

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
