# Two commands: `make run` starts everything, `make test` checks everything. Both do all set-up themselves.
PYTHON ?= python3.11
VENUE ?= practice

BIN := .venv/bin

.PHONY: run test setup setup-dev format lint types floors unit bench lock clean

run: setup
	$(BIN)/prescient up --venue $(VENUE)

test: setup-dev lint types floors unit

setup: .venv/.runtime
setup-dev: .venv/.dev

.venv/bin/python:
	PYTHON="$(PYTHON)" sh tools/bootstrap.sh

.venv/.runtime: .venv/bin/python requirements.txt requirements/build.txt pyproject.toml
	.uv/bin/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.txt -r requirements/build.txt
	.uv/bin/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	touch $@

.venv/.dev: .venv/.runtime requirements/dev.txt
	.uv/bin/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	touch $@

format:
	$(BIN)/ruff check --fix --quiet src tests bench tools
	$(BIN)/ruff format --quiet src tests bench tools

lint:
	$(BIN)/ruff format --check src tests bench tools
	$(BIN)/ruff check src tests bench tools

types:
	$(BIN)/mypy

floors:
	$(BIN)/lint-imports

unit:
	$(BIN)/pytest -n 2 --dist loadscope

# Rewrite the hashed requirement files from pyproject.toml.
lock:
	.uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes requirements/uv.in -o requirements/uv.txt
	.uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes pyproject.toml -o requirements.txt
	.uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes requirements/build.in -o requirements/build.txt
	.uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes -c requirements.txt pyproject.toml --group dev -o requirements/dev.txt

clean:
	rm -rf .venv .uv
