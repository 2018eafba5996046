"""Dynamic int8 with ONNX Runtime's quantizer: weights per channel ahead, activations at run time."""

from __future__ import annotations

import logging
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from marline.build.variants.base import Built, Context
from marline.build.variants.onnx_graph import counts, fused, layers
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
    quantize(source, target, reduce_range, weights)
    found = counts(target)
    done = sum(found.get(kind, 0) for kind in QUANTIZED)
    if context.text is not None:
        expected = _products(context)
        # one QAttention stands for the three projections of a layer
        covered = found.get("MatMulInteger", 0) + 3 * found.get("QAttention", 0)
        if covered < expected:
            raise BuildError(
                f"{context.spec.name} {context.variant}: {covered} of {expected} weighted products were quantized; "
                "the quantizer changed, check the versions against config/compat.yaml"
            )
    elif done == 0:
        raise BuildError(f"{context.spec.name} {context.variant}: nothing in the model was quantized; remove the variant from the spec")
    return Built(("model.onnx",), ("onnxruntime",), {"nodes": found, "quantized_nodes": done, "reduce_range": reduce_range})


def quantize(source: Path, target: Path, reduce_range: bool, weights: QuantType) -> None:
    """Quantize a graph file into another."""
    # the quantizer advises on pre-processing through the root logger
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)
    try:
        quantize_dynamic(
            str(source), str(target), per_channel=True, reduce_range=reduce_range, weight_type=weights,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
    finally:
        logging.getLogger().setLevel(level)


def _products(context: Context) -> int:
    assert context.text is not None
    return LINEARS_PER_LAYER * layers(context.text.config) + (context.spec.head == "mean-linear")
