"""Dynamic int8 with ONNX Runtime's quantizer: weights per channel ahead, activations at run time."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from marline.build.gate.exam import Inputs
from marline.build.variants.base import Built, Context
from marline.build.variants.onnx_graph import counts, fused, layers
from marline.build.variants.sensitivity import choose
from marline.errors import BuildError

QUANTIZED = ("MatMulInteger", "QAttention", "ConvInteger", "DynamicQuantizeLSTM", "QEmbedLayerNormalization")
# the two products of attention scores have no weight: there is nothing to quantize ahead
LINEARS_PER_LAYER = 6


def build_dynamic(context: Context, reduce_range: bool, weights: QuantType = QuantType.QInt8) -> Built:
    """Write ``model.onnx`` with every weighted product quantized.

    Args:
        context: the build.
        reduce_range: 7-bit weights, whose products cannot saturate on CPUs without VNNI.
        weights: signed, or unsigned for the exact twin that the gate uses.

    Raises:
        BuildError: when fewer products were quantized than the model has.
    """
    target = context.out / "model.onnx"
    source = context.source.path if context.text is None else fused(context)[0]
    kept = list((context.calibration or {}).get("keep_fp32", []))
    quantize(source, target, reduce_range, weights, kept)
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


def calibrate_dynamic(
    context: Context, rows: list[Inputs], reduce_range: bool, weights: QuantType = QuantType.QInt8
) -> dict[str, Any]:
    """The products to leave in fp32, by measured SQNR (see :mod:`marline.build.variants.sensitivity`)."""
    source, target = fused(context)[0], context.shared / "tried.onnx"
    names = [node.name for node in onnx.load(str(source)).graph.node if node.op_type in ("MatMul", "Gemm")]

    def without(kept: list[str]) -> Path:
        quantize(source, target, reduce_range, weights, kept)
        return target

    return choose(names, source, without, rows, context.spec.task)


def quantize(source: Path, target: Path, reduce_range: bool, weights: QuantType, keep_fp32: list[str]) -> None:
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
            weight_type=weights,
            nodes_to_exclude=keep_fp32,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
    finally:
        logging.getLogger().setLevel(level)


def _products(context: Context) -> int:
    assert context.text is not None
    return LINEARS_PER_LAYER * layers(context.text.config) + (context.spec.head == "mean-linear")
