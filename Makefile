# Newcomers need two targets: run and test. Each target installs what it needs into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STATE ?= .run

.DEFAULT_GOAL := help
.PHONY: help run test quick bench bench-queue bench-dashboard bench-identity bench-flood chaos soak screenshots lint format docs sbom licences audit kube lock clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 13

run: $(VENV)/run.stamp ## serve on http://127.0.0.1:8080, with its state in .run/
	@umask 077 && mkdir -p $(STATE)/admin
	@test -e $(STATE)/admin/users || { umask 077; printf admin > $(STATE)/admin/users; }
	@test -e $(STATE)/cimaster.db || { $(BIN)/cimaster import cimaster/samples/pool.yaml \
	  --store sqlite:$(STATE)/cimaster.db && echo "The pool was empty: a sample inventory was added."; }
	@test -e $(STATE)/checks.ini || \
	  sed "s/:8080/:$${CIMASTER_PORT:-8080}/" cimaster/samples/checks.ini > $(STATE)/checks.ini
	@echo "Open http://127.0.0.1:$${CIMASTER_PORT:-8080}/ (the admin is called admin); Ctrl-C ends it."
	@exec $(BIN)/cimaster serve --store sqlite:$(STATE)/cimaster.db --admin-dir $(STATE)/admin --manage-cluster on \
	  --checks-file $(STATE)/checks.ini \
	  --provisioner "$${CIMASTER_PROVISIONER:-$(if $(CIMASTER_PROW_URL),manual-trigger,command)}" \
	  --command-program "$${CIMASTER_COMMAND_PROGRAM:-cimaster/samples/create-cluster.sh}" \
	  --command-environment "$${CIMASTER_COMMAND_ENVIRONMENT:-CREATE_SECONDS}"

# The tests start hundreds of processes: each would compile all modules again if this were set.
test quick: export PYTHONDONTWRITEBYTECODE =

test: $(VENV)/dev.stamp lint ## lint, types, layers and every test that this machine can run
	$(BIN)/pytest -n 4 --dist loadgroup

quick: $(VENV)/dev.stamp ## the fast tests, which need neither Kubernetes nor a browser (a minute)
	$(BIN)/pytest -n 2 --dist loadgroup -m "not kube and not browser and not slow" --hypothesis-profile quick

bench: $(VENV)/dev.stamp kube ## compare it with a naive version, on both stores (15 min); BENCH=--docs updates the tables
	$(BIN)/python -m tests.bench $(BENCH)

bench-queue: $(VENV)/dev.stamp kube ## what a take costs while 1,000 callers wait (1 min)
	$(BIN)/python -m tests.bench.queue

bench-dashboard: $(VENV)/dev.stamp ## what the dashboard costs a browser and the service (2 min; needs chromium)
	$(BIN)/python -m tests.bench.dashboard

bench-identity: $(VENV)/dev.stamp kube ## what it costs that callers are identified, on both stores (3 min)
	$(BIN)/python -m tests.bench.identity

bench-flood: $(VENV)/dev.stamp ## what a job's requests take while another caller floods the service (3 min)
	$(BIN)/python -m tests.bench.flood

chaos: $(VENV)/dev.stamp kube ## inject faults for minutes and check every answer; CHAOS="--seed 7" repeats a storm
	$(BIN)/python -m tests.chaos $(CHAOS)

soak: $(VENV)/dev.stamp ## memory over 200,000 requests, size of the object after a day of work (8 min)
	$(BIN)/python -m tests.bench.soak

screenshots: $(VENV)/dev.stamp ## take the pictures in docs/images (needs chromium)
	$(BIN)/python -m tests.screenshots

lint: $(VENV)/dev.stamp ## style, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy cimaster wsgi.py tests
	$(BIN)/lint-imports --verbose > $(VENV)/imports.log || { cat $(VENV)/imports.log; exit 1; }

format: $(VENV)/dev.stamp ## format the code
	$(BIN)/ruff format .

docs: $(VENV)/dev.stamp ## write the generated parts of README.md, docs/ and openapi.yaml from the code
	$(BIN)/python -m tests.docs

sbom: $(VENV)/dev.stamp ## write the software bill of materials of what ships, as CycloneDX: build/sbom.json
	$(BIN)/python -m tests.supply sbom build/sbom.json

licences: $(VENV)/dev.stamp ## list the licences of what ships; fails if one is unknown or not allowed
	$(BIN)/python -m tests.supply licences

audit: $(VENV)/dev.stamp ## compare requirements.lock with the published vulnerabilities (needs the network)
	$(BIN)/python -m tests.supply audit

kube: ## build etcd and kube-apiserver for the tests (5 min, needs Go 1.26 or newer)
	tests/kube/build.sh

lock: ## resolve the dependencies again and pin them with their hashes (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q --upgrade \
	  setup.cfg -o requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q --upgrade \
	  setup.cfg --extra dev -o requirements-dev.lock

clean: ## remove what make has built, but not the state in .run/
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "CIMaster needs Python 3.11 or newer; make PYTHON=... names one")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements.lock setup.cfg pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock setup.cfg pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@
