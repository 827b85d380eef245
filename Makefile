# `make` or `make help` explains the targets. Nothing is installed outside this folder.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOAK_MINUTES ?= 60
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet

.DEFAULT_GOAL := help
.PHONY: help install demo test run proto lint types house ci evidence bench bench-quick bench-lock clean lock

help:  ## explain the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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

evidence: $(VENV)/.dev  ## the long runs: 200 kills, 5,000 examples a driver, a million queued tasks, 10 minutes of fuzzing, an hour's soak
	@ROTA_EXAMPLES=5000 ROTA_KILLS=200 ROTA_RESTARTS=20 ROTA_GRPC_STREAMS=100000 $(BIN)/python -m pytest -m "evidence or not evidence" --timeout 3600 tests/simulation tests/chaos
	@$(BIN)/python -m pytest -m evidence --timeout 3600 tests/e2e
	@$(BIN)/rota bench --tasks 100000 --repeat 3
	@$(BIN)/python tests/chaos/soak.py --minutes $(SOAK_MINUTES) --out evidence/soak-$$(date +%Y%m%d-%H%M%S)

bench: $(VENV)/.installed  ## Rota beside its peers on the same work, in one table (about 12 minutes; needs redis-server)
	@$(BIN)/python benchmarks/run.py

bench-quick: $(VENV)/.installed  ## the same with few tasks, once: for a look (about 3 minutes)
	@$(BIN)/python benchmarks/run.py --quick

bench-lock:  ## write benchmarks/requirements/*.txt anew (needs uv)
	@cd benchmarks/requirements && for peer in *.in; do uv pip compile --quiet --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate $$peer -o $${peer%.in}.txt; done

proto: $(VENV)-proto/.installed  ## generate src/rota/wire/v1 from proto/ (with the oldest supported generator)
	@rm -rf $(VENV)-proto/out && mkdir $(VENV)-proto/out
	@cd proto && ../$(VENV)-proto/bin/python -m grpc_tools.protoc -I. --python_out=../$(VENV)-proto/out --pyi_out=../$(VENV)-proto/out rota/v1/*.proto
	@for made in $(VENV)-proto/out/rota/v1/*; do sed 's/^from rota\.v1 import/from rota.wire.v1 import/' $$made > src/rota/wire/v1/$${made##*/}; done

$(VENV)-proto/.installed: requirements/proto.txt
	@$(PYTHON) -m venv $(VENV)-proto
	@$(VENV)-proto/bin/python -m pip --quiet install --require-hashes -r requirements/proto.txt
	@touch $@

lock:  ## write requirements/*.txt anew from pyproject.toml (needs uv)
	@for part in "pyproject.toml -o requirements/run.txt" "requirements/build.in -o requirements/build.txt" \
		"requirements/proto.in -o requirements/proto.txt" "pyproject.toml --group dev -c requirements/run.txt -o requirements/dev.txt"; do \
		uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate $$part; done

clean:  ## remove what make made
	rm -rf $(VENV) $(VENV)-proto .bench .pytest_cache .ruff_cache .hypothesis .import_linter_cache
