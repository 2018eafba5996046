"""A tiny real artifact: an ONNX graph ``y = scale * x``, its manifest and its archive."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from handlerkit.manifest import Dim, Golden, Manifest, Requirements, Source, Tensor
from marline.artifact.mar import files_of, pack
from marline.artifact.store import Store

MODEL = "scaler"


def stage(directory: Path, scale: float = 2.0, version: str = "1.0.0", variant: str = "onnx-fp32") -> Manifest:
    """Lay the artifact's one file out in ``directory``; returns its manifest."""
    import onnx
    from onnx import TensorProto, helper

    rows = ["rows", 2]
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "scale"], ["y"])],
        "scaler",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, rows)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, rows)],
        [helper.make_tensor("scale", TensorProto.FLOAT, [], [scale])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    directory.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(directory / "model.onnx"))
    shape = (Dim("rows", 1, 8), 2)
    return Manifest(
        schema_version=1,
        model=MODEL,
        version=version,
        variant=variant,
        task="tensor",
        format="onnx",
        source=Source("file:model.onnx", "1", "0" * 64),
        files=files_of(directory, ["model.onnx"]),
        inputs=(Tensor("x", "float32", shape),),
        outputs=(Tensor("y", "float32", shape),),
        tokenizer=None,
        labels=(),
        requirements=Requirements(platform.python_version(), {"onnxruntime": installed("onnxruntime")}, ()),
        inference_parameters={},
        warmup_shapes=({"rows": 1},),
        golden=(Golden({"inputs": {"x": [[1.0, 2.0]]}}, None, {"y": [[scale, 2 * scale]]}),),
        golden_atol=1e-6,
        drift_baseline=None,
        build={"seed": 0},
        handler_contract=1,
        licence="Apache-2.0",
    )


def archive(directory: Path, **options: Any) -> Path:
    """A packed artifact, staged beside its archive."""
    target = directory / "scaler.mar"
    pack(directory / "stage", stage(directory / "stage", **options), target)
    return target


def report(variants: dict[str, str]) -> dict[str, Any]:
    """A report with a status per variant; the first one that passed is the default."""
    default = next((name for name, status in variants.items() if status == "pass"), None)
    rows = {name: {"status": status, "accuracy": 0.8} for name, status in variants.items()}
    return {"cpu_class": "avx2", "default_variant": default, "variants": rows}


def publish(store: Store, version: str, scale: float = 2.0, variants: tuple[str, ...] = ("onnx-fp32",), status: str = "pass") -> dict[str, str]:
    """Build and publish a version; returns variant to sha256."""
    with store.staging(MODEL, version) as staging:
        for name in variants:
            manifest = stage(staging.variant(name), scale, version, name)
            pack(staging.variant(name), manifest, staging.archive(name))
        (staging.path / "report.json").write_text(json.dumps(report(dict.fromkeys(variants, status))))
        (staging.path / "report.html").write_text("<title>report</title>")
        return staging.commit()


def tree(root: Path) -> dict[str, bytes]:
    """Every visible file below ``root`` with its content."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts)
    }
