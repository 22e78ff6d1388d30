# What a newcomer needs: make demo, make test. Everything else is a step of those, or a tool of its own.
# A target installs what it needs. What is slow to make is kept in $(CACHE), keyed by what it is made from.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
export SPLATS_CACHE ?= $(HOME)/.cache/splat-compression
export CLUSTER ?= embedded

TOOL := PYTHONPATH=tests $(PYTHON) -m
UV_HOME := $(SPLATS_CACHE)/uv-$(shell cksum < requirements/uv.txt | cut -d' ' -f1)
UV := $(UV_HOME)/bin/uv
BIN := .venv/bin
export PATH := $(UV_HOME)/bin:$(PATH)
NAMESPACE ?= splat-operator
TESTS ?= tests
# Only these are collected for the cluster: each process would import all other tests first.
E2E = $(if $(filter tests,$(TESTS)),$(shell grep -rl --include='*.py' mark.e2e tests),$(TESTS))
# pytest's exit code where TESTS holds none of a kind.
NONE_FOUND := 5
N ?= 10000
OUT ?= docs

.PHONY: help setup demo test test-fast test-alone test-e2e test-gpu bench bench-operator lint chart build cluster cluster-down cluster-env images install pins
help:  ## these lines
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/complete  ## .venv with the worker, the operator and all tools of development

demo:  ## compress a scene here, then on a real cluster, and show both results
	@$(PYTHON) examples/demo

test: setup lint install  ## all tests, on the embedded cluster (CLUSTER=current: the current context)
	@$(MAKE) --no-print-directory -j 2 --output-sync=target test-fast test-alone
	@$(MAKE) --no-print-directory test-e2e

# Threads that wait for each other must sleep: where as many others want the cores, spinning doubles the time.
test-fast test-alone test-e2e: export OMP_WAIT_POLICY := PASSIVE

test-fast: setup tests/viewers/node_modules/.package-lock.json /usr/bin/chromium /usr/bin/g++
	$(BIN)/pytest -n 2 --durations 20 -m 'not e2e' $(TESTS)

# These wait half of their time, but for nothing that another test may touch: fast tests use no cluster.
test-alone: setup install
	$(BIN)/pytest --durations 0 -m 'e2e and alone' $(E2E) || [ $$? = $(NONE_FOUND) ]

test-e2e: setup tests/viewers/node_modules/.package-lock.json /usr/bin/chromium install
	$(BIN)/pytest -n 4 --dist loadgroup --durations 20 -m 'e2e and not alone' $(E2E) || [ $$? = $(NONE_FOUND) ]

test-gpu: setup  ## on this machine's NVIDIA GPUs: cluster, operator, both engines (ready images: ARCHIVES="operator.tar worker.tar")
	@if [ $(CLUSTER) = current ]; then $(BIN)/pytest -m gpu tests/gpu; else PYTHONPATH=tests $(BIN)/python -m gpu $(ARCHIVES); fi

bench: setup tests/viewers/node_modules/.package-lock.json  ## the encoder and its peers: SCENES="a.ply b.ply" OUT=docs; more: BENCH=--help
	@$(BIN)/python -m benchmarks run $(SCENES) --out $(OUT) $(BENCH)

bench-operator: setup install  ## the operator and N=10000 resources, whose pods no machine runs; more: BENCH=--help
	@[ $(CLUSTER) = current ] || { $(TOOL) cluster build-kwok; eval "$$($(TOOL) cluster env)"; }; \
		$(BIN)/python -m benchmarks.operator --resources $(N) --namespace $(NAMESPACE) $(BENCH)

lint: setup  ## formatting, lint, types, layers
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy --no-error-summary
	$(BIN)/lint-imports --no-logo

chart: setup  ## write what the chart repeats of other files: its README's values, its annotations, the CRD
	@PYTHONPATH=tests $(BIN)/python -m chart.generated

build:  # what the cluster is made of, without starting it
	@[ $(CLUSTER) = current ] || $(TOOL) cluster build

cluster:  ## start the embedded cluster (the first time it builds its binaries, 12 minutes on 2 cores)
	@[ $(CLUSTER) = current ] || $(TOOL) cluster up

cluster-down:  ## stop the embedded cluster and leave nothing behind
	@[ $(CLUSTER) = current ] || $(TOOL) cluster down

cluster-env:  ## print what a shell needs to use the cluster: eval "$(make -s cluster-env)"
	@[ $(CLUSTER) = current ] || $(TOOL) cluster env

images:  ## build both images and load them into the embedded cluster
	@$(TOOL) images

install: cluster images  ## install the operator from its chart into the cluster
	@$(TOOL) installation

COMPILE := $(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command 'make pins'
# The packages' own dependencies are those of their pyproject.toml. torch.txt, sogs.txt and worker.txt are a layer of the worker's
# image each: worker.txt keeps to the pins of torch.txt and leaves its packages to it, sogs.txt to those of both.
LEAVING = $$(sed -nE 's/^([a-z0-9-]+)==.*/--no-emit-package \1/p' $(1) | sort -u)
pins:  ## resolve requirements/*.txt anew from requirements/*.in and from what the packages need
	for f in $(filter-out %/sogs.in %/dev.in,$(wildcard requirements/*.in)); do \
		$(COMPILE) $$(grep -q -- --no-deps $$f && echo --no-deps) $$f -o $${f%.in}.txt; done
	$(COMPILE) operator/pyproject.toml -o requirements/operator.txt
	$(COMPILE) -c requirements/torch.txt $(call LEAVING,requirements/torch.txt) worker/pyproject.toml -o requirements/worker.txt
	$(COMPILE) $(call LEAVING,requirements/torch.txt requirements/worker.txt) requirements/sogs.in -o requirements/sogs.txt
	$(COMPILE) requirements/dev.in operator/pyproject.toml worker/pyproject.toml -o requirements/dev.txt

.venv/complete: $(UV) requirements/dev.txt operator/pyproject.toml worker/pyproject.toml
	@echo 'setup: making .venv, about a minute the first time (torch is large)'
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e operator -e worker
	@touch $@

$(UV):
	@$(PYTHON) -m venv $(UV_HOME) || { apt-get update -qq && apt-get install -qq --yes python3-venv && $(PYTHON) -m venv --clear $(UV_HOME); }
	@$(UV_HOME)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt

tests/viewers/node_modules/.package-lock.json: tests/viewers/package-lock.json
	cd tests/viewers && npm ci --ignore-scripts --no-fund --no-audit --loglevel=error
	@touch $@

/usr/bin/chromium /usr/bin/g++:
	apt-get update -qq
	apt-get install -qq --yes --no-install-recommends $(@F) > /dev/null
