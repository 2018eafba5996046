"""A tiny brought ONNX model, y = x @ w, with its spec: builds in a second."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper, numpy_helper

from marline.build.sources.cache import sha256_of

ROWS = {"name": "rows", "min": 1, "max": 8}
SPEC: dict[str, Any] = {
    "name": "brought",
    "version": "1.0.0",
    "task": "tensor",
    "licence": "MIT",
    "source": {"kind": "file", "path": "m.onnx", "sha256": "0" * 64},
    "inputs": [{"name": "x", "dtype": "float32", "shape": [ROWS, 16]}],
    "outputs": [{"name": "y", "dtype": "float32", "shape": [ROWS, 4]}],
    # what this machine is busy with must not decide a test
    "variants": {
        "onnx-fp32": {"required": True},
        "onnx-int8": {"gates": {"max_p50_ratio_to_eager": 1000, "reason": "a product this small is all overhead"}},
    },
}


def write(folder: Path, seed: int = 0, **changes: Any) -> Path:
    """Model and spec in ``folder``; ``changes`` replace keys of the spec, dots written as two underscores."""
    folder.mkdir(parents=True, exist_ok=True)
    weight = np.random.default_rng(seed).normal(size=(16, 4)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="product")], "brought",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 4])], [numpy_helper.from_array(weight, "w")],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(folder / "m.onnx"))
    document = json.loads(json.dumps(SPEC))  # without shared parts, which YAML would write as aliases
    document["source"]["sha256"] = sha256_of(folder / "m.onnx")
    for dotted, value in changes.items():
        *parents, last = dotted.split("__")
        at = document
        for part in parents:
            at = at.setdefault(part.replace("_", "-") if at is document.get("variants") else part, {})
        at[last.replace("_", "-") if at is document["variants"] else last] = value
    path = folder / "brought.yaml"
    path.write_text(yaml.safe_dump(json.loads(json.dumps(document)), sort_keys=False))
    return path
