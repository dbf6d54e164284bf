# Linnet: `make` lists what can be made. A second call of any target skips what is already there.
# PYTHON=python3.12 picks the interpreter; pip's own PIP_* variables pick mirrors and wheel folders.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH := torch==2.13.0
# A reference of the parity tests; its own pins (an older torch and numpy) are not ours.
CHATTERBOX := chatterbox-tts==0.1.7
# The public TUF suite, at the revision that docs/conformance.md speaks of.
CONFORMANCE_SOURCE ?= https://github.com/theupdateframework/tuf-conformance
CONFORMANCE_REVISION := eec841c186f81f2d9d8d30460c7e7deefa615f9e
CONFORMANCE := build/conformance
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo -n)

# Debian names of the programs the tests run against the real thing.
TEST_PROGRAMS := mosquitto nginx swupdate openssl pulseaudio espeak-ng flite festival
TEST_PACKAGES := $(TEST_PROGRAMS) softhsm2 festvox-kallpc16k festvox-us-slt-hts \
  gcc python3-dev portaudio19-dev libasound2-plugins

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench train conformance clean system-packages

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.stamp-run  ## a simulated home, spoken to by recorded voices: no hardware needed
	$(BIN)/linnet demo

test: $(VENV)/.stamp-test  ## lint, types and every test
	$(MAKE) --no-print-directory lint
	$(BIN)/pytest

lint: $(VENV)/.stamp-test  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/.stamp-run  ## latency, real-time factor and memory on this machine
	$(BIN)/linnet bench

train: $(VENV)/.stamp-train  ## the built-in model, from synthetic speech (hours; resumes)
	$(BIN)/python -m model_export.training.recipe

conformance: $(VENV)/.stamp-fleet $(CONFORMANCE)/.stamp  ## the update client against the public TUF suite
	PYTHONPATH=$(CURDIR) $(CONFORMANCE)/venv/bin/pytest -q -p no:cacheprovider $(CONFORMANCE)/suite/tuf_conformance \
	  -c $(CONFORMANCE)/suite/pyproject.toml --entrypoint "$(abspath $(BIN))/python -m services.cli ota conformance"

clean:  ## remove the environment and caches
	rm -rf $(VENV) build .mypy_cache .pytest_cache .ruff_cache

$(VENV)/.stamp-venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "Linnet needs Python 3.10 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || $(SUDO) apt-get install -y python3-venv || \
	  { echo "python3-venv is missing: run  sudo apt-get install python3-venv  and try again"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# Editable, so that the bundle in the checkout is the one that runs.
$(VENV)/.stamp-run: $(VENV)/.stamp-venv pyproject.toml
	$(BIN)/pip install --quiet --prefer-binary -e '.[recogniser]'
	@touch $@

$(VENV)/.stamp-fleet: $(VENV)/.stamp-run pyproject.toml
	$(BIN)/pip install --quiet --prefer-binary -e '.[fleet]'
	@touch $@

# In an environment of its own: its simulator pins another python-tuf than the client under test has.
$(CONFORMANCE)/.stamp: Makefile
	@command -v faketime >/dev/null || { echo "please install: faketime"; exit 1; }
	rm -rf $(CONFORMANCE)
	git clone --quiet $(CONFORMANCE_SOURCE) $(CONFORMANCE)/suite
	git -C $(CONFORMANCE)/suite checkout --quiet $(CONFORMANCE_REVISION)
	$(PYTHON) -m venv $(CONFORMANCE)/venv
	$(CONFORMANCE)/venv/bin/pip install --quiet ./$(CONFORMANCE)/suite
	@touch $@

$(VENV)/.stamp-test: $(VENV)/.stamp-run pyproject.toml | system-packages
	$(BIN)/pip install --quiet --prefer-binary -e '.[test,export,audio,parity]' $(TORCH)
	$(BIN)/pip install --quiet --no-deps $(CHATTERBOX)
	@touch $@

$(VENV)/.stamp-train: $(VENV)/.stamp-test pyproject.toml
	$(BIN)/pip install --quiet --prefer-binary -e '.[dev]' $(TORCH)
	@touch $@

system-packages:
	@[ -e /usr/include/portaudio.h ] || missing=1; \
	for program in $(TEST_PROGRAMS) softhsm2-util; do PATH="$$PATH:/usr/sbin" command -v $$program >/dev/null || missing=1; done; \
	if [ -n "$$missing" ]; then \
	  $(SUDO) apt-get update -qq && \
	  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(TEST_PACKAGES) || \
	  { echo "please install: $(TEST_PACKAGES)"; exit 1; }; \
	fi
