# make demo: everything from nothing to a reconciled world. make test, make check: what CI runs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
USERS ?= 2000
SEED ?= 1
HISTORIES ?= 5000
SOAK_ROUNDS ?= 3000
TOWNS ?= 300
SCALE ?= 1

.PHONY: help install demo dev test soak soak-ingest soak-alerts soak-intraday docs screenshots plans columns check format bench bench-ingest bench-latency \
	bench-reports accuracy clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP)  ## virtual environment with everything, pinned by constraints.txt

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 ..." >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing (a few minutes the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

demo: install  ## plant a world, reconcile it, alert, repair, prove it
	@$(BIN)/payments-pipeline demo --users $(USERS) --seed $(SEED)

dev: install  ## Dagster's UI and daemon on loopback, over a sandbox world
	@$(BIN)/payments-pipeline dev

test: install  ## all tests
	@$(BIN)/pytest

soak-ingest: install  ## thousands of random histories of ingestion; HISTORIES_SEED=n repeats a lot
	@HISTORIES=$(HISTORIES) $(BIN)/pytest -p no:xdist -o addopts= -q -s \
		payments_pipeline_tests/ingest/test_histories.py payments_pipeline_tests/ingest/test_open_objects.py \
		payments_pipeline_tests/ingest/test_known_by_range.py

docs: install  ## write the pages about reports, repairs and commands anew
	@$(BIN)/python docs/make_pages.py

screenshots: install  ## take the pictures of the UI anew (needs a Chromium or Chrome on this machine)
	@$(BIN)/python docs/make_screenshots.py

plans: install  ## write the reports' query plans anew, after a change of a report or an index
	@PLANS=write $(BIN)/pytest -p no:xdist -o addopts= -q payments_pipeline_tests/reports/test_plans.py

columns: install  ## write the column types of reports and statistics anew, after a change of their queries
	@COLUMNS=write $(BIN)/pytest -p no:xdist -o addopts= -q payments_pipeline_tests/duty/test_made_columns.py

soak-intraday: install  ## hundreds of random towns: reports between two nights beside full runs; INTRADAY_SEED=n repeats
	@INTRADAY_TOWNS=$(TOWNS) $(BIN)/pytest -p no:xdist -o addopts= -q payments_pipeline_tests/reports/test_intraday.py

soak: install  ## thousands of random interleavings of repairs; SOAK_SEED=n begins at another seed
	@SOAK_ROUNDS=$(SOAK_ROUNDS) $(BIN)/pytest -p no:xdist -o addopts= -q -s \
		payments_pipeline_tests/remediation/test_soak.py

soak-alerts: install  ## alerts in a long storm, messages of any body; STORM_SEED=n repeats a storm
	@STORM_FINDINGS=$${STORM_FINDINGS:-600} STORM_SECONDS=$${STORM_SECONDS:-300} \
		RENDER_EXAMPLES=$${RENDER_EXAMPLES:-1000} $(BIN)/pytest -p no:xdist -o addopts= -q -s \
		payments_pipeline_tests/notify/test_storm.py payments_pipeline_tests/notify/test_render.py

check: install  ## format, lint, types, layers, SQL, definitions
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@PYTHONPATH=. $(BIN)/lint-imports
	@$(BIN)/sqlfluff lint --disable-progress-bar sql docs/examples
	@$(BIN)/dg check defs

format: install  ## rewrite code and SQL in the house style
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@$(BIN)/sqlfluff fix --disable-progress-bar sql docs/examples

bench: install  ## measure beside what a user would pick instead; writes benchmarks/results/
	@for file in $(filter-out benchmarks/bench_ingest.py benchmarks/bench_reports.py benchmarks/bench_latency.py,$(wildcard benchmarks/bench_*.py)); do \
		$(BIN)/python $$file || exit 1; done

bench-ingest: install  ## ingestion beside stripe's auto-paging, dlt and a bare COPY (ten minutes)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	@$(BIN)/python benchmarks/bench_ingest.py

bench-latency: install  ## from a payment's commit to the message in Discord, with the real daemon (twenty minutes)
	@$(BIN)/python benchmarks/bench_latency.py

bench-reports: install  ## the report catalogue at a million users; SCALE=0.02 for a quick look
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	@$(BIN)/python benchmarks/bench_reports.py --scale $(SCALE)

accuracy: install  ## measure what is found, missed and said falsely over a set of worlds; writes docs/accuracy.md
	@$(BIN)/python benchmarks/accuracy_page.py

clean:  ## stop the embedded server and remove what was installed and stored
	@test ! -x $(BIN)/payments-pipeline || $(BIN)/payments-pipeline db stop
	rm -rf $(VENV) .payments
