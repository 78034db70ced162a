# Two commands: `make run` starts everything, `make test` checks everything. Both do all set-up themselves.
# The newest Python that every package has a wheel for (tools/bootstrap.py says which one has none), else set-up explains.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3; do \
	$$name -c '$(SUPPORTED)' 2>/dev/null && command -v $$name && exit; done; echo python3)
VENUE ?= practice

BIN := .venv/bin

.PHONY: run test setup setup-dev format lint types layers unit fidelity fuzz second-opinion races bench windows-check lock clean

# `exec`: the program takes the place of the shell, so that Ctrl-C and SIGTERM reach it, and make waits for its end.
run: setup
	@exec $(BIN)/prescient up --venue $(VENUE)

test: setup-dev lint types layers unit

setup:
	@$(PYTHON) tools/bootstrap.py

setup-dev:
	@$(PYTHON) tools/bootstrap.py --dev

format:
	$(BIN)/ruff check --fix --quiet src tests bench tools
	$(BIN)/ruff format --quiet src tests bench tools

lint:
	$(BIN)/ruff format --check src tests bench tools
	$(BIN)/ruff check src tests bench tools

types:
	$(BIN)/mypy

layers:
	$(BIN)/lint-imports

unit:
	$(BIN)/pytest -n 2 --dist loadscope -m "not both_cores"
	$(BIN)/pytest -m both_cores

# Every figure of docs/performance.md, on a machine with nothing else to do (about a quarter of an hour).
bench: setup-dev
	$(BIN)/python -m bench.cycle
	$(BIN)/python -m bench.memory
	$(BIN)/python -m bench.matching
	$(BIN)/python -m bench.signing
	$(BIN)/python -m bench.orders_http
	$(BIN)/python -m bench.stream_out
	$(BIN)/python -m bench.ingest

# Prove every rule of the venue that has a test, and write docs/fidelity.md.
fidelity: setup-dev
	$(BIN)/python -m tests.fidelity_table

# Ask the practice exchange whatever its OpenAPI document allows and forbids, longer than `make test` does.
fuzz: setup-dev
	PRESCIENT_SCHEMATHESIS_EXAMPLES=500 $(BIN)/pytest -q tests/exchange/api/test_schemathesis.py

# Compare the exchange's engine with the second opinion on a hundred thousand random flows (about a quarter of an hour).
second-opinion: setup-dev
	$(BIN)/python -m tests.exchange.second_opinion.campaign --flows 100000

# A thousand rounds of orders that race each other from several processes (`make test` runs twenty of them).
races: setup-dev
	$(BIN)/python -m tests.prescient.races.course

# The product on Windows' own Python under Wine, and every DLL its Windows wheels want (three minutes, the first time five).
# It takes root on Linux x86_64, keeps 1.5 GB in ~/.cache/prescient-windows, and says so where it cannot run.
windows-check: setup-dev
	$(BIN)/python -m tools.windows_check

# Rewrite the hashed requirement files from pyproject.toml.
lock:
	.uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes requirements/uv.in -o requirements/uv.txt
	.uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes pyproject.toml -o requirements.txt
	.uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes requirements/build.in -o requirements/build.txt
	.uv/bin/uv pip compile --quiet --python-platform x86_64-pc-windows-msvc --python-version 3.11 --generate-hashes requirements/windows-check.in -o requirements/windows-check.txt
	.uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes -c requirements.txt pyproject.toml --group dev -o requirements/dev.txt

clean:
	rm -rf .venv .uv
