# `make help` lists the targets. Everything runs in .venv, which is made on first use.
PYTHON ?= python3.11
PORT ?= 5000
PY := .venv/bin/python
STAMP := .venv/installed-$(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)

.DEFAULT_GOAL := help
.PHONY: help setup run test test-all lint format ui benchmark hooks wheel clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(STAMP) ## make .venv with the locked versions

$(STAMP): pyproject.toml constraints.txt
	@echo "Making .venv and installing into it what pyproject.toml names: about 160 packages, TensorFlow and MLflow among them."
	@echo "This happens once; it takes two to five minutes and about 3 GB of disk. What pip is at is shown every five seconds."
	@$(PYTHON) -m venv .venv
	@$(PY) -m pip install --disable-pip-version-check --constraint constraints.txt --editable '.[dev]' > .venv/install.log 2>&1 & \
	install=$$!; while kill -0 $$install 2> /dev/null; do sleep 5; \
	    grep -E '^(Collecting|Installing|Building)' .venv/install.log | tail -n 1 | cut -c 1-100; done; \
	wait $$install || { tail -n 20 .venv/install.log; exit 1; }
	@touch $@

run: $(STAMP) ## the main job on the built-in data set: train, evaluate, export, log (about two minutes)
	$(PY) -m fer_exp

test: $(STAMP) ## the test suite, without what needs servers, clusters and compilers
	$(PY) -m pytest -n 2 --dist loadfile -m "not whole"

test-all: $(STAMP) ## the whole test suite
	$(PY) -m pytest -n 2 --dist loadfile

lint: $(STAMP) ## style, docstrings and types
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

format: $(STAMP) ## put every file into the house style
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

ui: $(STAMP) ## open MLflow on what was logged here: http://127.0.0.1:5000 (PORT=...)
	$(PY) -m fer_exp.ui --port $(PORT)

benchmark: $(STAMP) ## measure speed side by side with the peers, into docs/benchmarks.md (about half an hour)
	$(PY) -m pip install --quiet --constraint constraints.txt --editable '.[benchmark]'
	$(PY) scripts/benchmark.py

hooks: $(STAMP) ## check style, types and docstrings before each commit
	.venv/bin/pre-commit install

wheel: $(STAMP) ## build dist/fer_exp-*.whl
	$(PY) -m build --wheel --no-isolation

clean: ## remove what was built, not what was logged
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache *.egg-info
