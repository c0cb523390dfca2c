# Two commands: `make demo` (install, train, report, chat page) and `make test`.
# Python 3.11 or newer and git are all that a fresh machine needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

# torch's CUDA build is several gigabytes: take the CPU build unless a GPU is found (or none is offered for this system).
TORCH_INDEX := $(shell command -v nvidia-smi >/dev/null 2>&1 || echo --extra-index-url https://download.pytorch.org/whl/cpu --retries 1)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test lint page clean

demo: $(VENV)/installed
	$(BIN)/mintage quickstart $(ARGS)

test: $(VENV)/installed-test lint
	$(BIN)/python -m pytest -n auto $(ARGS)

lint: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The chat page that the package carries; needs Node 20 or newer.
page:
	cd web && npm ci --no-audit --no-fund && npm run build

$(VENV)/torch: constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Mintage needs Python 3.11 or newer; say which: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) --quiet $(TORCH_INDEX) torch
	touch $@

$(VENV)/installed: $(VENV)/torch pyproject.toml
	$(PIP) -e .[interop]
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(PIP) -e .[test]
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
