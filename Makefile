# Two commands need nothing but this file, Python 3.11 or 3.12 and git: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
SUITE ?= flow
PROCESSES ?= 2
MANIFESTS = $(filter-out %/kustomization.yaml,$(wildcard infra/k8s/*.yaml))

.PHONY: help setup demo test check bench lock

help:
	@echo "make demo         retrain a model on the embedded weather corpus and promote it"
	@echo "make test         run the tests: PROCESSES=2 at a time"
	@echo "make check        lint, format, types, import contracts; images, cluster and cloud descriptions"
	@echo "make bench        run a benchmark suite: SUITE=flow, data, train, decode, serve or quality"
	@echo "make lock         resolve the dependencies anew"

setup: $(READY)

# The lock names every package with its hash. pip installs uv from it and uv the rest, four times as fast as pip would;
# where uv cannot reach the index that pip is configured for, pip does it all.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v in ((3, 11), (3, 12)) else \
	  f"nightshift needs Python 3.11 or 3.12, and $(PYTHON) is {v[0]}.{v[1]}: make PYTHON=python3.12 ...")'
	@echo "installing the locked dependencies into $(VENV), which takes a few minutes the first time"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@awk '/^uv==/,!/\\$$/' requirements.lock | \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r /dev/stdin
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes --compile-bytecode \
	  -r requirements.lock || \
	  $(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup
	@$(BIN)/nightshift retrain --preset weather

test: setup
	@$(BIN)/python -m pytest --numprocesses $(PROCESSES)

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/hadolint --failure-threshold info infra/docker/*.Dockerfile
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec infra/compose.yaml
	@$(BIN)/kubernetes-validate --quiet --strict --kubernetes-version 1.33.1 $(MANIFESTS)
	@$(BIN)/python -m tests.lint.terraform infra/terraform

bench: setup
	@$(BIN)/python -m tests.bench.$(SUITE)

lock:
	@$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-strip-extras --output-file requirements.lock
	@set -e; found="$$(echo 'tensorflow[and-cuda]' | $(BIN)/uv pip compile - --constraint requirements.lock --universal \
	  --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet)"; \
	  echo "$$found" | awk '/^[a-z]/ { is_on = /^nvidia-/ } is_on' > infra/docker/gpu.lock
