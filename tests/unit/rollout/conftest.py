"""A project with one model, two variants of it in a store, measured, and a release of both."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from marline.artifact.store import Store
from marline.errors import SpecError
from marline.rollout.plan import Plan, plan
from unit.artifact import samples
from unit.artifact.samples import MODEL
from unit.spec.conftest import TENSOR_SPEC, changed

MIB = 2**20
MEASURED = {"eligible": True, "missed": [], "times_ms": [8.0, 12.0], "rss_bytes": 100 * MIB}
RELEASE: dict[str, Any] = {
    "release": "scaler",
    "namespace": "models",
    "image": {"repository": "registry.example.com/scaler", "tag": "1.0.0"},
    "primary": "main",
    "variants": {
        "main": {
            "model": MODEL,
            "version": "1.0.0",
            "variant": "onnx-fp32",
            "weight": 90,
            "autoscaling": {"min_replicas": 2, "max_replicas": 4},
            "server": {"workers": 2},
            "resources": {"server": {"cpu": 2}},
        },
        "canary": {"model": MODEL, "version": "1.0.0", "variant": "onnx-int8", "weight": 10},
    },
}


def evidence(store: Store, variant: str, cpu_class: str = "avx2", **changes: Any) -> Path:
    """Measurements of an archive of the store."""
    sha256 = store.sha256(MODEL, "1.0.0", variant)
    document = {"sha256": sha256, "measured": {**MEASURED, **changes}}
    return store.write_evidence(MODEL, "1.0.0", variant, cpu_class, document)


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = Store(tmp_path_factory.mktemp("store"))
    samples.publish(store, "1.0.0", variants=("onnx-fp32", "onnx-int8"))
    for variant in store.variants(MODEL, "1.0.0"):
        evidence(store, variant)
    return store.root


@pytest.fixture
def store(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store of a project of its own, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(published, "model_store")
    spec = changed(TENSOR_SPEC, ("name", MODEL), ("variants", {"onnx-fp32": {}, "onnx-int8": {}}))
    put("config/models/scaler.yaml", spec)
    put("config/releases/staging.yaml", RELEASE)
    return Store("model_store")


def put(path: str, document: Any) -> Path:
    """Write a YAML file of the project."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return Path(path)


@pytest.fixture
def planned(store: Store) -> Callable[..., Plan]:
    """The plan of the release with values set at dotted paths."""

    def of(*changes: tuple[str, Any], where: Store | None = store) -> Plan:
        put("config/releases/staging.yaml", changed(RELEASE, *changes))
        return plan("staging", where)

    return of


@pytest.fixture
def problems(planned: Callable[..., Plan]) -> Callable[..., list[str]]:
    """The problems of a release, each without the file's name and line; a valid one has none."""

    def of(*changes: tuple[str, Any], **options: Any) -> list[str]:
        try:
            planned(*changes, **options)
        except SpecError as error:
            found = [problem.partition(": ") for problem in error.problems]
            assert all(file.startswith("config/releases/staging.") for file, _, _ in found), error.problems
            assert all("\n" not in problem for problem in error.problems)
            return [rest for _, _, rest in found]
        return []

    return of
