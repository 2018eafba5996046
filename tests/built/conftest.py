"""Tests of the real sentiment model, as `make test` has built it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from marline.artifact.store import Store
from marline.serve import TorchServer, serve
from marline.spec import ModelSpec, load_model_spec

ROOT = Path(__file__).resolve().parents[2]
MODEL = "sentiment"


@pytest.fixture(scope="session")
def spec() -> ModelSpec:
    return load_model_spec(ROOT / "config" / "models" / f"{MODEL}.yaml")


@pytest.fixture(scope="session")
def store(spec: ModelSpec) -> Store:
    found = Store(os.environ.get("MARLINE_TEST_STORE") or ROOT / "model_store")
    if spec.version not in found.versions(MODEL):
        pytest.skip(f"no built {MODEL} {spec.version} in {found.root}: run `make build`")
    return found


@pytest.fixture(scope="session")
def report(store: Store, spec: ModelSpec) -> dict[str, Any]:
    found = store.report(MODEL, spec.version)
    assert found is not None
    return found


@pytest.fixture(scope="session")
def server(store: Store, spec: ModelSpec, report: dict[str, Any]) -> Iterator[TorchServer]:
    """One TorchServe with every eligible variant, the default one first."""
    default = report["default_variant"]
    names = [n for n in store.variants(MODEL, spec.version) if report["variants"][n]["eligible"]]
    names.sort(key=lambda name: name != default)
    with serve([store.archive(MODEL, spec.version, n) for n in names], spec.serving, port=0) as running:
        running.wait_ready()
        yield running
