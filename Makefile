# marline's verbs.  Each does its own set-up: a bare machine needs python3 (3.11), pip and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup setup-serve quickstart build train lint test test-fast lock docs schemas render clean image bench served-cost \
        cluster-up cluster-down cluster-status test-cluster

help: ## Show the verbs
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: ## Make .venv: build, serve and test (torch included)
	@$(PYTHON) tools/setup_venv.py $(VENV) dev

setup-serve: ## Make .venv-serve: serve ONNX archives, without torch
	@$(PYTHON) tools/setup_venv.py .venv-serve serve

quickstart: setup ## Build the sentiment model, serve it, ask it (ARGS=--once stops afterwards)
	@$(BIN)/marline quickstart $(ARGS)

build: setup ## Build, gate and publish the sentiment model
	@$(BIN)/python build.py build sentiment $(ARGS)

train: setup ## Train the sentiment model's committed inputs again (prints their digests)
	@$(BIN)/marline train sentiment $(ARGS)

image: setup ## Build the container image (ARGS="--tag NAME sentiment"; docker, podman or buildah)
	@$(BIN)/python tools/image.py $(ARGS)

bench: build ## Compare with the bare loop and other servers (needs wrk; ARGS="--contender NAME" for some)
	@MARLINE_K6=$$(env -C tests ../$(BIN)/python -m cluster build k6 | tail -1) $(BIN)/marline bench sentiment $(ARGS)

served-cost: build ## Where a request's CPU time goes (needs wrk; ARGS="--warm 40")
	@$(BIN)/python tools/served_cost.py sentiment/1.0.0/onnx-int8-static --figures . $(ARGS)

cluster-up: setup ## Start a real single-node Kubernetes (root, Linux), or use it if it runs
	@env -C tests ../$(BIN)/python -m cluster up

cluster-down: setup ## End it; nothing but its logs stays
	@env -C tests ../$(BIN)/python -m cluster down

cluster-status: setup ## What runs in it and what is wrong
	@env -C tests ../$(BIN)/python -m cluster status

test-cluster: setup ## The tests on Kubernetes (KUBECONFIG uses yours, CLUSTER=0 skips them)
	@$(BIN)/pytest -q tests/cluster tests/pods tests/graders/test_server_side.py $(ARGS)

lint: setup ## Style, types, the rooms' one-way rule, generated files
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/marline schemas --check
	@$(BIN)/python tools/gen_docs.py --check
	@$(BIN)/python tools/chart_docs.py --check

test: setup setup-serve lint ## Everything: lint, unit, handlers, golden, a real TorchServe, docs
	@$(BIN)/python tools/run_tests.py $(ARGS)

test-fast: setup ## Unit, handler and golden tests only
	@$(BIN)/pytest -q tests/unit tests/handlers tests/golden $(ARGS)

lock: setup ## Write requirements/*.lock from pyproject.toml
	@$(BIN)/python tools/lock.py

docs: setup ## Write the generated blocks of README and docs
	@$(BIN)/python tools/gen_docs.py
	@$(BIN)/python tools/chart_docs.py

render: setup ## Write k8s/ from helm/ and config/releases (ARGS=--check only compares)
	@$(BIN)/python tools/render.py $(ARGS)

schemas: setup ## Write config/schemas
	@$(BIN)/marline schemas

clean: ## Remove environments, caches and the model store
	rm -rf .venv .venv-serve model_store .mypy_cache .ruff_cache
