from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from marline.errors import SpecError
from marline.spec import load_model_spec

SHA = "0" * 64
SPEC: dict[str, Any] = {
    "name": "toy",
    "version": "1.0.0",
    "task": "text-classification",
    "licence": "MIT",
    "labels": ["no", "yes"],
    "head": "native",
    "source": {"kind": "pypi", "package": "toy", "version": "1.0", "sha256": SHA, "path": "toy/model"},
    "data": {
        "reader": "vader-movie-reviews",
        "source": {"kind": "pypi", "package": "toy", "version": "1.0", "sha256": SHA, "sdist": True, "path": "data"},
        "shares": {"train": 0.5, "calibration": 0.1, "gate": 0.2, "test": 0.2},
    },
    "training": {"epochs": 2},
    "inference_parameters": {"max_length": 64},
    "variants": {"eager-fp32": {"required": True}, "onnx-int8": {"gates": {"max_abs": 1}}},
    "serving": {"min_workers": 1, "max_workers": 2},
}
TENSOR_SPEC: dict[str, Any] = {
    "name": "brought",
    "version": "1.0.0",
    "task": "tensor",
    "licence": "MIT",
    "source": {"kind": "pypi", "package": "toy", "version": "1.0", "sha256": SHA, "path": "m.pt"},
    "inputs": [{"name": "x", "dtype": "float32", "shape": [1, {"name": "n", "min": 1, "max": 9}]}],
    "outputs": [{"name": "y", "dtype": "float32", "shape": [1]}],
    "variants": {"torchscript-fp32": {}},
}
DELETE = object()


def changed(spec: dict[str, Any], *changes: tuple[str, Any]) -> dict[str, Any]:
    """A copy with values set (or deleted) at dotted paths; numbers index lists."""
    out = copy.deepcopy(spec)
    for dotted, value in changes:
        *parents, last = dotted.split(".")
        at: Any = out
        for part in parents:
            at = at[int(part)] if isinstance(at, list) else at.setdefault(part, {})
        if value is DELETE:
            del at[last]
        elif isinstance(at, list):
            at[int(last)] = value
        else:
            at[last] = value
    return out


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def _write(spec: Any, name: str = "toy.yaml") -> Path:
        path = tmp_path / name
        path.write_text(spec if isinstance(spec, str) else yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
        return path

    return _write


@pytest.fixture
def problems(write: Callable[..., Path]) -> Callable[..., list[str]]:
    """The problems of a spec, each without the file's name; a valid spec has none."""

    def _problems(spec: Any) -> list[str]:
        path = write(spec)
        try:
            load_model_spec(path)
        except SpecError as error:
            assert all(p.startswith(f"{path}:") for p in error.problems), error.problems
            return [p.removeprefix(f"{path}:") for p in error.problems]
        return []

    return _problems
