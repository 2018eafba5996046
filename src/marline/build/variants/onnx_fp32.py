"""onnx-fp32: exported and fused; for a bring-your-own model, the file as it is."""

from __future__ import annotations

import shutil

from marline.build.variants.base import Built, Context
from marline.build.variants.onnx_graph import counts, fused


def build(context: Context) -> Built:
    """Write ``model.onnx``."""
    target = context.out / "model.onnx"
    if context.text is None:
        shutil.copyfile(context.source.path, target)
        return Built(("model.onnx",), ("onnxruntime",), {"nodes": counts(target), "origin": "brought"})
    graph, nodes = fused(context)
    shutil.copyfile(graph, target)
    return Built(("model.onnx",), ("onnxruntime",), {"nodes": nodes, "origin": "exported"})
