# Two commands: `make app` and `make test`. Both need Python 3.11 or newer with venv, and nothing else.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.SILENT:
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
# Test workers share two cores: threads of their own would only get in each other's way.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1
# Compiled modules are kept, whatever the machine says: hundreds of processes would each compile torch anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help app test lint real fuzz kills boxes models figures screenshots lock clean

help: ## what each target does
	grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

app: $(VENV)/.app-installed ## install, prepare the built-in data, open the app on localhost
	echo "[3/4] preparing the built-in data"
	$(RUN) -m core data prepare || { echo "The built-in data could not be made: see the line above; 'make app' goes on where it stopped."; exit 1; }
	echo "[4/4] opening the app; stop it with Ctrl-C"
	exec $(RUN) -m streamlit run app.py

test: $(VENV)/.dev-installed ## everything that CI runs: lint, types, tests, real browser
	.requirements/find-chromium > /dev/null
	# Beside the tests, which leave a core waiting at times; what it found stands below their summary.
	found=$$(mktemp)
	$(MAKE) --no-print-directory lint > "$$found" 2>&1 &
	lint=$$! failed=0
	$(ONE_THREAD) $(RUN) -m pytest -n 3 --dist loadfile --no-loadscope-reorder --durations=20 || failed=$$?
	wait $$lint || failed=1
	cat "$$found"; rm "$$found"
	exit $$failed

lint: $(VENV)/.dev-installed ## ruff and type checks
	echo "checking style and types"
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check --quiet . || { echo "Run '$(VENV)/bin/ruff format .' and look at what it changed."; exit 1; }
	$(VENV)/bin/basedpyright --project .pyright.json

real: $(VENV)/.dev-installed ## all of ../shared/data through the ordinary adapters
	REAL_DATA_REQUIRED=1 REAL_DATA_FULL=1 $(RUN) -m pytest tests/real --durations=10

fuzz: $(VENV)/.dev-installed ## 10,000 mutated files through the decoder
	$(RUN) -m tests.hostile.fuzz --count 10000 --seed 0

kills: $(VENV)/.dev-installed ## 200 kill -9 cycles on one store
	$(RUN) -m tests.hostile.kills --cycles 200

boxes: $(VENV)/.dev-installed ## what a linear model and a small ConvNet reach on the built-in sets
	$(RUN) -m tests.bench.boxes soundbox
	$(RUN) -m tests.bench.boxes toybox

models: $(VENV)/.dev-installed ## make the models in checkpoints/ that are missing (hours on two cores; goes on after a stop)
	$(RUN) -m tests.shipped
	$(RUN) -m tests.shipped_maps
	$(RUN) -m tests.shipped_asked
	$(RUN) -m tests.tables

figures: $(VENV)/.dev-installed ## run the README's measurements that are missing (hours; needs ESC-10, CIFAR-10 and the spoken digits)
	$(RUN) -m tests.evidence
	$(RUN) -m tests.tables

screenshots: $(VENV)/.dev-installed ## renew the pictures in the README
	$(RUN) -m tests.browser.screenshots

lock: $(VENV)/bin/uv ## compile requirements*.txt anew from .requirements/*.in
	.requirements/lock

clean: ## remove what these commands made (the data the app wrote in .penumbra stays)
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis

$(VENV)/bin/uv: .requirements/uv.txt
	command -v $(PYTHON) > /dev/null || { echo "Python is missing: install Python 3.11 or newer."; exit 1; }
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$$($(PYTHON) --version) is too old: use 3.11 or newer, for example 'make PYTHON=python3.12'."; exit 1; }
	echo "[1/4] making $(VENV)"
	$(PYTHON) -m venv $(VENV) || { echo "The venv module is missing: on Debian, 'apt-get install python3-venv'."; exit 1; }
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r .requirements/uv.txt || { echo "uv could not be fetched: is the package index reachable?"; exit 1; }
	touch $@

$(VENV)/.app-installed: $(VENV)/bin/uv requirements.txt
	echo "[2/4] installing the app's packages (about 6 GB on disk with torch's GPU libraries)"
	$(VENV)/bin/uv pip install --python $(RUN) --quiet --require-hashes -r requirements.txt || { echo "The install broke off: check network and disk space (df -h .), then run it again; what is there is kept."; exit 1; }
	touch $@

$(VENV)/.dev-installed: $(VENV)/.app-installed requirements-dev.txt
	$(VENV)/bin/uv pip install --python $(RUN) --quiet --require-hashes -r requirements-dev.txt || { echo "The test tools could not be installed: check the network, then run it again."; exit 1; }
	touch $@
