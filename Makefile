# `make` or `make help` explains the targets. Nothing is installed outside this folder.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet

.DEFAULT_GOAL := help
.PHONY: help install demo test run proto lint types house ci evidence clean lock

help:  ## explain the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed  ## make a private .venv with rota in it (.venv/bin/rota)

$(VENV)/.installed: requirements/run.txt requirements/build.txt pyproject.toml
	@echo "making $(VENV): python environment and rota's dependencies (about a minute the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes -r requirements/build.txt -r requirements/run.txt
	@$(PIP) install --no-build-isolation --no-deps -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.installed requirements/dev.txt
	@echo "adding what tests and checks need"
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

demo: install  ## start a node and two workers, count the words of the standard library, check the sum
	@$(BIN)/python examples/stdlib_words/demo.py

run: install  ## run a node in the foreground (data in ./.rota)
	@$(BIN)/rota node --data .rota

test: $(VENV)/.dev  ## run the tests; does all the set-up by itself
	@$(BIN)/python -m pytest -n 3 --dist worksteal

lint: $(VENV)/.dev  ## check style and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.dev  ## check types, strictly
	@$(BIN)/pyrefly check

house: $(VENV)/.dev  ## check that the rooms keep to their floors
	@$(BIN)/lint-imports

ci: lint types house test  ## everything that must hold before a change lands

evidence: $(VENV)/.dev  ## the long runs: 200 kills, 5,000 examples a driver, 100,000 tasks end to end
	@ROTA_EXAMPLES=5000 ROTA_KILLS=200 $(BIN)/python -m pytest -m "evidence or not evidence" --timeout 3600 tests/simulation tests/chaos
	@$(BIN)/python scripts/end_to_end.py --tasks 100000

proto: $(VENV)-proto/.installed  ## generate src/rota/wire/v1 from proto/ (with the oldest supported generator)
	@$(VENV)-proto/bin/python -m grpc_tools.protoc -Iproto/rota/v1 --python_out=src/rota/wire/v1 --pyi_out=src/rota/wire/v1 link.proto

$(VENV)-proto/.installed: requirements/proto.txt
	@$(PYTHON) -m venv $(VENV)-proto
	@$(VENV)-proto/bin/python -m pip --quiet install --require-hashes -r requirements/proto.txt
	@touch $@

lock:  ## write requirements/*.txt anew from pyproject.toml (needs uv)
	@for part in "pyproject.toml -o requirements/run.txt" "requirements/build.in -o requirements/build.txt" \
		"requirements/proto.in -o requirements/proto.txt" "pyproject.toml --group dev -c requirements/run.txt -o requirements/dev.txt"; do \
		uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate $$part; done

clean:  ## remove what make made
	rm -rf $(VENV) $(VENV)-proto .pytest_cache .ruff_cache .hypothesis .import_linter_cache
