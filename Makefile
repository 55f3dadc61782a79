# make demo    a real small pipeline under `snakemake --executor tracer`, and its report
# make test    everything (engines too); make test-quick: without the engines
# make lint    ruff, formatting, types
# make bench   what watching costs, measured here
# make screenshots   the pictures in docs/images, of the demo's last run
# Each target sets up what it needs in .venv, once. Only make and Python 3.10 or later must be there.
#
# Names in a makefile cannot hold spaces. All names here are relative, so the repository may be in
# a folder whose name does; but Snakemake runs `script:` rules by the unquoted path of its Python, so
# that demo and test then need VENV=/a/path/without/spaces.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
# Where it is set, every command that a test starts compiles hundreds of modules anew: seconds each.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
# Compiled at once, as pip does: what a task starts is then quick from the first.
INSTALL = $(BIN)/uv pip install --quiet --compile-bytecode
STAMPS := $(VENV)/stamps
# The oldest Snakemake that the plugin supports has an environment of its own.
OLD_SNAKEMAKE := 8.30
OLD_VENV := .venvs/snakemake-$(OLD_SNAKEMAKE)
# Override to choose an interpreter: make demo PYTHON=/opt/python3.12/bin/python3
PYTHON ?=
DEMO_DIR := .cache/demo
# Four cores also where there are two, or Snakemake would cut the step that asks for four threads
# down to two; but no more jobs at once than there are cores.
DEMO_JOBS ?= $(shell nproc)
DEMO_CORES ?= $(shell echo $$(( $$(nproc) > 4 ? $$(nproc) : 4 )))
# Tests of one file stay together, as far as that keeps every worker busy: they share what they
# start.
PYTEST_ARGS ?= -n auto --dist worksteal

.PHONY: help setup demo screenshots test test-new test-old-snakemake test-quick lint format bench clean distclean
help:
	@sed -n 's/^# \(make [a-z]* \{2,\}.*\)/\1/p' Makefile

setup: $(STAMPS)/installed

$(STAMPS)/venv: .ci/venv
	@bash .ci/venv "$(VENV)" "$(PYTHON)"
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/installed: $(STAMPS)/venv pyproject.toml
	@echo "Installing tracer-hooks and its tools into $(VENV) (once) ..."
	@$(INSTALL) --python $(BIN)/python --editable '.[snakemake,demo,dev]'
	@touch $@

demo: $(STAMPS)/installed
	@case "$$(cd $(BIN) && pwd)" in *' '*) \
		echo "Snakemake cannot run scripts by a Python whose path has a space in it:" \
			"say make demo VENV=/a/path/without/spaces" >&2; exit 1;; esac
	@rm -rf $(DEMO_DIR) && mkdir -p $(DEMO_DIR)
	@PATH="$$(cd $(BIN) && pwd):$$PATH" TRACER_HOOKS_STORE="$$PWD/.tracer" \
		snakemake --snakefile examples/snakemake/Snakefile --directory $(DEMO_DIR) \
		--executor tracer --tracer-pipeline outbreak-typing \
		--cores $(DEMO_CORES) --jobs $(DEMO_JOBS) --quiet rules host
	@echo && cat $(DEMO_DIR)/results/summary.md && echo
	@$(BIN)/tracer-hooks report latest
	@$(BIN)/tracer-hooks report latest --format html --output $(DEMO_DIR)/report.html
	@printf '\nThe same for a browser: %s\n' "$$PWD/$(DEMO_DIR)/report.html"

$(OLD_VENV)/stamps/installed: $(STAMPS)/venv pyproject.toml
	@echo "Installing Snakemake $(OLD_SNAKEMAKE) into $(OLD_VENV) (once) ..."
	@bash .ci/venv "$(OLD_VENV)" "$(BIN)/python"
	@$(INSTALL) --python $(OLD_VENV)/bin/python \
		--editable '.[snakemake,demo,dev]' 'snakemake==$(OLD_SNAKEMAKE).*'
	@mkdir -p $(@D) && touch $@

# Each Airflow has an environment of its own, without our test tools.
AIRFLOWS := .venvs/airflow-3/stamps/installed .venvs/airflow-2/stamps/installed
.venvs/airflow-3/stamps/installed: AIRFLOW := 3.3
.venvs/airflow-2/stamps/installed: AIRFLOW := 2.11
$(AIRFLOWS): $(STAMPS)/installed
	@echo "Installing Airflow $(AIRFLOW) into $(@D:/stamps=) (once) ..."
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(@D:/stamps=)
	@$(INSTALL) --python $(@D:/stamps=)/bin/python --editable . 'apache-airflow==$(AIRFLOW).*'
	@mkdir -p $(@D) && touch $@

# Everything with the newest Snakemake, then what concerns Snakemake with the oldest, then Airflow,
# whose servers are started once for each major: a process for each. One after the other, also with
# make -j.
.NOTPARALLEL:
test: test-new test-old-snakemake test-airflow

test-new: $(STAMPS)/installed
	@bash .ci/tests $(BIN)/python -m "not airflow" $(PYTEST_ARGS)

test-airflow: $(AIRFLOWS)
	@bash .ci/tests $(BIN)/python -m airflow -n 2 --dist loadscope

test-old-snakemake: $(OLD_VENV)/stamps/installed
	@bash .ci/tests $(OLD_VENV)/bin/python -m snakemake $(PYTEST_ARGS)

test-quick: $(STAMPS)/installed
	@bash .ci/tests $(BIN)/python -m "not engine" $(PYTEST_ARGS)

lint: $(STAMPS)/installed
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(STAMPS)/installed
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

bench: $(STAMPS)/installed
	@mkdir -p .cache/benchmarks
	@for script in benchmarks/*.py; do \
		name=$$(basename "$$script" .py); \
		[ "$$name" = pairs ] && continue; \
		echo "== $$name"; \
		$(BIN)/python "$$script" --json ".cache/benchmarks/$$name.json"; \
	done

screenshots: $(STAMPS)/installed
	@$(BIN)/python docs/make_screenshots.py

clean:
	rm -rf .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	find . -name __pycache__ -not -path './.venv/*' -not -path './.git/*' -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV) .venvs .tracer
