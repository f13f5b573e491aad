# make demo   three SSH hosts, a real build, a real model, real tokens/s
# make test   all tests; as root also those on hosts of their own
# make check  style, types, who may import whom, shell
# make setup  a virtual environment in .venv with fleet in it
# Each does all of its own set-up. DEMO_ARGS and TEST_ARGS are passed on.

MAKEFLAGS += --no-print-directory
.NOTPARALLEL:
.PHONY: help setup demo test check clean

BIN := .venv/bin
DEMO_ARGS ?=
TEST_ARGS ?=
## processes; many tests wait for hosts, so more than there are cores
TEST_WORKERS ?= 3

help:
	@sed -n 's/^# //p' Makefile

setup:
	@sh scripts/setup.sh setup

demo:
	@sh scripts/setup.sh demo
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/fleet demo $(DEMO_ARGS)

test:
	@sh scripts/setup.sh test
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile $(TEST_ARGS)

check:
	@sh scripts/setup.sh check
	@sh scripts/check.sh

clean:
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	@find fleet tests benchmarks scripts -name __pycache__ -type d -prune -exec rm -rf {} +
