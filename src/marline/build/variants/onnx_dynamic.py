"""Dynamic int8 with ONNX Runtime's quantizer: weights per channel ahead, activations at run time."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from marline.build.gate.exam import Inputs
from marline.build.variants.base import Built, Context
from marline.build.variants.onnx_graph import counts, fused, layers
from marline.build.variants.sensitivity import choose
from marline.errors import BuildError

QUANTIZED = ("MatMulInteger", "QAttention", "ConvInteger", "DynamicQuantizeLSTM", "QEmbedLayerNormalization")
# the two products of attention scores have no weight: there is nothing to quantize ahead
LINEARS_PER_LAYER = 6
# inputs of an operator that are a quantized weight and its zero point
WEIGHT_AND_ZERO = {"MatMulInteger": (1, 3), "QAttention": (1, 7)}


def build_dynamic(context: Context, reduce_range: bool, exact: bool = False) -> Built:
    """Write ``model.onnx`` with every weighted product quantized.

    Args:
        context: the build.
        reduce_range: 7-bit weights, whose products cannot saturate on CPUs without VNNI.
        exact: as the twin that the gate uses, see :func:`unsigned`.

    Raises:
        BuildError: when fewer products were quantized than the model has.
    """
    target = context.out / "model.onnx"
    source = context.source.path if context.text is None else fused(context)[0]
    kept = list((context.calibration or {}).get("keep_fp32", []))
    quantize(source, target, reduce_range, kept)
    if exact:
        unsigned(target)
    found = counts(target)
    done = sum(found.get(kind, 0) for kind in QUANTIZED)
    if context.text is not None:
        expected = _products(context) - len(kept)
        # one QAttention stands for the three projections of a layer
        covered = found.get("MatMulInteger", 0) + 3 * found.get("QAttention", 0)
        if covered < expected:
            raise BuildError(
                f"{context.spec.name} {context.variant}: {covered} of {expected} weighted products were quantized; "
                "the quantizer changed, check the versions against config/compat.yaml"
            )
    elif done == 0:
        raise BuildError(
            f"{context.spec.name} {context.variant}: nothing in the model was quantized; remove the variant from the spec"
        )
    return Built(
        ("model.onnx",),
        ("onnxruntime",),
        {"nodes": found, "quantized_nodes": done, "kept_fp32": kept, "reduce_range": reduce_range},
    )


def calibrate_dynamic(context: Context, rows: list[Inputs], reduce_range: bool, exact: bool = False) -> dict[str, Any]:
    """The products to leave in fp32, by measured SQNR (see :mod:`marline.build.variants.sensitivity`)."""
    source, target = fused(context)[0], context.shared / "tried.onnx"
    names = [node.name for node in onnx.load(str(source)).graph.node if node.op_type in ("MatMul", "Gemm")]

    def without(kept: list[str]) -> Path:
        quantize(source, target, reduce_range, kept)
        if exact:
            unsigned(target)
        return target

    return choose(names, source, without, rows, context.spec.task)


def quantize(source: Path, target: Path, reduce_range: bool, keep_fp32: list[str]) -> None:
    """Quantize a graph file into another, leaving the named nodes as they are."""
    # the quantizer advises on pre-processing through the root logger
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)
    try:
        quantize_dynamic(
            str(source),
            str(target),
            per_channel=True,
            reduce_range=reduce_range,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=keep_fp32,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
    finally:
        logging.getLogger().setLevel(level)


def unsigned(graph: Path) -> None:
    """Rewrite the signed weights of all products as unsigned ones that stand for the same integers.

    128 is added to a weight and to its zero point.  ONNX Runtime's kernels for two unsigned operands
    sum in 32 bits on every CPU, as VNNI does with signed weights, and never saturate.
    """
    model = onnx.load(str(graph))
    names = {n.input[i] for n in model.graph.node for i in WEIGHT_AND_ZERO.get(n.op_type, ()) if i < len(n.input)}
    for tensor in model.graph.initializer:
        if tensor.name in names and tensor.data_type == onnx.TensorProto.INT8:
            moved = numpy_helper.to_array(tensor).astype(np.int16) + 128
            tensor.CopyFrom(numpy_helper.from_array(moved.astype(np.uint8), tensor.name))
    onnx.save(model, str(graph))


def _products(context: Context) -> int:
    assert context.text is not None
    return LINEARS_PER_LAYER * layers(context.text.config) + (context.spec.head == "mean-linear")
