# Every target does its own set-up: all it needs is Python 3.11 to 3.14 and make.
# The environment is .venv/, where the command is .venv/bin/adapter.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
OWN := pyproject.toml requirements-build.lock

.DEFAULT_GOAL := help
# Else every process that tests and benchmarks start would compile the adapter anew.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help install demo check unit test screenshots noninterference layouts faults abuse kills probes fuzz conformance validator interop interop-feed lint bench bench-ledger bench-workers bench-hapi bench-matching clean

help:  ## say what there is
	@echo "make demo    a year of a centre's records goes out to two hospitals and their results come back"
	@echo "make check   what says within a minute whether a change is sound: lint, types, contracts, unit tests"
	@echo "make test    all tests; the store tests on SQLite and, where it is installed, on PostgreSQL"
	@echo "make noninterference  PAIRS=20000 pairs of centres that differ only in what is withheld: the same is seen"
	@echo "make layouts  PEOPLE=934 as 40 clerks write them: the same records; 2,000 slips: all said"
	@echo "make screenshots  the pictures of docs/console.md, in Debian's chromium"
	@echo "make faults  SEEDS=20 runs of real processes with faults on purpose, kills, full disks, jumping clocks"
	@echo "make abuse   REQUESTS=2000 at and far beyond each limit of the endpoint: an outcome within 5 seconds"
	@echo "make kills   KILLS=200 of the endpoint, in the middle of each interaction, on SQLite and on PostgreSQL"
	@echo "make probes  PROBES=2000 of members, strangers and T1: the clock does not tell whom the centre knows"
	@echo "make fuzz    FUZZ=100 requests of each route of the endpoint, made by schemathesis: always an outcome"
	@echo "make conformance  all that leaves, for the official examples and two other R4 validators (npm, Maven, a JDK)"
	@echo "make validator  every resource of the sample year before HL7's own engine (Maven, a JDK; ten minutes)"
	@echo "make interop HAPI, Medplum, eight FHIR clients and three HL7 v2 senders of others, with us (npm, Maven, a JDK, PostgreSQL)"
	@echo "make interop-feed  FEED=5000 results that a HAPI server sends by itself, before and after a kill -9: once each"
	@echo "make lint    ruff, mypy, import-linter"
	@echo "make bench   every figure that the README quotes, measured again"
	@echo "make bench-ledger bench-workers bench-hapi  a million resources; one to eight workers; HAPI (minutes each)"
	@echo "make bench-matching  who is linked wrongly, who is ranked first, and F1 beside Splink (half an hour)"
	@echo "make install only .venv/bin/adapter and what it needs, for a server"
	@echo "make clean   removes .venv/, demo/ and the tools' caches"

install: .venv/runtime.stamp  ## .venv/bin/adapter and what it needs
	@echo "The command is .venv/bin/adapter"

demo: .venv/runtime.stamp  ## import, sync through faults, results come back, report; checks itself
	@$(BIN)/adapter demo $(DEMO)

# Two for each core: many tests wait for a time-out or a process most of the time.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(2 * (os.cpu_count() or 1))')
test: .venv/dev.stamp  ## pytest; e.g. make test TESTS=tests/unit
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(TESTS)

check: .venv/dev.stamp  ## the inner loop: lint and types beside the unit tests
	@$(MAKE) --no-print-directory --jobs 2 lint unit

unit: .venv/dev.stamp  ## the unit tests alone
	@$(BIN)/python -m pytest -q -n $$($(BIN)/python -c 'import os; print(os.cpu_count() or 1)') --dist worksteal tests/unit

PAIRS ?= 20000
noninterference: .venv/dev.stamp  ## what is withheld cannot be told from what leaves
	@ADAPTER_PAIRS=$(PAIRS) $(BIN)/python -m pytest -q -n $(WORKERS) tests/integration/test_noninterference.py

PEOPLE ?= 934
layouts: .venv/dev.stamp  ## the year as 40 clerks write it, and with 2,000 cells spoilt
	@ADAPTER_LAYOUT_PEOPLE=$(PEOPLE) $(BIN)/python -m pytest -q -n $(LAYOUT_WORKERS) --dist worksteal \
	  tests/integration/test_dialects.py tests/integration/test_spoilt_cells.py
LAYOUT_WORKERS ?= $(shell $(PYTHON) -c 'import os; print(os.cpu_count() or 1)')

REQUESTS ?= 2000
abuse: .venv/dev.stamp  ## every limit of the endpoint at 0.5, 1, 2 and 100 times, and odd requests: an outcome within 5 s
	@ADAPTER_ABUSE=$(REQUESTS) $(BIN)/python -m pytest -q -s tests/integration/test_abuse.py

KILLS ?= 200
kills: .venv/dev.stamp  ## the endpoint killed with signal 9: acknowledged is there, unacknowledged whole or absent
	@PYTHONPATH=.:tests $(BIN)/python tests/killing.py $(KILLS)

screenshots: .venv/dev.stamp  ## docs/console/*.png, of a small centre of invented people
	@PYTHONPATH=.:tests $(BIN)/python tests/console_pictures.py

PROBES ?= 2000
probes: .venv/dev.stamp  ## what an answer about members, strangers and T1 takes is statistically the same
	@PYTHONPATH=.:tests $(BIN)/python tests/probing.py $(PROBES)

FUZZ ?= 100
fuzz: .venv/dev.stamp .venv/fuzz.stamp  ## schemathesis over all that is routed: no failure of ours, always an outcome
	@PYTHONPATH=.:tests $(BIN)/python tests/fuzzing.py $(FUZZ)

SEEDS ?= 20
faults: .venv/dev.stamp  ## SEEDS runs of about a minute with a table of what was injected, and the ledger's model
	@ADAPTER_MODEL_STORIES=600 $(BIN)/python -m pytest -q tests/model
	@PYTHONPATH=.:tests $(BIN)/python tests/faultrun.py $(SEEDS)

# So many of HL7's 5,261 examples are posted to the endpoint.
EXAMPLES ?= 120
conformance: .venv/dev.stamp  ## official examples, broken resources, and all that leaves for other validators
	@PYTHONPATH=tests $(BIN)/python tests/conformance/fetch.py
	@ADAPTER_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -n 2 --dist loadfile -m conformance tests/conformance tests/unit

validator: .venv/dev.stamp  ## the sample year, all of it, without an error by the official engine
	@PYTHONPATH=tests $(BIN)/python tests/conformance/fetch.py
	@PYTHONPATH=tests $(BIN)/python tests/conformance/whole_year.py

interop: .venv/dev.stamp  ## the path out against HAPI (H2, PostgreSQL) and Medplum, and eight clients of others at our endpoint
	@PYTHONPATH=tests $(BIN)/python tests/interop/fetch.py
	@$(BIN)/python -m pytest -m interop tests/interop $(INTEROP)

FEED ?= 5000
interop-feed: .venv/dev.stamp  ## FEED results that a HAPI server sends by itself, with rest-hook Subscriptions: once each
	@PYTHONPATH=tests $(BIN)/python tests/interop/fetch.py
	@ADAPTER_FEED=$(FEED) $(BIN)/python -m pytest -m interop tests/interop/test_hapi_feeds.py

lint: .venv/dev.stamp  ## style, types, and who may import whom
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: .venv/dev.stamp  ## prints the README's table
	@$(BIN)/python benchmarks/run.py $(BENCH)

bench-ledger bench-workers: .venv/dev.stamp
	@$(BIN)/python benchmarks/run.py $(subst bench-,,$@)

bench-hapi: .venv/dev.stamp .venv/bench.stamp
	@PYTHONPATH=tests $(BIN)/python tests/interop/fetch.py
	@$(BIN)/python benchmarks/hapi.py

bench-matching: .venv/dev.stamp .venv/linkage.stamp
	@PYTHONPATH=.:tests $(BIN)/python benchmarks/matching.py $(MATCHING)

.venv/linkage.stamp: .venv/bin/python requirements-linkage.lock
	@$(BIN)/python -m venv .venv/linkage
	@.venv/linkage/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --require-hashes -r requirements-linkage.lock
	@touch $@

.venv/fuzz.stamp: .venv/bin/python requirements-fuzz.lock
	@$(BIN)/python -m venv .venv/fuzz
	@.venv/fuzz/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --require-hashes -r requirements-fuzz.lock
	@touch $@

.venv/bench.stamp: .venv/bin/python requirements-bench.lock
	@$(BIN)/python -m venv .venv/bench
	@.venv/bench/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --require-hashes -r requirements-bench.lock
	@touch $@

clean:
	rm -rf .venv demo build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

.venv/bin/python:
	@echo "Setting up: making a virtual environment in .venv/"
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(not (3, 11) <= v < (3, 15))' || \
	  { echo "Python 3.11 to 3.14 is needed; '$(PYTHON)' is another. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "Python cannot make virtual environments here. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@$(PYTHON) -m venv .venv

.venv/runtime.stamp: .venv/bin/python requirements.lock $(OWN)
	@echo "Setting up: installing the adapter and what it needs, from requirements.lock (checked by hash)"
	@$(PIP) install --no-deps --require-hashes -r requirements-build.lock -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev.stamp: .venv/runtime.stamp requirements-dev.lock
	@echo "Setting up: installing the developers' tools, from requirements-dev.lock (checked by hash)"
	@$(PIP) install --no-deps --require-hashes -r requirements-dev.lock
	@touch $@
